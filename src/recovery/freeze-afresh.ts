import { wantsEvent } from '../domain/endpoint-match.ts';
import type { EventSelection, Selection } from '../domain/selection.ts';
import { type Matchable, matchableEndpoints } from '../store/endpoint-versions.ts';
import { freezePage } from '../store/freeze.ts';
import {
  type EventToMatch,
  eventsToMatch,
  excludeUnmatched,
  insertFirstDeliveries,
} from '../store/fresh-matches.ts';
import type { Queryable } from '../store/queryable.ts';
import type { SelectionCursor } from '../store/selection-page.ts';
import { settleRaced } from './settle-raced.ts';

type FrozenOperation = Parameters<typeof freezePage>[1];

/** Events of one page; their payloads are in memory while it is matched. */
const PAGE = 200;

/**
 * Matches the next page of events afresh: what an endpoint wants and never had gets its first delivery, what it had is
 * decided as in every other retry, and what it had and no longer wants is excluded. Returns where the next page begins,
 * or undefined behind the last one. Runs in a transaction.
 */
export async function freezeAfresh(
  db: Queryable,
  operation: FrozenOperation,
  selection: Extract<Selection, { afresh: EventSelection }>,
  cursor: SelectionCursor,
): Promise<SelectionCursor | undefined> {
  const { events, last } = await eventsToMatch(db, operation, selection, cursor, PAGE);
  const unmatched: string[] = [];
  const again: string[] = [];
  const first: { eventId: string; endpointId: string }[] = [];
  for (const tenantId of new Set(events.map((event) => event.tenantId))) {
    const { endpointIds } = selection.afresh;
    const isMeant = ({ endpointId }: { endpointId: string }) =>
      endpointIds === undefined || endpointIds.includes(endpointId);
    const endpoints = (await matchableEndpoints(db, tenantId)).filter(isMeant);
    for (const event of events.filter((each) => each.tenantId === tenantId)) {
      const deliveries = event.deliveries.filter(isMeant);
      const matched = matchAfresh({ ...event, deliveries }, endpoints);
      first.push(...matched.first.map((endpointId) => ({ eventId: event.id, endpointId })));
      again.push(...matched.again);
      unmatched.push(...matched.unmatched);
    }
  }
  if (again.length > 0) {
    const frozen = await freezePage(db, operation, { partition: 0 }, undefined, { only: again });
    await settleRaced(db, operation, frozen.raced);
  }
  await insertFirstDeliveries(db, operation, first);
  await excludeUnmatched(db, operation.id, unmatched);
  return last && events.length === PAGE ? { partition: 0, ...last } : undefined;
}

/** Endpoints that never had the event, and its deliveries that are wanted still, and no longer. */
function matchAfresh(event: EventToMatch, endpoints: Matchable[]) {
  const had = new Set(event.deliveries.map(({ endpointId }) => endpointId));
  // Without its payload nobody can say what a filter would make of it: its deliveries say that themselves.
  if (event.body === undefined)
    return { first: [], again: event.deliveries.map(({ id }) => id), unmatched: [] };
  const payload: unknown = JSON.parse(event.body);
  const wanted = new Set(
    endpoints
      .filter((endpoint) => wantsEvent(endpoint, { type: event.type, payload }))
      .map(({ endpointId }) => endpointId),
  );
  const isEnabled = new Map(endpoints.map(({ endpointId, enabled }) => [endpointId, enabled]));
  return {
    first: [...wanted].filter((id) => !had.has(id) && isEnabled.get(id)),
    again: event.deliveries.filter(({ endpointId }) => wanted.has(endpointId)).map(({ id }) => id),
    unmatched: event.deliveries.filter(({ endpointId }) => !wanted.has(endpointId)).map(({ id }) => id),
  };
}
