import { freezePage } from '../store/freeze.ts';
import { endSelection, lockSelection, moveSelection } from '../store/operation-progress.ts';
import { loadOperation } from '../store/operations.ts';
import type { Queryable } from '../store/queryable.ts';
import { partitionsOf } from '../store/selection-page.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import { freezeAfresh } from './freeze-afresh.ts';
import { settleRaced } from './settle-raced.ts';

/** Deliveries of one page: some tens of milliseconds of work, so that a pause takes effect between two of them. */
const PAGE = 5_000;

/**
 * Freezes the next page of an operation's selection and moves its cursor, in one transaction. False when the selection
 * has ended or may not go on.
 */
export async function freezeNextPage(db: Queryable, operationId: string, page = PAGE): Promise<boolean> {
  const cursor = await lockSelection(db, operationId);
  const operation = cursor && (await loadOperation(db, operationId));
  if (!cursor || !operation) return false;
  if ('afresh' in operation.selection) {
    const next = await freezeAfresh(db, operation, operation.selection, cursor);
    if (next) await moveSelection(db, operationId, next);
    else await endSelection(db, operationId);
    return next !== undefined;
  }
  const frozen = await freezePage(db, operation, cursor, page);
  if (frozen.raced.length > 0) await settleRaced(db, operation, frozen.raced);
  crashPoint('selecting');
  if (frozen.last && frozen.selected === page) {
    await moveSelection(db, operationId, { partition: cursor.partition, ...frozen.last });
    return true;
  }
  if (cursor.partition + 1 < partitionsOf(operation.selection).length) {
    await moveSelection(db, operationId, { partition: cursor.partition + 1 });
    return true;
  }
  await endSelection(db, operationId);
  return false;
}
