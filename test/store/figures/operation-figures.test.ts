import { beforeEach, describe, expect, test } from '@jest/globals';
import { addsUp, COUNTED_PARTS } from '../../../src/domain/operations/operation-counts.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { watchOperation } from '../../../src/operations/watch-operation.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import type { Transaction } from '../../../src/store/db/queryable.ts';
import {
  MOST_SAMPLES,
  operationSamples,
  sampleOperations,
} from '../../../src/store/figures/operation-samples.ts';
import { endCanaries, reserveCanaries } from '../../../src/store/operations/canaries.ts';
import { changeMarks } from '../../../src/store/operations/change-notices.ts';
import { controlsOf } from '../../../src/store/operations/operation-controls.ts';
import { operationEndpoints } from '../../../src/store/operations/operation-endpoints.ts';
import {
  listOperations,
  loadOperation,
  presentOperations,
} from '../../../src/store/operations/operations.ts';
import { quietContext } from '../../support/engine/quiet-context.ts';
import { seedFailures } from '../../support/engine/seed-failures.ts';
import { planOf } from '../../support/store/query-plan.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();
let tenant: TestTenant;
let endpointIds: Id<'endpoint'>[];

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointIds = [
    await store.newEndpoint(tenant),
    await store.newEndpoint(tenant),
    await store.newEndpoint(tenant),
  ];
  await seedFailures(store.pool, { tenantId: tenant.id, endpointIds, count: 12 });
});

/** A retry of what failed at some endpoints, all of it selected. */
async function retryOf(ids: Id<'endpoint'>[], request: Parameters<typeof store.retry>[2] = {}) {
  const { operationId } = await store.retry(tenant, { filter: { endpointIds: ids } }, request);
  await store.select(operationId);
  return operationId;
}

const endpointsOf = (operationId: Id<'operation'>, most = { items: 100, endpoints: 10 }) =>
  operationEndpoints(store.pool, operationId, most);

describe('an operation by endpoint', () => {
  test('has the counts of each, which add up to its own', async () => {
    const operationId = await retryOf(endpointIds);
    await store.attempt(200, { workedBy: operationId, endpointIds: endpointIds.slice(0, 1), count: 2 });
    await store.attempt(404, { workedBy: operationId, endpointIds: endpointIds.slice(1, 2), count: 1 });
    const { basis, endpoints, others, endpointCount } = await endpointsOf(operationId);
    const operation = await loadOperation(store.pool, operationId);
    expect({ basis, endpointCount }).toEqual({ basis: 'exact', endpointCount: 3 });
    for (const { counts } of endpoints) expect(addsUp(counts)).toBe(true);
    for (const part of ['expected', ...COUNTED_PARTS] as const)
      expect(endpoints.reduce((sum, { counts }) => sum + counts[part], others[part])).toBe(
        operation?.counts[part],
      );
    expect(endpoints.find((each) => each.endpointId === endpointIds[0])?.counts).toMatchObject({
      expected: 4,
      delivered: 2,
      queued: 2,
    });
    expect(endpoints.every(({ canary }) => canary === undefined)).toBe(true);
  });

  test('counts what was excluded there, and sums what is not shown', async () => {
    const holder = await retryOf(endpointIds.slice(0, 1), { options: { notBefore: '2126-01-01T00:00:00Z' } });
    const operationId = await retryOf(endpointIds);
    const { endpoints } = await endpointsOf(operationId);
    expect(endpoints.find((each) => each.endpointId === endpointIds[0])?.counts).toMatchObject({
      expected: 4,
      excluded: 4,
    });
    expect(holder).not.toBe(operationId);
    const short = await endpointsOf(operationId, { items: 100, endpoints: 1 });
    expect(short).toMatchObject({ endpointCount: 3, others: { expected: 8 } });
    expect(short.endpoints).toHaveLength(1);
  });

  test('says where it has counted no further', async () => {
    const operationId = await retryOf(endpointIds);
    expect(await endpointsOf(operationId, { items: 12, endpoints: 9 })).toMatchObject({ basis: 'exact' });
    expect(await endpointsOf(operationId, { items: 11, endpoints: 9 })).toMatchObject({ basis: 'atLeast' });
  });

  test('shows how canaries stand, and by what they were judged', async () => {
    const operationId = await retryOf(endpointIds, {
      options: { canary: { count: 2, maxFailurePercent: 0 } },
    });
    const [good, bad, out] = endpointIds as [Id<'endpoint'>, Id<'endpoint'>, Id<'endpoint'>];
    await withTransaction(store.pool, (tx) =>
      reserveCanaries(
        tx,
        operationId,
        endpointIds.map((endpointId) => ({ endpointId, count: 2 })),
        2,
      ),
    );
    await store.attempt(200, { workedBy: operationId, endpointIds: [good], count: 2 });
    await store.attempt(500, { workedBy: operationId, endpointIds: [bad], count: 2 });
    await store.attempt(500, { workedBy: operationId, endpointIds: [out], count: 1 });
    await watchOperation(quietContext(store.pool), operationId);
    const { endpoints } = await endpointsOf(operationId);
    const canaryOf = (id: Id<'endpoint'>) => endpoints.find(({ endpointId }) => endpointId === id)?.canary;
    expect(canaryOf(good)).toMatchObject({ state: 'passed', tally: { attempts: 2, bad: 0 } });
    expect(canaryOf(bad)).toMatchObject({ state: 'held', tally: { attempts: 2, bad: 2 } });
    expect(canaryOf(out)).toMatchObject({ state: 'testing', tally: { attempts: 1, bad: 1 } });
  });
});

