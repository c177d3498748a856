import type { AcceptedItem } from '../../domain/operations/accepted-item.ts';
import type { Operation } from '../../domain/operations/operation.ts';
import { PLAN_LIFE_MS, type PlanOrigin } from '../../domain/operations/plan.ts';
import { isExplicit, isSingle, type Selection } from '../../domain/operations/selection.ts';
import { isWatched } from '../../domain/operations/watch.ts';
import { canHoldUpTo } from '../../domain/policy/policy.ts';
import type { QuotaExceeded } from '../../domain/policy/quotas.ts';
import { newId } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../../store/db/queryable.ts';
import { acceptedItems } from '../../store/operations/accepted-items.ts';
import { keepTrace } from '../../store/operations/operation-traces.ts';
import { insertOperation, loadOperation } from '../../store/operations/operations.ts';
import { linkOperation } from '../../store/outages/outage-operations.ts';
import { insertPlan } from '../../store/plans/plans.ts';
import { hasFreezeWindows } from '../../store/policy/freeze-spans.ts';
import { policyInForce } from '../../store/policy/policies.ts';
import { countExplicit } from '../../store/selection/known-ids.ts';
import { freezeExplicit, freezeJudged } from '../freeze-explicit.ts';
import { beyondLimits } from '../policy/within-limits.ts';
import type { AcceptRequest } from './accept-request.ts';
import type { HeldKey } from './held-key.ts';

/** An event of a list may have been delivered to more endpoints; then the number counts as larger than any limit does. */
const MAX_NAMED_DELIVERIES = 100_000;

/** Explicit lists of at most so many deliveries are sent by the live lane at once. */
const INTERACTIVE_ITEMS = 16;

/** An operation that was written down. */
export interface WrittenOperation {
  operation: Operation;
  /** The fate of each delivery of an explicit list. */
  items?: AcceptedItem[];
  /** Ceilings of the installation that it is above: it is not to stay. */
  beyond: QuotaExceeded[];
}

/** Whether a selection names so few deliveries that each is looked up. */
export function isSmall(selection: Selection): boolean {
  return 'deliveryIds' in selection && selection.deliveryIds.length <= INTERACTIVE_ITEMS;
}

/** Writes an operation down, with its plan where it has one, and with the items of an explicit list. */
export async function writeOperation(
  tx: Transaction,
  request: AcceptRequest<unknown>,
  held: HeldKey | undefined,
): Promise<WrittenOperation> {
  // A plan is made by its workflow, whatever it selects: making it may take as long as it needs.
  const explicit = isExplicit(request.selection) && request.plan === undefined;
  const plan = request.plan ?? ((await mayBeHeld(tx, request)) ? 'policy' : undefined);
  const inserted = await insert(tx, request, { explicit, plan, held });
  // A plan sends nothing yet; what a filter selects is not known yet.
  if (!explicit) return { operation: inserted, beyond: request.plan ? [] : await beyondLimits(tx, inserted) };
  const overLimits = plan === 'policy' ? await freezeJudged(tx, inserted.id) : undefined;
  if (!overLimits) await freezeExplicit(tx, inserted);
  const operation = await loadOperation(tx, inserted.id);
  if (!operation) throw new Error('an operation that was just written is not there');
  const items = await acceptedItems(tx, operation.id);
  return { operation, items, beyond: overLimits ?? (await beyondLimits(tx, operation, takenBy(operation))) };
}

async function insert(
  tx: Transaction,
  request: AcceptRequest<unknown>,
  { explicit, plan, held }: { explicit: boolean; plan: PlanOrigin | undefined; held: HeldKey | undefined },
): Promise<Operation> {
  const id = newId('operation');
  const tenantId = request.tenant.id;
  const judged = plan === 'policy';
  const operation = await insertOperation(tx, {
    ...request,
    id,
    tenantId,
    workflowId: `${request.kind}/${request.tenant.handle}/${held ? `${held.workflow}.${id}` : id}`,
    interactive: explicit && (await isInteractive(tx, request)),
    selected: explicit,
    held: judged,
    ...(plan ? { plannedForMs: PLAN_LIFE_MS[plan] } : {}),
  });
  if (request.caller.traceparent) await keepTrace(tx, id, request.caller.traceparent);
  if (plan)
    await insertPlan(tx, {
      operationId: id,
      tenantId,
      origin: plan,
      emergency: judged && request.emergency === true,
    });
  if ('outage' in request.selection && request.selection.outage)
    await linkOperation(tx, request.selection.outage, id);
  return operation;
}

/** The deliveries that an operation has taken, those left out that it excluded. */
function takenBy({ counts }: Operation): number {
  return counts.expected - counts.excluded;
}

/**
 * Whether the policy in force may let it wait: then it is planned whole before anything of it is sent. What spans tenants
 * belongs to the platform, and waits for none of them.
 */
async function mayBeHeld(
  tx: Transaction,
  { tenant, selection, plan }: AcceptRequest<unknown>,
): Promise<boolean> {
  if (plan !== undefined || ('tenants' in selection && selection.tenants !== undefined)) return false;
  const policy = await policyInForce(tx, tenant.id);
  if (!policy || !canHoldUpTo(policy.rules, Number.POSITIVE_INFINITY)) return false;
  if (!isExplicit(selection)) return true;
  return canHoldUpTo(policy.rules, await countExplicit(tx, tenant.id, selection, MAX_NAMED_DELIVERIES));
}

async function isInteractive(
  db: Queryable,
  { tenant, options, selection }: AcceptRequest<unknown>,
): Promise<boolean> {
  if (options.ratePerSecond !== undefined || options.maxConcurrency !== undefined || isWatched(options))
    return false;
  // The live lane would look past what a window holds again and again; its own slices wait for the end.
  if (!isSingle(selection) && (await hasFreezeWindows(db, tenant.id))) return false;
  return (await countExplicit(db, tenant.id, selection, INTERACTIVE_ITEMS + 1)) <= INTERACTIVE_ITEMS;
}
