import { expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { bringToEnd } from '../../../src/operations/close-operation.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { erasePayload, expirePayloads } from '../../../src/store/settling/payload-retention.ts';
import { closingContext } from '../../support/store/close-operation.ts';
import { plansOf } from '../../support/store/plans.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();

/** Failed deliveries whose payloads are over their term of a day by so much. */
async function overdue(by: string[]) {
  const tenant = await store.newTenant();
  const endpointId = await store.newEndpoint(tenant);
  await store.rows(`update tenants set settings = '{"payloadRetentionDays": 1}' where id = $1`, [tenant.id]);
  const ids = await store.ingest(tenant, by.length);
  await store.attempt(404, { endpointIds: [endpointId] });
  for (const [n, each] of by.entries())
    await store.rows(
      `with d as (update deliveries set accepted_at = now() - interval '1 day' - $2::interval where id = $1 returning event_id, accepted_at)
       update events v set accepted_at = d.accepted_at from d where v.id = d.event_id`,
      [ids[n], each],
    );
  const kept = async (): Promise<Id<'delivery'>[]> => {
    for (let round = 0; round < 2; round += 1)
      await withTransaction(store.pool, (tx) => expirePayloads(tx, tenant.id, 100));
    const rows = await store.rows(
      'select d.id from deliveries d join payloads b on b.event_id = d.event_id where d.tenant_id = $1 order by d.id',
      [tenant.id],
    );
    return rows.map(({ id }) => id);
  };
  return { tenant, plans: plansOf(store, tenant), ids, kept };
}

test('a plan keeps the payloads of its span for a week past their term, until it ends; an erasure is an erasure', async () => {
  const { tenant, plans, ids, kept } = await overdue(['8 days', '3 days', '2 days', '1 day']);
  const { operationId } = await plans.make({ deliveryIds: ids.slice(0, 3) });
  // The first is past the week, the last is behind the span.
  expect(await kept()).toEqual(ids.slice(1, 3));
  const [{ event_id: eventId }] = await store.rows('select event_id from deliveries where id = $1', [ids[2]]);
  await erasePayload(store.pool, tenant.id, eventId);
  expect(await kept()).toEqual(ids.slice(1, 2));
  await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' });
  await bringToEnd(closingContext(store.pool), operationId, new AbortController().signal);
  expect(await kept()).toEqual([]);
});

test('a dry run keeps nothing', async () => {
  const { plans, ids, kept } = await overdue(['1 hour']);
  await plans.make({ deliveryIds: ids }, { plan: 'dry_run' });
  expect(await kept()).toEqual([]);
});
