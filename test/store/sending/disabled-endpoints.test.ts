import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { endPatience } from '../../../src/operations/end-patience.ts';
import { deleteEndpoint, disableEndpoint, enableEndpoint } from '../../../src/operations/switch-endpoint.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { operationFacts } from '../../../src/store/operations/operation-facts.ts';
import { findOverdue } from '../../../src/store/operations/overdue-operations.ts';
import { handOverWaiting, holdEndpoints } from '../../../src/store/sending/disabled-endpoints.ts';
import { raiseFloors } from '../../../src/store/sending/pacing.ts';
import { readyEndpoints } from '../../../src/store/sending/ready-endpoints.ts';
import { disableGone, ignoreAtClosedEndpoints } from '../../../src/store/settling/settlement.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
});

const MINUTES = 60_000;

async function failed(count: number): Promise<Id<'delivery'>[]> {
  const ids = await store.ingest(tenant, count);
  await store.attempt(404, { endpointIds: [endpointId] });
  return ids;
}

async function bulk(options: { disabledPatienceMs?: number } = {}): Promise<Id<'operation'>> {
  const { operationId } = await store.retry(tenant, { filter: {} }, { options });
  await store.select(operationId);
  return operationId;
}

/** As a slice does where it finds the endpoint closed. */
function settle(workedBy: Id<'operation'>): Promise<number> {
  return withTransaction(store.pool, async (db) => {
    await holdEndpoints(db, [endpointId]);
    const handed = workedBy === LIVE_LANE ? await handOverWaiting(db, [endpointId], 1_000) : 0;
    return handed + (await ignoreAtClosedEndpoints(db, workedBy, [endpointId], 1_000)).length;
  });
}

async function states(where: string, values: unknown[] = []): Promise<Record<string, number>> {
  const rows = await store.rows(
    `select coalesce(reason, state) as what, count(*)::int as n from executions where ${where} group by 1`,
    values,
  );
  return Object.fromEntries(rows.map(({ what, n }) => [what, n]));
}

async function isAgo(interval: string): Promise<void> {
  await store.rows(`update endpoints set disabled_at = disabled_at - $2::interval where id = $1`, [
    endpointId,
    interval,
  ]);
  await store.rows(
    `update operations set created_at = created_at - $2::interval where tenant_id = $1 and closed_at is null`,
    [tenant.id, interval],
  );
}

describe('an endpoint that an operator disables', () => {
  test('keeps the items waiting that an operation had queued there, for 15 minutes unless it asks for something else', async () => {
    await failed(4);
    const operationId = await bulk();
    expect(await disableEndpoint(store.deps, tenant.id, endpointId)).toEqual([{ operationId, items: 4 }]);
    const [ready] = await readyEndpoints(store.pool, operationId);
    expect(ready?.claimableInMs).toBeGreaterThan(14 * MINUTES);
    expect(ready?.claimableInMs).toBeLessThanOrEqual(15 * MINUTES);
    expect(await settle(operationId)).toBe(0);
    expect((await operationFacts(store.pool, operationId))?.claimableInMs).toBeGreaterThan(14 * MINUTES);
    await isAgo('14 minutes');
    expect(await settle(operationId)).toBe(0);
    await isAgo('61 seconds');
    expect((await operationFacts(store.pool, operationId))?.claimableInMs).toBe(0);
    expect(await settle(operationId)).toBe(4);
    expect(await states('operation_id = $1', [operationId])).toEqual({ endpoint_disabled: 4 });
  });

  test.each([
    [0, 0],
    [60_000, 60_000],
    [undefined, 900_000],
  ])('with a patience of %p ms', async (disabledPatienceMs, ms) => {
    await failed(1);
    const operationId = await bulk(disabledPatienceMs === undefined ? {} : { disabledPatienceMs });
    expect(
      await store.rows('select disabled_patience_ms as ms from operations where id = $1', [operationId]),
    ).toEqual([{ ms }]);
    const waiting = await disableEndpoint(store.deps, tenant.id, endpointId);
    expect(waiting).toHaveLength(ms === 0 ? 0 : 1);
    expect(await settle(operationId)).toBe(ms === 0 ? 1 : 0);
  });

  test('keeps nothing of a first delivery or an automatic retry, nor of an operation that was asked for later', async () => {
    await failed(2);
    await store.ingest(tenant, 2);
    await store.attempt(503, { endpointIds: [endpointId], count: 1 });
    expect(await disableEndpoint(store.deps, tenant.id, endpointId)).toEqual([]);
    expect(await settle(LIVE_LANE)).toBe(2);
    expect(
      await states('operation_id is null and attempts < 2 and endpoint_id = $1 and state = $2', [
        endpointId,
        'ignored',
      ]),
    ).toEqual({
      endpoint_disabled: 2,
    });
  });

  test('keeps no item that its own 410, or its deletion, meets', async () => {
    await failed(3);
    const gone = await bulk();
    await withTransaction(store.pool, (tx) => disableGone(tx, [endpointId]));
    expect((await readyEndpoints(store.pool, gone))[0]?.claimableInMs).toBeLessThanOrEqual(0);
    expect(await settle(gone)).toBe(3);

    endpointId = await store.newEndpoint(tenant);
    await failed(3);
    const deleted = await bulk();
    await disableEndpoint(store.deps, tenant.id, endpointId);
    expect(await settle(deleted)).toBe(0);
    expect(await deleteEndpoint(store.deps, tenant.id, endpointId, ['enabled', 'disabled'])).toBe(true);
    expect(await settle(deleted)).toBe(3);
    expect(await states('endpoint_id = $1 and operation_id = $2', [endpointId, deleted])).toEqual({
      endpoint_deleted: 3,
    });
  });

  test('counts its days from when it was disabled, and not from when that was said again', async () => {
    await failed(1);
    const operationId = await bulk();
    await disableEndpoint(store.deps, tenant.id, endpointId);
    await isAgo('16 minutes');
    expect(await disableEndpoint(store.deps, tenant.id, endpointId)).toEqual([]);
    await enableEndpoint(store.deps, tenant.id, endpointId);
    expect(await disableEndpoint(store.deps, tenant.id, endpointId)).toEqual([{ operationId, items: 1 }]);
  });

  test('has the sweeper push an operation when its patience has ended, and not before', async () => {
    await failed(1);
    const operationId = await bulk();
    await disableEndpoint(store.deps, tenant.id, endpointId);
    const pushed = async () => {
      await store.rows(
        `update operations set start_confirmed_at = now(), nudged_at = now() - interval '10 seconds', control_seen = control_revision,
           next_event = 'due', next_event_at = now() + interval '1 hour' where id = $1`,
        [operationId],
      );
      return (await findOverdue(store.pool, 100, 0)).some(
        ({ id, why }) => id === operationId && why === 'settled',
      );
    };
    expect(await pushed()).toBe(false);
    await isAgo('16 minutes');
    expect(await pushed()).toBe(true);
  });
});

