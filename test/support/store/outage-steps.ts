import { NOTHING_TOLD, withAttempt } from '../../../src/domain/outages/attempts-told.ts';
import { OUTAGE_RULES, type OutageRules } from '../../../src/domain/outages/outage-rules.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { lookAtOutage } from '../../../src/operations/outages/look-at-outages.ts';
import { executePlan } from '../../../src/operations/plans/execute-plan.ts';
import { planNext } from '../../../src/operations/plans/make-plan.ts';
import { type Pool, withTransaction } from '../../../src/store/db/pool.ts';
import { newestMadePlan } from '../../../src/store/outages/outage-operations.ts';
import { tellAttempts } from '../../../src/store/outages/told-attempts.ts';
import { quietDeps, type TestTenant } from './test-store.ts';

/** Rules by which everything about an outage is due at once. */
const AT_ONCE: OutageRules = {
  ...OUTAGE_RULES,
  missedInARow: 1,
  missedForMs: 0,
  backForMs: 0,
  settlesForMs: 0,
  triesAfterMs: 0,
};

/** Something about the outages of one endpoint: attempts there are told, its outage is looked at, or its plan goes on. */
export async function stepOutage(
  pool: Pool,
  tenant: TestTenant,
  endpointId: Id<'endpoint'>,
  { b, c }: { b: number; c: number },
): Promise<void> {
  if (b % 3 === 0) {
    const told = withAttempt(NOTHING_TOLD, c % 2 === 0, 0);
    await withTransaction(pool, (tx) => tellAttempts(tx, new Map([[endpointId, told]]), AT_ONCE));
    return;
  }
  const { rows } = await pool.query<{ id: Id<'outage'> }>(
    'select id from outages where endpoint_id = $1 order by id desc limit 1',
    [endpointId],
  );
  const id = rows[0]?.id;
  if (!id) return;
  if (b % 3 === 1) await lookAtOutage(quietDeps(pool), AT_ONCE, { id, endpointId });
  else await goOn(pool, tenant, id, c);
}

async function goOn(pool: Pool, tenant: TestTenant, id: Id<'outage'>, c: number): Promise<void> {
  const plan = await newestMadePlan(pool, id);
  if (!plan) return;
  await planNext(pool, plan.operationId, { stretch: 2 });
  if (c % 2 === 0 && plan.planHash)
    await executePlan(
      quietDeps(pool),
      tenant.id,
      plan.operationId,
      { planHash: plan.planHash },
      { actor: 'test' },
    );
}

/** What is said of outages and never holds: two that are open at an endpoint, or two plans that wait for one. */
export async function outageViolations(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ fault: string }>(
    `select 'outage ' || x.outage_id || ' has ' || count(*) || ' plans that wait' as fault
     from outage_operations x join operations o on o.id = x.operation_id join plans p on p.operation_id = o.id
     where x.made and o.state = 'planned' and o.control = 'run' and p.executed_at is null group by x.outage_id having count(*) > 1
     union all
     select 'endpoint ' || p.endpoint_id || ' shows another outage than the one that is open' from endpoint_pacing p
     left join outages o on o.endpoint_id = p.endpoint_id and o.state = 'open' where p.outage_id is distinct from o.id
     union all
     select 'outage ' || o.id || ' has ended, and its plan waits' from outages o
     join outage_operations x on x.outage_id = o.id and x.made join operations q on q.id = x.operation_id
     where o.state in ('closed', 'dismissed') and q.state = 'planned' and q.control = 'run'`,
  );
  return rows.map(({ fault }) => fault);
}
