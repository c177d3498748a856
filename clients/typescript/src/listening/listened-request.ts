import { toBase64 } from '../bytes.ts';
import type { RedriveClient } from '../calls/client.ts';
import { errorOf, hasCode } from '../calls/problem.ts';

/** What a receiver answered, or that it could not be reached. */
export type ReceiverAnswer = { status: number; body?: string | Uint8Array } | 'unreachable';

/** A request that came to a listener. */
export interface ListenedRequest {
  deliveryId: string;
  /** With the signature: `verifyWebhook` takes them. */
  headers: Record<string, string>;
  /** The body as it was accepted, byte for byte in UTF-8. */
  body: string;
  /** Afterwards it has failed, and may have arrived; by the clock of this machine. */
  answerBy: Date;
  /** Answers it; false where that came too late. */
  answer: (answer: ReceiverAnswer) => Promise<boolean>;
}

/** Bytes of a body that are kept anyway. */
const KEPT_BYTES = 1_024;

/** The request in an event of the stream of a listener. */
export function listenedRequest(
  { calls }: RedriveClient,
  listenerId: string,
  data: unknown,
): ListenedRequest {
  const { token, answerBy, answerWithinMs, ...request } = data as Omit<
    ListenedRequest,
    'answer' | 'answerBy'
  > & {
    token: string;
    answerBy: string;
    answerWithinMs?: number;
  };
  return {
    ...request,
    // The clock of the server may say something else than this one.
    answerBy: answerWithinMs === undefined ? new Date(answerBy) : new Date(Date.now() + answerWithinMs),
    async answer(answer) {
      const { error, response } = await calls.POST('/api/v1/listeners/{id}/answers', {
        params: { path: { id: listenerId } },
        body: { token, ...answered(answer) },
      });
      if (response.ok) return true;
      const refusal = errorOf(error, response);
      // Not found: the listener has ended meanwhile.
      if (hasCode(refusal, 'state_conflict') || hasCode(refusal, 'not_found')) return false;
      throw refusal;
    },
  };
}

function answered(answer: ReceiverAnswer) {
  if (answer === 'unreachable') return { unreachable: true as const };
  const { status, body = '' } = answer;
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  return { status, body: toBase64(bytes.subarray(0, KEPT_BYTES)) };
}
