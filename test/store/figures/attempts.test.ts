import { beforeEach, describe, expect, test } from '@jest/globals';
import { bucketsOf } from '../../../src/domain/figures/time-buckets.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { createPool, withTransaction } from '../../../src/store/db/pool.ts';
import { acceptedEvents } from '../../../src/store/figures/accepted-events.ts';
import { type AttemptDimension, attemptFigures } from '../../../src/store/figures/attempt-figures.ts';
import { foldAttempts, pruneAttempts, takePruning } from '../../../src/store/figures/attempt-folds.ts';
import { figureViolations } from '../../support/store/figures.ts';
import { planOf } from '../../support/store/query-plan.ts';
import { age, keepFor, removeAll } from '../../support/store/retention.ts';
import type { Ending, TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore({ checked: true });
let tenant: TestTenant;
let endpointIds: Id<'endpoint'>[];

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointIds = [await store.newEndpoint(tenant), await store.newEndpoint(tenant)];
});

const fold = (limit = 20_000) => withTransaction(store.pool, (tx) => foldAttempts(tx, limit));

/** Sends one event of a type to both endpoints, which end so. */
async function sent(type: string, one: Ending, other: Ending): Promise<void> {
  await store.ingest(tenant, 1, { type });
  const claim = await store.claim({ endpointIds });
  await store.record(claim, ({ endpointId }) => (endpointId === endpointIds[0] ? one : other));
}

function figures(by: readonly AttemptDimension[] = [], most = 50) {
  const nowMs = Date.now();
  return attemptFigures(store.pool, tenant.id, bucketsOf(nowMs - 600_000, nowMs + 600_000, 'minute'), {
    by,
    most,
  });
}

async function seriesBy(by: readonly AttemptDimension[]) {
  const { series } = await figures(by);
  return series.map(({ counts: _, ...each }) => each);
}

describe('attempts', () => {
  test('are counted once, before they are folded, in between and afterwards', async () => {
    await sent('a', 200, 500);
    await sent('a', 200, 'timeout');
    await sent('b', 404, 'refused');
    const by = ['outcome', 'fault'] as const;
    const told = await seriesBy(by);
    expect(told).toEqual(
      expect.arrayContaining([
        { outcome: 'delivered', faultCode: '', total: 2 },
        { outcome: 'retryable', faultCode: 'http_5xx', total: 1 },
        { outcome: 'ambiguous', faultCode: 'timeout', total: 1 },
        { outcome: 'permanent', faultCode: 'http_4xx', total: 1 },
        { outcome: 'unsent', faultCode: 'connection_refused', total: 1 },
      ]),
    );
    expect(told).toHaveLength(5);
    expect((await figures()).unfolded).toBe(6);
    expect(await fold(2)).toEqual({ deltas: 2 });
    expect(await seriesBy(by)).toEqual(told);
    await fold();
    expect(await seriesBy(by)).toEqual(told);
    expect((await figures()).unfolded).toBe(0);
    expect(await figureViolations(store.pool, tenant.id)).toEqual([]);
  });

  test('that were released are none, and a lost one is', async () => {
    await store.ingest(tenant, 1);
    await store.record(await store.claim({ endpointIds }), 'released');
    expect((await figures()).series).toEqual([]);
  });

  test('are told apart by what is asked for, and no further', async () => {
    await sent('a', 200, 500);
    await sent('b', 200, 200);
    await fold();
    expect(await seriesBy([])).toEqual([{ total: 4 }]);
    expect(await seriesBy(['type', 'outcome'])).toEqual(
      expect.arrayContaining([
        { eventType: 'b', outcome: 'delivered', total: 2 },
        { eventType: 'a', outcome: 'delivered', total: 1 },
        { eventType: 'a', outcome: 'retryable', total: 1 },
      ]),
    );
    expect(await seriesBy(['endpoint'])).toEqual(
      expect.arrayContaining(endpointIds.map((endpointId) => ({ endpointId, total: 2 }))),
    );
  });

  test('of series beyond the most are summed: the numbers add up', async () => {
    await sent('a', 200, 200);
    await sent('b', 200, 500);
    await sent('c', 404, 'timeout');
    const { series, others } = await figures(['type', 'outcome'], 2);
    expect(series.map(({ total }) => total)).toEqual([2, 1]);
    expect(others).toMatchObject({ groups: 3, total: 3 });
    expect(others.counts.reduce((sum, { count }) => sum + count, 0)).toBe(3);
  });

  test('of another tenant are not among them', async () => {
    await sent('a', 200, 200);
    await fold();
    const stranger = await store.newTenant();
    const nowMs = Date.now();
    for (const granularity of ['minute', 'hour', 'day'] as const) {
      const buckets = bucketsOf(nowMs - 60_000, nowMs + 60_000, granularity);
      const asked = { by: [], most: 5, endpointIds };
      expect((await attemptFigures(store.pool, stranger.id, buckets, asked)).series).toEqual([]);
      expect((await attemptFigures(store.pool, tenant.id, buckets, asked)).series[0]?.total).toBe(2);
    }
  });

  test('are counted in the minute, the hour and the day in which they began', async () => {
    await sent('a', 200, 200);
    await sent('a', 500, 500);
    await store.rows(
      `update attempt_deltas set minute = case when outcome = 'delivered' then timestamptz '2026-11-03T01:59:00Z'
         else timestamptz '2026-11-03T02:00:00Z' end where tenant_id = $1`,
      [tenant.id],
    );
    const counts = async (granularity: 'minute' | 'hour' | 'day') => {
      const buckets = bucketsOf(
        Date.parse('2026-11-02T00:00:00Z'),
        Date.parse('2026-11-05T00:00:00Z'),
        granularity,
      );
      const { series } = await attemptFigures(store.pool, tenant.id, buckets, { by: [], most: 5 });
      return series[0]?.counts
        .map(({ atMs, count }) => [new Date(atMs).toISOString().slice(0, 16), count])
        .sort();
    };
    const expected = {
      minute: [
        ['2026-11-03T01:59', 2],
        ['2026-11-03T02:00', 2],
      ],
      hour: [
        ['2026-11-03T01:00', 2],
        ['2026-11-03T02:00', 2],
      ],
      day: [['2026-11-03T00:00', 4]],
    };
    for (const folded of [false, true]) {
      if (folded) await fold();
      for (const granularity of ['minute', 'hour', 'day'] as const)
        expect(await counts(granularity)).toEqual(expected[granularity]);
    }
  });
});

