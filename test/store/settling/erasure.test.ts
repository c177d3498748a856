import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { erasePayloadOf } from '../../../src/operations/deliveries/erase-payload.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { putOffBlocked } from '../../../src/store/sending/ordering.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** A payload that is erased while deliveries of it wait. */

const GONE = { state: 'ignored', reason: 'payload_expired' };

const store = useStore({ checked: true });
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;
let poked: number;

beforeEach(async () => {
  tenant = await store.newTenant();
  poked = 0;
});

const pokeLiveLane = () => {
  poked += 1;
};

async function erase(deliveryId: string | undefined): Promise<void> {
  const [row] = await store.rows('select event_id from deliveries where id = $1', [deliveryId]);
  const deps = { pool: store.pool, pokeLiveLane };
  expect(await erasePayloadOf(deps, tenant.id, row.event_id, { actor: 'key_a' })).toBe(true);
}

const executionsOf = (deliveryId: string | undefined) =>
  store.rows(
    `select e.state, e.reason, e.attempts, e.finished_at is not null as ended, d.state as delivery
     from executions e join deliveries d on d.id = e.delivery_id where e.delivery_id = $1 order by e.id`,
    [deliveryId],
  );

describe('the erasure of a payload', () => {
  test('ends what waits at once, with the attempts that it has had', async () => {
    endpointId = await store.newEndpoint(tenant);
    const [tried, fresh] = await store.ingest(tenant, 2);
    await store.attempt(503, { endpointIds: [endpointId], count: 1 });
    for (const id of [tried, fresh]) await erase(id);
    expect(await executionsOf(tried)).toEqual([
      { state: 'ignored', reason: 'payload_expired', attempts: 1, ended: true, delivery: 'ignored' },
    ]);
    expect(await executionsOf(fresh)).toMatchObject([
      { state: 'ignored', reason: 'payload_expired', attempts: 0, delivery: 'ignored' },
    ]);
    await erase(fresh);
    expect(await executionsOf(fresh)).toHaveLength(1);
  });

  test('ends the items of operations, which count them, and replays under a new identity', async () => {
    endpointId = await store.newEndpoint(tenant);
    const [id = NO_ID] = await store.ingest(tenant, 1);
    await store.attempt(404, { endpointIds: [endpointId] });
    const replay = await store.retry(tenant, { deliveryIds: [id] }, { kind: 'replay', newIdentity: true });
    const retry = await store.retry(tenant, { deliveryIds: [id] });
    await erase(id);
    expect(await executionsOf(id)).toMatchObject([{ state: 'failed', delivery: 'failed' }, GONE]);
    for (const { operationId } of [replay, retry]) {
      const [item] = await store.rows('select state, reason from executions where operation_id = $1', [
        operationId,
      ]);
      expect(item).toEqual(GONE);
      const operation = await loadOperation(store.pool, operationId);
      expect(operation?.counts).toMatchObject({ expected: 1, queued: 0, ignored: 1 });
    }
  });

  test('leaves what is of unknown outcome, and what was delivered', async () => {
    endpointId = await store.newEndpoint(tenant, { onAmbiguous: 'hold' });
    const [unknown, delivered] = await store.ingest(tenant, 2);
    await store.attempt('timeout', { endpointIds: [endpointId], count: 1 });
    await store.attempt(200, { endpointIds: [endpointId], count: 1 });
    for (const id of [unknown, delivered]) await erase(id);
    expect(await executionsOf(unknown)).toMatchObject([{ state: 'unknown', delivery: 'unknown' }]);
    expect(await executionsOf(delivered)).toMatchObject([{ state: 'delivered', delivery: 'delivered' }]);
  });

  test('lets the next one of its key go', async () => {
    endpointId = await store.newEndpoint(tenant, { ordered: true });
    const [first, second] = await store.ingest(tenant, 2, { key: 'account-1' });
    await withTransaction(store.pool, (db) => putOffBlocked(db, LIVE_LANE, [endpointId]));
    await erase(first);
    expect(
      await store.rows('select put_off_from, due_at <= now() as due from executions where delivery_id = $1', [
        second,
      ]),
    ).toEqual([{ put_off_from: null, due: true }]);
    expect(poked).toBe(1);
  });
});
