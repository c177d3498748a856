import { beforeEach, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { resolveDelivery } from '../../../src/operations/deliveries/resolve-delivery.ts';
import { lookAtOperation } from '../../../src/operations/look-at-operation.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { findOverdue } from '../../../src/store/operations/overdue-operations.ts';
import { giveUpOverdue } from '../../../src/store/settling/settlement.ts';
import { quietContext } from '../../support/engine/quiet-context.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** The sweeper wakes operations that need to wait no longer. */

const store = useStore();
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant, { onAmbiguous: 'hold' });
  await store.ingest(tenant, 2);
  await store.attempt(404, { endpointIds: [endpointId] });
});

async function bulk(): Promise<Id<'operation'>> {
  const { operationId } = await store.retry(tenant, { filter: {} });
  await store.select(operationId);
  return operationId;
}

/** Looks at an operation as its run does; returns what it waits for. */
async function waitsFor(operationId: Id<'operation'>): Promise<string> {
  const { step } = await lookAtOperation(quietContext(store.pool), operationId);
  // Far from its next look.
  await store.rows(`update operations set next_event_at = now() + interval '1 minute' where id = $1`, [
    operationId,
  ]);
  return step.do === 'wait' ? step.until : step.do;
}

/** Why a sweep would wake it now; undefined where it would not. */
async function woken(operationId: Id<'operation'>): Promise<string | undefined> {
  await store.rows(`update operations set nudged_at = now() - interval '10 seconds'`);
  return (await findOverdue(store.pool, 100, 0)).find(({ id }) => id === operationId)?.why;
}

test('an operation that waits for executions it joined is woken when they have ended or nobody will send them', async () => {
  const other = await bulk();
  const operationId = await bulk();
  expect(await waitsFor(operationId)).toBe('joined');
  expect(await woken(operationId)).toBeUndefined();
  await controlOperation(store.deps, tenant.id, other, { do: 'pause' });
  expect(await woken(operationId)).toBe('settled');
  await controlOperation(store.deps, tenant.id, other, { do: 'resume' });
  expect(await woken(operationId)).toBeUndefined();
  await store.attempt(200, { workedBy: other, endpointIds: [endpointId] });
  expect(await woken(operationId)).toBe('settled');
  expect(await waitsFor(operationId)).toBe('close');
});

test('an operation that waits for an execution it joined is woken when that was taken over and its successor has ended', async () => {
  const other = await bulk();
  const [{ delivery_id: deliveryId }] = await store.rows(
    'select delivery_id from executions where operation_id = $1 limit 1',
    [other],
  );
  const { operationId } = await store.retry(tenant, { deliveryIds: [deliveryId] });
  expect(await waitsFor(operationId)).toBe('joined');
  const third = await store.retry(tenant, { filter: {} }, { options: { takeOverScheduled: true } });
  await store.select(third.operationId);
  expect(await woken(operationId)).toBe('settled');
  expect(await waitsFor(operationId)).toBe('joined');
  expect(await woken(operationId)).toBeUndefined();
  await store.attempt(200, { workedBy: third.operationId, endpointIds: [endpointId] });
  expect(await woken(operationId)).toBe('settled');
  expect(await waitsFor(operationId)).toBe('close');
});

test('a cancelled operation is woken when nothing of it is on the wire, whatever is unknown', async () => {
  const operationId = await bulk();
  const claim = await store.claim({ workedBy: operationId, endpointIds: [endpointId] });
  await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' });
  await withTransaction(store.pool, (db) => cancelUnsent(db, operationId, 10));
  expect(await waitsFor(operationId)).toBe('lease');
  expect(await woken(operationId)).toBeUndefined();
  await store.record(claim, 'timeout');
  expect(await woken(operationId)).toBe('settled');
  expect(await waitsFor(operationId)).toBe('close');
});

test('a paused operation is woken when nothing is left that the pause holds back', async () => {
  const operationId = await bulk();
  expect(await waitsFor(operationId)).toBe('dispatch');
  await controlOperation(store.deps, tenant.id, operationId, { do: 'pause' });
  expect(await waitsFor(operationId)).toBe('expiry');
  expect(await woken(operationId)).toBeUndefined();
  await store.rows(`update executions set give_up_at = now() - interval '1 second' where operation_id = $1`, [
    operationId,
  ]);
  await withTransaction(store.pool, (db) => giveUpOverdue(db, 10));
  expect(await woken(operationId)).toBe('settled');
  expect(await waitsFor(operationId)).toBe('close');
});

test('an operation that waits for an execution it joined is woken when an item of its own is to be sent again', async () => {
  const [{ id: joined }, { id: own }] = await store.rows(
    'select id from deliveries where tenant_id = $1 order by id',
    [tenant.id],
  );
  await store.retry(tenant, { deliveryIds: [joined] });
  const operationId = await bulk();
  await store.record(await store.claim({ workedBy: operationId, endpointIds: [endpointId] }), 'timeout');
  await store.rows(`update executions set reconcile_until = now() where operation_id = $1`, [operationId]);
  expect(await waitsFor(operationId)).toBe('joined');
  expect(await woken(operationId)).toBeUndefined();
  await resolveDelivery(store.deps, tenant.id, own, 'retry');
  expect(await woken(operationId)).toBe('settled');
  expect(await waitsFor(operationId)).toBe('dispatch');
});
