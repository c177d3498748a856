import type { Operation } from '../domain/operations/operation.ts';
import type { Plan } from '../domain/operations/plan.ts';
import { HOLD_EXPIRES_MS } from '../domain/policy/hold.ts';
import type { QuotaExceeded } from '../domain/policy/quotas.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { reopenCoalesced } from '../store/operations/operation-progress.ts';
import { loadOperation } from '../store/operations/operations.ts';
import { loadPlan } from '../store/plans/plans.ts';
import { holdItems } from '../store/policy/holds.ts';
import { excludeUnretried } from '../store/selection/exclusions.ts';
import { type FrozenOperation, freezePage } from '../store/selection/freeze.ts';
import { type SelectionCursor, WHOLE } from '../store/selection/selection-page.ts';
import { freezeAfresh } from './freeze-afresh.ts';
import { freezePlanned } from './plans/freeze-plan.ts';
import { planNextIn } from './plans/make-plan.ts';
import { settleRaced } from './settle-raced.ts';

/** Freezes an explicit list whole, inside the transaction that accepts its operation. */
export async function freezeExplicit(tx: Transaction, operation: Operation): Promise<void> {
  if ('afresh' in operation.selection) {
    let cursor: SelectionCursor | undefined = { partition: 0 };
    while (cursor) ({ next: cursor } = await freezeAfresh(tx, operation, operation.selection, cursor));
    return;
  }
  const { raced } = await freezePage(tx, operation, WHOLE);
  await settleRaced(tx, operation, raced);
  await excludeNamed(tx, operation);
}

/**
 * Plans an explicit list and lets the policy judge it, inside the same transaction, before its items are made; where it
 * waits for somebody, they are stopped. Returns the ceilings of the installation that it exceeds, which no approval helps.
 */
export async function freezeJudged(tx: Transaction, operationId: Id<'operation'>): Promise<QuotaExceeded[]> {
  let beyond: QuotaExceeded[] = [];
  const judged = (over: QuotaExceeded[]) => {
    beyond = over;
  };
  while (await planNextIn(tx, operationId, { judged }));
  const operation = await loadOperation(tx, operationId);
  const plan = await loadPlan(tx, operationId);
  if (!operation || !plan) throw new Error('an operation that was just planned is not there');
  // What is matched afresh has its items since it was planned.
  if ('afresh' in operation.selection) return beyond;
  let cursor: SelectionCursor | undefined = { partition: 0 };
  while (cursor) cursor = await freezePlanned(tx, operation, await mustPlan(tx, plan), cursor);
  await excludeNamed(tx, operation);
  if (operation.state === 'awaiting_approval') await holdItems(tx, operationId, HOLD_EXPIRES_MS);
  return beyond;
}

/** Of executions that were named those that are not retried are told of, too. */
async function excludeNamed(tx: Transaction, { id, tenantId, selection }: Operation): Promise<void> {
  const named = 'filter' in selection ? selection.filter.newest?.ids : undefined;
  if (named) await excludeUnretried(tx, id, tenantId, named);
}

/** The plan as it is now: its drift grows page by page. */
async function mustPlan(tx: Transaction, plan: Plan): Promise<Plan> {
  return (await loadPlan(tx, plan.operationId)) ?? plan;
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
