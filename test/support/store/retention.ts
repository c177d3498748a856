import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { type Pool, withTransaction } from '../../../src/store/db/pool.ts';
import { type RemovalSize, type Removed, removeEvents } from '../../../src/store/retention/remove-events.ts';
import { type SettingsChange, updateTenant } from '../../../src/store/tenancy/tenants.ts';
import type { TestStore, TestTenant } from './test-store.ts';

const SIZE: RemovalSize = { events: 50, deliveries: 200, waitMs: 2_000 };

/** Sets how long a tenant keeps things. */
export async function keepFor(store: TestStore, { id }: TestTenant, settings: SettingsChange): Promise<void> {
  await updateTenant(store.pool, id, { settings });
}

/** Makes events, or those of deliveries, as old as so many days. */
export async function age(
  store: TestStore,
  days: number,
  of: { events: Id<'event'>[] } | { deliveries: Id<'delivery'>[] },
): Promise<void> {
  const events = 'events' in of ? of.events : await eventsOf(store, of.deliveries);
  await store.pool.query(
    `with v as (
      update events set accepted_at = accepted_at - $2::int * interval '1 day' where id = any($1::uuid[])
    )
    update deliveries set accepted_at = accepted_at - $2::int * interval '1 day' where event_id = any($1::uuid[])`,
    [events, days],
  );
}

/** The events of deliveries, each once, in the order of their ids. */
export async function eventsOf(store: TestStore, deliveries: Id<'delivery'>[]): Promise<Id<'event'>[]> {
  const rows = await store.rows(
    'select distinct event_id from deliveries where id = any($1::uuid[]) order by 1',
    [deliveries],
  );
  return rows.map((row) => row.event_id);
}

/** Removes what may go now, batch by batch, and looks once more at everything that stayed; returns how many events went. */
export async function removeAll(
  pool: Pool,
  { id }: TestTenant,
  size: Partial<RemovalSize> = {},
): Promise<number> {
  let events = 0;
  for (let left = 100; left > 0; left -= 1) {
    const removed = await removeOnce(pool, id, size);
    if (!removed?.more) return events;
    events += removed.events;
  }
  throw new Error('a removal comes to no end');
}

/** One removal. */
export function removeOnce(
  pool: Pool,
  tenantId: Id<'tenant'>,
  size: Partial<RemovalSize> = {},
): Promise<Removed | undefined> {
  return withTransaction(pool, (tx) => removeEvents(tx, tenantId, { ...SIZE, ...size }), { lookUps: true });
}
