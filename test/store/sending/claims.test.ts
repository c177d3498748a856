import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { onlyRow } from '../../../src/store/db/only-row.ts';
import { createPool, withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { claimItems } from '../../../src/store/sending/claims.ts';
import { raiseFloors } from '../../../src/store/sending/pacing.ts';
import { ignoreWithoutPayload } from '../../../src/store/settling/settlement.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import { changeEndpoint, ENDPOINT, type TestStore, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore({ connections: 12 });
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
});

async function failed(count: number): Promise<Id<'delivery'>[]> {
  const ids = await store.ingest(tenant, count);
  await store.attempt(404, { endpointIds: [endpointId] });
  return ids;
}

async function bulk(): Promise<Id<'operation'>> {
  const { operationId } = await store.retry(tenant, { filter: {} });
  await store.select(operationId);
  return operationId;
}

function own(options: Parameters<TestStore['claim']>[0] = {}) {
  return store.claim({ endpointIds: [endpointId], ...options });
}

describe('a claim', () => {
  test('takes the due items of each endpoint, the longest due first, up to its grant', async () => {
    const other = await store.newEndpoint(tenant);
    const ids = await store.ingest(tenant, 3);
    const own = ids.length / 2;
    const claim = await store.claim({ endpointIds: [other, endpointId], count: 2 });
    expect(claim.items.map((item) => item.endpointId).sort()).toEqual(
      [other, other, endpointId, endpointId].sort(),
    );
    const again = await store.claim({ endpointIds: [other, endpointId], count: 2 });
    expect(again.items).toHaveLength(2 * (own - 2));
  });

  test('leaves items alone that are not due yet or have been given up', async () => {
    const [later, over, due] = await store.ingest(tenant, 3);
    await store.rows(`update executions set due_at = now() + interval '1 minute' where delivery_id = $1`, [
      later,
    ]);
    await store.rows(
      `update executions set give_up_at = now() - interval '1 minute' where delivery_id = $1`,
      [over],
    );
    expect((await own()).items.map((item) => item.deliveryId)).toEqual([due]);
  });

  test('is bounded by the bytes of its items, and takes one item however large it is', async () => {
    await store.ingest(tenant, 5, { payloadBytes: 400 });
    expect((await own({ maxBytes: 1_000 })).items).toHaveLength(2);
    expect((await own({ maxBytes: 1 })).items).toHaveLength(1);
    expect((await own({ maxBytes: 800 })).items).toHaveLength(2);
  });

  test('lasts for its lease by the clock of the database', async () => {
    await store.ingest(tenant, 1);
    const [{ before }] = await store.rows('select clock_timestamp() as before');
    const { token, items } = await own({ leaseMs: 12_345 });
    const [{ lease_until: until, after, execution_ids: ids }] = await store.rows(
      'select *, clock_timestamp() as after from claims where token = $1',
      [token],
    );
    expect(until.getTime()).toBeGreaterThanOrEqual(before.getTime() + 12_345);
    expect(until.getTime()).toBeLessThanOrEqual(after.getTime() + 12_345);
    expect(ids).toEqual(items.map((item) => item.executionId));
  });

  test('names items that have lost their payload instead of taking them, so that they can be ignored', async () => {
    const [gone, kept] = await store.ingest(tenant, 2);
    await store.rows(
      'delete from payloads where event_id = (select event_id from deliveries where id = $1)',
      [gone],
    );
    const claim = await own();
    expect(claim.items.map((item) => item.deliveryId)).toEqual([kept]);
    expect(claim.withoutPayload).toHaveLength(1);
    await withTransaction(store.pool, (db) => ignoreWithoutPayload(db, claim.withoutPayload));
    expect(await store.rows('select state, reason from executions where delivery_id = $1', [gone])).toEqual([
      { state: 'ignored', reason: 'payload_expired' },
    ]);
    expect(await store.rows('select state from deliveries where id = $1', [gone])).toEqual([
      { state: 'ignored' },
    ]);
  });

  test('of many senders at once gives each item to one of them', async () => {
    await store.ingest(tenant, 60);
    const claims = await Promise.all(Array.from({ length: 12 }, () => own({ count: 8 })));
    const taken = claims.flatMap((claim) => claim.items.map((item) => item.executionId));
    expect(new Set(taken).size).toBe(taken.length);
    for (const claim of claims) expect(claim.items.length).toBeLessThanOrEqual(8);
    expect((await own()).items.length + taken.length).toBe(60);
  });

  test('sends to the version that was first used where that is the target, and else to the current one', async () => {
    const [original, current] = await failed(2);
    const made = { ...ENDPOINT, url: 'http://127.0.0.1:9/second' };
    await changeEndpoint(store.pool, tenant, endpointId, 2, made);
    await store.retry(tenant, { deliveryIds: [original ?? NO_ID] }, { target: 'original' });
    await store.retry(tenant, { deliveryIds: [current ?? NO_ID] });
    const versions = new Map((await own()).items.map((item) => [item.deliveryId, item.version]));
    expect(versions).toEqual(
      new Map([
        [original, 1],
        [current, 2],
      ]),
    );
  });

  test('takes nothing before the floor that an answer has set', async () => {
    await store.ingest(tenant, 1);
    await raiseFloors(store.pool, new Map([[endpointId, 60_000]]));
    expect((await own()).items).toEqual([]);
    await store.rows(`update endpoint_pacing set floor_until = now() where endpoint_id = $1`, [endpointId]);
    expect((await own()).items).toHaveLength(1);
  });

  test('changes rows in place, without touching an index', async () => {
    const single = createPool(store.url, { max: 1 });
    const items = 200;
    await store.ingest(tenant, items);
    await store.rows('vacuum queue');
    const updates = async () => {
      await single.query('select pg_stat_force_next_flush()');
      const read = await single.query<{ all: number; hot: number }>(
        `select n_tup_upd as all, n_tup_hot_upd as hot from pg_stat_user_tables where relname = 'queue'`,
      );
      return onlyRow(read);
    };
    const before = await updates();
    await claimItems(single, LIVE_LANE, randomUUID(), [{ endpointId, count: items }], 60_000, 1e9);
    const after = await updates();
    expect(after.all - before.all).toBe(items);
    // A page that was already full of older versions is no fault of the claim.
    expect(after.hot - before.hot).toBeGreaterThan(0.9 * items);
    await single.end();
  });
});

describe('of an operation', () => {
  test('nothing is claimed while it is paused or after it was cancelled, by the live lane neither', async () => {
    const [alone] = await failed(3);
    const { operationId: single } = await store.retry(tenant, { deliveryIds: [alone ?? NO_ID] });
    const operationId = await bulk();
    for (const [id, workedBy] of [
      [single, LIVE_LANE],
      [operationId, operationId],
    ] as const) {
      const control = (command: 'pause' | 'resume' | 'cancel') =>
        controlOperation(store.deps, tenant.id, id, { do: command });
      const claimed = async () => (await own({ workedBy, count: 1 })).items.length;
      await control('pause');
      expect(await claimed()).toBe(0);
      await control('resume');
      expect(await claimed()).toBe(1);
      await control('cancel');
      expect(await claimed()).toBe(0);
    }
  });

  test('its own slices claim its items and the live lane does not, and the other way round', async () => {
    await failed(2);
    const operationId = await bulk();
    const fresh = await store.ingest(tenant, 1);
    expect((await own()).items.map((item) => item.deliveryId)).toEqual(fresh);
    const claim = await own({ workedBy: operationId });
    expect(claim.items.map((item) => item.operationId)).toEqual([operationId, operationId]);
  });
});
