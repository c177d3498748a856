import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { resolveDelivery } from '../../../src/operations/deliveries/resolve-delivery.ts';
import { selectAgain } from '../../../src/operations/freeze-explicit.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { setEndpointState } from '../../../src/store/tenancy/endpoints.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant, { onAmbiguous: 'hold' });
});

function close(operationId: Id<'operation'>) {
  return closeOperation(store.pool, operationId);
}

/** Looks again at coalesced deliveries, as an operation does before it closes; returns how many were reopened. */
async function reopen(operationId: Id<'operation'>): Promise<number> {
  const operation = await loadOperation(store.pool, operationId);
  if (!operation) throw new Error('no such operation');
  return withTransaction(store.pool, (db) => selectAgain(db, operation, 100));
}

async function cancel(operationId: Id<'operation'>): Promise<void> {
  await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' });
  await withTransaction(store.pool, (db) => cancelUnsent(db, operationId, 100));
}

async function failed(count: number): Promise<Id<'delivery'>[]> {
  const ids = await store.ingest(tenant, count);
  await store.attempt(404, { endpointIds: [endpointId] });
  return ids;
}

async function bulk(state: ('failed' | 'ignored')[] = ['failed']): Promise<Id<'operation'>> {
  const { operationId } = await store.retry(tenant, { filter: { state } });
  await store.select(operationId);
  return operationId;
}

async function countsOf(operationId: Id<'operation'>) {
  return (await store.rows('select * from operation_counts where operation_id = $1', [operationId]))[0];
}

describe('closing', () => {
  test('waits for unsent items and for requests on the wire', async () => {
    const ids = await failed(1);
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    expect(await close(operationId)).toEqual({ closed: false, why: 'still_open' });
    const claim = await store.claim();
    expect(await close(operationId)).toEqual({ closed: false, why: 'still_open' });
    await store.record(claim, 200);
    expect(await close(operationId)).toMatchObject({ closed: true });
  });

  test('reports the fate of everything that was selected', async () => {
    const ids = await failed(6);
    const { operationId: first } = await store.retry(tenant, { deliveryIds: ids.slice(0, 1) });
    const operationId = await bulk();
    const claim = await store.claim({ workedBy: operationId });
    const endings = [200, 404, 'timeout', 200, 200] as const;
    await store.record(
      claim,
      ({ executionId }) => endings[claim.items.findIndex((i) => i.executionId === executionId)] ?? 200,
    );
    const closed = await close(operationId);
    expect(closed).toMatchObject({
      closed: true,
      report: {
        counts: { expected: 6, delivered: 3, failed: 1, unknown: 1, excluded: 1 },
        exclusions: { coalesced: 1 },
        attempts: 5,
        mayHaveArrived: 0,
      },
    });
    expect(await store.rows('select state, report from operations where id = $1', [operationId])).toEqual([
      { state: 'completed_with_failures', report: (closed as { report: unknown }).report },
    ]);
    await cancel(first);
  });

  test('is refused, and nothing is written, where the ledger and the counts disagree', async () => {
    const ids = await failed(1);
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    await store.attempt(404);
    await store.rows('update operation_counts set failed = 0, delivered = 1 where operation_id = $1', [
      operationId,
    ]);
    expect(await close(operationId)).toEqual({ closed: false, why: 'counts_disagree' });
    expect(await store.rows('select closed_at, report from operations where id = $1', [operationId])).toEqual(
      [{ closed_at: null, report: null }],
    );
    expect(await countsOf(operationId)).toMatchObject({ frozen: false });
  });

  test('notices an exclusion that was not counted', async () => {
    const ids = await failed(1);
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    await store.attempt(200);
    await store.rows('update operation_counts set excluded = 1, expected = 2 where operation_id = $1', [
      operationId,
    ]);
    expect(await close(operationId)).toEqual({ closed: false, why: 'counts_disagree' });
  });

  test('freezes the counts: an item that is settled later goes to the live lane and changes none of them', async () => {
    const ids = await failed(1);
    const operationId = await bulk();
    await store.attempt('timeout', { workedBy: operationId });
    await close(operationId);
    expect(
      await store.rows(`select worked_by from executions where operation_id = $1`, [operationId]),
    ).toEqual([{ worked_by: LIVE_LANE }]);
    const frozen = await countsOf(operationId);
    expect(frozen).toMatchObject({ unknown: 1, frozen: true });
    await resolveDelivery(store.deps, tenant.id, ids[0] ?? NO_ID, 'retry');
    await store.attempt(200);
    expect(await store.rows('select state from executions where operation_id = $1', [operationId])).toEqual([
      { state: 'delivered' },
    ]);
    expect(await countsOf(operationId)).toEqual(frozen);
  });

  test('ends cancelled where a cancel came before it, although nothing was left to cancel', async () => {
    const ids = await failed(1);
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    await store.attempt(200);
    await cancel(operationId);
    expect(await close(operationId)).toMatchObject({ closed: true });
    expect(await store.rows('select state from operations where id = $1', [operationId])).toEqual([
      { state: 'cancelled' },
    ]);
  });

  test('a second time says the same and writes nothing', async () => {
    const ids = await failed(1);
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    await store.attempt('timeout');
    const first = await close(operationId);
    await resolveDelivery(store.deps, tenant.id, ids[0] ?? NO_ID, 'delivered');
    const written = await store.rows('select * from operations where id = $1', [operationId]);
    expect(await close(operationId)).toEqual(first);
    expect(await store.rows('select * from operations where id = $1', [operationId])).toEqual(written);
  });
});

