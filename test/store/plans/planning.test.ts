import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { canonicalJson } from '../../../src/domain/json/canonical-json.ts';
import { planIdentity } from '../../../src/domain/operations/plan.ts';
import type { Selection } from '../../../src/domain/operations/selection.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { planNext } from '../../../src/operations/plans/make-plan.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { endpointVersionsOf } from '../../../src/store/plans/plan-pages.ts';
import { Crashed, crashingPool } from '../../support/store/crashing-pool.ts';
import { type Plans, plansOf } from '../../support/store/plans.ts';
import { changeEndpoint, ENDPOINT, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore({ checked: true });
let tenant: TestTenant;
let plans: Plans;
let endpointId: Id<'endpoint'>;

const FAILED = { filter: {} };

beforeEach(async () => {
  tenant = await store.newTenant();
  plans = plansOf(store, tenant);
  endpointId = await store.newEndpoint(tenant);
});

/** Deliveries that have failed for good. */
async function failed(count: number): Promise<Id<'delivery'>[]> {
  const ids = await store.ingest(tenant, count);
  await store.attempt(400, { endpointIds: [endpointId], count: 10_000 });
  return ids;
}

describe('making a plan', () => {
  test('keeps each delivery that matches, in the order of selection, and makes nothing of them', async () => {
    const ids = await failed(7);
    const plan = await plans.make(FAILED, {}, { stretch: 3 });
    expect(plan).toMatchObject({ items: 7, sends: 7, endpointCount: 1 });
    expect((await plans.ids(plan)).map(({ id }) => id)).toEqual(ids);
    const operation = await loadOperation(store.pool, plan.operationId);
    expect(operation).toMatchObject({ state: 'planned', selected: false, counts: { expected: 0 } });
  });

  test('is hashed by what it is, whatever its pages: anybody can compute the hash again', async () => {
    const ids = await failed(7);
    const plan = await plans.make(FAILED, {}, { stretch: 3 });
    const bytes = Buffer.concat([...ids].sort().map((id) => Buffer.from(id.replaceAll('-', ''), 'hex')));
    const itemsDigest = createHash('sha256').update(bytes).digest('hex');
    const risksDigest = createHash('sha256').update(Buffer.alloc(14)).digest('hex');
    expect(plan.planned).toMatchObject({ itemsDigest, risksDigest });
    const operation = await loadOperation(store.pool, plan.operationId);
    if (!operation) throw new Error('no operation');
    const identity = planIdentity(operation, {
      watermark: plan.watermark,
      items: 7,
      itemsDigest,
      risksDigest,
      endpointVersions: await endpointVersionsOf(store.pool, plan.operationId),
    });
    expect(identity).toMatchObject({ v: 1, tenant: tenant.id, endpointVersions: { [endpointId]: 1 } });
    expect(plan.watermark).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    expect(plan.planned?.planHash).toBe(createHash('sha256').update(canonicalJson(identity)).digest('hex'));
    const again = await plans.make(FAILED, {}, { stretch: 5_000 });
    expect(again.planned).toMatchObject({ itemsDigest, risksDigest });
  });

  test('an empty one is a plan, too', async () => {
    const plan = await plans.make(FAILED);
    expect(plan).toMatchObject({ items: 0, pages: 0, planned: {} });
    expect(await plans.execute(plan)).toMatchObject({ ok: true });
    expect(await plans.freeze(plan)).toBe(true);
  });

  test('a delivery that is met twice is kept once', async () => {
    await failed(4);
    const operationId = await plans.ask({ filter: { faultCodes: ['http_4xx', 'http_5xx'] } });
    await planNext(store.pool, operationId, { stretch: 2 });
    const [moved] = await store.rows(
      `update deliveries set fault_code = 'http_5xx' where id in (
        select id from deliveries where tenant_id = $1 order by accepted_at, id limit 1) returning id`,
      [tenant.id],
    );
    while (await planNext(store.pool, operationId, { stretch: 2 }));
    const plan = await plans.show(operationId);
    const ids = await plans.ids(plan);
    expect(ids).toHaveLength(4);
    expect(ids.filter(({ id }) => id === moved.id)).toHaveLength(1);
    expect(plan).toMatchObject({ items: 4, sends: 4, risks: { alreadyDelivered: 0 } });
  });

  test('what comes in after it was asked for is not in it', async () => {
    const ids = await failed(3);
    const operationId = await plans.ask(FAILED);
    await failed(2);
    while (await planNext(store.pool, operationId, { stretch: 2 }));
    expect((await plans.ids(await plans.show(operationId))).map(({ id }) => id)).toEqual(ids);
  });

  test('is the same however many stretches are read at once, over endpoints and ranges', async () => {
    const other = await store.newEndpoint(tenant);
    await failed(23);
    await store.attempt('timeout', { endpointIds: [other], count: 19 });
    await changeEndpoint(store.pool, tenant, endpointId, 2, { ...ENDPOINT, url: 'http://127.0.0.1:9/other' });
    const selections = [
      FAILED,
      { filter: { endpointIds: [other, endpointId] } },
      { filter: { faultCodes: ['http_4xx', 'timeout'] } },
      { filter: { state: ['failed', 'pending'] } },
    ];
    for (const selection of selections as Selection[]) {
      const alone = await plans.make(selection, {}, { stretch: 4 });
      const ids = await plans.ids(alone);
      expect(ids.length).toBeGreaterThan(22);
      for (const together of [2, 3]) {
        const plan = await plans.make(selection, {}, { stretch: 4, together });
        const { items, sends, risks, endpointCount } = alone;
        expect(plan).toMatchObject({ items, sends, risks, endpointCount });
        expect(await plans.ids(plan)).toEqual(ids);
        expect(plan.planned).toMatchObject({
          itemsDigest: alone.planned?.itemsDigest,
          risksDigest: alone.planned?.risksDigest,
        });
      }
    }
  });

  test('is the same wherever a worker dies that reads several stretches at once', async () => {
    const ids = await failed(9);
    const steps = { stretch: 2, together: 3 };
    let died = true;
    for (let statement = 0; died; statement += 1) {
      const operationId = await plans.ask(FAILED);
      const dying = crashingPool(store.pool, { statement, after: statement % 2 === 0 });
      died = await planNext(dying, operationId, steps).then(
        () => false,
        (error) => error instanceof Crashed || Promise.reject(error),
      );
      while (await planNext(store.pool, operationId, steps));
      const plan = await plans.show(operationId);
      expect((await plans.ids(plan)).map(({ id }) => id)).toEqual(ids);
      expect(plan).toMatchObject({ items: 9, sends: 9 });
    }
  });

  test('goes on where it was broken off, and two at a time make one plan', async () => {
    const ids = await failed(9);
    const operationId = await plans.ask(FAILED);
    await planNext(store.pool, operationId, { stretch: 2 });
    const run = async () => {
      while (await planNext(store.pool, operationId, { stretch: 2 }));
    };
    await Promise.all([run(), run(), run()]);
    const plan = await plans.show(operationId);
    expect((await plans.ids(plan)).map(({ id }) => id)).toEqual(ids);
    expect(plan.items).toBe(9);
  });

  test('once shown, its rows do not change', async () => {
    await failed(1);
    const { operationId } = await plans.make(FAILED);
    for (const change of [
      `update plan_pages set ids = '{}', risks = '{}' where operation_id = $1`,
      `update plan_endpoints set version = 2 where operation_id = $1`,
    ])
      await expect(store.rows(change, [operationId])).rejects.toMatchObject({ code: 'RD009' });
  });

  test('every form of selection can be planned', async () => {
    const ids = await failed(3);
    const executions = await store.rows(
      'select id, delivery_id from executions where delivery_id = any($1)',
      [ids],
    );
    const { operationId } = await store.retry(tenant, { deliveryIds: ids });
    await store.attempt(400, { endpointIds: [endpointId] });
    const events = await store.rows('select event_id from deliveries where id = any($1)', [ids]);
    for (const selection of [
      { deliveryIds: ids },
      { eventIds: events.map((row) => row.event_id) },
      { executionIds: executions.map((row) => row.id) },
      { failuresOf: operationId },
      { remainderOf: operationId },
      { filter: { endpointIds: [endpointId] } },
    ]) {
      const plan = await plans.make(selection);
      expect(new Set((await plans.ids(plan)).map(({ id }) => id))).toEqual(new Set(ids));
    }
  });
});

describe('executing a plan', () => {
  test('makes an item of each delivery that it showed, with the endpoint version that it showed', async () => {
    const ids = await failed(3);
    const plan = await plans.make(FAILED);
    await failed(2);
    expect(await plans.execute(plan)).toMatchObject({ ok: true, operation: { state: 'accepted' } });
    expect(await plans.freeze(plan)).toBe(true);
    expect([...(await plans.ledger(plan)).keys()].sort()).toEqual([...ids].sort());
    const rows = await store.rows(
      'select target_version, count(*)::int as n from executions where operation_id = $1 group by 1',
      [plan.operationId],
    );
    expect(rows).toEqual([{ target_version: 1, n: 3 }]);
    expect(await plans.show(plan.operationId)).toMatchObject({
      drift: { gone: {}, endpointChanged: [], added: 2 },
    });
    expect(await loadOperation(store.pool, plan.operationId)).toMatchObject({
      state: 'running',
      counts: { expected: 3, queued: 3 },
    });
  });

  test('asks for the hash of what was shown, and is done once', async () => {
    await failed(1);
    const plan = await plans.make(FAILED);
    const other = { ...plan, planned: { ...plan.planned, planHash: 'f'.repeat(64) } } as typeof plan;
    expect(await plans.execute(other)).toEqual({ ok: false, code: 'plan_changed' });
    const both = await Promise.all([plans.execute(plan), plans.execute(plan)]);
    expect(both).toMatchObject([{ ok: true }, { ok: true }]);
    expect(await plans.execute(other)).toEqual({ ok: false, code: 'plan_changed' });
    const controls = await store.rows(`select did from operation_controls where operation_id = $1`, [
      plan.operationId,
    ]);
    expect(controls).toEqual([{ did: 'execute' }]);
  });

  test('while it is being made, and after its life, it is refused', async () => {
    await failed(1);
    const operationId = await plans.ask(FAILED);
    expect(await plans.execute(await plans.show(operationId))).toMatchObject({
      ok: false,
      code: 'state_conflict',
      why: 'planning',
    });
    while (await planNext(store.pool, operationId));
    await store.rows(`update operations set expires_at = now() - interval '1 second' where id = $1`, [
      operationId,
    ]);
    expect(await plans.execute(await plans.show(operationId))).toMatchObject({
      ok: false,
      code: 'state_conflict',
      why: 'expired',
    });
  });

  test('excludes with its reason what was planned and cannot be sent any more; what failed once more is sent', async () => {
    const [kept, delivered, erased, again, pending] = await failed(5);
    const plan = await plans.make(FAILED);
    await store.rows(
      `delete from payloads p using deliveries d where p.event_id = d.event_id and d.id = $1`,
      [erased],
    );
    await store.retry(tenant, { deliveryIds: [delivered as Id<'delivery'>] });
    await store.attempt(200, { endpointIds: [endpointId] });
    await store.retry(tenant, { deliveryIds: [again as Id<'delivery'>] });
    await store.attempt(400, { endpointIds: [endpointId] });
    const { operationId: other } = await store.retry(tenant, { deliveryIds: [pending as Id<'delivery'>] });
    await plans.execute(plan);
    await plans.freeze(plan);
    expect(Object.fromEntries(await plans.ledger(plan))).toEqual({
      [kept as string]: 'item',
      [delivered as string]: 'already_delivered',
      [erased as string]: 'payload_expired',
      [again as string]: 'item',
      [pending as string]: 'coalesced',
    });
    expect((await plans.show(plan.operationId)).drift).toMatchObject({
      gone: { already_delivered: 1, payload_expired: 1, coalesced: 1 },
    });
    expect((await loadOperation(store.pool, plan.operationId))?.counts.expected).toBe(plan.items);
    expect(other).toBeDefined();
  });

  test('what no longer matches its filter is left out', async () => {
    const ids = await failed(2);
    const plan = await plans.make({ filter: { faultCodes: ['http_4xx'] } });
    await store.rows(`update deliveries set fault_code = 'http_5xx' where id = $1`, [ids[0]]);
    await plans.execute(plan);
    await plans.freeze(plan);
    expect(Object.fromEntries(await plans.ledger(plan))).toEqual({
      [ids[0] as string]: 'changed_since',
      [ids[1] as string]: 'item',
    });
  });

  test('an endpoint with another address takes none of its items; a new policy changes nothing', async () => {
    const other = await store.newEndpoint(tenant);
    await store.ingest(tenant, 2);
    await store.attempt(400, { endpointIds: [endpointId, other] });
    const plan = await plans.make(FAILED);
    await changeEndpoint(store.pool, tenant, endpointId, 2, { ...ENDPOINT, url: 'http://127.0.0.1:9/moved' });
    await changeEndpoint(store.pool, tenant, other, 2, { ...ENDPOINT, timeoutMs: 500 });
    await plans.execute(plan);
    await plans.freeze(plan);
    const lines = [...(await plans.ledger(plan)).values()].sort();
    expect(lines).toEqual(['endpoint_changed', 'endpoint_changed', 'item', 'item']);
    expect((await plans.show(plan.operationId)).drift).toMatchObject({
      gone: { endpoint_changed: 2 },
      endpointChanged: [{ endpointId, from: 1, to: 2, members: ['url'] }],
    });
    const original = await plans.make(FAILED, { target: 'original' });
    await changeEndpoint(store.pool, tenant, endpointId, 3, {
      ...ENDPOINT,
      url: 'http://127.0.0.1:9/further',
    });
    await plans.execute(original);
    await plans.freeze(original);
    expect((await plans.show(original.operationId)).drift?.gone).toEqual({});
  });

  test('beyond the drift that is allowed nothing is made of it, and it waits as before', async () => {
    const ids = await failed(4);
    const plan = await plans.make(FAILED);
    await store.retry(tenant, { deliveryIds: ids.slice(0, 2) });
    expect(await plans.execute(plan, 49)).toMatchObject({
      ok: false,
      code: 'drift_too_large',
      drift: { gone: { coalesced: 2 }, added: 0 },
    });
    expect(await loadOperation(store.pool, plan.operationId)).toMatchObject({ state: 'planned' });
    expect(await plans.show(plan.operationId)).toMatchObject({ refusedDrift: { gone: { coalesced: 2 } } });
    expect(await plans.execute(plan, 50)).toMatchObject({ ok: true });
    await store.rows('update plans set max_drift_percent = 10 where operation_id = $1', [plan.operationId]);
    expect(await plans.freeze(plan)).toBe(false);
    const taken = await plans.show(plan.operationId);
    expect(taken.executed).toBeUndefined();
    expect(taken.expiresAt?.getTime()).toBeGreaterThan(Date.now());
    expect(await loadOperation(store.pool, plan.operationId)).toMatchObject({
      state: 'planned',
      counts: { expected: 0 },
    });
  });

  test('what a plan showed as left out is no drift', async () => {
    const ids = await failed(2);
    await store.rows(
      `delete from payloads p using deliveries d where p.event_id = d.event_id and d.id = $1`,
      [ids[0]],
    );
    const plan = await plans.make(FAILED);
    expect(plan).toMatchObject({ items: 2, sends: 1, risks: { payloadExpired: 1 } });
    expect(await plans.execute(plan, 0)).toMatchObject({ ok: true });
    expect(await plans.freeze(plan)).toBe(true);
    expect(await plans.show(plan.operationId)).toMatchObject({ drift: { gone: {} } });
    expect(await loadOperation(store.pool, plan.operationId)).toMatchObject({
      counts: { expected: 2, excluded: 1 },
    });
  });
});
