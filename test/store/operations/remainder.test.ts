import { beforeEach, describe, expect, test } from '@jest/globals';
import { nextStep } from '../../../src/domain/operations/next-step.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { operationFacts } from '../../../src/store/operations/operation-facts.ts';
import { ignoreAtClosedEndpoints } from '../../../src/store/settling/settlement.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import type { TestStore, TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** The meaning of `completed`, the remainder where an operation is not, and one more retry, which takes all of it. */

const store = useStore();
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant, { onAmbiguous: 'hold' });
});

async function failed(count: number): Promise<Id<'delivery'>[]> {
  const ids = await store.ingest(tenant, count);
  await store.attempt(404, { endpointIds: [endpointId] });
  return ids;
}

async function bulk(
  request: Parameters<TestStore['retry']>[2] = {},
  state: ('failed' | 'delivered')[] = ['failed'],
) {
  const { operationId } = await store.retry(tenant, { filter: { state } }, request);
  await store.select(operationId);
  return operationId;
}

function attempt(operationId: Id<'operation'>, ending: Parameters<TestStore['attempt']>[0]) {
  return store.attempt(ending, { workedBy: operationId, endpointIds: [endpointId] });
}

async function stepOf(operationId: Id<'operation'>) {
  const facts = await operationFacts(store.pool, operationId);
  if (!facts) throw new Error('no such operation');
  return nextStep(facts);
}

/** Closes it and says how it ended. */
async function close(operationId: Id<'operation'>) {
  const closed = await closeOperation(store.pool, operationId);
  if (!closed.closed) throw new Error(closed.why);
  const [{ state }] = await store.rows('select state from operations where id = $1', [operationId]);
  return { state, remainder: closed.report.remainder };
}

async function cancel(operationId: Id<'operation'>) {
  await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' });
  await withTransaction(store.pool, (db) => cancelUnsent(db, operationId, 100));
}

/** The deliveries that a selection takes as items. */
async function taken(selection: Parameters<TestStore['retry']>[1], page?: number): Promise<string[]> {
  const { operationId } = await store.retry(tenant, selection);
  await store.select(operationId, page);
  const rows = await store.rows('select delivery_id from executions where operation_id = $1', [operationId]);
  await cancel(operationId);
  return rows.map((row) => row.delivery_id).sort();
}

describe('an operation is completed', () => {
  test('where nothing was selected, with nothing left', async () => {
    const operationId = await bulk();
    expect(await close(operationId)).toEqual({ state: 'completed', remainder: { count: 0, byReason: {} } });
  });

  test('where everything was delivered, by it or before it', async () => {
    const ids = await store.ingest(tenant, 2);
    await store.attempt(200, { endpointIds: [endpointId], count: 1 });
    await store.attempt(404, { endpointIds: [endpointId] });
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    await store.attempt(200, { endpointIds: [endpointId] });
    expect(await close(operationId)).toMatchObject({ state: 'completed', remainder: { count: 0 } });
  });

  test('where the executions that it joined delivered, and not before they were sent', async () => {
    const ids = await failed(2);
    const other = await store.retry(tenant, { deliveryIds: ids });
    const operationId = await bulk();
    expect(await stepOf(operationId)).toMatchObject({ do: 'wait', until: 'joined' });
    const claim = await store.claim({ endpointIds: [endpointId] });
    expect(await stepOf(operationId)).toMatchObject({ do: 'wait', until: 'joined' });
    await store.record(claim, 200);
    expect(await stepOf(operationId)).toEqual({ do: 'close' });
    expect(await close(operationId)).toMatchObject({ state: 'completed', remainder: { count: 0 } });
    await close(other.operationId);
  });

  test('where the executions that took its items over delivered, and not before they were sent', async () => {
    await failed(2);
    const first = await bulk();
    const second = await bulk({ options: { takeOverScheduled: true } });
    expect(await stepOf(first)).toMatchObject({ do: 'wait', until: 'joined' });
    const third = await bulk({ options: { takeOverScheduled: true } });
    await attempt(third, 200);
    for (const operationId of [first, second, third])
      expect([await stepOf(operationId), await close(operationId)]).toMatchObject([
        { do: 'close' },
        { state: 'completed', remainder: { count: 0 } },
      ]);
  });
});

