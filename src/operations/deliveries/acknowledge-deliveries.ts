import type { Id } from '../../domain/tenancy/typed-id.ts';
import { withTransaction } from '../../store/db/pool.ts';
import { dueNext } from '../../store/sending/ordering.ts';
import { type Acknowledged, acknowledge } from '../../store/settling/acknowledgements.ts';
import type { RecoveryDeps } from '../recovery-deps.ts';

/**
 * Takes the word of receivers that deliveries were processed, where known with the time that they signed; returns the fate
 * of each, by delivery.
 */
export async function acknowledgeDeliveries(
  { pool }: Pick<RecoveryDeps, 'pool'>,
  deliveryIds: Id<'delivery'>[],
  signedAt?: ReadonlyMap<Id<'delivery'>, Date>,
): Promise<Map<string, Acknowledged>> {
  const became = await withTransaction(pool, (db) => acknowledge(db, deliveryIds, signedAt));
  await dueNext(
    pool,
    [...became].flatMap(([deliveryId, what]) => (what === 'settled' ? [deliveryId] : [])),
  );
  return became;
}
