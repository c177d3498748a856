import { type EventFilter, matchesFilter } from './event-filter.ts';
import { matchesType } from './event-type.ts';

/** Whether an endpoint wants an event: by its type, and by its filter over the payload. */
export function wantsEvent(
  { eventTypes, filter }: { eventTypes?: string[]; filter?: EventFilter },
  event: { type: string; payload: unknown },
): boolean {
  return (
    matchesType(eventTypes, event.type) && (filter === undefined || matchesFilter(filter, event.payload))
  );
}
