import { z } from 'zod';
import type { Eta } from '../../../domain/operations/eta.ts';
import type { Operation } from '../../../domain/operations/operation.ts';
import {
  COUNTED_PARTS,
  type OperationCounts,
  type Remainder,
} from '../../../domain/operations/operation-counts.ts';
import { OPERATION_STATES } from '../../../domain/operations/operation-state.ts';
import type { Selection } from '../../../domain/operations/selection.ts';
import { ON_AMBIGUOUS } from '../../../domain/sending/retry-policy.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { eventSelectionView, filterView } from '../deliveries/delivery-filter.ts';
import { shownId, shownTime } from '../fields.ts';
import { waitsField, waitsView } from '../waits.ts';

const count = (description: string) => z.int().min(0).meta({ description, example: 0 });

/** The counts of an operation. */
export const Counts = z
  .strictObject({
    expected: count('All that was selected: always the sum of the others.'),
    queued: count('Due and unsent.'),
    sending: count('On the wire.'),
    scheduled: count('Waiting for a time.'),
    delivered: count('Acknowledged.'),
    failed: count('Given up.'),
    unknown: count('May have arrived; waiting to be settled.'),
    ignored: count('Not sent, with a reason.'),
    cancelled: count('Not sent because the operation was cancelled.'),
    superseded: count('Taken over by another retry.'),
    excluded: count('Selected but not run, with a reason.'),
  })
  .meta({ id: 'OperationCounts', description: 'expected = the sum of all others, at any moment.' });

/** The part of an operation's selection that is not delivered. */
export const RemainderView = z
  .strictObject({
    count: count('Deliveries.'),
    byReason: z.record(z.string(), z.int()).meta({
      description: 'By the reason why they were ignored or excluded, or else the state they ended in.',
      example: { endpoint_disabled: 97 },
    }),
  })
  .meta({ id: 'Remainder' });

const Options = z
  .strictObject({
    ratePerSecond: z.number().optional().meta({ description: 'As it was asked for.', example: 50 }),
    maxConcurrency: z.int().optional().meta({ description: 'Requests at a time at most.', example: 10 }),
    takeOverScheduled: z.boolean().optional().meta({
      description: 'Takes over executions that are merely queued or scheduled elsewhere.',
      example: false,
    }),
    includeResent: z.boolean().optional().meta({
      description: 'Replays also deliveries of events that their sender sent again.',
      example: false,
    }),
    notBefore: z
      .string()
      .optional()
      .meta({ description: 'Nothing is sent before.', example: '2026-11-03T02:00:00Z' }),
    giveUpAfterMs: z
      .int()
      .optional()
      .meta({ description: 'How long items are tried, in milliseconds.', example: 86_400_000 }),
    disabledPatienceMs: z.int().optional().meta({
      description:
        'How long its items wait at an endpoint that an operator disables, in milliseconds; 15 minutes where absent.',
      example: 900_000,
    }),
    canary: z
      .strictObject({
        count: z.int().meta({ description: 'Items of each endpoint that go first.', example: 25 }),
        maxFailurePercent: z
          .number()
          .meta({ description: 'The percentage of them that may fail.', example: 10 }),
      })
      .optional()
      .meta({ description: 'A few items go first.' }),
    ramp: z
      .strictObject({
        startPerSecond: z.number().meta({ description: 'Requests per second to begin with.', example: 5 }),
        everySeconds: z.int().meta({ description: 'How often it doubles.', example: 60 }),
      })
      .optional()
      .meta({ description: 'The rate grows.' }),
    haltAtFailurePercent: z.number().optional().meta({
      description: 'It is halted when a larger percentage of the last minute’s attempts is bad.',
      example: 50,
    }),
    onAmbiguous: z
      .enum(ON_AMBIGUOUS)
      .optional()
      .meta({ description: 'Used in the place of the policies of the endpoints.', example: 'hold' }),
    matchFilter: z.boolean().optional().meta({
      description: "Items that the endpoint's current types and filter no longer want are ignored.",
      example: true,
    }),
  })
  .meta({ id: 'OperationOptions', description: 'The options that were asked for.' });

/** Why an operation was halted. */
export const HaltView = z
  .strictObject({
    reason: z.enum(['failure_rate', 'canary', 'failed_step']).meta({
      description:
        'The cause of the halt. After `failed_step` a step of it cannot succeed until its cause is gone: `resume` tries it again, `cancel` ends it.',
      example: 'canary',
    }),
    step: z.string().optional().meta({ description: 'The step that failed.', example: 'select' }),
    code: z
      .string()
      .optional()
      .meta({ description: 'Why: a code of Postgres, or the class of the error.', example: '22008' }),
    limitPercent: z
      .number()
      .optional()
      .meta({ description: 'The share of failures it may have.', example: 10 }),
    attempts: z.int().optional().meta({ description: 'Attempts of the last minute.', example: 80 }),
    bad: z.int().optional().meta({ description: 'Those that did not deliver.', example: 61 }),
    endpoints: z
      .array(
        z.strictObject({
          endpointId: shownId('endpoint', 'An endpoint whose items are held.'),
          attempts: z.int().meta({ description: 'First attempts of its canary.', example: 25 }),
          bad: z.int().meta({ description: 'Those that did not deliver.', example: 25 }),
        }),
      )
      .optional()
      .meta({ description: 'The results of the canaries.' }),
    at: shownTime('When.'),
  })
  .meta({ description: 'Why it was halted.' });

