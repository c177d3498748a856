import type { Operation } from '../../domain/operations/operation.ts';
import { driftsTooFar, type Plan, type PlanDrift } from '../../domain/operations/plan.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { announce } from '../../store/announcements/announce.ts';
import type { Pool } from '../../store/db/pool.ts';
import { withTransaction } from '../../store/db/pool.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import { planAgain } from '../../store/operations/operation-states.ts';
import { loadOperation } from '../../store/operations/operations.ts';
import { countAdded, countGone, movedEndpoints } from '../../store/plans/plan-drift.ts';
import { pagesFrom } from '../../store/plans/plan-pages.ts';
import { loadPlan, lockPlan, takeBackExecution, writeDrift } from '../../store/plans/plans.ts';
import { voidHold } from '../../store/policy/holds.ts';

const PAGES_AT_ONCE = 5;
const ADDED_WITHIN_MS = 5_000;

/**
 * Measures how much of a plan has changed, by a pass over its pages that changes nothing; `gone` stays empty where nobody
 * has set a limit, for the freeze counts it anyway. Undefined where it was stopped.
 */
export async function measureDrift(
  pool: Pool,
  operation: Operation,
  plan: Plan,
  {
    counted,
    addedWithinMs = ADDED_WITHIN_MS,
    stopped,
  }: {
    /** Whether what is gone is counted. */
    counted: boolean;
    addedWithinMs?: number;
    stopped?: () => Promise<boolean>;
  },
): Promise<PlanDrift | undefined> {
  const endpointChanged = await movedEndpoints(pool, plan);
  const moved = endpointChanged.map(({ endpointId }) => endpointId);
  let gone: PlanDrift['gone'] = {};
  for (let first = 0; counted && first < plan.pages; first += PAGES_AT_ONCE) {
    if (await stopped?.()) return undefined;
    const pages = await pagesFrom(pool, operation.id, first, PAGES_AT_ONCE);
    gone = sumOf(gone, await countGone(pool, operation, { ...pages, moved }));
  }
  const added = await countAdded(pool, operation, addedWithinMs);
  return { gone, endpointChanged, ...(added === undefined ? {} : { added }) };
}

/** The sum of two counts by reason. */
export function sumOf(one: PlanDrift['gone'], other: PlanDrift['gone']): PlanDrift['gone'] {
  const sum = { ...one };
  for (const [reason, items] of Object.entries(other) as [keyof PlanDrift['gone'], number][])
    sum[reason] = (sum[reason] ?? 0) + items;
  return sum;
}

/**
 * Measures the drift of an executed plan before the first of its items is made. Where it is too large, the execution is
 * taken back, with the approvals that it had, and the plan waits again. False where nothing may be selected now.
 */
export async function mayBeFrozen(
  pool: Pool,
  operationId: Id<'operation'>,
  stop: AbortSignal,
): Promise<boolean> {
  const operation = await loadOperation(pool, operationId);
  const plan = operation && (await loadPlan(pool, operationId));
  if (!operation || !plan || plan.drift) return true;
  if (!plan.executed) return false;
  const { maxDriftPercent } = plan.executed;
  const drift = await measureDrift(pool, operation, plan, {
    counted: maxDriftPercent !== undefined,
    stopped: async () => stop.aborted || (await loadOperation(pool, operationId))?.control !== 'run',
  });
  if (!drift) return false;
  return withTransaction(pool, async (tx) => {
    if (!(await lockPlan(tx, undefined, operationId))) return false;
    if (driftsTooFar(drift, plan.items, maxDriftPercent)) {
      if (await planAgain(tx, operationId)) {
        await takeBackExecution(tx, operationId, drift);
        await announceDrift(tx, operation, plan, drift);
        await voidHold(tx, operationId);
      }
      return false;
    }
    // What is gone is counted once more, page by page, when its items are made: that is the drift that stays.
    await writeDrift(tx, operationId, { ...drift, gone: {} });
    return true;
  });
}

/** Has it told that more of a plan has changed than an execution of it allows; once for each execution that is refused. */
export async function announceDrift(
  tx: Transaction,
  { id, tenantId, controlRevision }: Pick<Operation, 'id' | 'tenantId' | 'controlRevision'>,
  { items, planned }: Plan,
  drift: PlanDrift,
): Promise<void> {
  await announce(tx, {
    type: 'operation.drift_too_large',
    tenantId,
    operationId: id,
    once: controlRevision,
    data: {
      planHash: planned?.planHash,
      items,
      gone: drift.gone,
      endpointsChanged: drift.endpointChanged.length,
      ...present({ added: drift.added }),
    },
  });
}
