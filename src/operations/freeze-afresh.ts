import { wantsEvent } from '../domain/endpoints/endpoint-match.ts';
import type { EventSelection, Selection } from '../domain/operations/selection.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { keepFromRemoval } from '../store/retention/removal-gate.ts';
import { type FrozenOperation, freezePage } from '../store/selection/freeze.ts';
import {
  type EventToMatch,
  eventsToMatch,
  excludeUnmatched,
  insertFirstDeliveries,
} from '../store/selection/fresh-matches.ts';
import { type SelectionCursor, WHOLE } from '../store/selection/selection-page.ts';
import { type Matchable, matchableEndpoints } from '../store/tenancy/endpoint-versions.ts';
import { settleRaced } from './settle-raced.ts';

/** A selection of events that are matched afresh. */
export type AfreshSelection = Extract<Selection, { afresh: EventSelection }>;

/** Events of one page; their payloads are in memory while it is matched. */
const PAGE = { limit: 200, maxBytes: 16 * 1024 * 1024 };

/**
 * Matches the next page of events afresh: an event that an endpoint wants and never had gets its first delivery, a
 * delivery that it had is decided as in every other retry, and one that it no longer wants is excluded. Returns its events
 * and where the next page begins, undefined behind the last one.
 */
export async function freezeAfresh(
  tx: Transaction,
  operation: FrozenOperation,
  selection: AfreshSelection,
  cursor: SelectionCursor,
  page = PAGE,
): Promise<{ eventIds: Id<'event'>[]; next?: SelectionCursor }> {
  await keepFromRemoval(tx, operation.tenantId);
  const { events, next } = await eventsToMatch(tx, operation, selection, cursor, page);
  const unmatched: Id<'delivery'>[] = [];
  const again: Id<'delivery'>[] = [];
  const first: { eventId: Id<'event'>; endpointId: Id<'endpoint'> }[] = [];
  for (const tenantId of new Set(events.map((event) => event.tenantId))) {
    const endpoints = await matchableEndpoints(tx, tenantId);
    for (const event of events.filter((each) => each.tenantId === tenantId)) {
      const matched = matchAfresh(event, endpoints, selection.endpoints);
      first.push(...matched.first.map((endpointId) => ({ eventId: event.id, endpointId })));
      again.push(...matched.again);
      unmatched.push(...matched.unmatched);
    }
  }
  const noItems = await insertFirstDeliveries(tx, operation, first);
  const { raced } = await freezePage(tx, operation, WHOLE, {
    only: [...again, ...noItems],
  });
  await settleRaced(tx, operation, raced);
  await excludeUnmatched(tx, operation.id, unmatched);
  return { eventIds: events.map(({ id }) => id), ...(next ? { next } : {}) };
}

/** An endpoint that was made under a grant has the events accepted since then; shown times are cut to milliseconds. */
function mayHave({ takesFrom }: Matchable, { acceptedAt }: EventToMatch): boolean {
  return takesFrom === undefined || acceptedAt > takesFrom;
}

/** Endpoints that never had the event, its deliveries that are still wanted, and those that no longer are. */
function matchAfresh(event: EventToMatch, all: Matchable[], named: AfreshSelection['endpoints']) {
  const isMeant = ({ endpointId }: { endpointId: Id<'endpoint'> }) =>
    named === undefined || named.ids.includes(endpointId);
  const deliveries = event.deliveries.filter(isMeant);
  // Without its payload nobody can say whether a filter takes it: its deliveries show that themselves.
  if (event.body === undefined) return { first: [], again: deliveries.map(({ id }) => id), unmatched: [] };
  const payload: unknown = JSON.parse(event.body);
  const wanted = all.filter(
    (endpoint) =>
      isMeant(endpoint) &&
      mayHave(endpoint, event) &&
      (named?.unfiltered || wantsEvent(endpoint, { type: event.type, payload })),
  );
  const had = new Set([...deliveries.map(({ endpointId }) => endpointId), ...event.heldElsewhere]);
  const never = event.resent ? [] : wanted.filter(({ endpointId }) => !had.has(endpointId));
  // An endpoint that is named gets its deliveries even while it is disabled: their exclusion says why nothing was sent.
  if (named)
    return {
      first: never.map(({ endpointId }) => endpointId),
      again: deliveries.map(({ id }) => id),
      unmatched: [],
    };
  const isWanted = new Set(wanted.map(({ endpointId }) => endpointId));
  return {
    first: never.filter(({ enabled }) => enabled).map(({ endpointId }) => endpointId),
    again: deliveries.filter(({ endpointId }) => isWanted.has(endpointId)).map(({ id }) => id),
    unmatched: deliveries.filter(({ endpointId }) => !isWanted.has(endpointId)).map(({ id }) => id),
  };
}
