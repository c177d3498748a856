import { expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { planEndpoints } from '../../../src/store/plans/plan-endpoints.ts';
import { replaceFreezeSpans } from '../../../src/store/policy/freeze-spans.ts';
import { plansOf } from '../../support/store/plans.ts';
import { useStore } from '../../support/store/use-store.ts';

/** When nothing of a plan is sent to its endpoints, as its time to finish counts it. */

const store = useStore();
const DAY_MS = 86_400_000;
const EVERY_NIGHT = {
  zone: 'UTC',
  days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const,
  from: '22:00',
  to: '06:00',
};

async function restsOf(operationId: Id<'operation'>) {
  const endpoints = await planEndpoints(store.pool, operationId, 10);
  return new Map(endpoints.map(({ endpointId, rests }) => [endpointId, rests]));
}

test('freeze windows count at the endpoints that they name, and end where the next are not known', async () => {
  const tenant = await store.newTenant();
  const frozen = await store.newEndpoint(tenant);
  const free = await store.newEndpoint(tenant);
  await store.ingest(tenant, 2);
  const plan = await plansOf(store, tenant).make({ filter: { state: ['pending'] } });
  const before = await restsOf(plan.operationId);
  expect([before.get(frozen), before.get(free)]).toEqual([[], []]);
  await withTransaction(store.pool, (tx) =>
    replaceFreezeSpans(tx, tenant.id, [{ ...EVERY_NIGHT, endpoints: [frozen] }]),
  );
  const after = await restsOf(plan.operationId);
  expect(after.get(free)).toEqual([]);
  const spans = [...(after.get(frozen) ?? [])].sort((a, b) => a.fromMs - b.fromMs);
  expect(spans.length).toBeGreaterThanOrEqual(14);
  expect(spans.at(-1)?.toMs).toBe(Number.POSITIVE_INFINITY);
  for (const { toMs } of spans) expect(toMs).toBeGreaterThan(0);
  for (const [n, { fromMs }] of spans.slice(1, -2).entries())
    expect((spans[n + 2]?.fromMs ?? 0) - fromMs).toBeCloseTo(DAY_MS, -2);
});

test('a time before which nothing is sent counts at every endpoint, and that of an endpoint left alone at it', async () => {
  const tenant = await store.newTenant();
  const left = await store.newEndpoint(tenant);
  const other = await store.newEndpoint(tenant);
  await store.ingest(tenant, 1);
  const notBefore = new Date(Date.now() + DAY_MS).toISOString();
  const plan = await plansOf(store, tenant).make(
    { filter: { state: ['pending'] } },
    { options: { notBefore } },
  );
  await store.pool.query(
    `update endpoint_pacing set floor_until = now() + interval '5 minutes' where endpoint_id = $1`,
    [left],
  );
  const rests = await restsOf(plan.operationId);
  const [day] = rests.get(other) ?? [];
  expect(day?.fromMs).toBe(0);
  expect(day?.toMs).toBeGreaterThan(DAY_MS / 2);
  const ends = (rests.get(left) ?? []).map(({ toMs }) => toMs).sort((a, b) => a - b);
  expect(ends).toHaveLength(2);
  expect(ends[0]).toBeGreaterThan(60_000);
  expect(ends[0]).toBeLessThanOrEqual(300_000);
});
