import type { TestAnswer, TestApi } from './test-api.ts';

/** The headers that a browser and the console in it send with a request that does something. */
export function fromConsole(origin: string): Record<string, string> {
  return { origin, 'redrive-console': '1' };
}

/** A browser that is signed in, as far as the API can see it. */
export interface SignedIn {
  answer: TestAnswer;
  /** The header `Cookie`. */
  cookie: string;
  /** Its secret. */
  secret: string;
  call(method: string, path: string, request?: { body?: unknown; headers?: object }): Promise<TestAnswer>;
}

/** Signs in to the console as a browser does; fails where it is refused. */
export async function signIn(
  api: TestApi,
  credentials: { credential: string } | { code: string },
  headers: Record<string, string> = {},
): Promise<SignedIn> {
  const answer = await api.call('POST', '/console/session', {
    key: undefined,
    body: credentials,
    headers: { ...fromConsole(api.url), ...headers },
  });
  if (answer.status !== 201) throw new Error(`signing in answered ${answer.status}: ${answer.text}`);
  const [cookie = ''] = (answer.headers.get('set-cookie') ?? '').split(';');
  return {
    answer,
    cookie,
    secret: cookie.split('=')[1] ?? '',
    call: (method, path, request = {}) =>
      api.call(method, path, {
        key: undefined,
        ...('body' in request ? { body: request.body } : {}),
        headers: { ...fromConsole(api.url), cookie, ...request.headers },
      }),
  };
}
