import { createHmac, timingSafeEqual } from 'node:crypto';
import { parseSecret } from '../../../outbound/signature.ts';
import type { Sealer } from '../../../sealing/sealing.ts';
import { endpointSecretContext } from '../../../sealing/sealing-contexts.ts';

/** The parts of the text that a receiver signs when it acknowledges; ids as they are spelled. */
export interface AcknowledgedText {
  endpoint: string;
  webhookId: string;
  timestamp: number;
}

/**
 * For each secret of an endpoint, a check whether a signature over an acknowledgement was made with it: `v1,` and
 * base64 of HMAC-SHA256 over `ack.v1.<endpoint>.<webhook-id>.<timestamp>`. Compared in constant time.
 */
export function acknowledgementSignatures(
  sealer: Sealer,
  endpointId: string,
  sealedSecrets: Buffer[],
  { endpoint, webhookId, timestamp }: AcknowledgedText,
): ((signature: string) => boolean)[] {
  return sealedSecrets.flatMap((sealed) => {
    const secret = parseSecret(sealer.open(sealed, endpointSecretContext(endpointId)).toString('utf8'));
    if (!secret) return [];
    const expected = Buffer.from(
      `v1,${createHmac('sha256', secret.key).update(`ack.v1.${endpoint}.${webhookId}.${timestamp}`).digest('base64')}`,
    );
    return [
      (signature: string) => {
        const given = Buffer.from(signature);
        return given.length === expected.length && timingSafeEqual(given, expected);
      },
    ];
  });
}
