import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { resolveDelivery } from '../../../src/operations/deliveries/resolve-delivery.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { pageOperationItems } from '../../../src/store/operations/operation-items.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { type FrozenOperation, freezePage } from '../../../src/store/selection/freeze.ts';
import { WHOLE } from '../../../src/store/selection/selection-page.ts';
import { giveUpOverdue } from '../../../src/store/settling/settlement.ts';
import { setEndpointState } from '../../../src/store/tenancy/endpoints.ts';
import { eventually } from '../../support/eventually.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import { readLedger, violationsOf } from '../../support/store/ledger.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore({ checked: true });
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
});

/** Deliveries that have failed once, for good. */
async function failed(count: number): Promise<Id<'delivery'>[]> {
  const ids = await store.ingest(tenant, count);
  await store.attempt(404, { endpointIds: [endpointId] });
  return ids;
}

async function one(ids: Promise<Id<'delivery'>[]>): Promise<Id<'delivery'>> {
  return (await ids)[0] ?? NO_ID;
}

/** A bulk retry over a filter, selected to its end. */
async function bulk(options = {}): Promise<Id<'operation'>> {
  const { operationId } = await store.retry(
    tenant,
    { filter: { state: ['failed', 'pending', 'unknown', 'delivered', 'ignored'] } },
    { options },
  );
  await store.select(operationId);
  return operationId;
}

/** The items and exclusions of an operation. */
async function ledgerOf(operationId: Id<'operation'>) {
  return (await pageOperationItems(store.pool, operationId, { limit: 100 })).items;
}

async function openExecution(deliveryId: Id<'delivery'>) {
  return (await store.rows('select * from executions where delivery_id = $1 and open', [deliveryId]))[0];
}

async function stateOf(deliveryId: Id<'delivery'>): Promise<string> {
  return (await store.rows('select state from deliveries where id = $1', [deliveryId]))[0].state;
}

function control(operationId: Id<'operation'>, command: 'pause' | 'resume' | 'cancel') {
  return controlOperation(store.deps, tenant.id, operationId, { do: command });
}

