import type { Id } from '../tenancy/typed-id.ts';
/** An endpoint that has work, as the spreading of sockets sees it. */
export interface Spreadable {
  endpointId: Id<'endpoint'>;
  tenantId: Id<'tenant'>;
  /** Requests of this sender to it that are in flight. */
  inFlight: number;
  /** It timed out a moment ago. */
  slow: boolean;
  /** It has answered this sender a moment ago: it can be hoped to do so again. */
  proven: boolean;
}

/** The sockets to spread, and those in flight already, also to endpoints that have no more work. */
export interface Sockets {
  free: number;
  all: number;
  /**
   * How many of the free ones endpoints with something in flight may have; the rest is for the first request of any
   * other.
   */
  shared?: number;
  heldByTenant: ReadonlyMap<Id<'tenant'>, number>;
  heldBySlow: number;
  heldByUnproven: number;
}

/** Share of the sockets that endpoints which just timed out hold together. */
const SLOW_SHARE = 1 / 4;

/** Share that endpoints which have not answered a moment ago hold together: newcomers find sockets meanwhile. */
const UNPROVEN_SHARE = 1 / 2;

/** How far above an equal share one endpoint may go while others have work too. */
const OVER_SHARE = 1.5;

/**
 * Spreads free sockets over endpoints that have work: each goes to the tenant that holds fewest, and there to its
 * endpoints in turn, so that neither a tenant with many endpoints, nor an endpoint with many items, nor any number of
 * endpoints that do not answer, takes what others need. Sockets that are held count, not those that are given: an
 * endpoint that gives them back slowly would have all of them in the end. Returns how many each may claim; the sum is
 * at most `free`.
 */
export function spread(
  endpoints: readonly Spreadable[],
  { free, all, shared = free, heldByTenant, heldBySlow, heldByUnproven }: Sockets,
  turn: number,
): { endpointId: Id<'endpoint'>; count: number }[] {
  const tenants = tenantsIn(endpoints, heldByTenant, turn);
  const capOf = (tenant: Tenant) =>
    endpoints.length <= 1
      ? all
      : Math.max(1, Math.ceil((OVER_SHARE * all) / (tenants.length * tenant.endpoints)));
  let slowRoom = Math.max(1, Math.floor(all * SLOW_SHARE)) - heldBySlow;
  let unprovenRoom = Math.max(1, Math.floor(all * UNPROVEN_SHARE)) - heldByUnproven;
  let sharedLeft = shared;
  const counts = new Map<Id<'endpoint'>, number>();
  for (let left = free; left > 0; ) {
    const tenant = fewestHeld(tenants);
    const endpoint = tenant?.queue[tenant.next++];
    if (!tenant || !endpoint) break;
    // Most of thousands are refused by facts known of them all: these come first, as they cost nothing.
    if ((endpoint.slow && slowRoom <= 0) || (!endpoint.proven && unprovenRoom <= 0)) continue;
    const count = counts.get(endpoint.endpointId) ?? 0;
    const inFlight = endpoint.inFlight + count;
    const refused = inFlight >= capOf(tenant) || (inFlight > 0 && sharedLeft <= 0);
    // An endpoint that may have none now is out for this time.
    if (refused) continue;
    counts.set(endpoint.endpointId, count + 1);
    if (endpoint.slow) slowRoom -= 1;
    if (!endpoint.proven) unprovenRoom -= 1;
    sharedLeft -= 1;
    left -= 1;
    tenant.held += 1;
    tenant.queue.push(endpoint);
  }
  return [...counts].map(([endpointId, count]) => ({ endpointId, count }));
}

/** `next` is the place in its queue, which only grows: thousands of endpoints are not moved up at each look. */
type Tenant = { queue: Spreadable[]; next: number; endpoints: number; held: number };

/** Of tenants with work the one that holds fewest sockets, and of several the first. */
function fewestHeld(tenants: readonly Tenant[]): Tenant | undefined {
  let fewest: Tenant | undefined;
  for (const tenant of tenants)
    if (tenant.next < tenant.queue.length && (!fewest || tenant.held < fewest.held)) fewest = tenant;
  return fewest;
}

/**
 * The endpoints of each tenant. Tenants begin one further each turn, and their endpoints when all tenants have begun
 * once.
 */
function tenantsIn(
  endpoints: readonly Spreadable[],
  held: ReadonlyMap<Id<'tenant'>, number>,
  turn: number,
): Tenant[] {
  const byTenant = new Map<Id<'tenant'>, Spreadable[]>();
  for (const endpoint of endpoints) {
    const own = byTenant.get(endpoint.tenantId);
    if (own) own.push(endpoint);
    else byTenant.set(endpoint.tenantId, [endpoint]);
  }
  const round = Math.floor(turn / Math.max(1, byTenant.size));
  return rotate(
    [...byTenant].map(([tenantId, own]) => ({
      queue: rotate(own, round),
      next: 0,
      endpoints: own.length,
      held: held.get(tenantId) ?? 0,
    })),
    turn,
  );
}

function rotate<T>(list: T[], turn: number): T[] {
  const start = list.length === 0 ? 0 : turn % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
