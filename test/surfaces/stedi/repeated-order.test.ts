import { expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { repeatEvent } from '../../../src/surfaces/stedi/store/repeated-events.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore({ checked: true });

const ONCE = { retry: { maxAttempts: 1, initialMs: 60_000, factor: 1, capMs: 60_000 } };

async function eventOf(deliveryId: Id<'delivery'> | undefined): Promise<Id<'event'>> {
  const [row] = await store.rows('select event_id from deliveries where id = $1', [deliveryId]);
  return row.event_id;
}

/** Delivers the first of three of a key, lets the second fail for good, and repeats the first. */
async function scene({ ordered, key }: { ordered: boolean; key?: string }) {
  const tenant = await store.newTenant();
  const endpointId = await store.newEndpoint(tenant, { ...ONCE, ordered });
  const here = { endpointIds: [endpointId] };
  const event = key === undefined ? {} : { key };
  const [first] = await store.ingest(tenant, 1, event);
  await store.attempt(200, here);
  const [second] = await store.ingest(tenant, 1, event);
  await store.attempt(422, here);
  const [third] = await store.ingest(tenant, 1, event);
  const eventId = await eventOf(first);
  const repeated = await withTransaction(store.pool, (tx) => repeatEvent(tx, tenant.id, eventId));
  const repeatId = repeated.ok ? repeated.eventId : NO_ID;
  const [{ id: repeat }] = await store.rows('select id from deliveries where event_id = $1', [repeatId]);
  const claimed = async () => {
    const claim = await store.claim({ grants: [{ endpointId, count: 1, ordered }] });
    await store.record(claim, 200);
    return claim.items.map(({ deliveryId }) => deliveryId);
  };
  return { tenant, second, third, repeat, claimed };
}

test('an event that is repeated waits for its turn in the order of its key', async () => {
  const { tenant, second, third, repeat, claimed } = await scene({ ordered: true, key: 'k' });
  // What failed for good is in the way of all of the key behind it.
  expect(await claimed()).toEqual([]);
  await store.retry(tenant, { deliveryIds: [second as Id<'delivery'>] });
  for (const next of [second, third, repeat]) {
    await store.timePasses();
    expect(await claimed()).toEqual([next]);
  }
});

test.each([
  ['an endpoint that is not ordered', { ordered: false, key: 'k' }],
  ['an event without a key', { ordered: true }],
])('of %s a repeat waits for nothing', async (_, of) => {
  const { third, repeat, claimed } = await scene(of);
  expect([await claimed(), await claimed()].flat().sort()).toEqual([third, repeat].sort());
});