describe('a delivery whose execution is open elsewhere', () => {
  test('is joined, and the execution is named, while the live lane will send it', async () => {
    const deliveryId = await one(store.ingest(tenant, 1));
    const lane = await openExecution(deliveryId);
    const { items } = await store.retry(tenant, { deliveryIds: [deliveryId] });
    expect(items).toEqual([
      { deliveryId, endpointId, became: 'excluded', reason: 'coalesced', joinedExecutionId: lane.id },
    ]);
  });

  test('is joined while a running operation will send it', async () => {
    const deliveryId = await one(failed(1));
    const first = await bulk();
    const item = await openExecution(deliveryId);
    expect(item.operation_id).toBe(first);
    for (const operationId of [
      await bulk(),
      (await store.retry(tenant, { deliveryIds: [deliveryId] })).operationId,
    ])
      expect(await ledgerOf(operationId)).toMatchObject([
        { reason: 'coalesced', joinedExecutionId: item.id },
      ]);
  });

  test('is never taken over while it is being sent or nobody knows whether it arrived', async () => {
    const held = await store.newEndpoint(tenant, { onAmbiguous: 'hold' });
    const [sending, unknown] = await store.ingest(tenant, 1);
    await store.attempt('timeout', { endpointIds: [held] });
    await store.claim({ endpointIds: [endpointId] });
    const { items } = await store.retry(
      tenant,
      { deliveryIds: [sending ?? NO_ID, unknown ?? NO_ID] },
      { options: { takeOverScheduled: true } },
    );
    const reasons = items.map((item) => (item.became === 'excluded' ? item.reason : item.became));
    expect(reasons.sort()).toEqual(['coalesced', 'outcome_unknown']);
  });

  test('is taken over where the request says so: it is superseded, the parent, and counted by the operation that lost it', async () => {
    const deliveryId = await one(failed(1));
    const first = await bulk();
    const lost = await openExecution(deliveryId);
    const { operationId, items } = await store.retry(
      tenant,
      { deliveryIds: [deliveryId] },
      { options: { takeOverScheduled: true } },
    );
    expect(items).toMatchObject([{ became: 'queued', supersededExecutionId: lost.id }]);
    expect(await openExecution(deliveryId)).toMatchObject({ operation_id: operationId, parent_id: lost.id });
    expect(await ledgerOf(first)).toMatchObject([
      { executionId: lost.id, state: 'superseded', supersededBy: (await openExecution(deliveryId)).id },
    ]);
    expect(await store.rows('select * from operation_counts where operation_id = $1', [first])).toMatchObject(
      [{ expected: 1, superseded: 1, queued: 0 }],
    );
  });

  test('of a paused operation is held, and both are named, unless one single retry asks for it', async () => {
    const [alone, listed] = await failed(3);
    const paused = await bulk();
    await control(paused, 'pause');
    const item = await openExecution(listed ?? NO_ID);
    expect(await ledgerOf(await bulk())).toContainEqual(
      expect.objectContaining({
        deliveryId: listed,
        reason: 'held',
        joinedExecutionId: item.id,
        heldBy: paused,
      }),
    );
    const list = await store.retry(tenant, { deliveryIds: [alone ?? NO_ID, listed ?? NO_ID] });
    expect(list.items).toMatchObject([{ reason: 'held' }, { reason: 'held' }]);
    const single = await store.retry(tenant, { deliveryIds: [alone ?? NO_ID] });
    expect(single.items).toMatchObject([{ became: 'queued' }]);
    const paced = await store.retry(
      tenant,
      { deliveryIds: [listed ?? NO_ID] },
      { options: { ratePerSecond: 1 } },
    );
    expect(paced.items).toMatchObject([{ became: 'queued', supersededExecutionId: item.id }]);
  });

  test('of a paused operation is taken over by a bulk retry that takes over scheduled ones', async () => {
    const ids = await failed(2);
    const paused = await bulk();
    await control(paused, 'pause');
    const second = await bulk({ takeOverScheduled: true });
    expect((await ledgerOf(second)).map((line) => line.kind)).toEqual(ids.map(() => 'item'));
  });

  test('of a cancelled operation is taken over by every retry', async () => {
    const [a, b, c] = await failed(3);
    const cancelled = await bulk();
    await control(cancelled, 'cancel');
    expect((await store.retry(tenant, { deliveryIds: [a ?? NO_ID] })).items).toMatchObject([
      { became: 'queued' },
    ]);
    expect((await store.retry(tenant, { deliveryIds: [b ?? NO_ID, c ?? NO_ID] })).items).toMatchObject([
      { became: 'queued' },
      { became: 'queued' },
    ]);
  });

  test('that an operator sends again after its operation was cancelled and closed belongs to the live lane', async () => {
    const held = await store.newEndpoint(tenant, { onAmbiguous: 'hold' });
    const ids = await store.ingest(tenant, 1);
    await store.attempt(404);
    const cancelled = await bulk();
    await store.attempt('timeout', { workedBy: cancelled, endpointIds: [held] });
    await control(cancelled, 'cancel');
    await withTransaction(store.pool, (db) => cancelUnsent(db, cancelled, 10));
    await closeOperation(store.pool, cancelled);
    const unknown = (
      await store.rows(
        `select delivery_id as id from executions where operation_id = $1 and state = 'unknown'`,
        [cancelled],
      )
    )[0].id;
    expect(ids).toContain(unknown);
    await resolveDelivery(store.deps, tenant.id, unknown, 'retry');
    const resent = await openExecution(unknown);
    expect(await ledgerOf(await bulk())).toContainEqual(
      expect.objectContaining({ deliveryId: unknown, reason: 'coalesced', joinedExecutionId: resent.id }),
    );
    // Its automatic retries go on as well: nobody has cancelled the operator's request.
    await store.attempt(500, { endpointIds: [held] });
    expect(await openExecution(unknown)).toMatchObject({ id: resent.id, state: 'scheduled' });
  });
});

