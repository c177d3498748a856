import { beforeAll, describe, expect, test } from '@jest/globals';
import { COUNTED_EXACTLY, partSizes } from '../../../src/domain/figures/bounded-count.ts';
import type { DeliveryFilter } from '../../../src/domain/operations/selection.ts';
import { DELIVERY_STATES } from '../../../src/domain/sending/delivery-state.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import {
  DELIVERY_DIMENSIONS,
  type DeliveryDimension,
  groupDeliveries,
} from '../../../src/store/figures/delivery-groups.ts';
import { listDeliveries } from '../../../src/store/reading/delivery-reads.ts';
import { seedFailures } from '../../support/engine/seed-failures.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();
let tenant: TestTenant;
let endpointIds: Id<'endpoint'>[];

/** As long as it takes: what is counted within a time is asked about apart. */
const WITHIN_MS = 60_000;

beforeAll(async () => {
  tenant = await store.newTenant();
  endpointIds = [await store.newEndpoint(tenant), await store.newEndpoint(tenant)];
  for (const [count, faultCode] of [
    [5, 'http_5xx'],
    [3, 'timeout'],
  ] as const)
    await seedFailures(store.pool, { tenantId: tenant.id, endpointIds, count, faultCode });
  await store.ingest(tenant, 2, { type: 'other' });
  await store.attempt(404, { endpointIds });
  await store.ingest(tenant, 1, { type: 'other' });
});

const group = (
  by: readonly DeliveryDimension[],
  filter: DeliveryFilter = {},
  { tenantId = tenant.id, withinMs = WITHIN_MS } = {},
) => groupDeliveries(store.pool, tenantId, filter, { by, withinMs });

describe('groups of deliveries', () => {
  test('are of what a filter selects, the failed ones where it names no state', async () => {
    expect(await group([])).toMatchObject({ count: 12, basis: 'exact', groups: [{ count: 12 }] });
    expect(await group([], { state: [...DELIVERY_STATES] })).toMatchObject({ count: 14 });
    expect(await group([], { state: ['pending', 'unknown'] })).toMatchObject({ count: 2 });
    expect(await group([], { faultCodes: [] })).toMatchObject({ count: 0, basis: 'exact', groups: [] });
  });

  test('are told apart by each thing, and add up', async () => {
    const faults = await group(['fault']);
    expect(faults.groups).toEqual([
      { faultCode: 'http_5xx', count: 5 },
      { faultCode: 'http_4xx', count: 4 },
      { faultCode: 'timeout', count: 3 },
    ]);
    expect((await group(['status', 'type'])).groups).toEqual([
      { httpStatus: 500, eventType: 'test.seeded', count: 8 },
      { httpStatus: 404, eventType: 'other', count: 4 },
    ]);
    const all = await group(DELIVERY_DIMENSIONS);
    expect(all.groups.reduce((sum, { count }) => sum + count, 0)).toBe(12);
    for (const { hour } of all.groups) expect((hour?.getTime() ?? 1) % 3_600_000).toBe(0);
    expect(new Set(all.groups.map(({ endpointId }) => endpointId))).toEqual(new Set(endpointIds));
  });

  test('are as many as the list with the same filter has', async () => {
    for (const filter of [
      { endpointIds: endpointIds.slice(0, 1) },
      { faultCodes: ['timeout', 'http_4xx'] },
      { eventTypes: ['other'], state: ['failed' as const, 'pending' as const, 'ignored' as const] },
      { httpStatus: [500], to: { at: new Date().toISOString(), inclusive: false } },
    ]) {
      const listed = await listDeliveries(
        store.pool,
        tenant.id,
        { state: ['failed'], ...filter },
        { limit: 100 },
      );
      expect(await group([], filter)).toMatchObject({ count: listed.length, basis: 'exact' });
    }
  });

  test('of another tenant are not among them', async () => {
    const stranger = await store.newTenant();
    expect(await group(['endpoint'], { endpointIds }, { tenantId: stranger.id })).toMatchObject({ count: 0 });
  });
});

describe('the bound of a count', () => {
  test('lies one behind what is counted exactly, whatever the parts', () => {
    expect(partSizes(COUNTED_EXACTLY + 1)).toEqual([10_000, 15_000, 25_000, 25_000, 25_001]);
    for (const most of [1, 9_999, 10_000, 10_001, 40_000, 40_001, 70_000])
      expect(partSizes(most).reduce((sum, size) => sum + size, 0)).toBe(most);
  });

  test('makes numbers lower bounds that are never too large', async () => {
    const many = await store.newTenant();
    const endpointId = await store.newEndpoint(many);
    const seed = { tenantId: many.id, endpointIds: [endpointId], bodyBytes: 1 };
    await seedFailures(store.pool, { ...seed, count: COUNTED_EXACTLY });
    const asked = { tenantId: many.id };
    expect(await group(['fault'], {}, asked)).toMatchObject({ count: COUNTED_EXACTLY, basis: 'exact' });
    await seedFailures(store.pool, { ...seed, count: 10 });
    expect(await group(['fault'], {}, asked)).toMatchObject({
      count: COUNTED_EXACTLY + 1,
      basis: 'atLeast',
    });
    // No time at all: nothing is counted, and that is said.
    expect(await group([], {}, { ...asked, withinMs: 0 })).toMatchObject({ count: 0, basis: 'atLeast' });
    const hurried = await group([], {}, { ...asked, withinMs: 15 });
    expect(hurried.basis).toBe('atLeast');
    expect(hurried.count).toBeLessThanOrEqual(COUNTED_EXACTLY + 1);
  });
});
