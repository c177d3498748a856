import { z } from 'zod';
import type { OperationOptions } from '../../domain/operations/operation.ts';
import type { OperationKind } from '../../domain/operations/operation-state.ts';
import type { SelectedTenants, Selection } from '../../domain/operations/selection.ts';
import { DELIVERY_STATES } from '../../domain/sending/delivery-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { DispatchStatusField, withStatus } from './dispatch-status.ts';
import { BATCH_MEMBERS, EVENT_MEMBERS, refuseReversedRange, selectedEvents, uuidsIn } from './fields.ts';

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Nothing has been open for longer, and no interval can be longer by much. */
const MAX_PENDING_MS = 36_500 * UNIT_MS.d;

const bypassSubscriptionFilter = z.boolean().default(false).meta({
  description: 'When true, forces the event to be replayed regardless of subscription filters',
  example: false,
});
const replayMatchedSubscriptions = z.boolean().default(false).meta({
  description:
    'When true, events are replayed to their already-matched subscriptions, also where the original dispatch was successful.',
  example: false,
});
const eventSource = z
  .string()
  .optional()
  .meta({ description: 'Filter by event source', example: 'core-banking-system' });

/** The body of the retry of one event of a subscription. */
export const SingleEventRetryRequest = z
  .strictObject({ bypassSubscriptionFilter })
  .meta({ id: 'JackHenrySingleEventRetryRequest' });

/** The body of the retry of events of a subscription. */
export const BulkSubscriptionEventRetryRequest = z
  .strictObject({
    eventId: EVENT_MEMBERS.eventId,
    eventNum: EVENT_MEMBERS.eventNum,
    dispatchBatchId: BATCH_MEMBERS.dispatchBatchId,
    dispatchStatus: z
      .array(DispatchStatusField)
      .optional()
      .meta({ description: 'Filter by dispatch status', example: ['failed', 'pending'] }),
    pendingLongerThan: z
      .string()
      .regex(/^[1-9]\d*[smhd]$/, 'Expected a duration such as 30m, 2h or 1d.')
      .optional()
      .meta({
        description: 'Duration threshold for pending events; dispatchStatus must include pending.',
        example: '30m',
      }),
    fromTime: EVENT_MEMBERS.fromTime,
    toTime: EVENT_MEMBERS.toTime,
    bypassSubscriptionFilter,
  })
  .superRefine((body, context) => {
    refuseReversedRange(body, context);
    if (body.pendingLongerThan !== undefined && !body.dispatchStatus?.includes('pending'))
      context.addIssue({
        code: 'custom',
        path: ['pendingLongerThan'],
        message: "Requires dispatchStatus to include 'pending'.",
        params: { code: 'not_allowed' },
      });
  })
  .meta({ id: 'JackHenryBulkSubscriptionEventRetryRequest' });

/** The body of the retry of one raw event. */
export const SingleRawEventRetryRequest = z
  .strictObject({ replayMatchedSubscriptions })
  .meta({ id: 'JackHenrySingleRawEventRetryRequest' });

const rawMembers = {
  eventId: EVENT_MEMBERS.eventId,
  eventNum: EVENT_MEMBERS.eventNum,
  ingestionBatchId: BATCH_MEMBERS.ingestionBatchId,
  eventSource,
  fromTime: EVENT_MEMBERS.fromTime,
  toTime: EVENT_MEMBERS.toTime,
  replayMatchedSubscriptions,
};

/** The body of the retry of raw events of an institution. */
export const BulkRawEventRetryRequest = z
  .strictObject(rawMembers)
  .superRefine(refuseReversedRange)
  .meta({ id: 'JackHenryBulkRawEventRetryRequest' });

/** The body of the retry of raw events of several institutions. */
export const AdminBulkRetryRequest = z
  .strictObject({
    institutionIds: z
      .array(z.string())
      .optional()
      .meta({
        description: 'Filter by specific institution IDs',
        example: ['550e8400-e29b-41d4-a716-446655440000'],
      }),
    ...rawMembers,
  })
  .superRefine(refuseReversedRange)
  .meta({ id: 'JackHenryAdminBulkRetryRequest' });

/** The retry that the engine is asked for. */
export interface AskedRetry {
  kind: OperationKind;
  selection: Selection;
  options: OperationOptions;
}

/** One event for one subscription, in any state: "is republished". */
export function singleSubscriptionRetry(
  { subscriptionId, eventId }: { subscriptionId: Id<'endpoint'>; eventId: Id<'event'> },
  { bypassSubscriptionFilter: bypass }: z.output<typeof SingleEventRetryRequest>,
): AskedRetry {
  return {
    kind: 'replay',
    selection: {
      afresh: { eventIds: [eventId] },
      endpoints: { ids: [subscriptionId], ...(bypass ? { unfiltered: true } : {}) },
    },
    options: { takeOverScheduled: true, ...(bypass ? {} : { matchFilter: true }) },
  };
}

/**
 * Events of a subscription by their deliveries: those that failed or are pending, unless statuses are named, or events,
 * which are meant in any state.
 */
export function bulkSubscriptionRetry(
  subscriptionId: Id<'endpoint'>,
  body: z.output<typeof BulkSubscriptionEventRetryRequest>,
): AskedRetry {
  const namesEvents = body.eventId !== undefined || body.eventNum !== undefined;
  const statuses =
    body.dispatchStatus ??
    (namesEvents ? (['succeeded', 'failed', 'pending'] as const) : (['failed', 'pending'] as const));
  return {
    // A retry would leave delivered events alone, a replay sends them again.
    kind: statuses.includes('succeeded') ? 'replay' : 'retry',
    selection: {
      filter: {
        ...selectedEvents(body),
        endpointIds: [subscriptionId],
        ...withStatus(statuses),
        ...(body.dispatchBatchId ? { dispatchBatchIds: uuidsIn('operation', body.dispatchBatchId) } : {}),
        ...(body.pendingLongerThan === undefined
          ? {}
          : { ifPendingLongerThanMs: durationMs(body.pendingLongerThan) }),
      },
    },
    options: {
      ...(statuses.includes('pending') ? { takeOverScheduled: true } : {}),
      ...(body.bypassSubscriptionFilter ? {} : { matchFilter: true }),
    },
  };
}

/** Raw events: matched afresh, or sent once more to every subscription that had them. */
export function rawRetry(
  events: Parameters<typeof selectedEvents>[0],
  replay: boolean,
  tenants?: SelectedTenants,
): AskedRetry {
  const spanning = tenants === undefined ? {} : { tenants };
  const selected = selectedEvents(events);
  return replay
    ? {
        kind: 'replay',
        selection: { filter: { ...selected, state: [...DELIVERY_STATES] }, ...spanning },
        options: {},
      }
    : { kind: 'retry', selection: { afresh: selected, ...spanning }, options: {} };
}

function durationMs(text: string): number {
  const unit = text.at(-1) as keyof typeof UNIT_MS;
  return Math.min(Number(text.slice(0, -1)) * UNIT_MS[unit], MAX_PENDING_MS);
}
