import { freeAfter, intervalMs } from '../domain/sending/pacing.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Pool } from '../store/db/pool.ts';
import { withTransaction } from '../store/db/pool.ts';
import type { ClaimedItem, Grant } from '../store/sending/claims.ts';
import {
  forgetSlots,
  freeSlots,
  type Granted,
  type GrantedSends,
  type Paced,
  type Reserving,
  refundPace,
  reservePace,
} from '../store/sending/pacing.ts';
import type { Turn } from './turns.ts';

/** The sends that are wanted of an endpoint, and how many are in flight there already that hold no slot. */
export type WantedGrant = Grant & { besides?: number };

/** The sends that a claim may take, when each of them goes, and the grants to give back where they are not used. */
export interface Reservation {
  grants: Grant[];
  /** Nothing here has a pace: there is nothing to give back. */
  unpaced: boolean;
  /** Endpoints whose sends hold slots there. */
  slottedAt: ReadonlySet<string>;
  /** When the sends of each endpoint go; those of an endpoint that is not named go at once. */
  turns: Map<string, Turn[]>;
  /** When endpoints, and the operation, may be asked again, in milliseconds from now; where their rate says so. */
  opensInMs: Map<string, number>;
  granted: GrantedSends;
}

/**
 * Books the wanted sends of the operation and of each endpoint together, in a short transaction of its own before the
 * claim; sends without a pace are granted as wanted.
 */
export async function reserveGrants(
  pool: Pool,
  wanted: WantedGrant[],
  isPaced: (endpointId: Id<'endpoint'>) => boolean,
  pacedOperationId: Id<'operation'> | undefined,
  by: Reserving,
): Promise<Reservation> {
  const asked = wanted.map(({ endpointId, ...want }) => ({ id: endpointId, ...want }));
  const paced = asked.filter(({ id }) => isPaced(id));
  if (paced.length === 0 && pacedOperationId === undefined)
    return {
      grants: wanted.filter(({ count }) => count > 0),
      unpaced: true,
      slottedAt: new Set(),
      turns: new Map(),
      opensInMs: new Map(),
      granted: { nowMs: 0, endpoints: [] },
    };
  const unpaced = asked.filter(({ id }) => !isPaced(id));
  const operation =
    pacedOperationId === undefined ? {} : { operation: { id: pacedOperationId, count: total(wanted) } };
  const granted = await withTransaction(pool, (db) => reservePace(db, { ...operation, paced, unpaced }, by));
  const hereMs = performance.now();
  const counts = new Map(granted.endpoints.map(({ id, atMs }) => [id, atMs.length]));
  const all = [...granted.endpoints, ...(granted.operation ? [granted.operation] : [])];
  return {
    grants: wanted.flatMap((want) => {
      const count = counts.get(want.endpointId) ?? 0;
      return count > 0 ? [{ endpointId: want.endpointId, count }] : [];
    }),
    unpaced: false,
    slottedAt: new Set(granted.endpoints.filter(({ slotted }) => slotted).map(({ id }) => id)),
    turns: turnsOf(granted, hereMs),
    opensInMs: new Map(
      all.flatMap(({ id, opensInMs }) => (opensInMs === undefined ? [] : [[id, opensInMs]])),
    ),
    granted,
  };
}

function turnsOf({ nowMs, endpoints, operation }: GrantedSends, hereMs: number): Map<string, Turn[]> {
  const turns = new Map<string, Turn[]>();
  const ofOperation = operation?.ratePerSecond === undefined ? [] : [paceOf(operation)];
  for (const endpoint of endpoints) {
    const paces = [...ofOperation, ...(endpoint.ratePerSecond === undefined ? [] : [paceOf(endpoint)])];
    if (paces.length > 0)
      turns.set(
        endpoint.id,
        endpoint.atMs.map((atMs) => ({ atMs: hereMs + atMs - nowMs, paces })),
      );
  }
  return turns;
}

function paceOf(granted: Granted): Turn['paces'][number] {
  return { id: granted.id, intervalMs: intervalMs(granted) };
}

/** Gives back grants that were not claimed, so that the tail of a queue costs neither rate nor concurrency. */
export async function settleReservation(
  pool: Pool,
  token: string,
  { unpaced, granted }: Reservation,
  items: Pick<ClaimedItem, 'endpointId'>[],
): Promise<void> {
  if (unpaced) return;
  const claimed = new Map<string, number>();
  for (const { endpointId } of items) claimed.set(endpointId, (claimed.get(endpointId) ?? 0) + 1);
  const ofEndpoints = granted.endpoints.map((endpoint) => ({
    granted: endpoint,
    usedAtMs: endpoint.atMs.slice(0, claimed.get(endpoint.id) ?? 0),
  }));
  await giveBack(pool, token, 'endpoint', ofEndpoints);
  if (granted.operation)
    await giveBack(pool, token, 'operation', [
      { granted: granted.operation, usedAtMs: ofEndpoints.flatMap(({ usedAtMs }) => usedAtMs) },
    ]);
  if (items.length === 0) await forgetSlots(pool, [token]);
}

async function giveBack(
  pool: Pool,
  token: string,
  paced: Paced,
  all: { granted: Granted; usedAtMs: number[] }[],
): Promise<void> {
  const left = all.filter(({ granted, usedAtMs }) => granted.paced && usedAtMs.length < granted.atMs.length);
  if (left.length === 0) return;
  await refundPace(
    pool,
    paced,
    left.map(({ granted, usedAtMs }) => ({
      id: granted.id,
      bookedMs: granted.arrivalMs.after,
      freeMs: freeAfter(granted, usedAtMs, granted.arrivalMs.before),
    })),
  );
  await freeSlots(
    pool,
    token,
    left.map(({ granted, usedAtMs }) => ({ id: granted.id, count: granted.atMs.length - usedAtMs.length })),
  );
}

function total(grants: Grant[]): number {
  return grants.reduce((sum, grant) => sum + grant.count, 0);
}
