import { type Acknowledged, acknowledge } from '../store/acknowledgements.ts';
import { withTransaction } from '../store/pool.ts';
import type { RecoveryDeps } from './recovery-deps.ts';

/** Takes the word of receivers that deliveries were processed; what became of each, by delivery. */
export function acknowledgeDeliveries(
  { pool }: Pick<RecoveryDeps, 'pool'>,
  deliveryIds: string[],
): Promise<Map<string, Acknowledged>> {
  return withTransaction(pool, (db) => acknowledge(db, deliveryIds));
}