describe('an item that the live lane sends for an operation', () => {
  async function interactive(count: number): Promise<Id<'operation'>> {
    return (await store.retry(tenant, { deliveryIds: await failed(count) })).operationId;
  }

  test('goes over to its operation while its endpoint is disabled, and back when it is enabled', async () => {
    const operationId = await interactive(3);
    await store.ingest(tenant, 2);
    expect(await disableEndpoint(store.deps, tenant.id, endpointId)).toEqual([{ operationId, items: 3 }]);
    expect(await settle(LIVE_LANE)).toBe(5);
    expect(await readyEndpoints(store.pool, LIVE_LANE, undefined, [endpointId])).toEqual([]);
    expect(await disableEndpoint(store.deps, tenant.id, endpointId)).toEqual([{ operationId, items: 3 }]);
    expect((await operationFacts(store.pool, operationId))?.claimableInMs).toBeGreaterThan(14 * MINUTES);
    await endPatience(store.pool, operationId);
    expect(await states('operation_id = $1', [operationId])).toEqual({ queued: 3 });
    await enableEndpoint(store.deps, tenant.id, endpointId);
    expect((await store.claim({ endpointIds: [endpointId] })).items).toHaveLength(3);
  });

  test('is ignored by its operation when the patience of that ends', async () => {
    const operationId = await interactive(3);
    await disableEndpoint(store.deps, tenant.id, endpointId);
    await settle(LIVE_LANE);
    await isAgo('16 minutes');
    await endPatience(store.pool, operationId);
    expect(await states('operation_id = $1', [operationId])).toEqual({ endpoint_disabled: 3 });
  });

  test('is not lost where the endpoint is enabled while it goes over', async () => {
    for (let n = 0; n < 20; n++) {
      await interactive(2);
      await disableEndpoint(store.deps, tenant.id, endpointId);
      await Promise.all([settle(LIVE_LANE), enableEndpoint(store.deps, tenant.id, endpointId)]);
      const claimed = await store.claim({ endpointIds: [endpointId] });
      expect(claimed.items).toHaveLength(2);
      await store.record(claimed, 200);
    }
  });

  test('is held by a pause as before', async () => {
    const operationId = await interactive(1);
    await disableEndpoint(store.deps, tenant.id, endpointId);
    await settle(LIVE_LANE);
    await controlOperation(store.deps, tenant.id, operationId, { do: 'pause' });
    await enableEndpoint(store.deps, tenant.id, endpointId);
    expect((await store.claim({ endpointIds: [endpointId] })).items).toHaveLength(0);
    await controlOperation(store.deps, tenant.id, operationId, { do: 'resume' });
    expect((await store.claim({ endpointIds: [endpointId] })).items).toHaveLength(1);
  });
});

test('enabling makes deliveries due that the endpoint put off by a Retry-After, and leaves those that wait for its own policy', async () => {
  await store.ingest(tenant, 2);
  const claim = await store.claim({ endpointIds: [endpointId] });
  const [asked] = claim.items;
  await store.record(claim, (item) =>
    item.executionId === asked?.executionId ? { status: 429, retryAfterMs: 3_600_000 } : 503,
  );
  await raiseFloors(store.pool, new Map([[endpointId, 3_600_000]]));
  expect((await store.claim({ endpointIds: [endpointId] })).items).toEqual([]);
  await enableEndpoint(store.deps, tenant.id, endpointId);
  const items = (await store.claim({ endpointIds: [endpointId] })).items;
  expect(items.map(({ executionId }) => executionId)).toEqual([asked?.executionId]);
});
