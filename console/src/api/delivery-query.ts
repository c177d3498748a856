import type { paths } from '@redrive/client';
import { inputList, inputText, type SearchInput } from './search-input.ts';

/** The filter over deliveries, as the API's list takes it. */
export type DeliveryQuery = Omit<
  NonNullable<paths['/api/v1/deliveries']['get']['parameters']['query']>,
  'limit' | 'cursor'
>;

const LISTS = [
  'state',
  'endpointIds',
  'eventTypes',
  'sources',
  'faultCodes',
  'httpStatus',
  'ingestionBatchIds',
  'dispatchBatchIds',
] as const;
const TEXTS = ['key', 'from', 'to', 'lastAttemptBefore', 'lastAttemptAfter', 'pendingLongerThanMs'] as const;

/** The filter that stands in a URL; what is no member of it is left out. */
export function deliveryQueryOf(search: SearchInput): DeliveryQuery {
  const found: Record<string, unknown> = {};
  for (const name of LISTS) {
    const values = inputList(search[name]);
    // `state=any` is in URLs only: it says that no state is meant where none would mean failures.
    if (values && !(name === 'state' && values.includes('any')))
      found[name] = name === 'httpStatus' ? values.map(Number).filter(Number.isInteger) : values;
  }
  for (const name of TEXTS) {
    const value = inputText(search[name]);
    if (value !== undefined) found[name] = name === 'pendingLongerThanMs' ? Number(value) : value;
  }
  return found as DeliveryQuery;
}

/** The same as the filter of a selection. */
export function selectionFilter({ blocking: _, ...query }: DeliveryQuery): Record<string, unknown> {
  return query;
}
