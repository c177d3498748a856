import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Party } from '../../../src/domain/policy/approver.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { lookAtOperation } from '../../../src/operations/look-at-operation.ts';
import { mayBeFrozen } from '../../../src/operations/plans/measure-drift.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { loadPlan } from '../../../src/store/plans/plans.ts';
import { lastHold } from '../../../src/store/policy/holds.ts';
import { withWaits } from '../../../src/store/reading/waits.ts';
import { quietContext } from '../../support/engine/quiet-context.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import { policyOf, type TestPolicy } from '../../support/store/policies.ts';
import { changeEndpoint, ENDPOINT, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** What a policy does to operations that are started without a plan. */

const store = useStore({ checked: true });
let tenant: TestTenant;
let policy: TestPolicy;
let endpointId: Id<'endpoint'>;
let bob: Required<Party>;

const ALL = { filter: {} };
const DAY_MS = 86_400_000;

beforeEach(async () => {
  tenant = await store.newTenant();
  policy = policyOf(store, tenant);
  endpointId = await store.newEndpoint(tenant);
  bob = await policy.person('bob');
});

/** Deliveries that have failed for good. */
async function failed(count: number): Promise<Id<'delivery'>[]> {
  const ids = await store.ingest(tenant, count);
  await store.attempt(404, { endpointIds: [endpointId], count: 1_000 });
  return ids;
}

async function show(operationId: Id<'operation'>) {
  const operation = await loadOperation(store.pool, operationId);
  if (!operation) throw new Error('no operation');
  return operation;
}

const waitsOf = async (operationId: Id<'operation'>) =>
  (await withWaits(store.pool, [await show(operationId)]))[0]?.waitingFor ?? [];

/** What a sender of bulk work, and the live lane, can claim of it now. */
async function claimable(operationId: Id<'operation'>) {
  const endpoints = await store.rows('select id from endpoints where tenant_id = $1', [tenant.id]);
  const endpointIds = endpoints.map(({ id }) => id);
  const bulk = await store.claim({ workedBy: operationId, endpointIds });
  const live = await store.claim({ endpointIds });
  for (const claim of [bulk, live]) await store.record(claim, 'released');
  return [...bulk.items, ...live.items].filter((item) => item.operationId === operationId);
}

async function frozen(operationId: Id<'operation'>) {
  expect(await mayBeFrozen(store.pool, operationId, new AbortController().signal)).toBe(true);
  await store.select(operationId);
  return show(operationId);
}

describe('an operation that is started without a plan', () => {
  test('is as ever where no policy is set, or none that could hold it', async () => {
    const ids = await failed(3);
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    await policy.set({ reasonAbove: 5 });
    const other = await store.retry(tenant, { deliveryIds: ids.slice(0, 1) });
    await policy.set({
      freezeWindows: [{ zone: 'UTC', days: ['mon'], from: '01:00', to: '02:00' }],
    });
    const third = await store.retry(tenant, ALL);
    for (const id of [operationId, other.operationId, third.operationId]) {
      expect(await show(id)).toMatchObject({ state: 'accepted', control: 'run' });
      expect(await loadPlan(store.pool, id)).toBeUndefined();
    }
  });

  test('is planned whole, and goes on by itself below every threshold', async () => {
    const ids = await failed(3);
    await policy.set({ approveAbove: 3, reasonAbove: 3 });
    const { operationId } = await store.retry(tenant, ALL);
    expect(await show(operationId)).toMatchObject({ state: 'planned', control: 'pause' });
    expect(await policy.judged(operationId)).toMatchObject({ state: 'accepted', control: 'run' });
    expect(await lastHold(store.pool, operationId)).toBeUndefined();
    expect(await frozen(operationId)).toMatchObject({ counts: { expected: 3, queued: 3 } });
    expect(await loadPlan(store.pool, operationId)).toMatchObject({
      origin: 'policy',
      items: 3,
      executed: { by: 'test' },
      drift: { gone: {} },
    });
    expect((await claimable(operationId)).map(({ deliveryId }) => deliveryId).sort()).toEqual(ids);
  });

  test('waits above one, with nothing selected; approved, exactly what was planned is sent', async () => {
    const ids = await failed(4);
    await policy.set({ approveAbove: 3 });
    const { operationId } = await store.retry(tenant, ALL);
    expect(await policy.judged(operationId)).toMatchObject({
      state: 'awaiting_approval',
      control: 'pause',
      counts: { expected: 0 },
      selected: false,
    });
    await failed(2);
    expect(await waitsOf(operationId)).toEqual([
      { what: 'approval', missing: 1, untilMs: expect.any(Number) },
    ]);
    expect(await lookAtOperation(quietContext(store.pool), operationId)).toMatchObject({
      step: { do: 'wait', until: 'expiry' },
    });
    await expect(store.select(operationId)).resolves.toBeUndefined();
    expect(await show(operationId)).toMatchObject({ counts: { expected: 0 } });
    expect(await policy.say(operationId, bob, { do: 'approve' })).toMatchObject({
      ok: true,
      operation: { state: 'accepted', control: 'run' },
      hold: { ended: { for: 'approved' } },
    });
    expect(await frozen(operationId)).toMatchObject({ counts: { expected: 4, queued: 4 } });
    expect((await claimable(operationId)).map(({ deliveryId }) => deliveryId).sort()).toEqual(ids);
  });

  test('with ids has its items at once, and nobody can claim them before it is approved', async () => {
    const ids = await failed(3);
    await policy.set({ approveAbove: 2 });
    const { operationId, items } = await store.retry(tenant, { deliveryIds: ids });
    expect(items.map(({ became }) => became)).toEqual(['queued', 'queued', 'queued']);
    expect(await show(operationId)).toMatchObject({
      state: 'awaiting_approval',
      interactive: false,
      selected: true,
      counts: { expected: 3, queued: 3 },
    });
    await store.timePasses();
    expect(await claimable(operationId)).toEqual([]);
    const plan = await loadPlan(store.pool, operationId);
    expect(plan).toMatchObject({ origin: 'policy', items: 3, sends: 3 });
    await policy.say(operationId, bob, { do: 'approve' });
    expect((await lookAtOperation(quietContext(store.pool), operationId)).facts).toMatchObject({
      state: 'running',
    });
    expect(await claimable(operationId)).toHaveLength(3);
  });

  test('that waits holds its items as a paused one: others meet them as held, a single retry takes one', async () => {
    const ids = await failed(3);
    await policy.set({ approveAbove: 2 });
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    const others = await store.retry(tenant, { deliveryIds: ids.slice(0, 2) });
    expect(others.items).toMatchObject([
      { became: 'excluded', reason: 'held', heldBy: operationId },
      { became: 'excluded', reason: 'held', heldBy: operationId },
    ]);
    const single = await store.retry(tenant, { deliveryIds: ids.slice(2) });
    expect(single.items).toMatchObject([{ became: 'queued' }]);
    expect(await show(operationId)).toMatchObject({ counts: { queued: 2, superseded: 1 } });
  });

  test('of a single delivery is judged like every other', async () => {
    const ids = await store.ingest(tenant, 1);
    for (let attempt = 0; attempt < 3; attempt++) {
      await store.timePasses();
      await store.attempt('timeout', { endpointIds: [endpointId] });
    }
    await policy.set({ approveWhen: ['mayHaveArrived'] });
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    expect(await show(operationId)).toMatchObject({ state: 'awaiting_approval', interactive: false });
    expect(await lastHold(store.pool, operationId)).toMatchObject({ because: ['mayHaveArrived'] });
    const own = await store.newTenant();
    expect(await show((await store.retry(own, { deliveryIds: [] })).operationId)).toMatchObject({
      state: 'accepted',
    });
  });

  test('that replays what was delivered, or goes to another address than at first, waits where the policy says so', async () => {
    const ids = await store.ingest(tenant, 1);
    await store.attempt(200, { endpointIds: [endpointId] });
    await policy.set({ approveWhen: ['replayOfDelivered'] });
    const replay = await store.retry(tenant, { deliveryIds: ids }, { kind: 'replay' });
    expect(await lastHold(store.pool, replay.operationId)).toMatchObject({ because: ['replayOfDelivered'] });
    const retry = await store.retry(tenant, { deliveryIds: ids });
    expect(await show(retry.operationId)).toMatchObject({ state: 'accepted', counts: { excluded: 1 } });

    const [moved] = await failed(1);
    await changeEndpoint(store.pool, tenant, endpointId, 2, { ...ENDPOINT, url: 'http://127.0.0.1:9/moved' });
    await policy.set({ approveWhen: ['endpointChanged'] });
    const current = await store.retry(tenant, { deliveryIds: [moved as Id<'delivery'>] });
    expect(await lastHold(store.pool, current.operationId)).toMatchObject({ because: ['endpointChanged'] });
    await controlOperation(store.deps, tenant.id, current.operationId, { do: 'cancel' });
    await closeAll(current.operationId);
    const original = await store.retry(
      tenant,
      { deliveryIds: [moved as Id<'delivery'>] },
      { target: 'original' },
    );
    expect(await show(original.operationId)).toMatchObject({ state: 'accepted' });
  });

  test('that matches afresh has all its items made and held, those of first deliveries among them', async () => {
    await failed(2);
    const fresh = await store.newEndpoint(tenant);
    const events = await store.rows('select id from events where tenant_id = $1 order by id', [tenant.id]);
    await policy.set({ approveAbove: 0 });
    for (const selection of [
      { afresh: { eventIds: [events[0].id] }, endpoints: { ids: [fresh] } },
      { afresh: {} },
    ]) {
      const { operationId } = await store.retry(tenant, selection);
      const judged = await policy.judged(operationId);
      expect(judged).toMatchObject({ state: 'awaiting_approval', selected: true });
      const plan = await loadPlan(store.pool, operationId);
      expect(plan).toMatchObject({ items: judged.counts.expected, sends: judged.counts.queued });
      expect(plan?.risks).toMatchObject({ openElsewhere: 0 });
      const planned = await store.rows(
        `select u.id from plan_pages, unnest(ids) as u(id) where operation_id = $1 order by 1`,
        [operationId],
      );
      const ledger = await store.rows(
        `select delivery_id as id from executions where operation_id = $1
         union select delivery_id from exclusions where operation_id = $1 order by 1`,
        [operationId],
      );
      expect(planned).toEqual(ledger);
      await store.timePasses();
      expect(await claimable(operationId)).toEqual([]);
      // What was shown is where it goes: the address counts as it was.
      expect(
        await store.rows(
          'select from executions where operation_id = $1 and open and target_version is null',
          [operationId],
        ),
      ).toEqual([]);
      await policy.say(operationId, bob, { do: 'approve' });
      await lookAtOperation(quietContext(store.pool), operationId);
      expect(await claimable(operationId)).toHaveLength(judged.counts.queued);
      await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' });
      await closeAll(operationId);
    }
  });

  test('that waits is not given up meanwhile; approved, it has all its time', async () => {
    const ids = await failed(3);
    await policy.set({ approveAbove: 2 });
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    const left = async () =>
      (
        await store.rows(
          `select extract(epoch from give_up_at - now())::float8 * 1000 as ms from executions where operation_id = $1`,
          [operationId],
        )
      ).map(({ ms }) => ms as number);
    for (const ms of await left()) expect(ms).toBeGreaterThan(7 * DAY_MS);
    await policy.say(operationId, bob, { do: 'approve' });
    for (const ms of await left()) {
      expect(ms).toBeGreaterThan(ENDPOINT.giveUpAfterMs - 60_000);
      expect(ms).toBeLessThan(ENDPOINT.giveUpAfterMs + 60_000);
    }
  });

  test('whose items others have settled meanwhile needs nobody any more', async () => {
    const ids = await failed(3);
    await policy.set({ approveAbove: 2 });
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    await store.rows(
      `update executions set state = 'delivered', finished_at = now(), reason = 'acknowledged' where operation_id = $1`,
      [operationId],
    );
    await store.rows(`update deliveries set state = 'delivered' where id = any($1)`, [ids]);
    expect((await lookAtOperation(quietContext(store.pool), operationId)).step).toEqual({ do: 'close' });
    expect(await closeOperation(store.pool, operationId)).toMatchObject({ closed: true });
    expect(await show(operationId)).toMatchObject({ state: 'completed' });
  });
});

/** Cancels what is left, and closes. */
async function closeAll(operationId: Id<'operation'>) {
  await store.rows(
    `update executions set state = 'cancelled', reason = 'operation_cancelled', finished_at = now()
     where operation_id = $1 and state in ('queued', 'scheduled')`,
    [operationId],
  );
  await store.rows(
    `update deliveries d set state = case when d.attempts > 0 then 'failed' else 'cancelled' end
     where state = 'pending' and id in (select delivery_id from executions where operation_id = $1)`,
    [operationId],
  );
  expect(await closeOperation(store.pool, operationId)).toMatchObject({ closed: true });
}

describe('words that a policy asks for', () => {
  test('are waited for; given, the operation goes on without anybody’s approval', async () => {
    await failed(2);
    await policy.set({ reasonAbove: 1, ticketPattern: 'OPS-\\d+' });
    const { operationId } = await store.retry(tenant, ALL);
    expect(await policy.judged(operationId)).toMatchObject({ state: 'awaiting_approval' });
    expect((await waitsOf(operationId)).map(({ what }) => what)).toEqual(['reason', 'ticket']);
    const alice = { actor: 'test' };
    expect(await policy.say(operationId, alice, { do: 'explain', ticket: 'nonsense' })).toEqual({
      ok: false,
      code: 'ticket_form',
    });
    expect(await policy.say(operationId, alice, { do: 'explain', reason: 'it was down' })).toMatchObject({
      ok: true,
      hold: { missing: ['ticket'] },
      operation: { state: 'awaiting_approval', reason: 'it was down' },
    });
    expect(await policy.say(operationId, alice, { do: 'explain', reason: 'another one' })).toEqual({
      ok: false,
      code: 'nothing_missing',
    });
    expect(await policy.say(operationId, alice, { do: 'explain', ticket: 'OPS-7' })).toMatchObject({
      ok: true,
      hold: { missing: [], ended: { for: 'explained' } },
      operation: { state: 'accepted', reason: 'it was down', ticket: 'OPS-7' },
    });
  });

  test('are needed besides approval, in any order', async () => {
    await failed(2);
    await policy.set({ reasonAbove: 1, approveAbove: 1 });
    const { operationId } = await store.retry(tenant, ALL);
    await policy.judged(operationId);
    expect(await policy.say(operationId, bob, { do: 'approve' })).toMatchObject({
      ok: true,
      operation: { state: 'awaiting_approval' },
    });
    expect((await waitsOf(operationId)).map(({ what }) => what)).toEqual(['reason']);
    expect(await policy.say(operationId, bob, { do: 'explain', reason: 'why' })).toMatchObject({
      ok: true,
      hold: { ended: { for: 'approved' } },
      operation: { state: 'accepted' },
    });
  });

  test('that came with the operation are not asked for again', async () => {
    const ids = await failed(2);
    await policy.set({ reasonAbove: 1, ticketPattern: 'OPS-\\d+' });
    const { operationId } = await store.retry(
      tenant,
      { deliveryIds: ids },
      { reason: 'why', ticket: 'OPS-1' },
    );
    expect(await show(operationId)).toMatchObject({ state: 'accepted' });
  });
});