describe('a delivery that nothing is open for', () => {
  test('that is delivered is excluded by a retry and sent again by a replay, and stays delivered', async () => {
    const deliveryId = await one(store.ingest(tenant, 1));
    await store.attempt(200);
    const retried = await store.retry(tenant, { deliveryIds: [deliveryId] });
    expect(retried.items).toMatchObject([{ reason: 'already_delivered' }]);
    const replayed = await store.retry(tenant, { deliveryIds: [deliveryId] }, { kind: 'replay' });
    expect(replayed.items).toMatchObject([{ became: 'queued' }]);
    await store.attempt(404);
    expect(await stateOf(deliveryId)).toBe('delivered');
    expect(await ledgerOf(replayed.operationId)).toMatchObject([{ state: 'failed' }]);
  });

  test('that is delivered and being replayed is left to the replay by every retry', async () => {
    const deliveryId = await one(store.ingest(tenant, 1));
    await store.attempt(200);
    const replay = await store.retry(tenant, { deliveryIds: [deliveryId] }, { kind: 'replay' });
    for (const takeOverScheduled of [false, true]) {
      const { items } = await store.retry(
        tenant,
        { deliveryIds: [deliveryId] },
        { options: { takeOverScheduled } },
      );
      expect(items).toMatchObject([{ reason: 'already_delivered' }]);
    }
    expect(await ledgerOf(replay.operationId)).toMatchObject([{ state: 'queued' }]);
  });

  test('whose newest run was never sent is pending again where the one before was taken over', async () => {
    const deliveryId = await one(store.ingest(tenant, 1));
    await store.attempt(404);
    await store.retry(tenant, { deliveryIds: [deliveryId] });
    await store.attempt(500);
    await store.retry(tenant, { deliveryIds: [deliveryId] }, { options: { takeOverScheduled: true } });
    await store.rows(
      `update executions set give_up_at = now() - interval '1 second' where open and delivery_id = $1`,
      [deliveryId],
    );
    await withTransaction(store.pool, (db) => giveUpOverdue(db, 10));
    expect(await stateOf(deliveryId)).toBe('failed');
    await store.retry(tenant, { deliveryIds: [deliveryId] });
    expect(await stateOf(deliveryId)).toBe('pending');
  });

  test('that repeats another event is never sent, not even by a replay', async () => {
    await store.ingest(tenant, 1, { externalId: 'same' });
    await store.attempt(404);
    const repeat = await one(store.ingest(tenant, 1, { externalId: 'same' }));
    for (const kind of ['retry', 'replay'] as const)
      expect((await store.retry(tenant, { deliveryIds: [repeat] }, { kind })).items).toMatchObject([
        { reason: 'suppressed_duplicate' },
      ]);
  });

  test('whose payload is gone is excluded', async () => {
    const deliveryId = await one(failed(1));
    await store.pool.query(
      'delete from payloads where event_id = (select event_id from deliveries where id = $1)',
      [deliveryId],
    );
    expect((await store.retry(tenant, { deliveryIds: [deliveryId] })).items).toMatchObject([
      { reason: 'payload_expired' },
    ]);
  });

  test('becomes the child of its newest run, and one cancelled before its first attempt is nobody’s parent', async () => {
    const deliveryId = await one(failed(1));
    const [root] = await store.rows('select id from executions where delivery_id = $1', [deliveryId]);
    const first = await store.retry(tenant, { deliveryIds: [deliveryId] });
    const child = await openExecution(deliveryId);
    expect(child.parent_id).toBe(root.id);
    await control(first.operationId, 'cancel');
    await withTransaction(store.pool, (db) => cancelUnsent(db, first.operationId, 10));
    const byCancelled = await store.retry(tenant, { executionIds: [child.id] });
    expect(byCancelled.items).toEqual([]);
    const second = await store.retry(tenant, { executionIds: [root.id] });
    expect(second.items).toMatchObject([{ deliveryId, became: 'queued' }]);
    expect((await openExecution(deliveryId)).parent_id).toBe(root.id);
  });

  test('is pending from the moment it waits for its first attempt, and stays failed while a retry of it waits', async () => {
    const once = await one(failed(1));
    await store.retry(tenant, { deliveryIds: [once] });
    expect(await stateOf(once)).toBe('failed');

    await setEndpointState(store.pool, tenant.id, endpointId, 'disabled');
    const never = await one(store.ingest(tenant, 1));
    expect(await stateOf(never)).toBe('ignored');
    await setEndpointState(store.pool, tenant.id, endpointId, 'enabled');
    await store.retry(tenant, { deliveryIds: [never] });
    expect(await stateOf(never)).toBe('pending');
  });

  test('waits for a time that is given, and gives up by the clock of that time', async () => {
    const deliveryId = await one(failed(1));
    const notBefore = new Date(Date.now() + 3_600_000).toISOString();
    const { items } = await store.retry(
      tenant,
      { deliveryIds: [deliveryId] },
      { options: { notBefore, giveUpAfterMs: 60_000 } },
    );
    expect(items).toMatchObject([{ became: 'scheduled' }]);
    const item = await openExecution(deliveryId);
    expect(item.due_at.toISOString()).toBe(notBefore);
    expect(item.give_up_at.getTime() - item.due_at.getTime()).toBe(60_000);
  });
});

