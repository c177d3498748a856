import { classify } from '../domain/sending/classification.ts';
import { decideNext } from '../domain/sending/decide-next.ts';
import { LOST_FAULT } from '../domain/sending/fault-code.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Pool } from '../store/db/pool.ts';
import { withTransaction } from '../store/db/pool.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { giveBackLost } from '../store/operations/canaries.ts';
import { isWithoutPartition } from '../store/partitions/without-partition.ts';
import { dueNext } from '../store/sending/ordering.ts';
import { forgetSlots } from '../store/sending/pacing.ts';
import { endClaims, recordOutcomes } from '../store/settling/outcomes.ts';
import { type LostItem, lockExpiredClaims } from '../store/settling/settlement.ts';
import { crashPoint } from '../telemetry/crash-points.ts';

const CLAIMS_AT_ONCE = 8;

/**
 * Settles claims whose lease has passed, of any sender: the attempt is recorded as ambiguous (`lease_lost`) and the
 * policy decides, exactly as if the sender had said so. Returns how many items were settled. A claim with an item whose
 * attempt finds no partition is left to a later round, and keeps no other waiting.
 */
export async function settleExpiredClaims(pool: Pool): Promise<number> {
  const left: string[] = [];
  for (let [settled, atOnce] = [0, CLAIMS_AT_ONCE]; ; ) {
    let tokens: string[] = [];
    try {
      const batch = await withTransaction(pool, async (db) => {
        const claims = await lockExpiredClaims(db, atOnce, left);
        tokens = claims.tokens;
        return settle(db, claims);
      });
      if (batch === undefined) return settled;
      await dueNext(pool, batch);
      settled += batch.length;
    } catch (error) {
      if (!isWithoutPartition(error)) throw error;
      if (atOnce === 1) left.push(...tokens);
      atOnce = 1;
    }
  }
}

const LOST = classify({ kind: 'faulted', fault: LOST_FAULT, mayHaveArrived: true, durationMs: 0 });

/** Settles claims that are locked; the deliveries of their items, undefined where there are no claims. */
async function settle(
  db: Transaction,
  { tokens, items }: { tokens: string[]; items: LostItem[] },
): Promise<Id<'delivery'>[] | undefined> {
  if (tokens.length === 0) return undefined;
  const recorded = await recordOutcomes(
    db,
    items.map((item) => ({
      executionId: item.executionId,
      deliveryId: item.deliveryId,
      token: item.token,
      classification: LOST,
      next: decideNext({
        outcome: LOST,
        attempts: item.attempts + 1,
        lost: item.lost,
        policy: item.policy,
        onAmbiguous: item.onAmbiguous,
        random: Math.random(),
      }),
      endpointVersion: item.version,
      durationMs: 0,
      reconcileWithinMs: item.reconcileWithinMs,
    })),
  );
  // Not those that their sender has recorded at the last moment, nor those that end by having been lost too often.
  await giveBackLost(
    db,
    recorded.filter(({ state }) => state === 'scheduled').map(({ executionId }) => executionId),
  );
  await forgetSlots(db, tokens);
  await endClaims(db, tokens);
  crashPoint('settling');
  return items.map(({ deliveryId }) => deliveryId);
}
