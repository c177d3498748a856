import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { ApiDeps } from '../../../src/api/api-deps.ts';
import { hashApiKey, makeApiKey } from '../../../src/api/authentication/api-key.ts';
import { listen } from '../../../src/api/listen.ts';
import { createApi } from '../../../src/api/server.ts';
import { type Scope, TENANT_SCOPES } from '../../../src/domain/tenancy/scope.ts';
import { ID_PREFIXES, type Id, readId } from '../../../src/domain/tenancy/typed-id.ts';
import { createIngest } from '../../../src/ingest/create-ingest.ts';
import { createAddressGuard, type Resolve } from '../../../src/outbound/address-guard.ts';
import { createKeySets } from '../../../src/outbound/key-sets.ts';
import { createSealer, type Sealer } from '../../../src/sealing/sealing.ts';
import { insertApiKey, installAdminKeys } from '../../../src/store/tenancy/api-keys.ts';
import { insertTenant, type Tenant } from '../../../src/store/tenancy/tenants.ts';
import { presetsOf, SURFACES } from '../../../src/surfaces/surfaces.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { anyId } from '../store/any-id.ts';
import { createTestDatabase, type TestDatabase } from '../store/test-database.ts';
import { apiDocument } from './api-document.ts';
import { createResponseCheck, type ResponseCheck } from './response-check.ts';

/** An answer whose form has been checked against the OpenAPI document. */
export type TestAnswer = {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
  body: any;
};

/** How a request is made; `body` that is a string or bytes is sent as it is. */
export type TestRequest = {
  key?: string | undefined;
  body?: unknown;
  headers?: Record<string, string>;
};

/** An API over HTTP with a database of its own; every answer is validated against the OpenAPI document. */
export type TestApi = {
  url: string;
  database: TestDatabase;
  deps: ApiDeps;
  sealer: Sealer;
  adminKey: string;
  tenant: Tenant;
  /** A key of the tenant with every scope. */
  key: string;
  /** The lines of the log. */
  log: string[];
  /** How often the live lane was poked, and the operations whose start was asked for. */
  poked: { liveLane: number; started: string[]; nudged: string[] };
  check: ResponseCheck;
  call(method: string, path: string, request?: TestRequest): Promise<TestAnswer>;
  /** Makes a further tenant with a key of every scope. */
  newTenant(handle?: string): Promise<{ tenant: Tenant; key: string }>;
  newKey(tenantId: string, scopes: readonly Scope[], expiresAt?: Date): Promise<string>;
  /** The uuid in an id as it is shown. */
  uuid(shown: string): Id<never>;
  close(): Promise<void>;
};

/** Names that resolve without a network: `*.example` to a public address, everything else to nothing. */
const resolveExamples: Resolve = (hostname, _options, callback) => {
  if (hostname.endsWith('.example')) callback(null, [{ address: '93.184.216.34', family: 4 }]);
  else callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), []);
};

/** Starts an API on a free port; what is given replaces its parts. */
export async function startTestApi(overrides: Partial<ApiDeps> = {}): Promise<TestApi> {
  const database = await createTestDatabase();
  const sealer = createSealer(randomBytes(32));
  const log: string[] = [];
  const poked: TestApi['poked'] = { liveLane: 0, started: [], nudged: [] };
  const shutdown = new AbortController();
  const pokeLiveLane = () => {
    poked.liveLane += 1;
  };
  const guard = overrides.guard ?? createAddressGuard([], resolveExamples);
  const deps: ApiDeps = {
    pool: database.pool,
    presets: presetsOf(SURFACES),
    sealer,
    guard,
    keySets: createKeySets(guard),
    log: createLogger({ level: 'warn', destination: { write: (line) => void log.push(line) } }),
    metrics: createMetrics(),
    readiness: async () => [{ name: 'postgres', ready: true, state: 'connected' }],
    lookAtRun: async () => ({ answers: false }),
    version: '0.0.0-test',
    shutdown: shutdown.signal,
    pokeLiveLane,
    acceptEvents: createIngest({ pool: database.pool, pokeLiveLane }),
    publicOrigin: () => url,
    consoleFiles: fileURLToPath(new URL('../../fixtures/console', import.meta.url)),
    startOperation: async ({ id }) => void poked.started.push(id),
    nudgeOperation: async ({ id }) => void poked.nudged.push(id),
    ...overrides,
  };
  let url = '';
  const check = createResponseCheck(await apiDocument());
  const server = await listen(createApi(deps, SURFACES), '127.0.0.1', 0);
  url = `http://127.0.0.1:${server.port}`;
  const adminKey = makeApiKey();
  await installAdminKeys(database.pool, [hashApiKey(adminKey)]);

  const newKey: TestApi['newKey'] = async (tenantId, scopes, expiresAt) => {
    const key = makeApiKey();
    await insertApiKey(database.pool, {
      tenantId: anyId(tenantId),
      name: 'test',
      hash: hashApiKey(key),
      scopes,
    });
    if (expiresAt)
      await database.pool.query('update api_keys set expires_at = $2 where key_hash = $1', [
        hashApiKey(key),
        expiresAt,
      ]);
    return key;
  };
  const newTenant: TestApi['newTenant'] = async (handle = `t-${randomBytes(4).toString('hex')}`) => {
    const tenant = await insertTenant(database.pool, { handle });
    if (!tenant) throw new Error(`the handle ${handle} is taken`);
    return { tenant, key: await newKey(tenant.id, TENANT_SCOPES) };
  };
  const { tenant, key } = await newTenant('acme');

  return {
    url,
    database,
    deps,
    sealer,
    adminKey,
    tenant,
    key,
    log,
    poked,
    check,
    newTenant,
    newKey,
    uuid: uuidOf,
    async call(method, path, request = {}) {
      const raw = typeof request.body === 'string' || request.body instanceof Uint8Array;
      const bearer = 'key' in request ? request.key : key;
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
          ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...request.headers,
        },
        ...(request.body === undefined
          ? {}
          : { body: raw ? (request.body as string) : JSON.stringify(request.body) }),
      });
      const text = await response.text();
      const isJson =
        /json/.test(response.headers.get('content-type') ?? '') &&
        !/ndjson/.test(response.headers.get('content-type') ?? '');
      const answer = {
        status: response.status,
        headers: response.headers,
        text,
        body: isJson ? JSON.parse(text) : undefined,
      };
      check.assert(method, path, answer);
      return answer;
    },
    async close() {
      shutdown.abort();
      await server.close(0);
      await database.drop();
    },
  };
}

/** The uuid in an id as it is shown, whatever its kind. */
function uuidOf(shown: string): Id<never> {
  const kinds = [
    'tenant',
    'endpoint',
    'event',
    'delivery',
    'execution',
    'operation',
    'key',
    'jwtIssuer',
    'session',
    'outage',
    'listener',
    'import',
  ] as const;
  const kind = kinds.find((each) => shown.startsWith(`${ID_PREFIXES[each]}_`));
  const uuid = kind && readId(kind, shown);
  if (!uuid) throw new Error(`not an id: ${shown}`);
  return anyId(uuid);
}
