import type { Pool } from 'pg';
import { withTransaction } from '../store/db/pool.ts';
import type { ClaimedItem, Grant } from '../store/sending/claims.ts';
import {
  forgetSlots,
  freeSlots,
  type Reserving,
  refundPace,
  reservePace,
  type Sends,
} from '../store/sending/pacing.ts';

/** What a claim may take, and what of it was reserved and must be given back where it is not used. */
export interface Reservation {
  grants: Grant[];
  /** Nothing here has a pace: there is nothing to give back. */
  unpaced: boolean;
  operationId?: string;
  pacedEndpoints: Set<string>;
}

/**
 * Reserves pace for the wanted sends, the operation's first and then each endpoint's, in short transactions of their own
 * before the claim; what has no pace is granted as wanted.
 */
export async function reserveGrants(
  pool: Pool,
  wanted: Grant[],
  isPaced: (endpointId: string) => boolean,
  pacedOperationId: string | undefined,
  by: Reserving,
): Promise<Reservation> {
  let within = wanted;
  if (pacedOperationId !== undefined) {
    const asked = [{ id: pacedOperationId, count: total(wanted) }];
    const [own] = await withTransaction(pool, (db) => reservePace(db, 'operation', asked, by));
    within = limitTo(wanted, own?.count ?? 0);
  }
  const asked = within
    .filter((w) => isPaced(w.endpointId))
    .map((w) => ({ id: w.endpointId, count: w.count }));
  const granted = new Map<string, number>();
  if (asked.length > 0)
    for (const { id, count } of await withTransaction(pool, (db) => reservePace(db, 'endpoint', asked, by)))
      granted.set(id, count);
  const grants = within
    .map((w) => (isPaced(w.endpointId) ? { ...w, count: granted.get(w.endpointId) ?? 0 } : w))
    .filter((grant) => grant.count > 0);
  const left = total(within) - total(grants);
  if (pacedOperationId !== undefined && left > 0)
    await giveBack(pool, by.token, 'operation', [{ id: pacedOperationId, count: left }]);
  return {
    grants,
    unpaced: pacedOperationId === undefined && granted.size === 0,
    ...(pacedOperationId === undefined ? {} : { operationId: pacedOperationId }),
    pacedEndpoints: new Set(granted.keys()),
  };
}

/** Gives back what was granted and not claimed, so that the tail of a queue costs neither rate nor concurrency. */
export async function settleReservation(
  pool: Pool,
  token: string,
  { grants, unpaced, operationId, pacedEndpoints }: Reservation,
  items: ClaimedItem[],
): Promise<void> {
  if (unpaced) return;
  const left = new Map(grants.map((grant) => [grant.endpointId, grant.count]));
  for (const item of items) left.set(item.endpointId, (left.get(item.endpointId) ?? 0) - 1);
  const unused = [...left]
    .filter(([id, count]) => count > 0 && pacedEndpoints.has(id))
    .map(([id, count]) => ({ id, count }));
  if (unused.length > 0) await giveBack(pool, token, 'endpoint', unused);
  const unusedHere = total(grants) - items.length;
  if (operationId !== undefined && unusedHere > 0)
    await giveBack(pool, token, 'operation', [{ id: operationId, count: unusedHere }]);
  if (items.length === 0) await forgetSlots(pool, [token]);
}

async function giveBack(
  pool: Pool,
  token: string,
  paced: 'endpoint' | 'operation',
  unused: Sends[],
): Promise<void> {
  await refundPace(pool, paced, unused);
  await freeSlots(pool, token, unused);
}

function total(grants: Grant[]): number {
  return grants.reduce((sum, grant) => sum + grant.count, 0);
}

function limitTo(wanted: Grant[], limit: number): Grant[] {
  let left = limit;
  return wanted.flatMap((w) => {
    const count = Math.min(w.count, left);
    left -= count;
    return count > 0 ? [{ endpointId: w.endpointId, count }] : [];
  });
}
