import type { DeliveryQuery } from '../../api/delivery-query.ts';

const NAMES: Readonly<Record<keyof Required<DeliveryQuery>, string>> = {
  state: 'State',
  endpointIds: 'Endpoint',
  eventTypes: 'Type',
  sources: 'Source',
  faultCodes: 'Cause',
  httpStatus: 'Status',
  ingestionBatchIds: 'Batch sent with',
  dispatchBatchIds: 'Batch dispatched with',
  key: 'Key',
  from: 'Accepted from',
  to: 'Accepted before',
  lastAttemptBefore: 'Last tried before',
  lastAttemptAfter: 'Last tried after',
  pendingLongerThanMs: 'Pending longer than',
  blocking: 'Others of its key wait for it',
};

/** What a member of the filter is called. */
export function filterName(member: string): string {
  return NAMES[member as keyof DeliveryQuery] ?? member;
}
