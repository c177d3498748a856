import { z } from 'zod';
import type { DeliveryFilter, EventSelection } from '../../../domain/operations/selection.ts';
import { DELIVERY_STATES } from '../../../domain/sending/delivery-state.ts';
import { FAULT_CODES } from '../../../domain/sending/fault-code.ts';
import { type Id, type IdKind, showId } from '../../../domain/tenancy/typed-id.ts';
import type { TimeBound } from '../../../domain/time/instant.ts';
import { durationField, idField, textField, timeField } from '../fields.ts';
import { nameField, type WithIds } from '../names.ts';
import { listParameter } from '../page.ts';

/** Long lists belong into several requests: each entry is compared with every row that is looked at. */
const MAX_ENTRIES = 1_000;
const MAX_PENDING_MS = 365 * 86_400_000;

/** A member of a filter: how it is read in a body and in a query, kept in the domain, and shown. */
interface FilterMember<Kept> {
  body: z.ZodType;
  parameter: z.ZodType;
  kept(value: never): Kept;
  shown(kept: Kept): unknown;
}

/** Members that only other surfaces, or outages, select by; they are shown where they have started an operation. */
type OfOtherSurfaces =
  | 'deliveryIds'
  | 'eventIds'
  | 'eventNumbers'
  | 'ifPendingLongerThanMs'
  | 'activeWithinMs'
  | 'ignoredFor'
  | 'open'
  | 'undeliveredOpen'
  | 'attempted'
  | 'newest'
  | 'caughtBetween';

const same = <Value>(value: Value): Value => value;

function list<Value>(
  item: z.ZodType<Value>,
  description: string,
  { parameter = item, absent }: { parameter?: z.ZodType<Value>; absent?: [string, string] } = {},
) {
  const [inBody, inQuery] = absent ?? ['', ''];
  return {
    body: z
      .array(item)
      .max(MAX_ENTRIES)
      .optional()
      .meta({ description: `${description}${inBody}. An empty list selects nothing.` }),
    parameter: listParameter(parameter, `${description}${inQuery}.`),
    kept: same<Value[]>,
    shown: same<Value[]>,
  };
}

function ids<Kind extends IdKind>(kind: Kind, item: z.ZodType<string>, description: string) {
  return {
    ...list(item, description),
    kept: same<Id<Kind>[]>,
    shown: (kept: Id<Kind>[]) => kept.map((id) => showId(kind, id)),
  };
}

function bound(description: string, { inclusive }: { inclusive: boolean }) {
  const time = timeField(description).optional();
  return {
    body: time,
    parameter: time,
    kept: (at: string): TimeBound => ({ at, inclusive }),
    shown: ({ at }: TimeBound) => at,
  };
}

const numberText = (form: RegExp) => z.string().regex(form, 'Expected a whole number.').transform(Number);

const httpStatus = { description: 'The status of the last answer.', example: 503 };
const pending = durationField(
  0,
  MAX_PENDING_MS,
  'Only deliveries whose newest execution has been open for longer.',
  600_000,
);
const key = textField(255, 'The key of the event.', 'account-42').optional();

/**
 * Every member of a filter over deliveries, once: from it come the member of bodies, the parameter of queries, the
 * mapping to the domain and back, and the sentences of the document. docs/changing.md says what else a new one needs.
 */
