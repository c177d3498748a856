import type { paths } from '@redrive/client';
import { inputList, inputText, type SearchInput } from './search-input.ts';

/** The filter over deliveries, as the API's list takes it. */
export type DeliveryQuery = Omit<
  NonNullable<paths['/api/v1/deliveries']['get']['parameters']['query']>,
  'limit' | 'cursor'
>;

type Read = { list: (text: string) => unknown } | { text: (text: string) => unknown };

const same = (text: string) => text;
/** What is no such number stays as it is written: left out it would widen the filter, and so the API refuses it. */
const numberLike = (form: RegExp) => (text: string) => (form.test(text) ? Number(text) : text);

/** How each member stands in a URL: one that is missing here does not compile. */
const MEMBERS: Readonly<Record<keyof Required<DeliveryQuery>, Read>> = {
  state: { list: same },
  endpointIds: { list: same },
  eventTypes: { list: same },
  sources: { list: same },
  faultCodes: { list: same },
  httpStatus: { list: numberLike(/^[1-9]\d\d$/) },
  ingestionBatchIds: { list: same },
  dispatchBatchIds: { list: same },
  key: { text: same },
  from: { text: same },
  to: { text: same },
  lastAttemptBefore: { text: same },
  lastAttemptAfter: { text: same },
  pendingLongerThanMs: { text: numberLike(/^(0|[1-9]\d{0,10})$/) },
  blocking: { text: same },
};

/** Whether a URL says that no state is meant where none would mean failures. */
export function isOfAnyState(search: SearchInput): boolean {
  return inputList(search.state)?.includes('any') === true;
}

/** The filter that stands in a URL; what is no member of it is left out, and what is no value of a member is not. */
export function deliveryQueryOf(search: SearchInput): DeliveryQuery {
  const found: Record<string, unknown> = {};
  for (const [name, read] of Object.entries(MEMBERS)) {
    if (name === 'state' && isOfAnyState(search)) continue;
    const value =
      'list' in read
        ? inputList(search[name])?.map(read.list)
        : [inputText(search[name])].flatMap((text) => (text === undefined ? [] : [read.text(text)]))[0];
    if (value !== undefined) found[name] = value;
  }
  return found as DeliveryQuery;
}

/** The same as the filter of a selection. */
export function selectionFilter({ blocking, ...query }: DeliveryQuery): Record<string, unknown> {
  // A query says it by a word, a body by a truth.
  return blocking === undefined ? query : { ...query, blocking: blocking === 'true' ? true : blocking };
}
