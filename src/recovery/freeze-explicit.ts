import type { Operation } from '../domain/operation.ts';
import { excludeChanged, freezePage } from '../store/freeze.ts';
import { reopenCoalesced } from '../store/operation-progress.ts';
import type { Queryable } from '../store/queryable.ts';

type FrozenOperation = Parameters<typeof freezePage>[1];

/** How often deliveries that change hands while they are frozen are looked at again. */
const RACE_ROUNDS = 5;

/** Decides again, with fresh eyes, what changed hands while it was being frozen; what will not hold still is excluded. */
export async function settleRaced(
  db: Queryable,
  operation: FrozenOperation,
  raced: string[],
  { again = false }: { again?: boolean } = {},
): Promise<void> {
  let left = raced;
  for (let round = 0; left.length > 0 && round < RACE_ROUNDS; round++)
    left = (await freezePage(db, operation, { partition: 0 }, left.length, { only: left, again })).raced;
  if (left.length > 0) await excludeChanged(db, operation.id, operation.tenantId, left);
}

/** Freezes an explicit list whole, inside the transaction that accepts its operation. */
export async function freezeExplicit(db: Queryable, operation: Operation): Promise<void> {
  const { raced } = await freezePage(db, operation, { partition: 0 }, 0);
  await settleRaced(db, operation, raced);
}

/**
 * Selects once more up to `limit` coalesced items whose joined execution ended cancelled unsent; returns how many. What
 * that cancel, or anything since, made of them does not exclude them: the operation had selected them in time.
 */
export async function selectAgain(db: Queryable, operation: FrozenOperation, limit: number): Promise<number> {
  const stranded = await reopenCoalesced(db, operation.id, limit);
  await settleRaced(db, operation, stranded, { again: true });
  return stranded.length;
}
