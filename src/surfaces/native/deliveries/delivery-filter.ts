import { z } from 'zod';
import type { DeliveryFilter, EventSelection, TimeBound } from '../../../domain/operations/selection.ts';
import { DELIVERY_STATES } from '../../../domain/sending/delivery-state.ts';
import { FAULT_CODES } from '../../../domain/sending/fault-code.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { durationField, idField, textField, timeField } from '../fields.ts';
import { nameField } from '../names.ts';
import { listParameter } from '../page.ts';

/** Long lists belong into several requests: each entry is compared with every row that is looked at. */
const MAX_ENTRIES = 1_000;
const MAX_PENDING_MS = 365 * 86_400_000;

const state = z.enum(DELIVERY_STATES).meta({ description: 'A state of deliveries.', example: 'failed' });
const endpointId = nameField('endpoint', 'An endpoint, by id or handle.');
const eventType = textField(255, 'A type of event, exactly.', 'invoice.paid');
const source = textField(255, 'A source of events.', 'billing');
const faultCode = z.enum(FAULT_CODES).meta({ description: 'A cause of failure.', example: 'http_5xx' });
const httpStatus = z
  .int()
  .min(100)
  .max(999)
  .meta({ description: 'The status of the last answer.', example: 503 });
const ingestionBatchId = textField(255, 'A batch of events, as it was named on ingest.', 'import-7');
const dispatchBatchId = idField(
  'operation',
  'What was dispatched together: an operation, or the `dispatchBatchId` of an event.',
);
const key = textField(255, 'The key of the event.', 'account-42');
const times = {
  from: timeField('Accepted at this time or later.').optional(),
  to: timeField('Accepted before this time.').optional(),
  lastAttemptBefore: timeField('Last attempt before this time.').optional(),
  lastAttemptAfter: timeField('Last attempt after this time.').optional(),
};

type Times = { [Name in keyof typeof times]?: string | undefined };

/** A range that ends before it begins selects nothing and is always a mistake. */
function refuseReversed(filter: Times, context: z.RefinementCtx): void {
  for (const [start, end] of [
    ['from', 'to'],
    ['lastAttemptAfter', 'lastAttemptBefore'],
  ] as const) {
    const [first, last] = [filter[start], filter[end]];
    if (first !== undefined && last !== undefined && Date.parse(first) > Date.parse(last))
      context.addIssue({
        code: 'custom',
        path: [end],
        message: `Expected a time that is not before \`${start}\`.`,
        params: { code: 'out_of_range' },
      });
  }
}

const listOf = <Item extends z.ZodType>(item: Item, description: string) =>
  z
    .array(item)
    .max(MAX_ENTRIES)
    .optional()
    .meta({ description: `${description} An empty list selects nothing.` });

/** A filter over deliveries in a body. */
export const DeliveryFilterBody = z
  .strictObject({
    state: listOf(state, 'States; `failed` where left out.'),
    endpointIds: listOf(endpointId, 'Endpoints.'),
    eventTypes: listOf(eventType, 'Types of event, exactly.'),
    sources: listOf(source, 'Sources of events.'),
    faultCodes: listOf(faultCode, 'Causes of the last failure.'),
    httpStatus: listOf(httpStatus, 'Statuses of the last answer.'),
    ingestionBatchIds: listOf(ingestionBatchId, 'Batches as they were named on ingest.'),
    dispatchBatchIds: listOf(dispatchBatchId, 'What was dispatched together.'),
    key: key.optional(),
    ...times,
    pendingLongerThanMs: durationField(
      0,
      MAX_PENDING_MS,
      'Only deliveries whose newest execution has been open for longer.',
      600_000,
    ).optional(),
    blocking: z
      .literal(true)
      .optional()
      .meta({ description: 'Only deliveries that others of their key wait for.', example: true }),
  })
  .superRefine(refuseReversed)
  .meta({
    id: 'DeliveryFilter',
    description:
      'Members join by AND, entries of a list by OR; what is left out restricts nothing, an empty list selects nothing.',
  });

