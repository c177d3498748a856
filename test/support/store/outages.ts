import { NOTHING_TOLD, withAttempt } from '../../../src/domain/outages/attempts-told.ts';
import { OUTAGE_RULES, type OutageRules } from '../../../src/domain/outages/outage-rules.ts';
import type { OutageChange } from '../../../src/domain/outages/outage-state.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { lookAtOutage } from '../../../src/operations/outages/look-at-outages.ts';
import { planNext } from '../../../src/operations/plans/make-plan.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { newestMadePlan } from '../../../src/store/outages/outage-operations.ts';
import { openOutage } from '../../../src/store/outages/outage-states.ts';
import { loadOutage, type Outage } from '../../../src/store/outages/outages.ts';
import { tellAttempts } from '../../../src/store/outages/told-attempts.ts';
import type { TestStore } from './test-store.ts';

/** Outages of a store, step by step. */
export interface Outages {
  /** Tells some attempts at an endpoint, in their order, each of which began so long ago; returns the outages it opened. */
  tell(endpointId: Id<'endpoint'>, good: readonly boolean[], beganMs?: number): Promise<OutageChange[]>;
  /** Opens one as an open circuit does. */
  opened(endpointId: Id<'endpoint'>): Promise<Id<'outage'>>;
  show(id: Id<'outage'>): Promise<Outage>;
  /** Looks at it as the sweeper does. */
  look(id: Id<'outage'>, rules?: Partial<OutageRules>): Promise<Outage>;
  /** Lets so much time have passed for it, since it began, was opened, did well and was back. */
  ages(id: Id<'outage'>, interval: string): Promise<void>;
  /** Makes the plan that its recovery has led to; its operation. */
  planned(id: Id<'outage'>): Promise<Id<'operation'> | undefined>;
}

/** The outages of a store. */
export function outagesOf(store: TestStore): Outages {
  const show: Outages['show'] = async (id) => {
    const outage = await loadOutage(store.pool, id);
    if (!outage) throw new Error('no outage');
    return outage;
  };
  return {
    show,
    tell: (endpointId, good, beganMs = 0) =>
      withTransaction(store.pool, (tx) =>
        tellAttempts(
          tx,
          new Map([
            [endpointId, good.reduce((told, each) => withAttempt(told, each, beganMs), NOTHING_TOLD)],
          ]),
          OUTAGE_RULES,
        ),
      ),
    async opened(endpointId) {
      const change = await withTransaction(store.pool, (tx) =>
        openOutage(tx, endpointId, 'circuit_open', OUTAGE_RULES),
      );
      if (!change) throw new Error('no outage was opened');
      return change.outageId;
    },
    async look(id, rules = {}) {
      const { endpointId } = (await show(id)).window;
      await lookAtOutage(store.deps, { ...OUTAGE_RULES, ...rules }, { id, endpointId });
      return show(id);
    },
    async ages(id, interval) {
      await store.pool.query(
        `update outages set began_at = began_at - $2::interval, reaches_back_to = reaches_back_to - $2::interval,
           opened_at = opened_at - $2::interval, good_from = good_from - $2::interval, enabled_at = enabled_at - $2::interval,
           quiet_since = quiet_since - $2::interval, recovered_at = recovered_at - $2::interval
         where id = $1`,
        [id, interval],
      );
    },
    async planned(id) {
      const plan = await newestMadePlan(store.pool, id);
      if (plan) while (await planNext(store.pool, plan.operationId));
      return plan?.operationId;
    },
  };
}
