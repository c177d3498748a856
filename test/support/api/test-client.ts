import { eventually } from '../eventually.ts';
import { createResponseCheck } from './response-check.ts';

/** An answer whose form has been checked against the service's own OpenAPI document. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
  body: any;
}

/** How a request is made. */
export interface Asked {
  key?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Calls a running service over HTTP. */
export interface TestClient {
  call(method: string, path: string, asked?: Asked): Promise<Answer>;
  /** Makes a tenant with a key of every scope, without the usual term: tests write events of any age, and a worker would remove them. */
  newTenant(handle: string, settings?: object): Promise<{ id: string; handle: string; key: string }>;
  /** Makes an endpoint and returns its answer, with the signing secret. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  newEndpoint(key: string, endpoint: Record<string, unknown>): Promise<any>;
  /** Fails unless the answer has the status; what is read is asked for again where the service says that it is too busy. */
  expect(status: number, method: string, path: string, asked?: Asked): Promise<Answer>;
}

const SCOPES = ['read:endpoints', 'write:endpoints', 'write:events', 'read:deliveries', 'write:deliveries'];

/** Makes a client of the service at `url`, whose answers are as this document says; by default as its own. */
export async function createTestClient(
  url: string,
  adminKey: string,
  document?: unknown,
): Promise<TestClient> {
  const check = createResponseCheck(document ?? (await (await fetch(`${url}/openapi.json`)).json()));

  const call: TestClient['call'] = async (method, path, { key, body, headers } = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key ?? adminKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const type = response.headers.get('content-type') ?? '';
    const json = type.includes('json') && !type.includes('ndjson');
    const answer = {
      status: response.status,
      headers: response.headers,
      text,
      body: json ? JSON.parse(text) : undefined,
    };
    check.assert(method, path, answer);
    return answer;
  };
  const expect: TestClient['expect'] = async (status, method, path, asked) => {
    let answer = await call(method, path, asked);
    // A machine that is too busy to give a connection in time asks for that.
    if (method === 'GET' && status !== 503 && answer.status === 503)
      await eventually('it is answered', async () => {
        answer = await call(method, path, asked);
        return answer.status !== 503;
      });
    if (answer.status !== status)
      throw new Error(`${method} ${path} answered ${answer.status}, not ${status}: ${answer.text}`);
    return answer;
  };
  return {
    call,
    expect,
    async newTenant(handle, settings = { eventRetentionDays: null }) {
      const tenant = await expect(201, 'POST', '/api/v1/tenants', { body: { handle, settings } });
      const key = await expect(201, 'POST', '/api/v1/keys', {
        body: { tenantId: tenant.body.id, name: 'test', scopes: SCOPES },
      });
      return { id: tenant.body.id, handle, key: key.body.key };
    },
    async newEndpoint(key, endpoint) {
      return (await expect(201, 'POST', '/api/v1/endpoints', { key, body: endpoint })).body;
    },
  };
}
