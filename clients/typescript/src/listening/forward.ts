import type { ListenedRequest, ReceiverAnswer } from './listened-request.ts';

/** Failures before a connection was there: the request certainly did not arrive. */
const UNREACHED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  // Ports that no `fetch` sends to.
  'bad port',
]);

/**
 * Sends a request to a receiver of one's own, as Redrive would, and hands back its answer. Undefined where the connection
 * broke behind the request: it may have arrived, and is best left without an answer.
 */
export async function forward(
  { headers, body, answerBy }: Pick<ListenedRequest, 'headers' | 'body' | 'answerBy'>,
  url: string,
  fetch: (url: string, init: RequestInit) => Promise<Response> = globalThis.fetch,
): Promise<Extract<ReceiverAnswer, { status: number }> | 'unreachable' | undefined> {
  // What is no URL is a mistake of the caller, and no receiver that is away.
  new URL(url);
  const signal = AbortSignal.timeout(Math.max(0, answerBy.getTime() - Date.now()));
  try {
    // A redirect is an answer, and is never followed.
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal });
    return { status: response.status, body: new Uint8Array(await response.arrayBuffer()) };
  } catch (error) {
    return UNREACHED.has(codeOf(error)) ? 'unreachable' : undefined;
  }
}

function codeOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: string; message?: string; errors?: { code?: string }[] } };
  return cause?.code ?? cause?.errors?.[0]?.code ?? cause?.message ?? '';
}
