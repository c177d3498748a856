import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { BULK_AHEAD_MS, BULK_LATE_MS, liveBurstMs } from '../../src/domain/sending/pacing.ts';
import { reserveGrants, settleReservation } from '../../src/sending/reservation.ts';
import { withTransaction } from '../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../src/store/db/queryable.ts';
import {
  forgetSlots,
  freeSlots,
  type Reserving,
  raiseFloors,
  refundPace,
  reservePace,
  type Sends,
} from '../../src/store/sending/pacing.ts';
import { readyEndpoints } from '../../src/store/sending/ready-endpoints.ts';
import { createTestStore, type TestStore, type TestTenant } from '../support/test-store.ts';

let store: TestStore;
let tenant: TestTenant;

beforeAll(async () => {
  store = await createTestStore({ connections: 12 });
});
beforeEach(async () => {
  tenant = await store.newTenant();
});
afterAll(() => store.close());

function by(lane: 'bulk' | 'live', leaseMs = 60_000): Reserving {
  return { token: randomUUID(), lane, leaseMs };
}

function reserve(wanted: Sends[], reserving: Reserving): Promise<Sends[]> {
  return withTransaction(store.pool, (db) => reservePace(db, 'endpoint', wanted, reserving));
}

async function granted(id: string, count: number, reserving: Reserving): Promise<number> {
  return (await reserve([{ id, count }], reserving))[0]?.count ?? 0;
}

async function now(): Promise<number> {
  return (await store.rows('select extract(epoch from clock_timestamp())::float8 * 1000 as ms'))[0].ms;
}

describe('the rate of an endpoint', () => {
  test.each([
    ['bulk', 400, BULK_AHEAD_MS + BULK_LATE_MS],
    ['live', 400, liveBurstMs(400)],
    ['bulk', 3, BULK_AHEAD_MS + BULK_LATE_MS],
    ['live', 0.5, liveBurstMs(0.5)],
  ] as const)(
    'is not exceeded by many %s senders at once at %i a second',
    async (lane, ratePerSecond, aheadMs) => {
      const id = await store.newEndpoint(tenant, { ratePerSecond });
      const startMs = await now();
      let sends = 0;
      // Each reserver goes on as fast as it can for a while of the database's clock.
      await Promise.all(
        Array.from({ length: 6 }, async () => {
          while ((await now()) < startMs + 500) {
            const count = await granted(id, 40, by(lane));
            sends += count;
          }
        }),
      );
      const endMs = await now();
      const intervalMs = 1_000 / ratePerSecond;
      expect(sends).toBeLessThanOrEqual(Math.ceil((endMs - startMs + aheadMs) / intervalMs) + 1);
      // And it is made use of: the time that was waited for was not given away.
      expect(sends).toBeGreaterThanOrEqual(Math.floor(400 / intervalMs));
    },
  );

  test('lets live work through while bulk work takes all it can', async () => {
    const id = await store.newEndpoint(tenant, { ratePerSecond: 20 });
    expect(await granted(id, 100, by('bulk'))).toBeGreaterThan(0);
    expect(await granted(id, 100, by('bulk'))).toBe(0);
    expect(await granted(id, 1, by('live'))).toBe(1);
  });

  test('that bulk work has taken ahead of time keeps bulk work waiting, and live work not', async () => {
    const id = await store.newEndpoint(tenant, { ratePerSecond: 20 });
    await store.ingest(tenant, 1);
    await store.attempt(404, { endpointIds: [id] });
    const { operationId } = await store.retry(tenant, { filter: {} });
    await store.select(operationId);
    await store.ingest(tenant, 1);
    await granted(id, 100, by('bulk'));
    const claimableInMs = async (workedBy: string) =>
      (await readyEndpoints(store.pool, workedBy)).find((endpoint) => endpoint.endpointId === id)
        ?.claimableInMs;
    expect(await claimableInMs(operationId)).toBeGreaterThan(100);
    expect(await claimableInMs(LIVE_LANE)).toBeLessThanOrEqual(0);
  });

  test('given back unused is there again at once', async () => {
    const id = await store.newEndpoint(tenant, { ratePerSecond: 20 });
    const count = await granted(id, 100, by('bulk'));
    await refundPace(store.pool, 'endpoint', [{ id, count }]);
    expect(await granted(id, 100, by('bulk'))).toBe(count);
  });

  test('is not exceeded where senders give back a part of what they reserved, sooner or later', async () => {
    const ratePerSecond = 300;
    const id = await store.newEndpoint(tenant, { ratePerSecond });
    const startMs = await now();
    let sends = 0;
    await Promise.all(
      Array.from({ length: 6 }, async (_, sender) => {
        for (let round = 0; (await now()) < startMs + 500; round++) {
          const count = await granted(id, 30, by('bulk'));
          const unused = Math.floor((count * ((sender + round) % 4)) / 3);
          sends += count - unused;
          if (round % 2 === 0) await now();
          if (unused > 0) await refundPace(store.pool, 'endpoint', [{ id, count: unused }]);
        }
      }),
    );
    const spanMs = (await now()) - startMs;
    expect(sends).toBeLessThanOrEqual(Math.ceil(((spanMs + BULK_AHEAD_MS) * ratePerSecond) / 1_000) + 1);
    expect(sends).toBeGreaterThanOrEqual(100);
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

describe('a reservation', () => {
  test('is what operation and endpoints allow together, and what is not used goes back to both', async () => {
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
      { endpointId: free, count: 1 },
    ]);
    expect(await slots()).toEqual({ [operationId]: 3, [slow]: 2 });
    await settleReservation(store.pool, reserving.token, reservation, []);
    expect(await slots()).toEqual({});
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
