import type { Operation } from '../domain/operations/operation.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { reopenCoalesced } from '../store/operations/operation-progress.ts';
import { excludeUnretried, type FrozenOperation, freezePage } from '../store/selection/freeze.ts';
import { type SelectionCursor, WHOLE } from '../store/selection/selection-page.ts';
import { freezeAfresh } from './freeze-afresh.ts';
import { settleRaced } from './settle-raced.ts';

/** Freezes an explicit list whole, inside the transaction that accepts its operation. */
export async function freezeExplicit(tx: Transaction, operation: Operation): Promise<void> {
  if ('afresh' in operation.selection) {
    let cursor: SelectionCursor | undefined = { partition: 0 };
    while (cursor) cursor = await freezeAfresh(tx, operation, operation.selection, cursor);
    return;
  }
  const { raced } = await freezePage(tx, operation, WHOLE);
  await settleRaced(tx, operation, raced);
  const named = 'filter' in operation.selection ? operation.selection.filter.newest?.ids : undefined;
  if (named) await excludeUnretried(tx, operation.id, operation.tenantId, named);
}

/**
 * Selects once more up to `limit` coalesced deliveries whose joined execution ended cancelled unsent; returns how many.
 * Neither that cancel nor a later change excludes them: the operation had selected them in time.
 */
export async function selectAgain(
  tx: Transaction,
  operation: FrozenOperation,
  limit: number,
): Promise<number> {
  const stranded = await reopenCoalesced(tx, operation.id, limit);
  await settleRaced(tx, operation, stranded, { again: true });
  return stranded.length;
}
