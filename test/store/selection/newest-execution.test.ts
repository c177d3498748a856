import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { freezePage } from '../../../src/store/selection/freeze.ts';
import { WHOLE } from '../../../src/store/selection/selection-page.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const FAILED = { state: ['failed' as const], newest: { states: ['failed' as const] } };

const store = useStore();
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeAll(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant, {
    retry: { maxAttempts: 1, initialMs: 0, factor: 1, capMs: 0 },
  });
});

async function failedOne(): Promise<{ deliveryId: Id<'delivery'>; executionId: Id<'execution'> }> {
  const [deliveryId] = await store.ingest(tenant, 1);
  await store.attempt(500, { endpointIds: [endpointId] });
  const [row] = await store.rows('select id from executions where delivery_id = $1', [deliveryId]);
  return { deliveryId: deliveryId ?? NO_ID, executionId: row.id };
}

describe('a retry of an execution', () => {
  test('that another retry has made a child of meanwhile does not retry that child', async () => {
    const { deliveryId, executionId } = await failedOne();
    const { operationId } = await store.retry(tenant, { filter: FAILED });
    await store.retry(tenant, { deliveryIds: [deliveryId] });
    await store.attempt(500, { endpointIds: [endpointId] });
    const operation = await loadOperation(store.pool, operationId);
    if (!operation) throw new Error('the operation is not there');
    const named = { filter: { ...FAILED, newest: { ...FAILED.newest, ids: [executionId] } } };
    // As when it lost the race for the child: it decides again, with the child there, failed already.
    await withTransaction(store.pool, (db) =>
      freezePage(db, { ...operation, selection: named }, WHOLE, { only: [deliveryId] }),
    );
    expect(await store.rows('select from executions where operation_id = $1', [operationId])).toEqual([]);
    await store.rows('delete from executions; delete from deliveries');
  });

  test('reads each state by itself, over pages, without missing or repeating anything', async () => {
    const ids = new Set<string>();
    for (let n = 0; n < 6; n++) ids.add((await failedOne()).deliveryId);
    await store.rows(`update endpoints set state = 'disabled', disabled_reason = 'operator' where id = $1`, [
      endpointId,
    ]);
    for (const id of await store.ingest(tenant, 5)) ids.add(id);
    await store.rows(`update endpoints set state = 'enabled', disabled_reason = null where id = $1`, [
      endpointId,
    ]);
    const { operationId } = await store.retry(tenant, {
      filter: { state: ['failed', 'ignored', 'cancelled'], newest: { states: ['failed', 'ignored'] } },
    });
    await store.select(operationId, 2);
    const rows = await store.rows('select delivery_id from executions where operation_id = $1', [
      operationId,
    ]);
    expect(rows).toHaveLength(11);
    expect(new Set(rows.map((row) => row.delivery_id))).toEqual(ids);
    await store.rows('delete from executions; delete from deliveries');
  });

  test('that is a suppressed duplicate is ignored again as its child, and never sent', async () => {
    const event = { externalId: 'once' };
    await store.ingest(tenant, 1, event);
    await store.attempt(200, { endpointIds: [endpointId] });
    const [deliveryId] = await store.ingest(tenant, 1, event);
    const [repeat] = await store.rows('select id, state, reason from executions where delivery_id = $1', [
      deliveryId,
    ]);
    expect(repeat).toMatchObject({ state: 'ignored', reason: 'suppressed_duplicate' });
    const selection = {
      filter: { state: ['ignored' as const], newest: { ids: [repeat.id], states: ['ignored' as const] } },
    };
    expect((await store.retry(tenant, selection)).items).toMatchObject([{ reason: 'suppressed_duplicate' }]);
    await store.retry(tenant, selection, { options: { matchFilter: true } });
    const held = await store.claim({ endpointIds: [endpointId] });
    expect([held.items, held.withoutPayload]).toEqual([[], []]);
    const rows = await store.rows(
      'select parent_id, state, reason from executions where delivery_id = $1 order by id',
      [deliveryId],
    );
    expect(rows).toEqual([
      { parent_id: null, state: 'ignored', reason: 'suppressed_duplicate' },
      { parent_id: repeat.id, state: 'ignored', reason: 'suppressed_duplicate' },
    ]);
    expect(
      await store.rows('select from deliveries where id = $1 and state = $2', [deliveryId, 'ignored']),
    ).toHaveLength(1);
  });
});
