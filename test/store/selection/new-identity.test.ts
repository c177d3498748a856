import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { showId } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { acknowledgeDeliveries } from '../../../src/operations/deliveries/acknowledge-deliveries.ts';
import { selectAgain } from '../../../src/operations/freeze-explicit.ts';
import { proveLine } from '../../../src/proof/closed-ledger.ts';
import { signAddenda } from '../../../src/proof/sign-addenda.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { pageOperationItems } from '../../../src/store/operations/operation-items.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { listAddenda } from '../../../src/store/proof/addenda.ts';
import { findDelivery } from '../../../src/store/reading/delivery-reads.ts';
import { freezePage } from '../../../src/store/selection/freeze.ts';
import { WHOLE } from '../../../src/store/selection/selection-page.ts';
import { erasePayload, expirePayloads } from '../../../src/store/settling/payload-retention.ts';
import { closeOperation, newSigner } from '../../support/store/close-operation.ts';
import { storedLines } from '../../support/store/ledger-lines.ts';
import { plansOf } from '../../support/store/plans.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** Replays under a new identity: a new delivery for each that is selected, which points to it. */

const store = useStore({ checked: true });
const NEW = { kind: 'replay', newIdentity: true } as const;
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
});

async function ended(ending: 200 | 404, count: number): Promise<Id<'delivery'>[]> {
  const ids = await store.ingest(tenant, count);
  await store.attempt(ending, { endpointIds: [endpointId] });
  return ids;
}

/** The new deliveries of an operation, each with the one that it points to. */
function madeBy(operationId: Id<'operation'>) {
  return store.rows(
    `select d.id, d.replay_of, d.state, e.operation_id, e.parent_id, d.order_key from deliveries d
     join executions e on e.delivery_id = d.id where d.operation_id = $1 order by d.replay_of`,
    [operationId],
  );
}

