import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { ADVICE_STEPS, advise } from '../../../domain/operations/advice.ts';
import { EXCLUSION_REASONS } from '../../../domain/operations/selection.ts';
import { present } from '../../../domain/present.ts';
import { DELIVERY_STATES } from '../../../domain/sending/delivery-state.ts';
import { FAULT_CODES, type FaultCode } from '../../../domain/sending/fault-code.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { lookForRetry } from '../../../store/reading/advice-facts.ts';
import { findDelivery } from '../../../store/reading/delivery-reads.ts';
import { waitsOfExecutions } from '../../../store/reading/waits.ts';
import { findEndpoint } from '../../../store/tenancy/endpoints.ts';
import { idParams, shownId } from '../fields.ts';
import { waitsField, waitsView } from '../waits.ts';

const AdviceView = z
  .strictObject({
    deliveryId: shownId('delivery', 'The delivery.'),
    state: z.enum(DELIVERY_STATES).meta({ description: 'Its state.', example: 'failed' }),
    happened: z.string().meta({
      description: 'What became of it, and why it failed, as a sentence.',
      example: 'Its receiver had an error of its own.',
    }),
    faultCode: z
      .string()
      .nullable()
      .meta({ description: 'The same as a code, as filters take it.', example: 'http_5xx' }),
    mayHaveArrived: z.boolean().meta({ description: 'An attempt of it may have arrived.', example: false }),
    step: z.enum(ADVICE_STEPS).meta({
      description:
        '`none`: it is delivered. `wait`: it will be sent, or its endpoint has to answer first. `follow`: another delivery stands for it, or is in its way. `settle`: its outcome is not known. `release`: an operation that was stopped holds it. `fix_endpoint`: the same request would end the same way. `retry`: nothing speaks against it. `confirm`: it may arrive twice. `send_again`: only its source has it.',
      example: 'retry',
    }),
    why: z.string().meta({
      description: 'Why this is the safest step, as a sentence.',
      example: 'Nothing speaks against sending it again.',
    }),
    next: z.string().meta({
      description: 'The next call, as a sentence.',
      example: 'POST /api/v1/retries with dlv_01k9z3e5hbe7r9qk2m4n6p8r0s.',
    }),
    retry: z
      .strictObject({
        fate: z.enum(['will_be_sent', 'joins', 'waits', 'cannot']).meta({
          description: 'Its fate; `joins` another execution that is open, `waits` for somebody or something.',
          example: 'will_be_sent',
        }),
        reason: z.enum(EXCLUSION_REASONS).nullable().meta({
          description: 'As what it would be left out; null where it would be sent.',
          example: null,
        }),
      })
      .meta({ description: 'What a retry of it alone would do now.' }),
    waitingFor: waitsField('What its open execution waits for.'),
  })
  .meta({ id: 'Advice', description: 'The safest next step about a delivery, and why.' });

/** Advice about one delivery. */
export function adviceRoutes({ pool }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/deliveries/{id}/advice',
      summary: 'The safest next step about a delivery, and why',
      description:
        'Decided by the same function as every retry, and then by why the last attempt failed. It is advice: nothing is changed, and what is so now may be otherwise at the next call.',
      tag: 'Deliveries',
      access: { of: 'tenant', scope: 'read:deliveries' },
      request: { params: idParams('delivery', 'Id of the delivery.') },
      responses: { 200: { description: 'The advice.', schema: AdviceView } },
      async handler({ params: { id }, tenant }) {
        const delivery = await findDelivery(pool, tenant.id, id);
        const look = await lookForRetry(pool, tenant.id, id);
        const endpoint = delivery && (await findEndpoint(pool, tenant.id, delivery.endpointId));
        if (!delivery || !look || !endpoint) return problem('not_found');
        const { openExecutionId } = delivery;
        const open = openExecutionId ? [openExecutionId] : [];
        const waitingFor = [...(await waitsOfExecutions(pool, open)).values()].flat();
        const { facts, mayHaveArrived, onlyImported, firstGone, heldBy, resentBy, blockedBy } = look;
        const { webhookId, event } = delivery;
        const faultCode = knownFault(delivery.faultCode);
        const { retry, ...advice } = advise(
          {
            ...facts,
            ...{ attempts: delivery.attempts, imported: delivery.importId !== undefined },
            ...{ mayHaveArrived, waitingFor, circuit: endpoint.circuit, firstGone },
            ...present({ faultCode }),
          },
          {
            deliveryId: showId('delivery', id),
            endpointId: showId('endpoint', delivery.endpointId),
            ...present({
              webhookId,
              foreignEventId: onlyImported && webhookId === undefined ? event.externalId : undefined,
              heldBy: heldBy && showId('operation', heldBy),
              resentBy: resentBy && showId('delivery', resentBy),
              blockedBy: blockedBy && showId('delivery', blockedBy),
            }),
          },
        );
        return {
          status: 200,
          body: {
            deliveryId: showId('delivery', id),
            state: facts.delivery,
            ...advice,
            faultCode: delivery.faultCode ?? null,
            mayHaveArrived: mayHaveArrived && facts.delivery !== 'delivered',
            retry: { fate: retry.fate, reason: retry.reason ?? null },
            waitingFor: waitsView(waitingFor),
          },
        };
      },
    }),
  ];
}

/** A fault that an earlier version wrote may have no words any more. */
function knownFault(code: string | undefined): FaultCode | undefined {
  return FAULT_CODES.find((known) => known === code);
}
