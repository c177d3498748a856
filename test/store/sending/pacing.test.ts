import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { HealthSigns } from '../../../src/domain/sending/endpoint-health.ts';
import { AHEAD_MS, BOOKED_AT_MOST_MS } from '../../../src/domain/sending/pacing.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { reserveGrants, settleReservation } from '../../../src/sending/reservation.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { reactToSigns } from '../../../src/store/sending/endpoint-health.ts';
import {
  forgetSlots,
  freeSlots,
  type Granted,
  type GrantedSends,
  type Reserving,
  raiseFloors,
  reservePace,
  type WantedSends,
} from '../../../src/store/sending/pacing.ts';
import { readyEndpoints } from '../../../src/store/sending/ready-endpoints.ts';
import { patient } from '../../support/patience.ts';
import { changeEndpoint, ENDPOINT, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore({ connections: 12 });
let tenant: TestTenant;

beforeEach(async () => {
  tenant = await store.newTenant();
});

function by(lane: 'bulk' | 'live', leaseMs = 60_000): Reserving {
  return { token: randomUUID(), lane, leaseMs };
}

function reserve(wanted: WantedSends[], reserving: Reserving): Promise<GrantedSends> {
  return withTransaction(store.pool, (db) => reservePace(db, { paced: wanted, unpaced: [] }, reserving));
}

async function booked(id: string, count: number, reserving: Reserving): Promise<Granted> {
  const [found] = (await reserve([{ id, count }], reserving)).endpoints;
  if (!found) throw new Error('the endpoint has no pace');
  return found;
}

async function granted(id: string, count: number, reserving: Reserving): Promise<number> {
  return (await booked(id, count, reserving)).atMs.length;
}

/** The least time between two sends. */
function leastGapMs(atMs: number[]): number {
  const sorted = [...atMs].sort((a, b) => a - b);
  return sorted.slice(1).reduce((least, at, n) => Math.min(least, at - (sorted[n] ?? 0)), Infinity);
}

/** The most sends in any window of one second. */
function mostInASecond(atMs: number[]): number {
  const sorted = [...atMs].sort((a, b) => a - b);
  let from = 0;
  return sorted.reduce((most, at, to) => {
    while ((sorted[from] ?? at) <= at - 1_000) from += 1;
    return Math.max(most, to - from + 1);
  }, 0);
}

async function now(): Promise<number> {
  return (await store.rows('select extract(epoch from clock_timestamp())::float8 * 1000 as ms'))[0].ms;
}

describe('the rate of an endpoint', () => {
  test.each([5, 20, 400])(
    'of %i a second is exceeded in no second by many senders of both lanes, who give back a part of their bookings, and is reached',
    async (ratePerSecond) => {
      const id = await store.newEndpoint(tenant, { ratePerSecond });
      const startMs = await now();
      const endMs = startMs + 2_500;
      const atMs: number[] = [];
      const sends = async (lane: 'bulk' | 'live', sender: number) => {
        for (let round = sender; (await now()) < endMs; round++) {
          const reserving = by(lane);
          const wanted = [{ endpointId: id, count: lane === 'live' ? 3 : 40 }];
          const reservation = await reserveGrants(store.pool, wanted, () => true, undefined, reserving);
          const all = reservation.granted.endpoints[0]?.atMs ?? [];
          // Every third time a half of it finds nothing to send.
          const used = round % 3 === 0 ? all.slice(0, Math.floor(all.length / 2)) : all;
          atMs.push(...used);
          await settleReservation(
            store.pool,
            reserving.token,
            reservation,
            used.map(() => ({ endpointId: id })),
          );
          await sleep(lane === 'live' ? 90 : 10);
        }
      };
      await Promise.all([
        ...Array.from({ length: 4 }, (_, sender) => sends('bulk', sender)),
        ...Array.from({ length: 2 }, (_, sender) => sends('live', sender)),
      ]);
      expect(mostInASecond(atMs)).toBeLessThanOrEqual(ratePerSecond);
      expect(leastGapMs(atMs)).toBeGreaterThanOrEqual(1_000 / ratePerSecond - 0.01);
      const lastMs = Math.max(...atMs);
      // Senders of a busy machine come late; test/domain/sending/pacing shows that no time is lost to the booking itself.
      expect(patient(atMs.length)).toBeGreaterThanOrEqual(((lastMs - startMs) * ratePerSecond * 0.7) / 1_000);
    },
  );

  test('is reached by bulk work alone that comes as late as its wait allows', async () => {
    const ratePerSecond = 20;
    const id = await store.newEndpoint(tenant, { ratePerSecond });
    const startMs = await now();
    const atMs: number[] = [];
    while (atMs.length < 40) {
      const { atMs: more, opensInMs = 0 } = await booked(id, 256, by('bulk'));
      atMs.push(...more);
      await sleep(opensInMs);
    }
    // The first goes at once, the last 39 intervals later: all that is lost is the time of one beginning.
    expect(Math.max(...atMs) - startMs).toBeLessThan(patient(39 * 50 + 250));
    expect(mostInASecond(atMs)).toBeLessThanOrEqual(20);
  });

  test('lets live work through within moments while bulk work takes all it can', async () => {
    const id = await store.newEndpoint(tenant, { ratePerSecond: 20 });
    for (let n = 0; n < 5; n++) {
      while ((await granted(id, 100, by('bulk'))) > 0);
      const { atMs, arrivalMs } = await booked(id, 1, by('live'));
      expect(atMs).toEqual([arrivalMs.before]);
      // The bookings of bulk work, and one interval.
      expect((atMs[0] ?? Infinity) - (await now())).toBeLessThanOrEqual(AHEAD_MS.bulk + 50);
      await sleep(100);
    }
  });

  test('keeps bulk work waiting as long as live work wants more, and the other way round not', async () => {
    const id = await store.newEndpoint(tenant, { ratePerSecond: 20 });
    await store.ingest(tenant, 1);
    await store.attempt(404, { endpointIds: [id] });
    const { operationId } = await store.retry(tenant, { filter: {} });
    await store.select(operationId);
    await store.ingest(tenant, 1);
    const claimableInMs = async (workedBy: Id<'operation'>) =>
      (await readyEndpoints(store.pool, workedBy)).find((endpoint) => endpoint.endpointId === id)
        ?.claimableInMs;
    await granted(id, 100, by('bulk'));
    expect(await claimableInMs(LIVE_LANE)).toBeLessThanOrEqual(0);
    await granted(id, 100, by('live'));
    expect(await claimableInMs(operationId)).toBeGreaterThan(100);
    expect(await granted(id, 100, by('bulk'))).toBe(0);
  });

  test('given back unused is there again at once, and not where somebody has booked behind it', async () => {
    const id = await store.newEndpoint(tenant, { ratePerSecond: 20 });
    const reserving = by('bulk');
    const first = await reserveGrants(
      store.pool,
      [{ endpointId: id, count: 9 }],
      () => true,
      undefined,
      reserving,
    );
    const [before] = first.granted.endpoints;
    await settleReservation(store.pool, reserving.token, first, []);
    const again = await booked(id, 1, by('bulk'));
    // At once: where it had not been given back, only after the nine.
    expect(again.atMs[0]).toBeLessThan(Math.max(before?.atMs[1] ?? 0, await now()));
    const second = await reserveGrants(
      store.pool,
      [{ endpointId: id, count: 9 }],
      () => true,
      undefined,
      by('bulk'),
    );
    const behind = await booked(id, 1, by('live'));
    await settleReservation(store.pool, randomUUID(), second, []);
    const last = await booked(id, 1, by('live'));
    expect(last.atMs[0]).toBeGreaterThanOrEqual((behind.atMs[0] ?? 0) + 50);
  });

  test('starts again where it is changed, once the sends that were booked under the old one are over', async () => {
    const id = await store.newEndpoint(tenant, { ratePerSecond: 0.01 });
    await granted(id, 1, by('bulk'));
    expect(await granted(id, 1, by('live'))).toBe(0);
    await changeEndpoint(store.pool, tenant, id, 2, { ...ENDPOINT, ratePerSecond: 10 });
    const changedAtMs = await now();
    await sleep(BOOKED_AT_MOST_MS);
    const { atMs } = await booked(id, 1, by('live'));
    expect(atMs[0]).toBeGreaterThanOrEqual(changedAtMs);
    expect(atMs[0]).toBeLessThan((await now()) + BOOKED_AT_MOST_MS);
  });

  test('is nothing while a floor holds, and a floor never moves back', async () => {
    const id = await store.newEndpoint(tenant, { ratePerSecond: 1_000 });
    await raiseFloors(store.pool, new Map([[id, 60_000]]));
    await raiseFloors(store.pool, new Map([[id, 1]]));
    expect([await granted(id, 1, by('live')), await granted(id, 1, by('bulk'))]).toEqual([0, 0]);
    await store.rows('update endpoint_pacing set floor_until = now() where endpoint_id = $1', [id]);
    expect(await granted(id, 1, by('bulk'))).toBe(1);
  });
});

describe('the concurrency of an endpoint', () => {
  test('is never exceeded by many reservers, and bulk work leaves a quarter of it', async () => {
    const id = await store.newEndpoint(tenant, { maxConcurrency: 12 });
    const bulk = await Promise.all(Array.from({ length: 10 }, () => granted(id, 4, by('bulk'))));
    expect(sum(bulk)).toBe(9);
    const live = await Promise.all(Array.from({ length: 10 }, () => granted(id, 1, by('live'))));
    expect(sum(live)).toBe(3);
  });

  test('of one is given to bulk work too, or it would never be sent', async () => {
    const id = await store.newEndpoint(tenant, { maxConcurrency: 1 });
    expect(await granted(id, 5, by('bulk'))).toBe(1);
    expect(await granted(id, 5, by('live'))).toBe(0);
  });

  test('comes back as answers come in, when a claim ends, and when its holder is never heard of again', async () => {
    const id = await store.newEndpoint(tenant, { maxConcurrency: 4 });
    const first = by('live');
    expect(await granted(id, 4, first)).toBe(4);
    await freeSlots(store.pool, first.token, [{ id, count: 1 }]);
    expect(await granted(id, 4, by('live', 60_000))).toBe(1);
    await forgetSlots(store.pool, [first.token]);
    const lost = by('live', 0);
    expect(await granted(id, 4, lost)).toBe(3);
    expect(await granted(id, 4, by('live'))).toBe(3);
    await forgetSlots(store.pool, []);
    expect(await store.rows('select from pace_slots where token = $1', [lost.token])).toEqual([]);
  });

  test('freed more often than it was taken does not become more', async () => {
    const id = await store.newEndpoint(tenant, { maxConcurrency: 2 });
    const first = by('live');
    await granted(id, 2, first);
    for (let n = 0; n < 3; n++) await freeSlots(store.pool, first.token, [{ id, count: 1 }]);
    expect(await granted(id, 9, by('live'))).toBe(2);
  });
});

describe('the window of an endpoint', () => {
  const signs = { overloaded: 0, down: 0, alive: 0, inFlight: 0 };
  const tell = (id: Id<'endpoint'>, seen: Partial<HealthSigns>) =>
    withTransaction(store.pool, (db) => reactToSigns(db, new Map([[id, { ...signs, ...seen }]])));
  const windowOf = async (id: string) =>
    (await store.rows('select window_size from endpoint_pacing where endpoint_id = $1', [id]))[0]
      ?.window_size;

  test('counts requests that began before there was one: they hold no slot, and are in flight all the same', async () => {
    const id = await store.newEndpoint(tenant);
    await tell(id, { overloaded: 1, alive: 1, inFlight: 24 });
    expect(await windowOf(id)).toBe(12);
    const besides = async (count: number) =>
      (await reserve([{ id, count: 20, besides: count }], by('live'))).endpoints[0]?.atMs.length;
    expect([await besides(24), await besides(12), await besides(7), await besides(0)]).toEqual([0, 0, 5, 7]);
  });

  test('lets a trial of an open circuit go beside requests that began before it, and may hang', async () => {
    const id = await store.newEndpoint(tenant);
    await tell(id, { down: 20, inFlight: 500 });
    await store.pool.query(
      `update endpoint_pacing set floor_until = '-infinity', trial_until = '-infinity' where endpoint_id = $1`,
      [id],
    );
    const trial = await reserve([{ id, count: 20, besides: 500 }], by('live'));
    expect(trial.endpoints[0]?.atMs).toHaveLength(1);
  });

  test('stays as long as all senders together fill half of it', async () => {
    const id = await store.newEndpoint(tenant);
    await tell(id, { overloaded: 1, inFlight: 400 });
    const claims = [by('live'), by('live')];
    for (const claim of claims) await granted(id, 60, claim);
    await tell(id, { alive: 1, inFlight: 60 });
    expect(await windowOf(id)).toBeGreaterThan(200);
    await forgetSlots(
      store.pool,
      claims.map(({ token }) => token),
    );
    await tell(id, { alive: 1, inFlight: 60 });
    expect(await windowOf(id)).toBeNull();
  });
});

describe('a reservation', () => {
  test('is as much as operation and endpoints allow together, and the unused rest goes back to both', async () => {
    const slow = await store.newEndpoint(tenant, { maxConcurrency: 2 });
    const free = await store.newEndpoint(tenant);
    const { operationId } = await store.retry(tenant, { filter: {} }, { options: { maxConcurrency: 5 } });
    const reserving = by('live');
    const reservation = await reserveGrants(
      store.pool,
      [
        { endpointId: slow, count: 4 },
        { endpointId: free, count: 4 },
      ],
      (id) => id === slow,
      operationId,
      reserving,
    );
    expect(reservation.grants).toEqual([
      { endpointId: slow, count: 2 },
      { endpointId: free, count: 3 },
    ]);
    expect(await slots()).toEqual({ [operationId]: 5, [slow]: 2 });
    await settleReservation(store.pool, reserving.token, reservation, []);
    expect(await slots()).toEqual({});
  });

  test('of an operation and its endpoints exceeds the rate of neither in any second', async () => {
    const rates = [7, 30, 1_000];
    const ids = await Promise.all(rates.map((ratePerSecond) => store.newEndpoint(tenant, { ratePerSecond })));
    const free = await store.newEndpoint(tenant);
    const { operationId } = await store.retry(tenant, { filter: {} }, { options: { ratePerSecond: 40 } });
    const sent = new Map<string, number[]>([...ids, free, operationId].map((id) => [id, []]));
    const endMs = (await now()) + 2_500;
    await Promise.all(
      Array.from({ length: 3 }, async () => {
        while ((await now()) < endMs) {
          const reserving = by('bulk');
          const wanted = [...ids, free].map((endpointId) => ({ endpointId, count: 30 }));
          const reservation = await reserveGrants(
            store.pool,
            wanted,
            (id) => id !== free,
            operationId,
            reserving,
          );
          for (const { id, atMs } of reservation.granted.endpoints) {
            sent.get(id)?.push(...atMs);
            sent.get(operationId)?.push(...atMs);
          }
          await sleep(15);
        }
      }),
    );
    for (const [n, id] of [...ids, operationId].entries())
      expect(mostInASecond(sent.get(id) ?? [])).toBeLessThanOrEqual([...rates, 40][n] ?? 0);
    const all = sent.get(operationId) ?? [];
    expect(patient(all.length)).toBeGreaterThanOrEqual(80);
    for (const id of [...ids, free]) expect(patient(sent.get(id)?.length ?? 0)).toBeGreaterThan(5);
  });

  test('of many endpoints by many senders, refunds and floors among them, never ends in a deadlock', async () => {
    const ids = await Promise.all(
      Array.from({ length: 12 }, () =>
        store.newEndpoint(tenant, { ratePerSecond: 100_000, maxConcurrency: 100_000 }),
      ),
    );
    const deadlocks = async () =>
      (await store.rows('select deadlocks from pg_stat_database where datname = current_database()'))[0]
        .deadlocks;
    const before = await deadlocks();
    await Promise.all(
      Array.from({ length: 10 }, async (_, sender) => {
        for (let round = 0; round < 25; round++) {
          const turn = (sender * 7 + round * 5) % ids.length;
          const order = [...ids.slice(turn), ...ids.slice(0, turn)];
          if (sender % 2 === 1) order.reverse();
          const wanted = order.map((endpointId) => ({ endpointId, count: 3 }));
          const reserving = by(sender % 3 === 0 ? 'live' : 'bulk');
          const reservation = await reserveGrants(store.pool, wanted, () => true, undefined, reserving);
          if (round % 5 === 0) await raiseFloors(store.pool, new Map(order.map((id) => [id, 0])));
          await settleReservation(store.pool, reserving.token, reservation, []);
        }
      }),
    );
    expect(await deadlocks()).toBe(before);
    expect(await slots()).toEqual({});
  });
});

async function slots(): Promise<Record<string, number>> {
  const rows = await store.rows(
    `select paced_id, sum(s.slots)::int as slots from pace_slots s
     where paced_id in (select id from endpoints where tenant_id = $1 union select id from operations where tenant_id = $1)
     group by 1`,
    [tenant.id],
  );
  return Object.fromEntries(rows.map((row) => [row.paced_id, row.slots]));
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
