import { createHash } from 'node:crypto';
import type { Operation } from '../../domain/operations/operation.ts';
import { hashedText, type Plan, planIdentity } from '../../domain/operations/plan.ts';
import { isExplicit } from '../../domain/operations/selection.ts';
import type { QuotaExceeded } from '../../domain/policy/quotas.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Pool } from '../../store/db/pool.ts';
import { withTransaction } from '../../store/db/pool.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import { moveSelection, selectionCursor } from '../../store/operations/operation-progress.ts';
import { awaitExecution, endSelection } from '../../store/operations/operation-states.ts';
import { loadOperation } from '../../store/operations/operations.ts';
import {
  eachPlanned,
  endpointVersionsOf,
  type PlannedStretch,
  planStretch,
  removeRepeats,
} from '../../store/plans/plan-pages.ts';
import { growPlan, loadPlan, lockPlan, writePlanned } from '../../store/plans/plans.ts';
import { ledgerOfEvents } from '../../store/selection/fresh-matches.ts';
import { partitionsOf, type SelectionCursor } from '../../store/selection/selection-page.ts';
import { crashPoint } from '../../telemetry/crash-points.ts';
import { type AfreshSelection, freezeAfresh } from '../freeze-afresh.ts';
import { judgeStarted } from '../policy/judge-operation.ts';

const STRETCH = 5_000;

/** Whether an operation is a plan that is still being made. */
export async function isBeingPlanned(pool: Pool, operationId: Id<'operation'>): Promise<boolean> {
  const operation = await loadOperation(pool, operationId);
  return operation?.state === 'planned' && (await loadPlan(pool, operationId))?.planned === undefined;
}

/**
 * Makes the next pages of a plan and moves its cursor, in one transaction; behind the last one it computes the identity of
 * the plan, which waits from then on. False when nothing is left to do, or it may not go on.
 */
export function planNext(pool: Pool, operationId: Id<'operation'>, stretch = STRETCH): Promise<boolean> {
  return withTransaction(pool, (tx) => planNextIn(tx, operationId, { stretch }));
}

/** The same in a transaction of the caller's, who is told of the ceilings that the plan exceeds where a policy judges it. */
export async function planNextIn(
  tx: Transaction,
  operationId: Id<'operation'>,
  { stretch = STRETCH, judged }: { stretch?: number; judged?: (beyond: QuotaExceeded[]) => void } = {},
): Promise<boolean> {
  if (!(await lockPlan(tx, undefined, operationId))) return false;
  const operation = await loadOperation(tx, operationId);
  const plan = await loadPlan(tx, operationId);
  if (operation?.state !== 'planned' || operation.control === 'cancel' || !plan || plan.planned) return false;
  const cursor = await selectionCursor(tx, operationId);
  const after = cursor ?? { partition: 0 };
  if (after.partition >= partitionsOf(operation.selection).length) {
    await finish(tx, operation);
    if (plan.origin === 'policy') {
      const beyond = await judgeStarted(tx, operationId);
      judged?.(beyond);
    }
    return false;
  }
  await moveSelection(
    tx,
    operationId,
    'afresh' in operation.selection
      ? await planAfresh(tx, operation, operation.selection, plan, after)
      : await planFound(tx, operation, plan, after, stretch),
  );
  crashPoint('selecting');
  return true;
}

/** Plans the next stretch of deliveries that are there; returns where the one behind it begins. */
async function planFound(
  tx: Transaction,
  operation: Operation,
  plan: Plan,
  after: SelectionCursor,
  stretch: number,
): Promise<SelectionCursor> {
  const limit = isExplicit(operation.selection) ? undefined : stretch;
  const made = await planStretch(tx, operation, { after, ...(limit ? { limit } : {}) }, plan);
  await growPlan(tx, operation.id, made);
  return next(after, made, limit);
}

/**
 * Matches the next page of events afresh, and plans what came of it: the first deliveries have to be made before anybody
 * can say which they are, and with them the other items. The operation does not run meanwhile.
 */
async function planAfresh(
  tx: Transaction,
  operation: Operation,
  selection: AfreshSelection,
  plan: Plan,
  after: SelectionCursor,
): Promise<SelectionCursor> {
  const { eventIds, next: behind } = await freezeAfresh(tx, operation, selection, after);
  const only = await ledgerOfEvents(tx, operation.id, eventIds);
  await growPlan(tx, operation.id, await planStretch(tx, operation, { after, only }, plan));
  return behind ?? { partition: after.partition + 1 };
}

/** Where the next stretch begins; a partition behind the last where nothing is left. */
function next(
  { partition }: SelectionCursor,
  { selected, items, last }: PlannedStretch,
  limit?: number,
): SelectionCursor {
  // Behind what came in after the plan was asked for there is nothing but more of that.
  const more = last !== undefined && selected === limit && items === selected;
  return more ? { partition, ...last } : { partition: partition + 1 };
}

async function finish(tx: Transaction, operation: Operation): Promise<void> {
  const { id, selection } = operation;
  if (partitionsOf(selection).length > 1) await removeRepeats(tx, id);
  const ids = createHash('sha256');
  const risks = createHash('sha256');
  const items = await eachPlanned(tx, id, (some) => {
    ids.update(Buffer.from(some.map((each) => each.id.replaceAll('-', '')).join(''), 'hex'));
    risks.update(bitsOf(some.map((each) => each.risks)));
  });
  const itemsDigest = ids.digest();
  const risksDigest = risks.digest();
  const plan = await loadPlan(tx, id);
  const identity = planIdentity(operation, {
    watermark: plan?.watermark ?? '',
    items,
    itemsDigest: itemsDigest.toString('hex'),
    risksDigest: risksDigest.toString('hex'),
    endpointVersions: await endpointVersionsOf(tx, id),
  });
  const planHash = createHash('sha256').update(hashedText(identity)).digest();
  await writePlanned(tx, id, { items, itemsDigest, risksDigest, planHash });
  // What is matched afresh has its items by now.
  if ('afresh' in selection) await endSelection(tx, id);
  await awaitExecution(tx, id);
}

/** Two bytes each, the higher one first. */
function bitsOf(risks: number[]): Buffer {
  const bytes = Buffer.alloc(2 * risks.length);
  for (const [n, bits] of risks.entries()) bytes.writeUInt16BE(bits, 2 * n);
  return bytes;
}