const numberText = (form: RegExp) => z.string().regex(form, 'Expected a whole number.').transform(Number);

/** A filter over deliveries in a query, with the same members. */
export const deliveryFilterParameters = {
  state: listParameter(state, 'States; all where left out.'),
  endpointIds: listParameter(endpointId, 'Endpoints.'),
  eventTypes: listParameter(eventType, 'Types of event, exactly.'),
  sources: listParameter(source, 'Sources of events.'),
  faultCodes: listParameter(faultCode, 'Causes of the last failure.'),
  httpStatus: listParameter(
    numberText(/^[1-9]\d\d$/).meta({
      type: 'integer',
      description: 'The status of the last answer.',
      example: 503,
    }),
    'Statuses of the last answer.',
  ),
  ingestionBatchIds: listParameter(ingestionBatchId, 'Batches as they were named on ingest.'),
  dispatchBatchIds: listParameter(dispatchBatchId, 'What was dispatched together.'),
  key: key.optional(),
  ...times,
  pendingLongerThanMs: numberText(/^\d{1,11}$/)
    .optional()
    .meta({ type: 'integer', description: 'Open for longer than so many milliseconds.', example: 600_000 }),
};

/** Refuses reversed ranges in a query. */
export const refuseReversedRanges = refuseReversed;

type ParsedFilter = z.output<typeof DeliveryFilterBody>;

/** The filter of the domain: `from` belongs to its range, `to` and the bounds of the last attempt do not. */
export function deliveryFilter(
  parsed: { [Name in keyof ParsedFilter]?: ParsedFilter[Name] | undefined },
): DeliveryFilter {
  const bound = (at: string | undefined, inclusive: boolean) =>
    at === undefined ? undefined : { at, inclusive };
  const filter = {
    state: parsed.state,
    endpointIds: parsed.endpointIds,
    eventTypes: parsed.eventTypes,
    sources: parsed.sources,
    faultCodes: parsed.faultCodes,
    httpStatus: parsed.httpStatus,
    ingestionBatchIds: parsed.ingestionBatchIds,
    dispatchBatchIds: parsed.dispatchBatchIds,
    key: parsed.key,
    from: bound(parsed.from, true),
    to: bound(parsed.to, false),
    lastAttemptBefore: bound(parsed.lastAttemptBefore, false),
    lastAttemptAfter: bound(parsed.lastAttemptAfter, false),
    pendingLongerThanMs: parsed.pendingLongerThanMs,
    blocking: parsed.blocking,
  };
  return Object.fromEntries(
    Object.entries(filter).filter(([, value]) => value !== undefined),
  ) as DeliveryFilter;
}

const timeView = (bound: TimeBound | undefined, name: string) => (bound ? { [name]: bound.at } : {});

/** A filter as it is shown: like the one that was sent. */
export function filterView(filter: DeliveryFilter): Record<string, unknown> {
  const { newest } = filter;
  return {
    ...filter,
    ...(filter.endpointIds ? { endpointIds: filter.endpointIds.map((id) => showId('endpoint', id)) } : {}),
    ...(filter.eventIds ? { eventIds: filter.eventIds.map((id) => showId('event', id)) } : {}),
    ...(newest?.ids ? { newest: { ...newest, ids: newest.ids.map((id) => showId('execution', id)) } } : {}),
    ...timeView(filter.from, 'from'),
    ...timeView(filter.to, 'to'),
    ...timeView(filter.lastAttemptBefore, 'lastAttemptBefore'),
    ...timeView(filter.lastAttemptAfter, 'lastAttemptAfter'),
  };
}

/** A selection of events as it is shown. */
export function eventSelectionView(selection: EventSelection): Record<string, unknown> {
  return {
    ...selection,
    ...(selection.eventIds ? { eventIds: selection.eventIds.map((id) => showId('event', id)) } : {}),
    ...timeView(selection.from, 'from'),
    ...timeView(selection.to, 'to'),
  };
}