describe('a replay under a new identity', () => {
  test('sends a new delivery for each, which points to it; the first ones stay as they are', async () => {
    const ids = [...(await ended(404, 2)), ...(await ended(200, 1))];
    const before = await store.rows('select * from deliveries where id = any($1) order by id', [ids]);
    const { operationId, items } = await store.retry(tenant, { deliveryIds: ids }, NEW);
    const made = await madeBy(operationId);
    expect(made.map(({ replay_of }) => replay_of)).toEqual([...ids].sort());
    expect(new Set(made.map(({ parent_id }) => parent_id))).toEqual(new Set([null]));
    expect(items).toEqual(
      expect.arrayContaining(
        made.map(({ id, replay_of }) =>
          expect.objectContaining({ deliveryId: replay_of, newDeliveryId: id, became: 'queued' }),
        ),
      ),
    );
    await store.attempt(200, { endpointIds: [endpointId] });
    expect((await madeBy(operationId)).map(({ state }) => state)).toEqual(ids.map(() => 'delivered'));
    expect(await store.rows('select * from deliveries where id = any($1) order by id', [ids])).toEqual(
      before,
    );
    const [first] = made;
    expect(await findDelivery(store.pool, tenant.id, first.id)).toMatchObject({
      replayOf: first.replay_of,
      state: 'delivered',
    });
    expect(await findDelivery(store.pool, (await store.newTenant()).id, first.id)).toBeUndefined();
  });

  test('makes each of them once, however often its page is frozen', async () => {
    await ended(404, 7);
    const { operationId } = await store.retry(tenant, { filter: { state: ['failed'] } }, NEW);
    await store.select(operationId, 2);
    const operation = await loadOperation(store.pool, operationId);
    if (!operation) throw new Error('no operation');
    const again = () =>
      withTransaction(store.pool, (tx) => freezePage(tx, operation, { ...WHOLE, limit: 100 }));
    await Promise.all([again(), again(), again()]);
    expect(await madeBy(operationId)).toHaveLength(7);
    expect((await loadOperation(store.pool, operationId))?.counts).toMatchObject({
      expected: 7,
      queued: 7,
      excluded: 0,
    });
  });

  test('does not run after the deliveries that it makes, where its own filter matches them', async () => {
    await store.ingest(tenant, 3);
    await store.rows(
      `update executions set state = 'cancelled', reason = 'x', finished_at = now() where tenant_id = $1`,
      [tenant.id],
    );
    await store.rows(`update deliveries set state = 'cancelled' where tenant_id = $1`, [tenant.id]);
    const states = ['pending', 'cancelled'] as const;
    const { operationId } = await store.retry(tenant, { filter: { state: [...states] } }, NEW);
    await store.select(operationId, 1);
    expect((await loadOperation(store.pool, operationId))?.counts).toMatchObject({ expected: 3, queued: 3 });
  });

  test('joins what is open under the old identity, and makes it new where that was cancelled unsent', async () => {
    const ids = await ended(404, 1);
    const other = await store.retry(tenant, { deliveryIds: ids }, { options: { ratePerSecond: 1 } });
    const { operationId } = await store.retry(tenant, { deliveryIds: ids }, NEW);
    expect(await madeBy(operationId)).toEqual([]);
    const line = async () => (await pageOperationItems(store.pool, operationId, { limit: 9 })).items;
    expect(await line()).toMatchObject([{ kind: 'exclusion', reason: 'coalesced' }]);
    await controlOperation(store.deps, tenant.id, other.operationId, { do: 'cancel' });
    await withTransaction(store.pool, (tx) => cancelUnsent(tx, other.operationId, 9));
    const operation = await loadOperation(store.pool, operationId);
    if (!operation) throw new Error('no operation');
    expect(await withTransaction(store.pool, (tx) => selectAgain(tx, operation, 9))).toBe(1);
    expect(await madeBy(operationId)).toMatchObject([{ replay_of: ids[0] }]);
    expect(await line()).toMatchObject([{ kind: 'item', deliveryId: ids[0] }]);
  });

  test('is itself retried as what it is: a delivery with an id of its own', async () => {
    const ids = await ended(404, 1);
    const { operationId } = await store.retry(tenant, { deliveryIds: ids }, NEW);
    await store.attempt(404, { endpointIds: [endpointId] });
    const [made] = await madeBy(operationId);
    await closeOperation(store.pool, operationId);
    const retried = await store.retry(tenant, { failuresOf: operationId });
    await store.select(retried.operationId);
    const { items } = await pageOperationItems(store.pool, retried.operationId, { limit: 9 });
    expect(items).toMatchObject([{ kind: 'item', deliveryId: made.id }]);
    expect(items[0]).not.toHaveProperty('newDeliveryId');
    const twice = await store.retry(tenant, { deliveryIds: ids }, NEW);
    expect(await madeBy(twice.operationId)).toMatchObject([{ replay_of: ids[0] }]);
  });

  test('keeps the payload while it is open, and loses the answers of its receiver with it', async () => {
    const ids = await ended(404, 1);
    const { operationId } = await store.retry(tenant, { deliveryIds: ids }, NEW);
    await store.rows(`update tenants set settings = '{"payloadRetentionDays": 1}' where id = $1`, [
      tenant.id,
    ]);
    await store.rows(`update events set accepted_at = now() - interval '2 days' where tenant_id = $1`, [
      tenant.id,
    ]);
    await store.rows('insert into payload_sweeps (tenant_id) values ($1) on conflict do nothing', [
      tenant.id,
    ]);
    const sweep = () => withTransaction(store.pool, (tx) => expirePayloads(tx, tenant.id, 10));
    expect((await sweep()).removed).toBe(0);
    await store.attempt(200, { endpointIds: [endpointId] });
    const excerpts = () =>
      store.rows(
        `select a.response_excerpt is not null as kept from attempts a join executions e on e.id = a.execution_id
         where e.operation_id = $1`,
        [operationId],
      );
    await store.rows(`update attempts set response_excerpt = 'x' where tenant_id = $1`, [tenant.id]);
    expect(await excerpts()).toEqual([{ kept: true }]);
    const [event] = await store.rows('select event_id from deliveries where id = any($1)', [ids]);
    await erasePayload(store.pool, tenant.id, event.event_id);
    expect(await excerpts()).toEqual([{ kept: false }]);
  });

  test('goes by the planned ids in plan, ledger, proof and addenda; each line names both', async () => {
    const ids = await ended(404, 3);
    const plans = plansOf(store, tenant);
    const plan = await plans.make({ filter: { state: ['failed'] } }, NEW);
    const same = await plans.make({ filter: { state: ['failed'] } }, { kind: 'replay' });
    expect(plan.planned?.itemsDigest).toBe(same.planned?.itemsDigest);
    expect(plan.planned?.planHash).not.toBe(same.planned?.planHash);
    expect((await plans.execute(plan)).ok).toBe(true);
    expect(await plans.freeze(plan)).toBe(true);
    const { operationId } = plan;
    const made = await madeBy(operationId);
    const [late] = made;
    await store.record(await store.claim({ workedBy: operationId, endpointIds: [endpointId] }), (item) =>
      item.deliveryId === late.id ? 404 : 200,
    );
    await closeOperation(store.pool, operationId);
    const lines = (await storedLines(store.pool, operationId)).map((line) => JSON.parse(line));
    expect(lines.map(({ deliveryId }) => deliveryId).sort()).toEqual(
      ids.map((id) => showId('delivery', id)).sort(),
    );
    for (const { id, replay_of } of made) {
      const proofs = await Promise.all(
        [id, replay_of].map((each) => proveLine(store.pool, operationId, each, (act) => act())),
      );
      expect(proofs[0]).toEqual(proofs[1]);
      expect(JSON.parse(proofs[0]?.line ?? '')).toMatchObject({
        deliveryId: showId('delivery', replay_of),
        newDeliveryId: showId('delivery', id),
      });
    }
    await acknowledgeDeliveries(store.deps, [late.id]);
    await signAddenda(store.pool, newSigner(), new AbortController().signal);
    const [addendum] = await listAddenda(store.pool, tenant.id, operationId, { limit: 1 });
    const { payload } = JSON.parse(addendum?.jws ?? '');
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString()).items).toMatchObject([
      {
        deliveryId: showId('delivery', late.replay_of),
        newDeliveryId: showId('delivery', late.id),
        from: 'failed',
        to: 'delivered',
      },
    ]);
  });
});

test('no delivery says that an operation made it without saying of which', async () => {
  const [id] = await ended(404, 1);
  await expect(
    store.rows('update deliveries set operation_id = uuidv7() where id = $1', [id]),
  ).rejects.toThrow('deliveries_new_identity');
});