describe('a resume at some endpoints', () => {
  test('begins their canaries again and holds the others, with the results that they had', async () => {
    const operationId = await retryOf(endpointIds, {
      options: { canary: { count: 2, maxFailurePercent: 0 } },
    });
    const [named, judged, passed] = endpointIds as [Id<'endpoint'>, Id<'endpoint'>, Id<'endpoint'>];
    const reserve = () =>
      withTransaction(store.pool, (tx) =>
        reserveCanaries(
          tx,
          operationId,
          endpointIds.map((endpointId) => ({ endpointId, count: 2 })),
          2,
        ),
      );
    await reserve();
    await withTransaction(store.pool, (tx) =>
      endCanaries(tx, operationId, [
        { endpointId: named, state: 'held', attempts: 2, bad: 2 },
        { endpointId: judged, state: 'held', attempts: 2, bad: 1 },
        { endpointId: passed, state: 'passed', attempts: 2, bad: 0 },
      ]),
    );
    await controlOperation(store.deps, tenant.id, operationId, { do: 'pause' });
    const resumed = await controlOperation(store.deps, tenant.id, operationId, {
      do: 'resume',
      only: [named],
    });
    expect(resumed).toMatchObject({ ok: true, operation: { state: 'running' } });
    expect(await reserve()).toEqual([{ endpointId: named, count: 2 }]);
    const { endpoints } = await endpointsOf(operationId);
    const canaryOf = (id: Id<'endpoint'>) => endpoints.find(({ endpointId }) => endpointId === id)?.canary;
    expect(canaryOf(named)).toMatchObject({ state: 'testing', claimed: 2 });
    expect(canaryOf(judged)).toMatchObject({ state: 'held', tally: { attempts: 2, bad: 1 } });
    expect(canaryOf(passed)).toMatchObject({ state: 'held', tally: { attempts: 2, bad: 0 } });
    const controls = await controlsOf(store.pool, tenant.id, operationId);
    expect(controls.at(-1)).toMatchObject({ did: 'resume', endpointIds: [named] });
    // As a whole: every canary that was held begins again.
    await controlOperation(store.deps, tenant.id, operationId, { do: 'pause' });
    await controlOperation(store.deps, tenant.id, operationId, { do: 'resume' });
    expect(await reserve()).toHaveLength(3);
  });
});

describe('samples of an operation', () => {
  const samplesOf = async (operationId: Id<'operation'>) => {
    const samples = await operationSamples(store.pool, operationId);
    return samples.map(({ counts }) => [counts.expected, counts.delivered]);
  };
  /** Lets so many milliseconds have passed since what was sampled. */
  const laterBy = (ms: number, operationId: Id<'operation'>) =>
    store.rows(
      `update operation_samples set at = at - $2::float8 * interval '1 millisecond' where operation_id = $1`,
      [operationId, ms],
    );

  test('are taken while its counts move, and not more often than once a second', async () => {
    const operationId = await retryOf(endpointIds);
    await sampleOperations(store.pool);
    await sampleOperations(store.pool);
    expect(await samplesOf(operationId)).toEqual([[12, 0]]);
    await store.attempt(200, { workedBy: operationId, endpointIds: endpointIds.slice(0, 1), count: 1 });
    await sampleOperations(store.pool);
    expect(await samplesOf(operationId)).toEqual([[12, 0]]);
    await laterBy(1_500, operationId);
    await sampleOperations(store.pool);
    expect(await samplesOf(operationId)).toEqual([
      [12, 0],
      [12, 1],
    ]);
    await laterBy(60_000, operationId);
    await sampleOperations(store.pool);
    expect(await samplesOf(operationId)).toHaveLength(2);
    // Behind a time in which nothing moved there is its end, too.
    await store.attempt(200, { workedBy: operationId, endpointIds: endpointIds.slice(0, 1), count: 1 });
    await sampleOperations(store.pool);
    expect(await samplesOf(operationId)).toEqual([
      [12, 0],
      [12, 1],
      [12, 1],
      [12, 2],
    ]);
  });

  test('are thinned out, and the first and the last stay', async () => {
    const operationId = await retryOf(endpointIds);
    await store.rows(
      `insert into operation_samples
       select $1, now() - n * interval '10 seconds', 12, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0 from generate_series(1, $2::int) n`,
      [operationId, MOST_SAMPLES],
    );
    const [first] = await operationSamples(store.pool, operationId);
    await store.attempt(200, { workedBy: operationId, endpointIds: endpointIds.slice(0, 1), count: 1 });
    await sampleOperations(store.pool);
    const samples = await operationSamples(store.pool, operationId);
    expect(samples.length).toBeLessThan(MOST_SAMPLES);
    expect(samples.length).toBeGreaterThanOrEqual(MOST_SAMPLES / 2);
    expect(samples[0]).toEqual(first);
    expect(samples.at(-1)?.counts.delivered).toBe(1);
  });
});

