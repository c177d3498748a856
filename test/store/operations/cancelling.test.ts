import { beforeEach, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { cancelExpired, cancelFromOutside } from '../../../src/store/operations/operation-states.ts';
import { putOffBlocked } from '../../../src/store/sending/ordering.ts';
import { setEndpointState } from '../../../src/store/tenancy/endpoints.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const TAKING_OVER = { options: { takeOverScheduled: true } };

const store = useStore({ checked: true });
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
});

async function cancel(operationId: Id<'operation'>, limit = 100): Promise<number> {
  const result = await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' });
  expect(result).toMatchObject({ ok: true });
  return (await withTransaction(store.pool, (db) => cancelUnsent(db, operationId, limit))).length;
}

function executions(deliveryId: Id<'delivery'> | undefined) {
  return store.rows('select * from executions where delivery_id = $1 order by id', [deliveryId]);
}

async function stateOf(deliveryId: Id<'delivery'> | undefined): Promise<string> {
  return (await store.rows('select state from deliveries where id = $1', [deliveryId]))[0].state;
}

test('a cancel ends unsent items in batches, and leaves those on the wire', async () => {
  const ids = await store.ingest(tenant, 5);
  await store.attempt(404);
  const { operationId } = await store.retry(tenant, { deliveryIds: ids });
  const claim = await store.claim({ endpointIds: [endpointId], count: 2 });
  expect(await cancel(operationId, 2)).toBe(2);
  const rest = async () =>
    (await withTransaction(store.pool, (db) => cancelUnsent(db, operationId, 2))).length;
  expect([await rest(), await rest()]).toEqual([1, 0]);
  expect(
    await store.rows('select * from operation_counts where operation_id = $1', [operationId]),
  ).toMatchObject([{ expected: 5, cancelled: 3, sending: 2, queued: 0 }]);
  await store.record(claim, ({ executionId }) => (executionId === claim.items[0]?.executionId ? 200 : 500));
  expect(
    await store.rows('select * from operation_counts where operation_id = $1', [operationId]),
  ).toMatchObject([{ expected: 5, cancelled: 4, delivered: 1, sending: 0 }]);
});

test('an outcome that cannot be told ends unknown under a cancelled operation, a retryable one cancelled and failed', async () => {
  const [lost, refused] = await store.ingest(tenant, 2);
  await store.attempt(404);
  const { operationId } = await store.retry(tenant, { deliveryIds: [lost ?? NO_ID, refused ?? NO_ID] });
  const claim = await store.claim();
  await cancel(operationId);
  await store.record(claim, ({ deliveryId }) => (deliveryId === lost ? 'timeout' : 500));
  expect((await executions(lost)).at(-1)).toMatchObject({ state: 'unknown', attempts: 1 });
  expect((await executions(refused)).at(-1)).toMatchObject({
    state: 'cancelled',
    reason: 'operation_cancelled',
    attempts: 1,
  });
  expect([await stateOf(lost), await stateOf(refused)]).toEqual(['unknown', 'failed']);
});

test('an execution that was taken from the live lane goes back there as it was', async () => {
  const [deliveryId] = await store.ingest(tenant, 1);
  await store.attempt('timeout');
  const [lane] = await executions(deliveryId);
  expect(lane).toMatchObject({ state: 'scheduled', attempts: 1, may_have_arrived: true });
  const { operationId } = await store.retry(tenant, { deliveryIds: [deliveryId ?? NO_ID] }, TAKING_OVER);
  await cancel(operationId);
  const [superseded, cancelled, restored] = await executions(deliveryId);
  expect(superseded).toMatchObject({ id: lane.id, state: 'superseded' });
  expect(cancelled).toMatchObject({
    operation_id: operationId,
    state: 'cancelled',
    parent_id: lane.id,
    keeps_slot: false,
  });
  expect(restored).toMatchObject({
    operation_id: null,
    parent_id: lane.id,
    state: 'scheduled',
    due_at: lane.due_at,
    give_up_at: lane.give_up_at,
    attempts: 1,
    may_have_arrived: true,
  });
  expect(await stateOf(deliveryId)).toBe('pending');

  await store.timePasses();
  await store.attempt(500);
  expect(
    await store.rows('select number, resend from attempts where execution_id = $1', [restored.id]),
  ).toEqual([{ number: 2, resend: true }]);
});

test('one that was put off for its order goes back with the time that it was due at', async () => {
  const ordered = await store.newEndpoint(tenant, { ordered: true });
  const ids = await store.ingest(tenant, 2, { key: 'k' });
  const second = (
    await store.rows(
      'select id from deliveries where id = any($1) and endpoint_id = $2 order by order_number desc limit 1',
      [ids, ordered],
    )
  )[0].id;
  const [before] = await executions(second);
  await withTransaction(store.pool, (tx) => putOffBlocked(tx, LIVE_LANE, [ordered]));
  expect((await executions(second))[0].put_off_from).toEqual(before.due_at);
  const { operationId } = await store.retry(tenant, { deliveryIds: [second] }, TAKING_OVER);
  await cancel(operationId);
  expect((await executions(second)).map((e) => [e.state, e.due_at])).toMatchObject([
    ['superseded', before.due_at],
    ['cancelled', expect.any(Date)],
    ['scheduled', before.due_at],
  ]);
});

