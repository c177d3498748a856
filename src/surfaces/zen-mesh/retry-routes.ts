import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { type FieldError, MAX_ERRORS, type Problem, problem } from '../../api/problems/problem.ts';
import { quotaExceeded } from '../../api/problems/quota-exceeded.ts';
import { readIdempotencyKey } from '../../api/requests/idempotency.ts';
import { type Route, route } from '../../api/route.ts';
import { retryWords } from '../../domain/operations/retry-words.ts';
import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import { type Id, readId, showId } from '../../domain/tenancy/typed-id.ts';
import { acceptOperation } from '../../operations/accept-operation.ts';
import type { Queryable } from '../../store/db/queryable.ts';
import { droppedAmong } from '../../store/reading/delivery-reads.ts';
import {
  deliveriesOfEvent,
  type Event,
  type EventDelivery,
  findEvent,
} from '../../store/reading/event-reads.ts';
import { findTenant } from '../../store/tenancy/tenants.ts';
import { idempotencyOf, KEY_HEADER, keyConflict } from './idempotency.ts';
import { MAX_BATCH, refusedBatch } from './plan-gate.ts';
import { notFoundDetail, zenErrors } from './problems.ts';
import { BatchRetried, batchAnswer, EventRetried, eventAnswer } from './retry-answers.ts';
import { readDeliveryId, spelledId, tid, ZEN_TAG } from './zen-fields.ts';

/** All but dropped ones: delivered ones are selected only to be told of, for the engine leaves them alone. */
const STATES_OF_EVENT: DeliveryState[] = ['pending', 'failed', 'unknown', 'cancelled', 'delivered'];

/** Far more endpoints than any event is for. */
const MAX_DELIVERIES = 10_000;

const Batch = z.strictObject({
  delivery_ids: z
    .array(spelledId('A delivery, as `dlv_…`, `del_…` or uuid.', 'del_01k9z3e5hbe7r9qk2m4n6p8r0s'))
    .min(1)
    .max(MAX_BATCH)
    .meta({ description: `Deliveries, ${MAX_BATCH} at most; a repeat counts once.` }),
});

/** The terms of every retry of this surface: to the original target, in the place of executions that merely wait. */
const RETRY = {
  surface: 'zen-mesh',
  kind: 'retry',
  target: 'original',
  options: { takeOverScheduled: true },
} as const;

/** Single and batch retry. */
export function retryRoutes(deps: ApiDeps): Route[] {
  const { pool } = deps;
  const common = {
    method: 'post',
    tag: ZEN_TAG,
    access: { of: 'tenant', scope: 'write:deliveries' },
    headers: KEY_HEADER,
  } as const;
  return [
    route({
      ...common,
      path: '/v1/tenants/{tid}/events/{eid}/retry',
      summary: 'Retry an event',
      description:
        'Sends every delivery of the event that failed or waits, to its original target. Delivered ones are left alone.',
      request: {
        params: z.strictObject({ tid, eid: spelledId('The event.', 'evt_01k9z3e5hbe7r9qk2m4n6p8r0s') }),
      },
      responses: {
        202: { description: 'It is accepted.', schema: EventRetried },
        ...zenErrors({ conflict: true }),
      },
      async handler({ params: { eid }, header, tenant, caller }) {
        const key = readIdempotencyKey(header('idempotency-key'));
        if (typeof key === 'object') return key;
        const id = readId('event', eid);
        // Found before anything is rendered.
        let oldest!: Id<'delivery'>;
        const result = await acceptOperation<Problem>(deps, {
          ...RETRY,
          tenant,
          caller,
          selection: { filter: { eventIds: id === undefined ? [] : [id], state: STATES_OF_EVENT } },
          ...idempotencyOf(tenant, key, { route: 'retry', of: id ?? eid }),
          async before(db) {
            const event = id === undefined ? undefined : await findEvent(db, tenant.id, id);
            if (!event) return problem('not_found', { detail: notFoundDetail('Event', eid) });
            const deliveries = await deliveriesOfEvent(db, tenant.id, event.id, MAX_DELIVERIES);
            const first = deliveries.find(({ state }) => state !== 'ignored');
            if (!first)
              return problem('not_found', {
                detail: nothingToRetry(eid, event, {
                  deliveries,
                  firstKept: await isKept(db, tenant.id, event.duplicateOf),
                }),
              });
            oldest = first.id;
            return undefined;
          },
          render: ({ items = [], operation }) => eventAnswer(items, oldest, operation),
        });
        if (result.ok) return { status: 202, json: result.body };
        if (result.code === 'quota_exceeded') return quotaExceeded(result.beyond);
        return result.code === 'refused' ? result.refusal : keyConflict(key);
      },
    }),
    route({
      ...common,
      path: '/v1/tenants/{tid}/retry/batch',
      summary: 'Batch retry',
      description:
        'Sends these deliveries to their original targets; all of them or, where one is unknown, none. How many depends on the plan of the tenant.',
      request: { params: z.strictObject({ tid }), body: Batch },
      responses: {
        202: { description: 'It is accepted.', schema: BatchRetried },
        ...zenErrors({ conflict: true, planned: true }),
      },
      async handler({ body, header, tenant, caller }) {
        const key = readIdempotencyKey(header('idempotency-key'));
        if (typeof key === 'object') return key;
        const named = deliveriesNamed(body.delivery_ids);
        const plan = (await findTenant(pool, { id: tenant.id }))?.plan;
        const refused = refusedBatch(plan, named.spelled.size + named.unread.length);
        if (refused) return refused;
        const ids = [...named.spelled.keys()];
        const dropped = new Set(await droppedAmong(pool, tenant.id, ids));
        const result = await acceptOperation<Problem>(deps, {
          ...RETRY,
          tenant,
          caller,
          selection: { deliveryIds: ids.filter((id) => !dropped.has(id)) },
          ...idempotencyOf(tenant, key, { route: 'batch', of: [...ids, ...named.unread].sort() }),
          before: async () =>
            named.unread.length > 0 ? unknownDeliveries(body.delivery_ids, []) : undefined,
          render: ({ items = [], operation }) => batchAnswer(named.spelled, items, operation),
        });
        if (result.ok) return { status: 202, json: result.body };
        if (result.code === 'refused') return result.refusal;
        if (result.code === 'quota_exceeded') return quotaExceeded(result.beyond);
        return result.code === 'unknown_ids'
          ? unknownDeliveries(body.delivery_ids, result.ids)
          : keyConflict(key);
      },
    }),
  ];
}

