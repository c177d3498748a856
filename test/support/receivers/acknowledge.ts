import { createHmac } from 'node:crypto';
import type { TestEngine } from '../engine/test-engine.ts';

/** An acknowledgement as a receiver signs it. */
export function signAck(
  endpoint: { id: string; secret: string },
  deliveryId: string,
  secret: string = endpoint.secret,
) {
  const timestamp = Math.floor(Date.now() / 1_000);
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const signature = `v1,${createHmac('sha256', key).update(`ack.v1.${endpoint.id}.${deliveryId}.${timestamp}`).digest('base64')}`;
  return { endpointId: endpoint.id, webhookId: deliveryId, timestamp, signature };
}

/** Posts acknowledgements as a receiver does, without a key. */
export async function postAck(engine: TestEngine, body: unknown) {
  const response = await fetch(`${engine.service.url}/api/v1/acks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
  return { status: response.status, body: (await response.json()) as any };
}
