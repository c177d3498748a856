import type { Operation } from '../../domain/operations/operation.ts';
import type { Plan } from '../../domain/operations/plan.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import { countExcluded, movedEndpoints } from '../../store/plans/plan-drift.ts';
import { pagesFrom } from '../../store/plans/plan-pages.ts';
import { writeDrift } from '../../store/plans/plans.ts';
import { freezePage } from '../../store/selection/freeze.ts';
import { type SelectionCursor, WHOLE } from '../../store/selection/selection-page.ts';
import { settleRaced } from '../settle-raced.ts';
import { sumOf } from './measure-drift.ts';

const PAGES_AT_ONCE = 5;

/**
 * Makes items or exclusions of the next pages of an executed plan: of each delivery that it showed, and of nothing else.
 * Returns where the next ones begin; undefined behind the last.
 */
export async function freezePlanned(
  tx: Transaction,
  operation: Operation,
  plan: Plan,
  { partition }: SelectionCursor,
): Promise<SelectionCursor | undefined> {
  const { ids, risks } = await pagesFrom(tx, operation.id, partition, PAGES_AT_ONCE);
  if (ids.length > 0) {
    const endpointChanged = await movedEndpoints(tx, plan);
    const moved = endpointChanged.map(({ endpointId }) => endpointId);
    const { raced } = await freezePage(tx, operation, WHOLE, { only: ids, planned: { ids, moved } });
    await settleRaced(tx, operation, raced, { moved });
    const gone = sumOf(plan.drift?.gone ?? {}, await countExcluded(tx, operation.id, { ids, risks }));
    await writeDrift(tx, operation.id, { ...plan.drift, gone, endpointChanged });
  }
  const next = partition + PAGES_AT_ONCE;
  return next < plan.pages ? { partition: next } : undefined;
}

/** Refuses to go on where a plan was frozen, and not each of its deliveries is an item or an exclusion. */
export function checkFrozen({ items }: Plan, { counts }: Operation): void {
  if (counts.expected !== items) throw new PlanDisagrees();
}

/** The items of an operation are not those of its plan: it halts until somebody has looked. */
class PlanDisagrees extends Error {
  readonly code = 'plan_disagrees';
}