const MEMBERS = {
  state: list(
    z.enum(DELIVERY_STATES).meta({ description: 'A state of deliveries.', example: 'failed' }),
    'States',
    { absent: ['; `failed` where left out', '; all where left out'] },
  ),
  endpointIds: ids('endpoint', nameField('endpoint', 'An endpoint, by id or handle.'), 'Endpoints'),
  eventTypes: list(textField(255, 'A type of event, exactly.', 'invoice.paid'), 'Types of event, exactly'),
  sources: list(textField(255, 'A source of events.', 'billing'), 'Sources of events'),
  faultCodes: list(
    z.enum(FAULT_CODES).meta({ description: 'A cause of failure.', example: 'http_5xx' }),
    'Causes of the last failure',
  ),
  httpStatus: list(z.int().min(100).max(999).meta(httpStatus), 'Statuses of the last answer', {
    parameter: numberText(/^[1-9]\d\d$/).meta({ type: 'integer', ...httpStatus }),
  }),
  ingestionBatchIds: list(
    textField(255, 'A batch of events, as it was named on ingest.', 'import-7'),
    'Batches as they were named on ingest',
  ),
  dispatchBatchIds: list(
    idField(
      'operation',
      'A batch that was dispatched together: an operation, or the `dispatchBatchId` of an event.',
    ),
    'Batches that were dispatched together',
  ),
  key: { body: key, parameter: key, kept: same<string>, shown: same<string> },
  from: bound('Accepted at this time or later.', { inclusive: true }),
  to: bound('Accepted before this time.', { inclusive: false }),
  lastAttemptBefore: bound('Last attempt before this time.', { inclusive: false }),
  lastAttemptAfter: bound('Last attempt after this time.', { inclusive: false }),
  pendingLongerThanMs: {
    body: pending.optional(),
    parameter: numberText(/^\d{1,11}$/)
      .pipe(pending)
      .optional()
      .meta({
        type: 'integer',
        description: 'Open for longer than so many milliseconds.',
        example: 600_000,
      }),
    kept: same<number>,
    shown: same<number>,
  },
  blocking: {
    body: z
      .literal(true)
      .optional()
      .meta({ description: 'Only deliveries that others of their key wait for.', example: true }),
    parameter: z
      .literal('true')
      .transform((): true => true)
      .optional()
      .meta({ description: 'Only deliveries that others of their key wait for.', example: 'true' }),
    kept: same<true>,
    shown: same<true>,
  },
} satisfies {
  [Name in Exclude<keyof DeliveryFilter, OfOtherSurfaces>]-?: FilterMember<NonNullable<DeliveryFilter[Name]>>;
};

type Members = typeof MEMBERS;
type Parts<Part extends 'body' | 'parameter'> = { [Name in keyof Members]: Members[Name][Part] };

function parts<Part extends 'body' | 'parameter'>(part: Part): Parts<Part> {
  return Object.fromEntries(
    Object.entries(MEMBERS).map(([name, member]) => [name, member[part]]),
  ) as Parts<Part>;
}

type Times = { [Name in 'from' | 'to' | 'lastAttemptBefore' | 'lastAttemptAfter']?: string | undefined };

/** A range that ends before it begins selects nothing and is always a mistake. */
export function refuseReversedRanges(filter: Times, context: z.RefinementCtx): void {
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

/** A filter over deliveries in a body. */
export const DeliveryFilterBody = z.strictObject(parts('body')).superRefine(refuseReversedRanges).meta({
  id: 'DeliveryFilter',
  description:
    'Members join by AND, entries of a list by OR; a member that is left out restricts nothing, an empty list selects nothing.',
});

/** A filter over deliveries in a query, with the same members. */
export const deliveryFilterParameters = parts('parameter');

type Resolved = WithIds<z.output<typeof DeliveryFilterBody>>;

/** The filter of the domain. */
export function deliveryFilter(
  parsed: { [Name in keyof Resolved]?: Resolved[Name] | undefined },
): DeliveryFilter {
  return mapped(parsed, ({ kept }, value) => kept(value as never));
}

/** A filter as it is shown: like the one that was sent. */
export function filterView({
  deliveryIds,
  eventIds,
  newest,
  caughtBetween,
  ...filter
}: DeliveryFilter): Record<string, unknown> {
  return {
    ...filter,
    ...mapped(filter, ({ shown }, value) => shown(value)),
    ...(deliveryIds ? { deliveryIds: deliveryIds.map((id) => showId('delivery', id)) } : {}),
    ...(eventIds ? { eventIds: eventIds.map((id) => showId('event', id)) } : {}),
    ...(newest
      ? {
          newest: {
            ...newest,
            ...(newest.ids ? { ids: newest.ids.map((id) => showId('execution', id)) } : {}),
          },
        }
      : {}),
    ...(caughtBetween ? { caughtBetween: { from: caughtBetween.from.at, to: caughtBetween.to.at } } : {}),
  };
}

/** A selection of events as it is shown. */
export function eventSelectionView({
  eventIds,
  from,
  to,
  ...others
}: EventSelection): Record<string, unknown> {
  return {
    ...others,
    ...filterView({ ...(eventIds ? { eventIds } : {}), ...(from ? { from } : {}), ...(to ? { to } : {}) }),
  };
}

function mapped(
  filter: object,
  map: (member: FilterMember<unknown>, value: unknown) => unknown,
): Record<string, unknown> {
  const members: Record<string, FilterMember<unknown> | undefined> = MEMBERS as never;
  return Object.fromEntries(
    Object.entries(filter).flatMap(([name, value]) => {
      const member = members[name];
      return member && value !== undefined ? [[name, map(member, value)]] : [];
    }),
  );
}
