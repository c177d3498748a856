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
 * others need. Returns how many each may claim; the sum is at most `free`.
 */
export function spread(
  endpoints: readonly Spreadable[],
  free: number,
  sockets: number,
  turn: number,
): { endpointId: string; count: number }[] {
  const cap = endpoints.length <= 1 ? sockets : Math.max(1, Math.ceil((OVER_SHARE * sockets) / endpoints.length));
  let slowRoom =
    Math.max(1, Math.floor(sockets * SLOW_SHARE)) -
    endpoints.reduce((sum, endpoint) => sum + (endpoint.slow ? endpoint.inFlight : 0), 0);
  const open = interleaveTenants(endpoints, turn).map((endpoint) => ({
    ...endpoint,
    room: Math.max(0, cap - endpoint.inFlight),
    count: 0,
  }));
  let left = free;
  for (let given = true; given && left > 0; ) {
    given = false;
    for (const endpoint of open) {
      if (left === 0) break;
      if (endpoint.room === 0 || (endpoint.slow && slowRoom <= 0)) continue;
      endpoint.count += 1;
      endpoint.room -= 1;
      if (endpoint.slow) slowRoom -= 1;
      left -= 1;
      given = true;
    }
  }
  return open.filter((endpoint) => endpoint.count > 0).map(({ endpointId, count }) => ({ endpointId, count }));
}

function interleaveTenants(endpoints: readonly Spreadable[], turn: number): Spreadable[] {
  const byTenant = new Map<string, Spreadable[]>();
  for (const endpoint of endpoints) {
    const own = byTenant.get(endpoint.tenantId);
    if (own) own.push(endpoint);
    else byTenant.set(endpoint.tenantId, [endpoint]);
  }
  const tenants = [...byTenant.values()].map((own) => rotate(own, turn));
  const order: Spreadable[] = [];
  for (let i = 0; order.length < endpoints.length; i++)
    for (const own of rotate(tenants, turn)) if (own[i]) order.push(own[i] as Spreadable);
  return order;
}

function rotate<T>(list: T[], turn: number): T[] {
  const start = list.length === 0 ? 0 : turn % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
