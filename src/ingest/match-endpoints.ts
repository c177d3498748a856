import { wantsEvent } from '../domain/endpoints/endpoint-match.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Queryable } from '../store/db/queryable.ts';
import { matchableEndpoints } from '../store/tenancy/endpoint-versions.ts';
import type { IncomingEvent, MatchedEvent } from './matched-event.ts';

/** Finds the endpoints that want each event; before the tenant's counter is locked, for others wait from there on. */
export async function matchEndpoints(
  db: Queryable,
  tenantId: Id<'tenant'>,
  incoming: readonly IncomingEvent[],
): Promise<MatchedEvent[]> {
  const endpoints = await matchableEndpoints(db, tenantId);
  return incoming.map((event) => ({
    ...event,
    endpoints: endpoints.filter((endpoint) => wantsEvent(endpoint, event)),
  }));
}