describe('freezing', () => {
  test('makes each delivery once, however often it is named', async () => {
    const [a, b] = await failed(2);
    const events = await store.rows('select event_id, id from deliveries where id = $1', [a]);
    expect(
      (await store.retry(tenant, { deliveryIds: [a ?? NO_ID, b ?? NO_ID, a ?? NO_ID] })).items,
    ).toHaveLength(2);
    const repeated = await store.retry(tenant, { eventIds: [events[0].event_id, events[0].event_id] });
    expect(repeated.items).toHaveLength(1);
  });

  test('of the same deliveries by many at once leaves one owner, and the others name the execution that they joined', async () => {
    const ids = await failed(5);
    const accepted = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        store.retry(
          tenant,
          { deliveryIds: ids },
          { options: n % 2 === 0 ? {} : { takeOverScheduled: true, ratePerSecond: 10 } },
        ),
      ),
    );
    for (const { items } of accepted) expect(items).toHaveLength(ids.length);
    expect(violationsOf(await readLedger(store.pool))).toEqual([]);
  });

  test('of a filter, while another operation is freezing the same, joins the executions that that one makes', async () => {
    const ids = await failed(5);
    const filter = { filter: { state: ['failed' as const] } };
    const first = (await store.retry(tenant, filter)).operationId;
    const second = (await store.retry(tenant, filter)).operationId;
    const operation = await loadOperation(store.pool, first);
    let frozen = Promise.resolve();
    await withTransaction(store.pool, async (db) => {
      await freezePage(db, operation as FrozenOperation, WHOLE);
      frozen = store.select(second);
      await eventually('the second meets what the first has made and not committed', async () => {
        const waiting = await store.rows(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return waiting.length > 0;
      });
    });
    await frozen;
    expect((await ledgerOf(first)).map(({ deliveryId }) => deliveryId).sort()).toEqual(ids.sort());
    const joined = await ledgerOf(second);
    expect(joined).toHaveLength(ids.length);
    for (const item of joined)
      expect(item).toMatchObject({
        reason: 'coalesced',
        joinedExecutionId: (await openExecution(item.deliveryId)).id,
      });
  });
});