test('a chain of two take-overs leads back to the live lane, whichever of them is cancelled', async () => {
  const [deliveryId] = await store.ingest(tenant, 1);
  await store.attempt(500);
  const [lane] = await executions(deliveryId);
  const first = await store.retry(tenant, { deliveryIds: [deliveryId ?? NO_ID] }, TAKING_OVER);
  const second = await store.retry(tenant, { deliveryIds: [deliveryId ?? NO_ID] }, TAKING_OVER);
  expect(await cancel(first.operationId)).toBe(0);
  expect((await executions(deliveryId)).at(-1)).toMatchObject({
    operation_id: second.operationId,
    state: 'queued',
  });
  expect(await cancel(second.operationId)).toBe(1);
  const chain = await executions(deliveryId);
  expect(chain.map((e) => e.state)).toEqual(['superseded', 'superseded', 'cancelled', 'scheduled']);
  expect(chain[3]).toMatchObject({
    operation_id: null,
    parent_id: chain[1].id,
    due_at: lane.due_at,
    give_up_at: lane.give_up_at,
    attempts: 1,
  });

  // An execution that went back can be taken over, and go back, again.
  const third = await store.retry(tenant, { deliveryIds: [deliveryId ?? NO_ID] }, TAKING_OVER);
  await cancel(third.operationId);
  expect((await executions(deliveryId)).at(-1)).toMatchObject({
    operation_id: null,
    state: 'scheduled',
    attempts: 1,
  });
});

test('an item that an operation had sent before it was taken over does not go back: the delivery has failed', async () => {
  const [deliveryId] = await store.ingest(tenant, 1);
  await store.attempt(404);
  const first = await store.retry(tenant, { deliveryIds: [deliveryId ?? NO_ID] });
  await store.attempt(500);
  const second = await store.retry(tenant, { deliveryIds: [deliveryId ?? NO_ID] }, TAKING_OVER);
  expect(await stateOf(deliveryId)).toBe('pending');
  await cancel(second.operationId);
  expect((await executions(deliveryId)).map((e) => e.state)).toEqual(['failed', 'superseded', 'cancelled']);
  expect(await stateOf(deliveryId)).toBe('failed');
  expect(
    await store.rows('select * from operation_counts where operation_id = $1', [first.operationId]),
  ).toMatchObject([{ superseded: 1 }]);
  // A superseded newest attempt with somebody on it is pending again, by the rule.
  await store.retry(tenant, { deliveryIds: [deliveryId ?? NO_ID] });
  expect(await stateOf(deliveryId)).toBe('pending');
});

test('a delivery that was never sent is cancelled when its only retry is', async () => {
  await setEndpointState(store.pool, tenant.id, endpointId, 'disabled');
  const [deliveryId] = await store.ingest(tenant, 1);
  await setEndpointState(store.pool, tenant.id, endpointId, 'enabled');
  const { operationId } = await store.retry(tenant, { deliveryIds: [deliveryId ?? NO_ID] });
  await cancel(operationId);
  expect(await stateOf(deliveryId)).toBe('cancelled');
});

test('a pause that expires becomes a cancel, once, and not before', async () => {
  const ids = await store.ingest(tenant, 1);
  await store.attempt(404);
  const { operationId } = await store.retry(tenant, { deliveryIds: ids });
  await controlOperation(store.deps, tenant.id, operationId, { do: 'pause' });
  expect(await cancelExpired(store.pool, operationId)).toBe(false);
  await store.rows(`update operations set expires_at = now() - interval '1 second' where id = $1`, [
    operationId,
  ]);
  expect([
    await cancelExpired(store.pool, operationId),
    await cancelExpired(store.pool, operationId),
  ]).toEqual([true, false]);
  expect(await store.rows('select control, state from operations where id = $1', [operationId])).toEqual([
    { control: 'cancel', state: 'closing' },
  ]);
});

test('nothing takes a cancel back, and a cancel from outside counts once', async () => {
  const ids = await store.ingest(tenant, 1);
  await store.attempt(404);
  const { operationId } = await store.retry(tenant, { deliveryIds: ids });
  await cancelFromOutside(store.pool, operationId);
  await cancelFromOutside(store.pool, operationId);
  for (const command of ['pause', 'resume', 'cancel'] as const)
    expect(await controlOperation(store.deps, tenant.id, operationId, { do: command })).toEqual({
      ok: false,
      code: 'state_conflict',
      state: 'closing',
    });
  expect(
    await store.rows('select control, control_revision from operations where id = $1', [operationId]),
  ).toEqual([{ control: 'cancel', control_revision: 1 }]);
});
