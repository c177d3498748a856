import type { ActBy } from '../../domain/audit/audit-action.ts';
import type { Operation } from '../../domain/operations/operation.ts';
import type { OperationState } from '../../domain/operations/operation-state.ts';
import { driftsTooFar, type Plan, type PlanDrift } from '../../domain/operations/plan.ts';
import { goesOn } from '../../domain/policy/judgement.ts';
import type { QuotaExceeded } from '../../domain/policy/quotas.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../store/audit/entries.ts';
import { withTransaction } from '../../store/db/pool.ts';
import { noteControl } from '../../store/operations/operation-controls.ts';
import { acceptPlanned, holdExecution } from '../../store/operations/operation-states.ts';
import { findOperation } from '../../store/operations/operations.ts';
import { findPlan, lockPlan, noteExecution, noteRefusedDrift } from '../../store/plans/plans.ts';
import { crashPoint } from '../../telemetry/crash-points.ts';
import { logControl } from '../operation-log.ts';
import { holdPlanned, judgePlan } from '../policy/judge-operation.ts';
import { beyondLimits } from '../policy/within-limits.ts';
import type { RecoveryDeps } from '../recovery-deps.ts';
import { announceDrift, measureDrift } from './measure-drift.ts';

/** The execution of what a plan has shown. */
export interface PlanExecution {
  /** The hash of what was shown, in hexadecimal digits. */
  planHash: string;
  /** The share of its deliveries that may be gone; without it any. */
  maxDriftPercent?: number;
}

/** The operation that goes on, with its plan, or why it does not. */
export type ExecuteResult =
  | { ok: true; operation: Operation; plan: Plan }
  | { ok: false; code: 'not_found' }
  | { ok: false; code: 'state_conflict'; state: OperationState; why: 'planning' | 'expired' | 'state' }
  | { ok: false; code: 'plan_changed' }
  /** It is above ceilings of the installation. */
  | { ok: false; code: 'quota_exceeded'; beyond: QuotaExceeded[] }
  | { ok: false; code: 'drift_too_large'; drift: PlanDrift };

/** Of a plan up to so many deliveries the drift is measured before the answer; of others by the workflow. */
const MEASURED_AT_ONCE = 20_000;
const ADDED_WITHIN_MS = 1_000;

/**
 * Executes a plan by the hash of what it showed: nothing but that becomes an item, and, where a policy says so, not before
 * others have approved it. It is committed first, and works while
 * Temporal is away. A second execution of the same plan is the first one.
 */
export async function executePlan(
  deps: RecoveryDeps,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
  { planHash, maxDriftPercent }: PlanExecution,
  by: ActBy,
): Promise<ExecuteResult> {
  const { pool } = deps;
  const found = await findPlan(pool, tenantId, operationId);
  const before = found && (await findOperation(pool, tenantId, operationId));
  if (!found || !before) return { ok: false, code: 'not_found' };
  if (found.planned && found.planned.planHash !== planHash) return { ok: false, code: 'plan_changed' };
  if (found.executed) return { ok: true, operation: before, plan: found };
  if (before.state === 'planned' && maxDriftPercent !== undefined && found.items <= MEASURED_AT_ONCE) {
    const drift = await measureDrift(pool, before, found, { counted: true, addedWithinMs: ADDED_WITHIN_MS });
    if (drift && driftsTooFar(drift, found.items, maxDriftPercent)) {
      await withTransaction(pool, async (tx) => {
        await noteRefusedDrift(tx, operationId, drift);
        await announceDrift(tx, before, found, drift);
      });
      return { ok: false, code: 'drift_too_large', drift };
    }
  }
  const accepted = await withTransaction(pool, async (tx) => {
    await lockPlan(tx, tenantId, operationId);
    const plan = await findPlan(tx, tenantId, operationId);
    const planned = await findOperation(tx, tenantId, operationId);
    if (!plan?.planned || plan.executed || !planned || !(await holdExecution(tx, operationId))) return false;
    const judged = await judgePlan(tx, planned, plan);
    const beyond = judged?.beyond ?? (await beyondLimits(tx, planned, plan.items));
    if (beyond.length > 0) return beyond;
    await noteExecution(tx, operationId, { by, maxDriftPercent });
    await noteControl(tx, operationId, { did: 'execute', actor: by.actor });
    if (!judged || goesOn(judged)) await acceptPlanned(tx, operationId);
    else await holdPlanned(tx, planned, plan, judged);
    await noteAct(tx, {
      tenantId,
      by,
      action: 'operation.executed',
      target: operationId,
      detail: { planHash, items: plan.items, ...present({ maxDriftPercent }) },
    });
    return true;
  });
  if (Array.isArray(accepted)) return { ok: false, code: 'quota_exceeded', beyond: accepted };
  const operation = await findOperation(pool, tenantId, operationId);
  const plan = await findPlan(pool, tenantId, operationId);
  if (!operation || !plan) return { ok: false, code: 'not_found' };
  if (accepted) {
    crashPoint('said');
    logControl(deps.log, operation, { did: 'execute' }, by);
    await deps.nudgeOperation(operation);
  } else if (!plan.executed) {
    const why = !plan.planned
      ? 'planning'
      : plan.expired || operation.state === 'planned'
        ? 'expired'
        : 'state';
    return { ok: false, code: 'state_conflict', state: operation.state, why };
  }
  return { ok: true, operation, plan };
}