describe('before it closes, an operation', () => {
  test('selects again a delivery that was coalesced with an execution that was cancelled unsent', async () => {
    const ids = await failed(2);
    const other = await store.retry(tenant, { deliveryIds: ids });
    const operationId = await bulk();
    expect(await countsOf(operationId)).toMatchObject({ excluded: 2 });
    expect(await reopen(operationId)).toBe(0);
    await cancel(other.operationId);
    expect(await reopen(operationId)).toBe(2);
    expect(await countsOf(operationId)).toMatchObject({ expected: 2, queued: 2, excluded: 0 });
    expect(await reopen(operationId)).toBe(0);
  });

  test('selects it also where that cancel changed the state of the delivery', async () => {
    await setEndpointState(store.pool, tenant.id, endpointId, 'disabled');
    const ids = await store.ingest(tenant, 1);
    await setEndpointState(store.pool, tenant.id, endpointId, 'enabled');
    const { operationId } = await store.retry(tenant, { filter: { state: ['ignored', 'pending'] } });
    const other = await store.retry(tenant, { deliveryIds: ids });
    await store.select(operationId);
    expect(await countsOf(operationId)).toMatchObject({ excluded: 1 });
    await cancel(other.operationId);
    expect(await reopen(operationId)).toBe(1);
    expect(await countsOf(operationId)).toMatchObject({ expected: 1, queued: 1, excluded: 0 });
  });

  test('joins an execution that went back to the live lane instead', async () => {
    const ids = await store.ingest(tenant, 1);
    const other = await store.retry(tenant, { deliveryIds: ids }, { options: { takeOverScheduled: true } });
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    await cancel(other.operationId);
    expect(await reopen(operationId)).toBe(1);
    const [lane] = await store.rows('select id from executions where open and delivery_id = $1', [ids[0]]);
    expect(
      await store.rows('select reason, joined_execution_id from exclusions where operation_id = $1', [
        operationId,
      ]),
    ).toEqual([{ reason: 'coalesced', joined_execution_id: lane.id }]);
  });

  test('that has closed selects nothing any more, however late the step that would', async () => {
    const ids = await failed(1);
    const other = await store.retry(tenant, { deliveryIds: ids });
    const operationId = await bulk();
    await close(operationId);
    const frozen = await countsOf(operationId);
    await cancel(other.operationId);
    expect(await reopen(operationId)).toBe(0);
    expect(await countsOf(operationId)).toEqual(frozen);
  });
});
