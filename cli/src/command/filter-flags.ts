import type { components } from '@redrive/client';
import { parseDuration } from '../core/durations.ts';
import { operationId } from '../core/operation-ids.ts';
import { usage } from '../core/stop.ts';
import { parseWhen } from '../core/times.ts';
import { allOf, type Flag, list, onOff, type Values, value } from './command.ts';
import { flagsOf, saidOf } from './members.ts';

type DeliveryFilter = components['schemas']['DeliveryFilter'];

/** States of deliveries. */
const DELIVERY_STATES = allOf<NonNullable<DeliveryFilter['state']>[number]>({
  pending: true,
  delivered: true,
  failed: true,
  unknown: true,
  cancelled: true,
  ignored: true,
});

const when = (hint: string, text: string) => value(hint, text, (given) => parseWhen(given, new Date()));

const status = (text: string) => {
  if (!/^[1-9]\d\d$/.test(text)) throw usage(`Expected a status such as 503, not "${text}".`);
  return Number(text);
};

/** The flag of each member of a filter over deliveries; one that has none does not compile. */
const MEMBERS = {
  state: {
    state: list('<state>', 'states of deliveries', {
      choices: DELIVERY_STATES,
    }),
  },
  endpointIds: { endpoint: list('<endpoint>', 'endpoints, by id or handle') },
  eventTypes: { type: list('<type>', 'types of event, exactly', { commas: false }) },
  sources: { source: list('<source>', 'sources of events', { commas: false }) },
  faultCodes: { fault: list('<code>', 'causes of the last failure, such as http_5xx') },
  httpStatus: { status: list('<status>', 'statuses of the last answer', { parse: status }) },
  ingestionBatchIds: { batch: list('<batch>', 'batches as they were named on ingest', { commas: false }) },
  dispatchBatchIds: {
    dispatchBatch: list('<op_…>', 'batches that were dispatched together', { parse: operationId }),
  },
  key: { key: value('<key>', 'the key of the event') },
  from: { since: when('<when>', 'accepted since: a duration (6h) or a time with its zone') },
  to: { until: when('<when>', 'accepted before') },
  lastAttemptBefore: { lastAttemptBefore: when('<when>', 'last attempt before') },
  lastAttemptAfter: { lastAttemptAfter: when('<when>', 'last attempt after') },
  pendingLongerThanMs: {
    pendingLongerThan: value('<duration>', 'open for longer than this', parseDuration),
  },
  blocking: { blocking: onOff('only those that others of their key wait for') },
} satisfies { [Member in keyof Required<DeliveryFilter>]: Record<string, Flag> };

/** The flags of a filter. */
export const FILTER_FLAGS = flagsOf(MEMBERS);

/** What was said by them. */
export type FilterFlags = { [Name in keyof Values<typeof FILTER_FLAGS>]: Values<typeof FILTER_FLAGS>[Name] };

/** The filter that these flags say; a member that was not said is left out. */
export function filterOf(flags: Partial<FilterFlags>): DeliveryFilter {
  return saidOf(MEMBERS, flags) as DeliveryFilter;
}

/** The same as parameters of a query. */
export function filterQuery(flags: Partial<FilterFlags>): Record<string, unknown> {
  const { blocking, ...filter } = filterOf(flags);
  return { ...filter, ...(blocking ? { blocking: 'true' } : {}) };
}

/** A filter as one line, with the times that relative ones have become. */
export function filterWords(filter: object): string {
  const words = Object.entries(filter).map(([member, said]) =>
    Array.isArray(said) ? `${member} ${said.map(plain).join(' or ')}` : `${member} ${plain(said)}`,
  );
  return words.length === 0 ? 'everything' : words.join(', ');
}

function plain(said: unknown): string {
  return typeof said === 'object' ? JSON.stringify(said) : String(said);
}
