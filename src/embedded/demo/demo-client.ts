import { DemoProblem } from './demo-problem.ts';

/** Calls the API as any other client would. */
export type DemoClient = {
  get<Body>(path: string): Promise<Body>;
  post<Body>(path: string, body: unknown, headers?: Record<string, string>): Promise<Body>;
};

/** A page of a list. */
export type Page<Item> = { items: Item[]; nextCursor: string | null };

const ANSWERS_WITHIN_MS = 30_000;

/** Makes a client with an API key; every call fails at once when `signal` aborts, and in any case in time. */
export function createDemoClient(url: string, apiKey: string, signal: AbortSignal): DemoClient {
  async function call<Body>(method: string, path: string, sent: RequestInit = {}): Promise<Body> {
    const response = await fetch(`${url}${path}`, {
      ...sent,
      method,
      headers: { authorization: `Bearer ${apiKey}`, ...sent.headers },
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWERS_WITHIN_MS)]),
    }).catch((error: Error) => {
      throw signal.aborted ? error : new DemoProblem(`${method} ${path} got no answer (${error.name})`);
    });
    const body = (await response.json()) as Body & { code?: string; detail?: string };
    if (response.ok) return body;
    throw new DemoProblem(
      `${method} ${path} answered ${response.status} ${body.code ?? ''}: ${body.detail ?? 'no detail'}`,
    );
  }
  return {
    get: (path) => call('GET', path),
    post: (path, body, headers) =>
      call('POST', path, {
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      }),
  };
}

/** All items of a list, page by page. */
export async function allPages<Item>(client: DemoClient, path: string): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Page<Item> = await client.get(
      cursor === '' ? path : `${path}&cursor=${encodeURIComponent(cursor)}`,
    );
    items.push(...page.items);
    cursor = page.nextCursor;
  }
  return items;
}