describe('folding', () => {
  test('is done by one at a time, and loses nothing while others record', async () => {
    const recording = (async () => {
      for (let n = 0; n < 15; n += 1) await sent(`type ${n % 3}`, 200, 500);
    })();
    let over = false;
    void recording.finally(() => {
      over = true;
    });
    const folding = Array.from({ length: 3 }, async () => {
      while (!over) await fold(3);
    });
    while (!over) expect(await figureViolations(store.pool, tenant.id)).toEqual([]);
    await Promise.all([recording, ...folding]);
    await fold();
    expect(await figureViolations(store.pool, tenant.id)).toEqual([]);
    expect((await figures()).series[0]?.total).toBe(30);
  });

  test('is left to whoever has begun', async () => {
    await sent('a', 200, 200);
    const other = createPool(store.url, { max: 1 });
    try {
      await withTransaction(other, async (tx) => {
        await foldAttempts(tx, 1);
        expect(await fold()).toBeUndefined();
      });
    } finally {
      await other.end();
    }
    expect((await figures()).series[0]?.total).toBe(2);
  });

  test('keeps minutes for two days and hours for 90, and says since when it counts', async () => {
    await store.rows('delete from attempt_minutes');
    await store.rows('delete from attempt_hours');
    await sent('a', 200, 200);
    await fold();
    for (const [table, column, days] of [
      ['attempt_minutes', 'minute', 1],
      ['attempt_minutes', 'minute', 3],
      ['attempt_hours', 'hour', 80],
      ['attempt_hours', 'hour', 91],
    ])
      await store.rows(
        `insert into ${table} (tenant_id, ${column}, endpoint_id, event_type, outcome, fault_code, attempts)
         values ($1, date_trunc('hour', now()) - $2::int * interval '1 day', $3, 'old', 'delivered', '', 1)`,
        [tenant.id, days, endpointIds[0]],
      );
    expect(await takePruning(store.pool)).toBe(true);
    expect(await takePruning(store.pool)).toBe(false);
    expect(await pruneAttempts(store.pool, 10)).toBe(2);
    expect(await pruneAttempts(store.pool, 10)).toBe(0);
    await store.rows(`update attempt_folds set began_at = now() - interval '1 year'`);
    const nowMs = Date.now();
    for (const [granularity, days] of [
      ['minute', 2],
      ['hour', 90],
    ] as const) {
      const buckets = bucketsOf(nowMs - 60_000, nowMs, granularity);
      const { countedSince } = await attemptFigures(store.pool, tenant.id, buckets, { by: [], most: 1 });
      expect(Math.round((nowMs - countedSince.getTime()) / 86_400_000)).toBe(days);
    }
  });
});

