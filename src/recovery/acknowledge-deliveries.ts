import { type Acknowledged, acknowledge } from '../store/acknowledgements.ts';
import { dueNext } from '../store/ordering.ts';
import { withTransaction } from '../store/pool.ts';
import type { RecoveryDeps } from './recovery-deps.ts';

/** Takes the word of receivers that deliveries were processed; what became of each, by delivery. */
export async function acknowledgeDeliveries(
  { pool }: Pick<RecoveryDeps, 'pool'>,
  deliveryIds: string[],
): Promise<Map<string, Acknowledged>> {
  const became = await withTransaction(pool, (db) => acknowledge(db, deliveryIds));
  await dueNext(
    pool,
    [...became].flatMap(([deliveryId, what]) => (what === 'settled' ? [deliveryId] : [])),
  );
  return became;
}
