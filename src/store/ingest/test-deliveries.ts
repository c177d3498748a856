import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../db/queryable.ts';

/** Marks the deliveries of an event as ones that try their endpoints, in the transaction that accepts it; returns them. */
export async function markTest(tx: Transaction, eventId: Id<'event'>): Promise<Id<'delivery'>[]> {
  const { rows } = await tx.query<{ id: Id<'delivery'> }>(
    'update deliveries set test = true where event_id = $1 returning id',
    [eventId],
  );
  return rows.map(({ id }) => id);
}