test('events are counted by their numbers, in the bucket in which they were accepted', async () => {
  await store.ingest(tenant, 3);
  await store.ingest(tenant, 2);
  await store.rows(
    `update events set accepted_at = case when number <= 3 then timestamptz '2026-11-03T01:59:59.999999Z'
       else timestamptz '2026-11-03T02:00:00Z' end where tenant_id = $1`,
    [tenant.id],
  );
  const buckets = bucketsOf(Date.parse('2026-11-03T01:58:00Z'), Date.parse('2026-11-03T02:02:00Z'), 'minute');
  expect((await acceptedEvents(store.pool, tenant.id, buckets)).counts).toEqual([0, 3, 2, 0]);
  const stranger = await store.newTenant();
  expect((await acceptedEvents(store.pool, stranger.id, buckets)).counts).toEqual([0, 0, 0, 0]);
});

test('events that are past their term move none of the others: counted are those behind their removal', async () => {
  const ingested = [];
  for (const count of [1, 2, 2, 3]) ingested.push(await store.ingest(tenant, count));
  const [waiting, ...others] = ingested as [Id<'delivery'>[], ...Id<'delivery'>[][]];
  const claim = await store.claim({ endpointIds });
  // An open delivery keeps its event, the oldest of all.
  await store.record(claim, ({ deliveryId }) => (waiting.includes(deliveryId) ? 'released' : 200));
  for (const [n, days] of [5, 5, 4, 1].entries())
    await age(store, days, { deliveries: [waiting, ...others][n] ?? [] });
  const nowMs = Date.now();
  const buckets = bucketsOf(nowMs - 9 * 86_400_000, nowMs, 'day');
  const accepted = () => acceptedEvents(store.pool, tenant.id, buckets);
  const before = await accepted();
  expect(before.counts.slice(-6)).toEqual([3, 2, 0, 0, 3, 0]);
  expect(before.countedSince).toBeUndefined();
  const [newest] = await store.rows(
    `select max(accepted_at) as gone from events where tenant_id = $1 and accepted_at < now() - interval '3 days'`,
    [tenant.id],
  );
  await keepFor(store, tenant, { eventRetentionDays: 3 });
  expect(await removeAll(store.pool, tenant)).toBe(4);
  const after = await accepted();
  expect(after.counts.slice(-6)).toEqual([0, 0, 0, 0, 3, 0]);
  expect(after.counts.slice(0, -6).every((count) => count === 0)).toBe(true);
  expect(after.countedSince).toEqual(newest.gone);
});

test('figures of a range are read by their key, and events are looked up', async () => {
  const buckets = bucketsOf(Date.now() - 3_600_000, Date.now(), 'minute');
  await store.rows(
    `insert into attempt_minutes (tenant_id, minute, endpoint_id, event_type, outcome, fault_code, attempts)
     select t.id, date_trunc('minute', now()) - n * interval '1 minute', uuidv7(), 'a', 'delivered', '', 1
     from tenants t, generate_series(1, 2000) n`,
  );
  await store.rows('analyze attempt_minutes');
  const plan = await planOf(store.pool, (db) =>
    attemptFigures(db, tenant.id, buckets, { by: ['endpoint'], most: 5 }),
  );
  expect(plan.indexes).toContain('attempt_minutes_pkey');
  const events = await planOf(store.pool, (db) => acceptedEvents(db, tenant.id, buckets));
  expect(events.indexes).toContain('events_by_acceptance');
});