/** An operation without its selection, which can be a thousand ids long: in lists and progress. */
export const OperationSummary = z
  .strictObject({
    id: shownId('operation', 'Id of the operation.'),
    surface: z.string().meta({ description: 'The API that it was asked for by.', example: 'native' }),
    kind: z.enum(['retry', 'replay']).meta({
      description: '`retry` leaves delivered deliveries alone, `replay` sends them again.',
      example: 'retry',
    }),
    target: z.enum(['original', 'current']).meta({
      description: 'The version of the endpoint it sends with: the first one used, or the current one.',
      example: 'current',
    }),
    newIdentity: z.boolean().meta({
      description:
        'It sends new deliveries, with a `webhook-id` of their own, in the place of those it selects.',
      example: false,
    }),
    state: z.enum(OPERATION_STATES).meta({ description: 'State of the operation.', example: 'running' }),
    control: z
      .enum(['run', 'pause', 'cancel'])
      .meta({ description: 'The command of its owner.', example: 'run' }),
    counts: Counts,
    plannedItems: z.int().min(0).nullable().meta({
      description:
        'Deliveries of the plan that it was, or still is: `counts` has none of them before it runs. Those that are found so far while the plan is made; null where it was started without one.',
      example: null,
    }),
    ratePerSecond: z
      .number()
      .nullable()
      .meta({ description: 'Requests per second at most, now; no limit where null.', example: 50 }),
    etaSeconds: z.int().nullable().meta({
      description:
        'Seconds until all that is due is sent, at the rate of the last seconds; null while it does not run, before anything tells how fast it is, and while something that is due waits for a disabled endpoint, an open circuit or a freeze window.',
      example: 120,
    }),
    etaLeavesOut: z
      .strictObject({
        scheduled: count('Items that wait for a time of their own.'),
        unknown: count('Items that wait until somebody knows their outcome.'),
      })
      .nullable()
      .meta({ description: 'Items that `etaSeconds` says nothing about; null where that is.' }),
    nothingSelected: z.boolean().meta({
      description: 'Its selection has ended and found nothing: `expected` is 0, and it is `completed`.',
      example: false,
    }),
    remainder: RemainderView.nullable().meta({
      description:
        'The deliveries that it selected and that were not delivered when it closed; null until then. `{"select": {"remainderOf": …}}` takes all of them.',
    }),
    options: Options,
    reason: z
      .string()
      .nullable()
      .meta({ description: 'Why, in the words of its owner.', example: 'endpoint was down' }),
    ticket: z.string().nullable().meta({ description: 'Where this is tracked.', example: 'OPS-42' }),
    requestedBy: z.string().meta({
      description: 'Who asked for it, as its credential names it.',
      example: 'key_01k9z3e5hbe7r9qk2m4n6p8r0s',
    }),
    workflowId: z.string().meta({ description: 'Its workflow in Temporal.', example: 'retry/acme/1f0c….1' }),
    nextEvent: z
      .strictObject({
        what: z.string().meta({ description: 'The next event, which comes by itself.', example: 'due' }),
        at: shownTime('When.'),
      })
      .nullable()
      .meta({ description: 'The next event, and its time; null once it has ended.' }),
    waitingFor: waitsField(
      'The reasons why something of it waits, at the first twenty endpoints that it has something for; of each reason the first end that is known.',
    ),
    stalled: z.boolean().meta({
      description: 'Its workflow could not be started or had to be revived; this is being seen to.',
      example: false,
    }),
    halt: HaltView.nullable().meta({
      description:
        'Why it was halted, the last time; once resumed, it is judged by its attempts from then on.',
    }),
    createdAt: shownTime('When it was accepted.'),
    closedAt: shownTime('When it ended.').nullable(),
    links: z
      .strictObject({
        self: z.string().meta({ description: 'This operation.', example: '/api/v1/retries/op_…' }),
        items: z.string().meta({ description: 'Its ledger.', example: '/api/v1/retries/op_…/items' }),
        stream: z
          .string()
          .meta({ description: 'Its progress as it happens.', example: '/api/v1/retries/op_…/stream' }),
        report: z
          .string()
          .meta({ description: 'Its result, once it has ended.', example: '/api/v1/retries/op_…/report' }),
      })
      .meta({ description: 'Where to go on.' }),
  })
  .meta({ id: 'OperationSummary', description: 'One retry or replay, without its selection.' });

