import { beforeEach, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { settleExpiredClaims } from '../../../src/operations/settle-expired.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { takeDueProbes } from '../../../src/store/sending/probes.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import { ENDPOINT, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** An attempt that was lost with its sender is none of the receiver's. */

const ONCE = { ...ENDPOINT.retry, maxAttempts: 1 };
const store = useStore({ connections: 4 });
let tenant: TestTenant;

beforeEach(async () => {
  tenant = await store.newTenant();
});

/** Has due items claimed by a sender that is never heard of again. */
async function lose(endpointId: Id<'endpoint'>): Promise<void> {
  expect((await store.claim({ endpointIds: [endpointId] })).items).toHaveLength(1);
  await store.leasesEnd();
  await settleExpiredClaims(store.pool);
  await store.timePasses();
}

async function executionOf(id: string) {
  const [row] = await store.rows(
    `select state, reason, attempts, lost_attempts, may_have_arrived from executions where delivery_id = $1
     order by id desc limit 1`,
    [id],
  );
  return row;
}

test('a single attempt that was lost is made again, and the answer to that one counts', async () => {
  const endpointId = await store.newEndpoint(tenant, { retry: ONCE });
  const [id = NO_ID] = await store.ingest(tenant, 1);
  await lose(endpointId);
  expect(await executionOf(id)).toMatchObject({ state: 'scheduled', attempts: 1, lost_attempts: 1 });
  await store.attempt(500, { endpointIds: [endpointId] });
  expect(await executionOf(id)).toMatchObject({
    state: 'failed',
    reason: 'exhausted',
    attempts: 2,
    lost_attempts: 1,
    may_have_arrived: true,
  });
});

test('three lost attempts in a row are made again and the fourth is not; an answer in between starts the count again', async () => {
  const endpointId = await store.newEndpoint(tenant, { retry: { ...ONCE, maxAttempts: 2 } });
  const [id = NO_ID] = await store.ingest(tenant, 1);
  for (let n = 1; n <= 3; n++) await lose(endpointId);
  await store.attempt(500, { endpointIds: [endpointId] });
  await store.timePasses();
  for (let n = 1; n <= 3; n++) {
    await lose(endpointId);
    expect(await executionOf(id)).toMatchObject({ state: 'scheduled', attempts: 4 + n });
  }
  await lose(endpointId);
  expect(await executionOf(id)).toMatchObject({ state: 'failed', reason: 'exhausted', attempts: 8 });
});

test.each(['hold', 'probe'] as const)('a lost attempt is unknown under %s', async (onAmbiguous) => {
  const probe = { urlTemplate: 'http://127.0.0.1:9/{deliveryId}', processedField: 'done' };
  const endpointId = await store.newEndpoint(tenant, { retry: ONCE, onAmbiguous, probe });
  const [id = NO_ID] = await store.ingest(tenant, 1);
  await lose(endpointId);
  expect(await executionOf(id)).toMatchObject({ state: 'unknown', attempts: 1 });
  if (onAmbiguous === 'hold') return;
  // Were it not received, it would not be given up for that: the receiver has had none of its attempts.
  await store.rows(`update executions set probe_at = now() - interval '1 second' where delivery_id = $1`, [
    id,
  ]);
  expect(await takeDueProbes(store.pool, 10, 1_000)).toMatchObject([{ deliveryId: id, attempts: 0 }]);
});

test('an item that a cancel gives back to the live lane has lost no more attempts than before', async () => {
  const endpointId = await store.newEndpoint(tenant, { retry: ONCE });
  const [id = NO_ID] = await store.ingest(tenant, 1);
  await lose(endpointId);
  const { operationId } = await store.retry(
    tenant,
    { deliveryIds: [id] },
    { options: { takeOverScheduled: true } },
  );
  await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' });
  await withTransaction(store.pool, (db) => cancelUnsent(db, operationId, 10));
  expect(await executionOf(id)).toMatchObject({ state: 'scheduled', attempts: 1, lost_attempts: 1 });
});
