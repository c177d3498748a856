import { answerOf, type ClientOptions, redriveClient } from '../calls/client.ts';
import type { components } from '../native-api.ts';
import { secretBytes, signatureOver } from './signatures.ts';

/** A delivery that was received: its headers `webhook-id` and `redrive-endpoint`. */
export interface ReceivedDelivery {
  webhookId: string;
  endpointId: string;
}

/** What became of an acknowledgement. */
export type AcknowledgementOutcome = components['schemas']['AcknowledgementOutcome'];

/** A signed acknowledgement, as `POST /api/v1/acks` takes it. */
export type Acknowledgement = components['schemas']['Acknowledgement'];

const MOST_AT_ONCE = 1_000;

/** Signs that a delivery was received, by the secret of its endpoint. */
export function signAcknowledgement(
  secret: string,
  { webhookId, endpointId }: ReceivedDelivery,
  now = Date.now(),
): Acknowledgement {
  const key = secretBytes(secret);
  if (!key) throw new TypeError('Expected a signing secret: whsec_ and base64.');
  const timestamp = Math.floor(now / 1_000);
  const signature = signatureOver(key, `ack.v1.${endpointId}.${webhookId}.${timestamp}`);
  return { endpointId, webhookId, timestamp, signature };
}

/**
 * Says that deliveries were received, also later and whatever became of them; needs the endpoint's secret and no key.
 * Repeating it is safe. Answers the outcome of each, in their order.
 */
export async function acknowledge(
  received: ReceivedDelivery | readonly ReceivedDelivery[],
  { secret, signal, ...options }: Omit<ClientOptions, 'key'> & { secret: string; signal?: AbortSignal },
): Promise<AcknowledgementOutcome[]> {
  const { calls } = redriveClient(options);
  const all = [received].flat();
  const outcomes: AcknowledgementOutcome[] = [];
  for (let at = 0; at < all.length; at += MOST_AT_ONCE) {
    const body = all.slice(at, at + MOST_AT_ONCE).map((each) => signAcknowledgement(secret, each));
    const answer = await answerOf(calls.POST('/api/v1/acks', { body, ...(signal ? { signal } : {}) }));
    outcomes.push(...[answer].flat());
  }
  return outcomes;
}
