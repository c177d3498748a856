import { createHash } from 'node:crypto';
import type { Operation } from '../../domain/operations/operation.ts';
import { hashedText, type Plan, planIdentity } from '../../domain/operations/plan.ts';
import { isExplicit } from '../../domain/operations/selection.ts';
import type { QuotaExceeded } from '../../domain/policy/quotas.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Pool } from '../../store/db/pool.ts';
import { exportSnapshot, withTransaction } from '../../store/db/pool.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import { moveSelection, selectionCursor } from '../../store/operations/operation-progress.ts';
import { awaitExecution, endSelection } from '../../store/operations/operation-states.ts';
import { loadOperation } from '../../store/operations/operations.ts';
import {
  eachPlanned,
  endpointVersionsOf,
  removeRepeats,
  type ToldStretch,
  tellStretch,
  writeStretch,
} from '../../store/plans/plan-pages.ts';
import { growPlan, loadPlan, lockPlan, writePlanned } from '../../store/plans/plans.ts';
import { keepFromRemoval } from '../../store/retention/removal-gate.ts';
import { ledgerOfEvents } from '../../store/selection/fresh-matches.ts';
import { partitionsOf, type SelectionCursor, type Stretch } from '../../store/selection/selection-page.ts';
import { nextStretches } from '../../store/selection/selection-stretches.ts';
import { crashPoint } from '../../telemetry/crash-points.ts';
import { type AfreshSelection, freezeAfresh } from '../freeze-afresh.ts';
import { judgeStarted } from '../policy/judge-operation.ts';

const STRETCH = 5_000;

/** Stretches of one step for each reader: while they read, what they have read is written. */
const AHEAD = 3;

/** How much of a plan is made before its operation is asked again whether it may go on. */
export interface PlanSteps {
  /** Deliveries of one stretch. */
  stretch?: number;
  /** Stretches that are read at the same time, each on a connection of its own, apart from the one that writes them. */
  together?: number;
}

/** Whether an operation is a plan that is still being made. */
export async function isBeingPlanned(pool: Pool, operationId: Id<'operation'>): Promise<boolean> {
  const operation = await loadOperation(pool, operationId);
  return operation?.state === 'planned' && (await loadPlan(pool, operationId))?.planned === undefined;
}

/** How a step of a plan is made. */
interface PlanStep {
  stretch?: number;
  /** Reads several stretches at once; without it the transaction reads one. */
  readers?: { pool: Pool; together: number };
  /** Is told of the ceilings that the plan exceeds where a policy judges it. */
  judged?: (beyond: QuotaExceeded[]) => void;
}

/**
 * Makes the next pages of a plan and moves its cursor, in one transaction; behind the last one it computes the identity of
 * the plan, which waits from then on. False when nothing is left to do, or it may not go on. Other connections may read
 * for it, all as of one moment; they write nothing.
 */
export function planNext(
  pool: Pool,
  operationId: Id<'operation'>,
  { stretch = STRETCH, together = 1 }: PlanSteps = {},
): Promise<boolean> {
  return withTransaction(pool, (tx) =>
    planNextIn(tx, operationId, { stretch, ...(together > 1 ? { readers: { pool, together } } : {}) }),
  );
}

/** The same in a transaction of the caller's. */
export async function planNextIn(
  tx: Transaction,
  operationId: Id<'operation'>,
  { stretch = STRETCH, readers, judged }: PlanStep = {},
): Promise<boolean> {
  if (!(await lockPlan(tx, undefined, operationId))) return false;
  const operation = await loadOperation(tx, operationId);
  const plan = await loadPlan(tx, operationId);
  if (operation?.state !== 'planned' || operation.control === 'cancel' || !plan || plan.planned) return false;
  // Before the moment as of which others read for it.
  await keepFromRemoval(tx, operation.tenantId);
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
      : await planFound(tx, operation, plan, after, stretch, readers),
  );
  crashPoint('selecting');
  return true;
}

/** Plans the next stretches of deliveries that are there; returns where the one behind them begins. */
async function planFound(
  tx: Transaction,
  operation: Operation,
  plan: Plan,
  after: SelectionCursor,
  limit: number,
  readers: PlanStep['readers'],
): Promise<SelectionCursor> {
  if (isExplicit(operation.selection)) {
    await write(tx, operation.id, plan, [tellStretch(tx, operation, { after }, plan)]);
    return { partition: after.partition + 1 };
  }
  const stretches = readers
    ? await nextStretches(tx, operation, after, limit, AHEAD * readers.together)
    : [{ after, limit }];
  const told =
    readers && stretches.length > 1
      ? await tellAhead(tx, operation, plan, stretches, readers)
      : [tellStretch(tx, operation, { after, limit }, plan)];
  return next(stretches.at(-1) as Stretch, await write(tx, operation.id, plan, told));
}

/**
 * Reads stretches, as many at a time as there are readers, and all as of one moment: they meet an endpoint in one version.
 * The first of them are written while others are read.
 */
async function tellAhead(
  tx: Transaction,
  operation: Operation,
  { items }: Plan,
  stretches: Stretch[],
  { pool, together }: NonNullable<PlanStep['readers']>,
): Promise<Promise<ToldStretch>[]> {
  const snapshot = await exportSnapshot(tx);
  const size = stretches.at(-1)?.limit ?? 0;
  const told: Promise<ToldStretch>[] = [];
  for (const [n, stretch] of stretches.entries()) {
    const place = { items: items + n * size, unsummed: n * size };
    const read = () =>
      withTransaction(pool, (reader) => tellStretch(reader, operation, stretch, place), { snapshot });
    told.push((told[n - together] ?? Promise.resolve()).then(read));
  }
  return told;
}

/** Writes stretches down in their order, and returns the last of them. */
async function write(
  tx: Transaction,
  operationId: Id<'operation'>,
  plan: Pick<Plan, 'pages'>,
  told: Promise<ToldStretch>[],
): Promise<ToldStretch> {
  // Also where one has failed: none may still be read when the transaction that they stand on is let go.
  const ended = Promise.allSettled(told);
  let { pages } = plan;
  let last: ToldStretch | undefined;
  try {
    for (const each of told) {
      last = await each;
      const written = await writeStretch(tx, operationId, last, pages);
      await growPlan(tx, operationId, { ...last, pages: written });
      pages += written;
    }
  } finally {
    await ended;
  }
  if (last === undefined) throw new Error('a plan has no stretch to write');
  return last;
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
  await write(tx, operation.id, plan, [tellStretch(tx, operation, { after, only }, plan)]);
  return behind ?? { partition: after.partition + 1 };
}

/** Where the next stretch begins; a partition behind the last where nothing is left. */
function next(
  { after: { partition }, limit }: Stretch,
  { selected, items, last }: ToldStretch,
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
    ids.update(some.ids);
    risks.update(some.risks);
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
