import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { type Id, readId } from '../../../domain/tenancy/typed-id.ts';
import { acknowledgeDeliveries } from '../../../operations/deliveries/acknowledge-deliveries.ts';
import { findAcknowledgeable } from '../../../store/settling/acknowledgements.ts';
import { idField, textField } from '../fields.ts';
import { acknowledgementSignatures } from './acknowledgement.ts';

const MAX_ACKS = 1_000;
/** The last second of the year 9999. */
const MAX_UNIX_SECONDS = 253_402_300_799;

const Ack = z
  .strictObject({
    endpointId: idField('endpoint', 'The endpoint that received it: the header `redrive-endpoint`.'),
    webhookId: textField(255, 'The delivery: the header `webhook-id`.', 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s'),
    timestamp: z
      .int()
      .min(0)
      .max(MAX_UNIX_SECONDS)
      .meta({ description: 'When it was acknowledged, in Unix seconds.', example: 1_795_000_000 }),
    signature: z.string().max(200).meta({
      description:
        '`v1,` and base64 of HMAC-SHA256 under the endpoint’s secret over `ack.v1.<endpointId>.<webhookId>.<timestamp>`, ids as they were sent.',
      example: 'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
    }),
  })
  .meta({ id: 'Acknowledgement' });

const Outcome = z
  .strictObject({
    webhookId: z.string().meta({
      description: 'The delivery, as it was named.',
      example: 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s',
    }),
    outcome: z.enum(['settled', 'remembered', 'already_delivered', 'refused']).meta({
      description:
        '`settled`: it is delivered. `remembered`: it is being sent, and will be. `already_delivered`: it was, and nothing is settled; also where a replay is open that was asked for more than five minutes after the acknowledgement was signed. `refused`: no such delivery was sent, or not signed by its endpoint.',
      example: 'settled',
    }),
  })
  .meta({ id: 'AcknowledgementOutcome' });

/** Acknowledgements of receivers: the holder of an endpoint's secret speaks for it, and needs no key. */
export function ackRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/acks',
      summary: 'Acknowledge deliveries that were received',
      description:
        'For receivers: settles deliveries whose outcome is not known, at any time and in any state. Repeating it is safe. An array is decided entry by entry.',
      tag: 'Acknowledgements',
      access: { of: 'anyone' },
      request: { body: z.union([Ack, z.array(Ack).min(1).max(MAX_ACKS)]) },
      responses: {
        200: {
          description: 'The outcome of each acknowledgement.',
          schema: z.union([Outcome, z.array(Outcome)]),
        },
      },
      problems: ['ack_refused', 'rate_limited', 'temporarily_unavailable', 'malformed_json'],
      async handler({ body, rawBody }) {
        const asked = [body].flat();
        const spelled = [rawBody].flat() as { endpointId: string }[];
        const known = await findAcknowledgeable(
          deps.pool,
          asked.map(({ endpointId, webhookId }) => ({
            endpointId,
            webhookId,
            deliveryId: readId('delivery', webhookId),
          })),
        );
        const signed = asked.map(({ endpointId, webhookId, timestamp, signature }, index) => {
          const { deliveryId, secrets = [] } = known[index] ?? {};
          const valid = acknowledgementSignatures(deps.sealer, endpointId, secrets, {
            endpoint: spelled[index]?.endpointId ?? '',
            webhookId,
            timestamp,
          }).some((expected) => expected(signature));
          return valid ? deliveryId : undefined;
        });
        const signedAt = newestOf(signed, asked);
        const became = await acknowledgeDeliveries(deps, [...signedAt.keys()], signedAt);
        const outcomes = asked.map(({ webhookId }, index) => {
          const deliveryId = signed[index];
          const outcome = deliveryId ? became.get(deliveryId) : undefined;
          return {
            webhookId,
            outcome: outcome === undefined || outcome === 'never_sent' ? ('refused' as const) : outcome,
          };
        });
        if (Array.isArray(body))
          return {
            status: 200,
            body: outcomes,
            ...(outcomes.every(({ outcome }) => outcome === 'refused') ? { unauthenticated: true } : {}),
          };
        return outcomes[0]?.outcome === 'refused'
          ? problem('ack_refused')
          : { status: 200, body: outcomes[0] };
      },
    }),
  ];
}

/** When each delivery was acknowledged last, of those that are signed well. */
function newestOf(
  signed: readonly (Id<'delivery'> | undefined)[],
  asked: readonly { timestamp: number }[],
): Map<Id<'delivery'>, Date> {
  const newest = new Map<Id<'delivery'>, Date>();
  for (const [index, { timestamp }] of asked.entries()) {
    const [deliveryId, at] = [signed[index], new Date(timestamp * 1_000)];
    if (deliveryId && at >= (newest.get(deliveryId) ?? at)) newest.set(deliveryId, at);
  }
  return newest;
}