describe('a list of operations', () => {
  test('is filtered by who asked, what, for which endpoint, when and in which words', async () => {
    const [one, two] = endpointIds as [Id<'endpoint'>, Id<'endpoint'>];
    const retry = await retryOf([one], {
      caller: { actor: 'key_ann' },
      reason: 'Their 100% outage',
      ticket: 'OPS-1',
    });
    const replay = await retryOf([two], { caller: { actor: 'jwt:bob' }, kind: 'replay', reason: 'a_b' });
    const stranger = await store.newTenant();
    await store.retry(stranger, { filter: {} }, { caller: { actor: 'key_ann' }, reason: 'Their outage' });
    const listed = async (filter: Parameters<typeof listOperations>[2]) =>
      (await listOperations(store.pool, tenant.id, filter)).map(({ id }) => id);
    const limit = 10;
    expect(await listed({ limit })).toEqual([replay, retry]);
    expect(await listed({ limit, actors: ['key_ann'] })).toEqual([retry]);
    expect(await listed({ limit, kind: 'replay' })).toEqual([replay]);
    expect(await listed({ limit, endpointIds: [one] })).toEqual([retry]);
    expect(await listed({ limit, endpointIds: [] })).toEqual([]);
    for (const text of ['OUTAGE', '100%', 'ops-1']) expect(await listed({ limit, text })).toEqual([retry]);
    expect(await listed({ limit, text: '1%o' })).toEqual([]);
    expect(await listed({ limit, text: 'a_b' })).toEqual([replay]);
    await store.rows(`update operations set created_at = '2026-11-03T02:00:00.000500Z' where id = $1`, [
      retry,
    ]);
    const at = '2026-11-03T02:00:00.000Z';
    expect(await listed({ limit, to: { at, inclusive: true } })).toEqual([retry]);
    expect(await listed({ limit, to: { at, inclusive: false } })).toEqual([]);
    expect(await listed({ limit, from: { at, inclusive: true } })).toEqual([replay, retry]);
  });

  test('is read by an index, also by actor and by endpoint', async () => {
    const operationId = await retryOf(endpointIds);
    await store.rows(
      `with o as (insert into operations (tenant_id, kind, workflow_id, interactive, target, selection, options, actor, state,
         watermark, next_event, next_event_at)
       select tenant_id, kind, 'w' || n, interactive, target, selection, options, 'key_' || n % 500, state, watermark, 'due', now()
       from operations, generate_series(1, 5000) n where id = $1 returning id
       ), at as (insert into operation_endpoints (endpoint_id, operation_id) select uuidv7(), id from o)
       insert into operation_counts (operation_id) select id from o`,
      [operationId],
    );
    await store.rows('analyze operations, operation_counts, operation_endpoints');
    const plan = (filter: Parameters<typeof listOperations>[2]) =>
      planOf(store.pool, (db) => listOperations(db, tenant.id, filter));
    for (const [filter, index] of [
      [{ actors: ['key_7'] }, 'operations_by_actor'],
      [{ endpointIds: endpointIds.slice(0, 1) }, 'operation_endpoints_pkey'],
    ] as const) {
      const { scanned, indexes } = await plan({ ...filter, limit: 50 } as Parameters<typeof plan>[0]);
      expect(scanned).toEqual([]);
      expect(indexes).toContain(index);
    }
    // What is looked at again and again costs what is open, whatever has closed.
    await store.rows(
      `update operations set state = 'completed', closed_at = now(), next_event = null, next_event_at = null, report = '{}'
       where id <> $1 and state = 'running'`,
      [operationId],
    );
    await store.rows('vacuum analyze operations');
    const [newest] = await store.rows('select id from operations order by id desc limit 1');
    for (const look of [
      (db: Transaction) => presentOperations(db, tenant.id, { newest: 50, open: 100, named: [] }),
      (db: Transaction) => changeMarks(db, newest.id),
      (db: Transaction) => sampleOperations(db),
    ])
      expect((await planOf(store.pool, look)).scanned.filter((table) => table === 'operations')).toEqual([]);
  });
});
