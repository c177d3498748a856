import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Pool } from '../store/db/pool.ts';
import { withTransaction } from '../store/db/pool.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { codeOf, UNIQUE_VIOLATION } from '../store/db/sqlstate.ts';
import { moveSelection } from '../store/operations/operation-progress.ts';
import { endSelection, lockSelection } from '../store/operations/operation-states.ts';
import { loadOperation } from '../store/operations/operations.ts';
import { loadPlan } from '../store/plans/plans.ts';
import { type Frozen, type FrozenOperation, freezePage } from '../store/selection/freeze.ts';
import { partitionsOf, type SelectionCursor, type Stretch } from '../store/selection/selection-page.ts';
import { nextStretches } from '../store/selection/selection-stretches.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import { freezeAfresh } from './freeze-afresh.ts';
import { checkFrozen, freezePlanned } from './plans/freeze-plan.ts';
import { settleRaced } from './settle-raced.ts';

/** How much is frozen before an operation is asked again whether it may go on. */
export interface FreezeSteps {
  /** Deliveries of one page: some tens of milliseconds of work, so that a pause takes effect between two of them. */
  page?: number;
  /**
   * Pages that are frozen at the same time, each on a connection of its own, apart from the one that holds the
   * operation.
   */
  pages?: number;
}

const PAGE = 5_000;

/**
 * Freezes the next pages of an operation's selection and moves its cursor. False when the selection has ended or may
 * not go on. The operation stays locked meanwhile. A single page is one transaction with the move; pages that are
 * frozen together are committed before it, and after a crash met again as the operation's own.
 */
export function freezeNext(
  pool: Pool,
  operationId: Id<'operation'>,
  { page = PAGE, pages = 1 }: FreezeSteps = {},
): Promise<boolean> {
  return withTransaction(pool, async (db) => {
    const cursor = await lockSelection(db, operationId);
    const operation = cursor && (await loadOperation(db, operationId));
    if (!cursor || !operation) return false;
    const plan = await loadPlan(db, operationId);
    if (plan) {
      const next = await freezePlanned(db, operation, plan, cursor);
      const frozen = next === undefined ? await loadOperation(db, operationId) : undefined;
      if (frozen) checkFrozen(plan, frozen);
      return move(db, operationId, next);
    }
    if ('afresh' in operation.selection) {
      const { next } = await freezeAfresh(db, operation, operation.selection, cursor);
      return move(db, operationId, next);
    }
    const stretches = await nextStretches(db, operation, cursor, page, pages);
    const nexts =
      stretches.length === 1
        ? [await freezeStretch(db, operation, stretches[0] as Stretch)]
        : // Not on this connection: it would hold the counts, for which the others wait, until they have ended.
          await allOf(
            stretches.map((stretch) =>
              withTransaction(pool, (own) => freezeStretch(own, operation, stretch)),
            ),
          );
    crashPoint('selecting');
    return move(db, operationId, nexts.at(-1));
  });
}

/** Freezes a stretch and returns where the next one begins; undefined at the end. */
async function freezeStretch(
  tx: Transaction,
  operation: FrozenOperation,
  stretch: Stretch,
): Promise<SelectionCursor | undefined> {
  const { last, selected, raced } = await freezeUnopposed(tx, operation, stretch);
  if (raced.length > 0) await settleRaced(tx, operation, raced);
  const { partition } = stretch.after;
  if (last && selected === stretch.limit) return { partition, ...last };
  return partition + 1 < partitionsOf(operation.selection).length ? { partition: partition + 1 } : undefined;
}

/** Freezes a stretch as if nobody else worked on its deliveries; where somebody does, once more with regard to that. */
async function freezeUnopposed(
  tx: Transaction,
  operation: FrozenOperation,
  stretch: Stretch,
): Promise<Frozen> {
  await tx.query('savepoint unopposed');
  try {
    const frozen = await freezePage(tx, operation, stretch, { unopposed: true });
    await tx.query('release savepoint unopposed');
    return frozen;
  } catch (error) {
    if (codeOf(error) !== UNIQUE_VIOLATION) throw error;
    await tx.query('rollback to savepoint unopposed');
    return freezePage(tx, operation, stretch);
  }
}

async function move(
  tx: Transaction,
  operationId: Id<'operation'>,
  next: SelectionCursor | undefined,
): Promise<boolean> {
  if (next) await moveSelection(tx, operationId, next);
  else await endSelection(tx, operationId);
  return next !== undefined;
}

/** Waits for every one, also when one has failed: none may still be at work when the operation is let go. */
async function allOf<Result>(running: Promise<Result>[]): Promise<Result[]> {
  await Promise.allSettled(running);
  return Promise.all(running);
}