describe('an operation is completed with failures', () => {
  test('where its endpoint was disabled under way, and the remainder is its ignored items', async () => {
    const ids = await failed(5);
    const operationId = await bulk();
    const sent = await store.attempt(200, { workedBy: operationId, endpointIds: [endpointId], count: 2 });
    await store.rows(`update endpoints set state = 'disabled', disabled_reason = 'operator' where id = $1`, [
      endpointId,
    ]);
    await withTransaction(store.pool, (db) => ignoreAtClosedEndpoints(db, operationId, [endpointId], 100));
    expect(await close(operationId)).toEqual({
      state: 'completed_with_failures',
      remainder: { count: 3, byReason: { endpoint_disabled: 3 } },
    });
    await store.rows(`update endpoints set state = 'enabled', disabled_reason = null where id = $1`, [
      endpointId,
    ]);
    expect(await taken({ failuresOf: operationId })).toEqual([]);
    const delivered = await store.rows('select delivery_id from executions where id = any($1)', [
      sent.map(({ executionId }) => executionId),
    ]);
    const left = ids.filter((id) => !delivered.some((row) => row.delivery_id === id));
    expect(await taken({ remainderOf: operationId }, 2)).toEqual(left.sort());
  });

  test('where the executions that it joined did not deliver', async () => {
    const ids = await failed(1);
    await store.retry(tenant, { deliveryIds: ids });
    const operationId = await bulk();
    await store.attempt(404, { endpointIds: [endpointId] });
    expect(await stepOf(operationId)).toEqual({ do: 'close' });
    expect(await close(operationId)).toEqual({
      state: 'completed_with_failures',
      remainder: { count: 1, byReason: { coalesced: 1 } },
    });
    expect(await taken({ remainderOf: operationId })).toEqual(ids);
  });

  test('where the executions that took its items over did not deliver', async () => {
    const ids = await failed(2);
    const first = await bulk();
    const second = await bulk({ options: { takeOverScheduled: true } });
    await attempt(second, 404);
    expect(await close(first)).toEqual({
      state: 'completed_with_failures',
      remainder: { count: 2, byReason: { superseded: 2 } },
    });
    expect(await taken({ remainderOf: first }, 1)).toEqual(ids.sort());
  });

  test('where only a human would send the executions that it joined', async () => {
    const ids = await failed(1);
    const other = await bulk();
    const operationId = await bulk();
    const step = () => stepOf(operationId);
    expect(await step()).toMatchObject({ until: 'joined' });
    await controlOperation(store.deps, tenant.id, other, { do: 'pause' });
    expect(await step()).toEqual({ do: 'close' });
    await controlOperation(store.deps, tenant.id, other, { do: 'resume' });
    expect(await step()).toMatchObject({ until: 'joined' });
    await store.rows(`update endpoints set state = 'disabled', disabled_reason = 'operator' where id = $1`, [
      endpointId,
    ]);
    expect(await step()).toEqual({ do: 'close' });
    await store.rows(`update endpoints set state = 'enabled', disabled_reason = null where id = $1`, [
      endpointId,
    ]);
    await attempt(other, 'timeout');
    expect(await step()).toEqual({ do: 'close' });
    expect(await close(operationId)).toMatchObject({
      state: 'completed_with_failures',
      remainder: { count: 1 },
    });
    expect(ids).toHaveLength(1);
  });

  test('where it replays and somebody else sent it', async () => {
    const ids = await store.ingest(tenant, 2);
    await store.attempt(200, { endpointIds: [endpointId] });
    const other = await store.retry(
      tenant,
      { deliveryIds: ids },
      { kind: 'replay', options: { ratePerSecond: 5 } },
    );
    const operationId = await bulk({ kind: 'replay' }, ['delivered']);
    expect(await stepOf(operationId)).toEqual({ do: 'close' });
    await attempt(other.operationId, 200);
    expect(await close(operationId)).toEqual({
      state: 'completed_with_failures',
      remainder: { count: 2, byReason: { coalesced: 2 } },
    });
    expect(await close(other.operationId)).toMatchObject({ state: 'completed' });
    const again = await store.retry(tenant, { remainderOf: operationId }, { kind: 'replay' });
    await store.select(again.operationId);
    expect(
      await store.rows('select queued from operation_counts where operation_id = $1', [again.operationId]),
    ).toEqual([{ queued: 2 }]);
  });
});

test('the remainder of a cancelled operation is taken whole, but for deliveries that were delivered since', async () => {
  const ids = await failed(6);
  const operationId = await bulk();
  const endings = [200, 404, 'timeout'] as const;
  const claim = await store.claim({ workedBy: operationId, endpointIds: [endpointId], count: 3 });
  await store.record(
    claim,
    ({ executionId }) => endings[claim.items.findIndex((item) => item.executionId === executionId)] ?? 200,
  );
  await cancel(operationId);
  // An unknown item is not waited for: it is counted as unknown.
  expect(await stepOf(operationId)).toEqual({ do: 'close' });
  expect(await close(operationId)).toEqual({
    state: 'cancelled',
    remainder: { count: 5, byReason: { cancelled: 3, failed: 1, unknown: 1 } },
  });
  const [deliveredId, , unknownId] = claim.items.map(({ deliveryId }) => deliveryId);
  const left = ids.filter((id) => id !== deliveredId && id !== unknownId);
  expect(await taken({ remainderOf: operationId })).toEqual([...left].sort());
  const { operationId: later } = await store.retry(tenant, { deliveryIds: left.slice(0, 1) });
  await store.attempt(200, { endpointIds: [endpointId] });
  await close(later);
  expect(await taken({ remainderOf: operationId })).toEqual(left.slice(1).sort());
});