/** An operation as it is shown by itself. */
export const OperationView = OperationSummary.extend({
  select: z
    .looseObject({})
    .meta({ description: 'Its selection, as it was sent.', example: { failuresOf: 'op_…' } }),
}).meta({ id: 'Operation', description: 'One retry or replay, single or bulk.' });

/** Shows an operation without its selection. */
export function operationSummary(operation: Operation, eta?: Eta): z.input<typeof OperationSummary> {
  const self = `/api/v1/retries/${showId('operation', operation.id)}`;
  return {
    id: showId('operation', operation.id),
    surface: operation.surface,
    kind: operation.kind,
    target: operation.target,
    newIdentity: operation.newIdentity,
    state: operation.state,
    control: operation.control,
    counts: countsView(operation.counts),
    plannedItems: operation.plannedItems ?? null,
    ratePerSecond: operation.ratePerSecond ?? null,
    etaSeconds: eta?.seconds ?? null,
    etaLeavesOut: eta?.leavesOut ?? null,
    nothingSelected: operation.selected && operation.counts.expected === 0,
    remainder: remainderView(operation.closedAt ? operation.report?.remainder : undefined),
    options: operation.options,
    reason: operation.reason ?? null,
    ticket: operation.ticket ?? null,
    requestedBy: operation.requestedBy,
    workflowId: operation.workflowId,
    nextEvent:
      operation.nextEvent !== undefined &&
      operation.nextEventAt !== undefined &&
      operation.closedAt === undefined
        ? { what: operation.nextEvent, at: operation.nextEventAt.toISOString() }
        : null,
    waitingFor: waitsView(operation.waitingFor),
    stalled: operation.stalled,
    halt: operation.halt ? haltView(operation.halt) : null,
    createdAt: operation.createdAt.toISOString(),
    closedAt: operation.closedAt?.toISOString() ?? null,
    links: { self, items: `${self}/items`, stream: `${self}/stream`, report: `${self}/report` },
  };
}

/** Shows counts, in the order in which they are explained. */
export function countsView(counts: OperationCounts): z.input<typeof Counts> {
  return Object.fromEntries(
    (['expected', ...COUNTED_PARTS] as const).map((part) => [part, counts[part]]),
  ) as OperationCounts;
}

/** Shows the remainder of an operation. */
export function remainderView(remainder: Remainder | undefined): z.input<typeof RemainderView> | null {
  if (!remainder) return null;
  return {
    count: remainder.count,
    byReason: Object.fromEntries(
      Object.entries(remainder.byReason).map(([reason, count]) => [reason, count ?? 0]),
    ),
  };
}

/** Shows why an operation was halted. */
export function haltView(halt: NonNullable<Operation['halt']>): z.input<typeof HaltView> {
  const { at, ...numbers } = halt;
  return {
    ...numbers,
    ...('endpoints' in numbers
      ? {
          endpoints: numbers.endpoints.map(({ endpointId, ...tally }) => ({
            endpointId: showId('endpoint', endpointId),
            ...tally,
          })),
        }
      : {}),
    at: new Date(at).toISOString(),
  };
}

/** Shows an operation. */
export function operationView(operation: Operation, eta?: Eta): z.input<typeof OperationView> {
  return { ...operationSummary(operation, eta), select: selectionView(operation.selection) };
}

/** Shows the selection of an operation. */
export function selectionView(selection: Selection): Record<string, unknown> {
  if ('deliveryIds' in selection)
    return { deliveryIds: selection.deliveryIds.map((id) => showId('delivery', id)) };
  if ('eventIds' in selection) return { eventIds: selection.eventIds.map((id) => showId('event', id)) };
  if ('executionIds' in selection)
    return { executionIds: selection.executionIds.map((id) => showId('execution', id)) };
  if ('failuresOf' in selection) return { failuresOf: showId('operation', selection.failuresOf) };
  if ('remainderOf' in selection) return { remainderOf: showId('operation', selection.remainderOf) };
  const tenants =
    selection.tenants === undefined || selection.tenants === 'all'
      ? selection.tenants
      : selection.tenants.map((id) => showId('tenant', id));
  return {
    ...('filter' in selection
      ? {
          ...(selection.outage ? { outage: showId('outage', selection.outage) } : {}),
          filter: filterView(selection.filter),
        }
      : {
          afresh: eventSelectionView(selection.afresh),
          ...(selection.endpoints
            ? {
                endpoints: {
                  ...selection.endpoints,
                  ids: selection.endpoints.ids.map((id) => showId('endpoint', id)),
                },
              }
            : {}),
        }),
    ...(tenants === undefined ? {} : { tenants }),
  };
}
