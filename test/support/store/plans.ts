import type { AskedPlan, Plan } from '../../../src/domain/operations/plan.ts';
import type { Selection } from '../../../src/domain/operations/selection.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { acceptOperation } from '../../../src/operations/accept-operation.ts';
import type { AcceptRequest } from '../../../src/operations/accepting/accept-request.ts';
import { freezeNext } from '../../../src/operations/freeze-selection.ts';
import { type ExecuteResult, executePlan } from '../../../src/operations/plans/execute-plan.ts';
import { type PlanSteps, planNext } from '../../../src/operations/plans/make-plan.ts';
import { mayBeFrozen } from '../../../src/operations/plans/measure-drift.ts';
import { loadPlan } from '../../../src/store/plans/plans.ts';
import type { TestStore, TestTenant } from './test-store.ts';

/** Plans of one tenant, step by step and without Temporal. */
export interface Plans {
  /** Asks for a plan that is not made yet. */
  ask(
    selection: Selection,
    request?: Partial<AcceptRequest> & { plan?: AskedPlan },
  ): Promise<Id<'operation'>>;
  /** Makes a plan, by stretches of a size. */
  make(
    selection: Selection,
    request?: Partial<AcceptRequest> & { plan?: AskedPlan },
    steps?: PlanSteps,
  ): Promise<Plan>;
  show(operationId: Id<'operation'>): Promise<Plan>;
  /** Executes one by the hash that it shows. */
  execute(plan: Plan, maxDriftPercent?: number): Promise<ExecuteResult>;
  /** Makes the items of an executed one; false where its drift is too large. */
  freeze(plan: Plan): Promise<boolean>;
  /** The ids of a plan, in the order of selection, with their bits. */
  ids(plan: Plan): Promise<{ id: Id<'delivery'>; risks: number }[]>;
  /** The lines of its ledger by delivery: `item`, or the reason of its exclusion. */
  ledger(plan: Plan): Promise<Map<Id<'delivery'>, string>>;
}

/** The plans of a tenant. */
export function plansOf(store: TestStore, tenant: TestTenant): Plans {
  const show: Plans['show'] = async (operationId) => {
    const plan = await loadPlan(store.pool, operationId);
    if (!plan) throw new Error('no plan');
    return plan;
  };
  const ask: Plans['ask'] = async (selection, request = {}) => {
    const result = await acceptOperation(store.deps, {
      tenant,
      surface: 'native',
      caller: { actor: 'test' },
      kind: 'retry',
      target: 'current',
      selection,
      options: {},
      plan: 'plan',
      render: () => ({}),
      ...request,
    });
    if (!result.ok) throw new Error(`not accepted: ${result.code}`);
    return result.operationId;
  };
  return {
    ask,
    show,
    async make(selection, request, steps) {
      const operationId = await ask(selection, request);
      while (await planNext(store.pool, operationId, steps));
      return show(operationId);
    },
    execute: ({ operationId, planned }, maxDriftPercent) =>
      executePlan(
        store.deps,
        tenant.id,
        operationId,
        { planHash: planned?.planHash ?? '', ...(maxDriftPercent === undefined ? {} : { maxDriftPercent }) },
        { actor: 'test' },
      ),
    async freeze({ operationId }) {
      if (!(await mayBeFrozen(store.pool, operationId, new AbortController().signal))) return false;
      while (await freezeNext(store.pool, operationId));
      return true;
    },
    ids: ({ operationId }) =>
      store.rows(
        `select u.id, u.risks from plan_pages g cross join lateral unnest(g.ids, g.risks) with ordinality as u(id, risks, n)
         where g.operation_id = $1 order by g.number, u.n`,
        [operationId],
      ),
    async ledger({ operationId }) {
      const rows = await store.rows(
        `select delivery_id, 'item' as line from executions where operation_id = $1
         union all select delivery_id, reason from exclusions where operation_id = $1`,
        [operationId],
      );
      return new Map(rows.map(({ delivery_id, line }) => [delivery_id, line]));
    },
  };
}
