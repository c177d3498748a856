import { apiDocument } from '../api/api-document.ts';
import { createResponseCheck } from '../api/response-check.ts';

/** An answer of the surface, as it was on the wire. */
export type ZenAnswer = {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
  body: any;
};

/** How a request is made; `body` that is a string is sent as it is. */
export type ZenRequest = { key?: string | undefined; body?: unknown; headers?: Record<string, string> };

/** Calls the surface; every answer of a route is validated against the OpenAPI document. */
export type ZenClient = (method: string, path: string, request?: ZenRequest) => Promise<ZenAnswer>;

/** A client of the service at `url` that shows `key` as a bearer unless told otherwise. */
export async function createZenClient(url: string, key: string): Promise<ZenClient> {
  // biome-ignore lint/suspicious/noExplicitAny: the document describes itself
  const document: any = await apiDocument();
  const check = createResponseCheck(document);
  const served = Object.keys(document.paths)
    .filter((path) => path.startsWith('/v1/'))
    .map(
      (path) =>
        [new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`), Object.keys(document.paths[path])] as const,
    );

  return async (method, path, request = {}) => {
    const bearer = 'key' in request ? request.key : key;
    const { body } = request;
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...request.headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    const answer = {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson && text !== '' ? JSON.parse(text) : undefined,
    };
    const pathname = path.split('?')[0] ?? '';
    const isServed = served.some(
      ([form, methods]) => form.test(pathname) && methods.includes(method.toLowerCase()),
    );
    if (isServed) check.assert(method, path, answer);
    return answer;
  };
}
