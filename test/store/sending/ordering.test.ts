import { describe, expect, test } from '@jest/globals';
import type { EndpointConfig } from '../../../src/domain/endpoints/endpoint.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE, type Transaction } from '../../../src/store/db/queryable.ts';
import { dueNext, makePutOffDue, putOffBlocked } from '../../../src/store/sending/ordering.ts';
import { ignoreWithoutPayload } from '../../../src/store/settling/settlement.ts';
import { eventually } from '../../support/eventually.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();

const DUE = { put_off_from: null, due: true };
const PUT_OFF = { put_off_from: expect.any(Date), due: false };

async function waiting(deliveryId: Id<'delivery'>) {
  const [row] = await store.rows(
    'select put_off_from, due_at <= now() as due from executions where delivery_id = $1 and open',
    [deliveryId],
  );
  return row;
}

/** Three of one key, of which the first is open, the second as it is said, and the last is put off behind the first. */
async function three(
  config: Partial<EndpointConfig>,
  second: { state: 'failed' | 'ignored' | 'cancelled'; resent?: true },
) {
  const tenant = await store.newTenant();
  const endpointId = await store.newEndpoint(tenant, { ordered: true, ...config });
  const [first = NO_ID, between = NO_ID, last = NO_ID] = await store.ingest(tenant, 3, { key: 'k' });
  const [{ id }] = await store.rows('select id from executions where delivery_id = $1', [between]);
  await withTransaction(store.pool, (tx) => ignoreWithoutPayload(tx, [id]));
  await store.rows('update deliveries set state = $2, resent_by = $3 where id = $1', [
    between,
    second.state,
    second.resent ? last : null,
  ]);
  await withTransaction(store.pool, (tx) => putOffBlocked(tx, LIVE_LANE, [endpointId]));
  expect(await waiting(last)).toEqual(PUT_OFF);
  return { endpointId, first, last };
}

/** Tells of an end while what waits for it at an endpoint is being put off, which it has to wait for. */
async function toldWhilePutOff(endpointId: Id<'endpoint'>, tell: () => Promise<boolean>): Promise<boolean> {
  const other = await store.pool.connect();
  try {
    await other.query('begin');
    await putOffBlocked(other as unknown as Transaction, LIVE_LANE, [endpointId]);
    const told = tell();
    await eventually('the one waits for the other', async () => {
      const [{ waits }] = await store.rows(
        `select count(*)::int as waits from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return waits === 1;
    });
    await other.query('commit');
    return await told;
  } finally {
    other.release();
  }
}

test('a delivery that is being put off while the one before it ends is waited for, and is due again', async () => {
  const tenant = await store.newTenant();
  const endpoint = await store.newEndpoint(tenant, { ordered: true });
  const [first = NO_ID, second = NO_ID] = await store.ingest(tenant, 2, { key: 'account-1' });
  expect(await toldWhilePutOff(endpoint, () => dueNext(store.pool, [first]))).toBe(true);
  expect(await waiting(second)).toEqual({ put_off_from: null, due: true });
});

test.each([
  ['failed and is skipped', { onExhausted: 'skip' }, { state: 'failed' }],
  ['was ignored', {}, { state: 'ignored' }],
  ['was cancelled', {}, { state: 'cancelled' }],
  ['was sent again', {}, { state: 'failed', resent: true }],
] as const)('the end of one makes due what waits behind another that %s', async (_what, config, second) => {
  const { endpointId, first, last } = await three(config, second);
  await store.attempt(200, { endpointIds: [endpointId] });
  expect(await dueNext(store.pool, [first])).toBe(true);
  expect(await waiting(last)).toEqual(DUE);
});

test('the end of one leaves what waits behind another that failed and blocks', async () => {
  const { endpointId, first, last } = await three({}, { state: 'failed' });
  await store.attempt(200, { endpointIds: [endpointId] });
  expect(await dueNext(store.pool, [first])).toBe(false);
  expect(await waiting(last)).toEqual(PUT_OFF);
});

test('a change of the endpoint waits for who puts off by its order, and makes all of that due', async () => {
  const tenant = await store.newTenant();
  const endpointId = await store.newEndpoint(tenant, { ordered: true });
  const [, second = NO_ID] = await store.ingest(tenant, 2, { key: 'k' });
  const other = await store.pool.connect();
  try {
    await other.query('begin');
    await putOffBlocked(other as unknown as Transaction, LIVE_LANE, [endpointId]);
    const changed = withTransaction(store.pool, async (tx) => {
      await tx.query('select from endpoints where id = $1 for no key update', [endpointId]);
      await makePutOffDue(tx, tenant.id, endpointId);
    });
    await eventually('the one waits for the other', async () => {
      const [{ waits }] = await store.rows(
        `select count(*)::int as waits from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return waits === 1;
    });
    await other.query('commit');
    await changed;
  } finally {
    other.release();
  }
  expect(await waiting(second)).toEqual(DUE);
});

test('an item that was put off and is sent is put off no more: a later wait of it is its own', async () => {
  const { endpointId, first, last } = await three({}, { state: 'ignored' });
  await store.attempt(200, { endpointIds: [endpointId] });
  // Nobody has told of the end of the first: it is looked at again by its time.
  await store.timePasses();
  await store.attempt(500, { endpointIds: [endpointId] });
  expect(await waiting(last)).toEqual({ put_off_from: null, due: false });
  expect(await dueNext(store.pool, [first])).toBe(false);
  expect(await waiting(last)).toEqual({ put_off_from: null, due: false });
});

/** Replays of what was delivered, which something before it in its order keeps waiting. */
describe('replays of what was delivered', () => {
  /** The first of a key failed and was skipped, the others were delivered; then all of them are replayed. */
  async function replayed(count: number) {
    const tenant = await store.newTenant();
    const endpointId = await store.newEndpoint(tenant, { ordered: true, onExhausted: 'skip' });
    const [first = NO_ID] = await store.ingest(tenant, 1, { key: 'k' });
    await store.attempt(400, { endpointIds: [endpointId] });
    const others = await store.ingest(tenant, count, { key: 'k' });
    await store.attempt(200, { endpointIds: [endpointId] });
    await store.retry(tenant, { deliveryIds: [first, ...others] }, { kind: 'replay' });
    return { endpointId, first, others };
  }

  test('are due again, all of them, when it has ended', async () => {
    const it = await replayed(3);
    await withTransaction(store.pool, (tx) => putOffBlocked(tx, LIVE_LANE, [it.endpointId]));
    for (const id of it.others) expect(await waiting(id)).toEqual(PUT_OFF);
    await store.attempt(200, { endpointIds: [it.endpointId] });
    expect(await dueNext(store.pool, [it.first])).toBe(true);
    for (const id of it.others) expect(await waiting(id)).toEqual(DUE);
  });

  test('are waited for where they are being put off at this moment', async () => {
    const it = await replayed(1);
    const [second = NO_ID] = it.others;
    const told = await toldWhilePutOff(it.endpointId, async () => {
      await store.rows(`update deliveries set state = 'ignored' where id = $1`, [it.first]);
      return dueNext(store.pool, [it.first]);
    });
    expect(told).toBe(true);
    expect(await waiting(second)).toEqual(DUE);
  });
});