/** Deliveries by id, each as it was spelled first, and the texts that are no id at all. */
function deliveriesNamed(texts: readonly string[]): {
  spelled: Map<Id<'delivery'>, string>;
  unread: string[];
} {
  const spelled = new Map<Id<'delivery'>, string>();
  const unread = new Set<string>();
  for (const text of texts) {
    const id = readDeliveryId(text);
    if (id === undefined) unread.add(text);
    else if (!spelled.has(id)) spelled.set(id, text);
  }
  return { spelled, unread: [...unread] };
}

async function isKept(
  db: Queryable,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'> | undefined,
): Promise<boolean> {
  return eventId !== undefined && (await findEvent(db, tenantId, eventId)) !== undefined;
}

/** Why an event has nothing that a retry could send, and the next call. */
function nothingToRetry(
  eid: string,
  event: Event,
  { deliveries, firstKept }: { deliveries: readonly EventDelivery[]; firstKept: boolean },
): string {
  const nothing = `Event ${eid} has no delivery to retry`;
  if (event.suppressed && event.duplicateOf !== undefined)
    return firstKept
      ? `${nothing}: it repeats ${showId('event', event.duplicateOf)}; retry that one.`
      : `${nothing}: it repeats an event that is no longer kept. Send it again.`;
  const waiting = deliveries.find(({ open }) => open);
  if (waiting) return `${nothing}: a retry of ${showId('delivery', waiting.id)} is under way already.`;
  if (deliveries.length > 0 && deliveries.every(({ endpointState }) => endpointState === 'deleted')) {
    const { why, next } = retryWords('endpoint_deleted');
    return `${nothing}. ${why} ${next}`;
  }
  if (!event.payloadKept) return `${nothing}, and its payload is no longer retained: send it again.`;
  if (deliveries.length === 0) return `${nothing}: no destination wanted it when it was accepted.`;
  const replay =
    event.source === undefined
      ? 'POST /api/v1/retries with its deliveries'
      : 'POST /v1/replays with its source and a time range around its acceptance';
  return `${nothing}: it was dropped, as where its destination was disabled. Once the destination is enabled, ${replay} sends it.`;
}

/** Of a batch with an unknown id nothing is done, and every unknown id is named, as far as a list of errors goes. */
function unknownDeliveries(texts: readonly string[], unknown: readonly string[]): Problem {
  const among = new Set(unknown);
  const first = new Map<string, number>();
  for (const [index, text] of texts.entries()) {
    const id = readDeliveryId(text);
    if ((id === undefined || among.has(id)) && !first.has(text)) first.set(text, index);
  }
  const errors = [...first].slice(0, MAX_ERRORS).map(
    ([text, index]): FieldError => ({
      pointer: `#/delivery_ids/${index}`,
      code: 'not_found',
      message: notFoundDetail('Delivery', text),
    }),
  );
  const cut = first.size > MAX_ERRORS ? ` \`errors\` names the first ${MAX_ERRORS}.` : '';
  return problem('not_found', {
    detail: first.size === 1 ? (errors[0]?.message ?? '') : `${first.size} deliveries not found.${cut}`,
    errors,
  });
}
