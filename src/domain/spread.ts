/** An endpoint that has work, as the spreading of sockets sees it. */
export interface Spreadable {
  endpointId: string;
  tenantId: string;
  /** Requests of this sender to it that are in flight. */
  inFlight: number;
  /** It timed out a moment ago. */
  slow: boolean;
}

/** Share of the sockets that endpoints which just timed out hold together. */
const SLOW_SHARE = 1 / 4;

/** How far above an equal share one endpoint may go while others have work too. */
const OVER_SHARE = 1.5;

/**
 * Spreads free sockets over endpoints that have work, round-robin by tenant and then by endpoint, starting at `turn`,
 * so that neither a tenant with many endpoints nor an endpoint with many items, slow ones least of all, takes what
 * others need. Endpoints that have something in flight get `shared` of them at most: the rest is kept for the first
 * request of any other. Returns how many each may claim; the sum is at most `free`.
 */
export function spread(
  endpoints: readonly Spreadable[],
  free: number,
  sockets: number,
  turn: number,
  shared: number = free,
): { endpointId: string; count: number }[] {
  const cap =
    endpoints.length <= 1 ? sockets : Math.max(1, Math.ceil((OVER_SHARE * sockets) / endpoints.length));
  let slowRoom =
    Math.max(1, Math.floor(sockets * SLOW_SHARE)) -
    endpoints.reduce((sum, endpoint) => sum + (endpoint.slow ? endpoint.inFlight : 0), 0);
  const counts = new Map<string, number>();
  let sharedLeft = shared;
  let waiting = tenantQueues(endpoints, turn);
  for (let left = free; left > 0 && waiting.length > 0; ) {
    for (const queue of waiting) {
      if (left === 0) break;
      // One turn of its tenant: the first that may have a socket gets it, and goes to the end of the queue.
      for (let endpoint = queue.shift(); endpoint; endpoint = queue.shift()) {
        const count = counts.get(endpoint.endpointId) ?? 0;
        const inFlight = endpoint.inFlight + count;
        if (inFlight >= cap || (endpoint.slow && slowRoom <= 0) || (inFlight > 0 && sharedLeft <= 0))
          continue;
        counts.set(endpoint.endpointId, count + 1);
        if (endpoint.slow) slowRoom -= 1;
        sharedLeft -= 1;
        left -= 1;
        queue.push(endpoint);
        break;
      }
    }
    waiting = waiting.filter((queue) => queue.length > 0);
  }
  return [...counts].map(([endpointId, count]) => ({ endpointId, count }));
}

/** The endpoints of each tenant. Tenants begin one further each turn, and their endpoints when all tenants have begun once. */
function tenantQueues(endpoints: readonly Spreadable[], turn: number): Spreadable[][] {
  const byTenant = new Map<string, Spreadable[]>();
  for (const endpoint of endpoints) {
    const own = byTenant.get(endpoint.tenantId);
    if (own) own.push(endpoint);
    else byTenant.set(endpoint.tenantId, [endpoint]);
  }
  const round = Math.floor(turn / Math.max(1, byTenant.size));
  return rotate(
    [...byTenant.values()].map((own) => rotate(own, round)),
    turn,
  );
}

function rotate<T>(list: T[], turn: number): T[] {
  const start = list.length === 0 ? 0 : turn % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
