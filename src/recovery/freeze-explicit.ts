import type { Operation } from '../domain/operation.ts';
import { excludeChanged, freezePage } from '../store/freeze.ts';
import type { Queryable } from '../store/queryable.ts';

/** How often deliveries that change hands while they are frozen are looked at again. */
const RACE_ROUNDS = 5;

/** Decides again, with fresh eyes, what changed hands while it was being frozen; what will not hold still is excluded. */
export async function settleRaced(
  db: Queryable,
  operation: Parameters<typeof freezePage>[1],
  raced: string[],
): Promise<void> {
  let left = raced;
  for (let round = 0; left.length > 0 && round < RACE_ROUNDS; round++)
    left = (await freezePage(db, operation, { partition: 0 }, left.length, left)).raced;
  if (left.length > 0) await excludeChanged(db, operation.id, operation.tenantId, left);
}

/** Freezes an explicit list whole, inside the transaction that accepts its operation. */
export async function freezeExplicit(db: Queryable, operation: Operation): Promise<void> {
  const { raced } = await freezePage(db, operation, { partition: 0 }, 0);
  await settleRaced(db, operation, raced);
}
