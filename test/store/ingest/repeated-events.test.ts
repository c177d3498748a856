import { describe, expect, test } from '@jest/globals';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { repeatEvent } from '../../../src/surfaces/stedi/store/repeated-events.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();

describe('an event that repeats another', () => {
  test('has a delivery for each endpoint that had the old one, and a retry that matches afresh makes no further', async () => {
    const tenant = await store.newTenant();
    const ends = [await store.newEndpoint(tenant), await store.newEndpoint(tenant)];
    const ids = await store.ingest(tenant, 1);
    await store.attempt(500, { endpointIds: ends });
    const [{ event_id: eventId }] = await store.rows('select event_id from deliveries where id = $1', [
      ids[0],
    ]);
    await store.newEndpoint(tenant, { eventTypes: ['other.*'] });
    const repeated = await withTransaction(store.pool, (db) => repeatEvent(db, tenant.id, eventId));
    if (!repeated.ok) throw new Error(repeated.why);
    expect(repeated.queued).toBe(2);
    const own = () =>
      store.rows(
        'select endpoint_id, replay_of, state from deliveries where event_id = $1 order by replay_of',
        [repeated.eventId],
      );
    expect(await own()).toEqual(
      [...ids].sort().map((id) => expect.objectContaining({ replay_of: id, state: 'pending' })),
    );
    await store.attempt(404, { endpointIds: ends });
    const { items } = await store.retry(tenant, { afresh: { eventIds: [repeated.eventId] } });
    expect(items.map(({ became }) => became)).toEqual(['queued', 'queued']);
    expect(await own()).toHaveLength(2);
    const numbers = await store.rows('select number from events where tenant_id = $1 order by number', [
      tenant.id,
    ]);
    expect(numbers).toEqual([{ number: 1 }, { number: 2 }]);
  });

  test('is not made of another tenant’s event', async () => {
    const [ours, theirs] = [await store.newTenant(), await store.newTenant()];
    const endpointId = await store.newEndpoint(theirs);
    const [deliveryId] = await store.ingest(theirs, 1);
    await store.attempt(200, { endpointIds: [endpointId] });
    const [{ event_id: eventId }] = await store.rows('select event_id from deliveries where id = $1', [
      deliveryId,
    ]);
    expect(await withTransaction(store.pool, (db) => repeatEvent(db, ours.id, eventId))).toEqual({
      ok: false,
      why: 'unknown',
    });
  });
});
