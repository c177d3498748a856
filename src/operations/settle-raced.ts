import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { excludeChanged } from '../store/selection/exclusions.ts';
import { type FrozenOperation, freezePage } from '../store/selection/freeze.ts';
import { WHOLE } from '../store/selection/selection-page.ts';

/** How often deliveries that change hands while they are frozen are looked at again. */
const RACE_ROUNDS = 5;

/**
 * Decides again deliveries that changed hands while they were being frozen; excludes those that do so each time. With
 * `moved` they are those of a plan, of which these endpoints have another address.
 */
export async function settleRaced(
  tx: Transaction,
  operation: FrozenOperation,
  raced: Id<'delivery'>[],
  { again = false, moved }: { again?: boolean; moved?: Id<'endpoint'>[] } = {},
): Promise<void> {
  let left = raced;
  for (let round = 0; left.length > 0 && round < RACE_ROUNDS; round++)
    left = (
      await freezePage(tx, operation, WHOLE, {
        only: left,
        again,
        ...(moved ? { planned: { ids: left, moved } } : {}),
      })
    ).raced;
  if (left.length > 0) await excludeChanged(tx, operation, left);
}
