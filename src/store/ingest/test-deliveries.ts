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

/** Marks the deliveries of events to some endpoints as tests, in the transaction that accepts the events. */
export async function markTestsAt(
  tx: Transaction,
  eventIds: readonly Id<'event'>[],
  endpointIds: readonly Id<'endpoint'>[],
): Promise<void> {
  await tx.query(
    'update deliveries set test = true where event_id = any($1::uuid[]) and endpoint_id = any($2::uuid[])',
    [eventIds, endpointIds],
  );
}
