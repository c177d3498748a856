import { beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { DeliveryFilter } from '../../../src/domain/operations/selection.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { anyFilter, anyVaried, matches, seedVaried, type Varied } from '../../support/engine/seed-varied.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();
let tenant: TestTenant;
let stranger: TestTenant;
let endpointIds: Id<'endpoint'>[];
let foreignIds: string[];

beforeAll(async () => {
  tenant = await store.newTenant();
  stranger = await store.newTenant();
  endpointIds = [await store.newEndpoint(tenant), await store.newEndpoint(tenant)];
  foreignIds = [await store.newEndpoint(stranger)];
});

/** The fate of each delivery that an operation selected: item, or the reason of its exclusion. */
async function decisions(operationId: Id<'operation'>): Promise<Map<string, string>> {
  const rows = await store.rows(
    `select delivery_id, 'item' as became from executions where operation_id = $1
     union all select delivery_id, reason from exclusions where operation_id = $1`,
    [operationId],
  );
  const became = new Map(rows.map((row) => [row.delivery_id, row.became]));
  expect(became.size).toBe(rows.length);
  return became;
}

async function selectedBy(filter: DeliveryFilter, page?: number): Promise<Map<string, string>> {
  const { operationId } = await store.retry(tenant, { filter });
  await store.select(operationId, page);
  return decisions(operationId);
}

function becomes({ state }: Varied): string {
  if (state === 'pending') return 'coalesced';
  if (state === 'unknown') return 'outcome_unknown';
  return state === 'delivered' ? 'already_delivered' : 'item';
}

async function emptied(): Promise<void> {
  await store.pool.query(
    'delete from executions; delete from exclusions; delete from deliveries; delete from events; delete from payloads',
  );
}

describe('a filter', () => {
  test('selects the deliveries that its words mean, once each, whatever the size of the pages, and none of another tenant', async () => {
    const scene = () =>
      fc.record({
        own: fc.array(anyVaried(endpointIds), { maxLength: 14, size: 'max' }),
        foreign: fc.array(anyVaried(foreignIds), { maxLength: 4, size: 'max' }),
        filter: anyFilter([...endpointIds, ...foreignIds]),
        page: fc.integer({ min: 1, max: 5 }),
      });
    await fc.assert(
      fc.asyncProperty(scene(), async ({ own, foreign, filter, page }) => {
        await emptied();
        const ids = await seedVaried(store.pool, tenant.id, own);
        await seedVaried(store.pool, stranger.id, foreign);
        const expected = own.flatMap((delivery, i) =>
          matches(delivery, filter) ? [[ids[i], becomes(delivery)]] : [],
        );
        expect([...(await selectedBy(filter, page))].sort()).toEqual(expected.sort());
      }),
      { numRuns: 150 },
    );
  });

  test('with an empty array matches nothing, and without a state means the failed ones', async () => {
    await emptied();
    const { operationId } = await store.retry(tenant, { filter: {} });
    await store.select(operationId);
    const deliveries: Varied[] = (['failed', 'delivered', 'ignored'] as const).map((state) => ({
      ...sample(),
      state,
    }));
    const [failed] = await seedVaried(store.pool, tenant.id, deliveries);
    expect([...(await selectedBy({})).keys()]).toEqual([failed]);
    for (const member of [
      'state',
      'endpointIds',
      'eventTypes',
      'sources',
      'faultCodes',
      'httpStatus',
    ] as const)
      expect(await selectedBy({ [member]: [] })).toEqual(new Map());
    expect(await selectedBy({ ingestionBatchIds: [] })).toEqual(new Map());
    expect(await selectedBy({ dispatchBatchIds: [] })).toEqual(new Map());
  });

  test('excludes deliveries that changed after its watermark', async () => {
    await emptied();
    const [first, second] = await seedVaried(store.pool, tenant.id, [sample(), sample()]);
    const { operationId } = await store.retry(tenant, { filter: {} });
    await store.pool.query('update deliveries set state_changed_at = clock_timestamp() where id = $1', [
      second,
    ]);
    await store.select(operationId);
    expect(await decisions(operationId)).toEqual(
      new Map([
        [first, 'item'],
        [second, 'changed_since'],
      ]),
    );
  });

  test('tells bounds apart by the milliseconds that are shown, and pages between events of one instant', async () => {
    await emptied();
    const ids = await seedVaried(store.pool, tenant.id, Array.from({ length: 7 }, sample));
    await store.pool.query(`update deliveries set accepted_at = '2026-03-01T00:00:00.000001Z'`);
    const selected = async (filter: DeliveryFilter) => (await selectedBy(filter, 2)).size;
    const shown = '2026-03-01T00:00:00.000Z';
    expect(await selected({ from: { at: shown, inclusive: true } })).toBe(ids.length);
    await forgetOperations();
    expect(await selected({ from: { at: shown, inclusive: false } })).toBe(0);
    expect(await selected({ to: { at: shown, inclusive: false } })).toBe(0);
    expect(await selected({ to: { at: shown, inclusive: true } })).toBe(ids.length);
    await forgetOperations();
    // As an operation may have kept it that was accepted before times were read in UTC.
    expect(await selected({ to: { at: '2026-03-01T16:00:00.001+16:00', inclusive: false } })).toBe(
      ids.length,
    );
  });
});

describe('the failures of an operation', () => {
  test('are those of its items that failed and have not come to anything else since, page by page', async () => {
    await emptied();
    const states = Array.from({ length: 9 }, sample);
    const ids = await seedVaried(store.pool, tenant.id, states);
    const first = await store.retry(tenant, { filter: {} });
    await store.select(first.operationId);
    const claim = await store.claim({ workedBy: first.operationId });
    await store.record(claim, ({ deliveryId }) => (ids.indexOf(deliveryId) < 3 ? 200 : 404));
    const later = await store.retry(tenant, { deliveryIds: [ids[3] ?? NO_ID] });
    await store.attempt(200);
    expect(later.items).toHaveLength(1);

    const again = await store.retry(tenant, { failuresOf: first.operationId });
    await store.select(again.operationId, 2);
    expect([...(await decisions(again.operationId)).keys()].sort()).toEqual(ids.slice(4).sort());
    await expect(store.retry(stranger, { failuresOf: first.operationId })).rejects.toThrow('unknown_ids');
  });
});

function sample(): Varied {
  return {
    endpointId: endpointIds[0] ?? '',
    state: 'failed',
    type: 'a',
    source: null,
    key: null,
    batch: null,
    callId: '00000000-0000-7000-8000-000000000001',
    operationId: null,
    faultCode: 'http_5xx',
    httpStatus: 500,
    acceptedAt: 0,
    attemptAt: 1,
    age: 10,
  };
}

/** Cancels the items of earlier selections, so that the next one finds their deliveries free. */
async function forgetOperations(): Promise<void> {
  await store.pool.query('delete from executions where operation_id is not null');
}
