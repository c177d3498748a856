import type { ClosureReport } from '../../domain/operations/operation.ts';
import {
  COUNTED_PARTS,
  type OperationCounts,
  type Remainder,
} from '../../domain/operations/operation-counts.ts';
import type { Control, OPERATION_ENDS, OperationKind } from '../../domain/operations/operation-state.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { LIVE_LANE, type Queryable, type Transaction } from '../db/queryable.ts';
import { operationBreakdown } from './operation-breakdown.ts';
import { endOperation } from './operation-states.ts';

/** Why an operation could not be closed. */
export type CloseRefused = 'still_open' | 'counts_disagree';

/**
 * Closes an operation: recounts its ledger under a lock on its counts, refuses where they disagree, writes the report
 * and freezes the counts. Executions that are still unknown go to the live lane. An operation that has closed is left
 * as it is, and its report is given again.
 */
export async function closeOperation(
  tx: Transaction,
  operationId: Id<'operation'>,
  endIn: (remainder: Remainder, cancelled: boolean) => (typeof OPERATION_ENDS)[number],
): Promise<{ closed: true; report: ClosureReport } | { closed: false; why: CloseRefused }> {
  const found = await tx.query<{ kind: OperationKind; control: Control; report: ClosureReport | null }>(
    'select kind, control, report from operations where id = $1 for no key update',
    [operationId],
  );
  const operation = found.rows[0];
  if (!operation) throw new Error('an operation that is being closed is not there');
  if (operation.report) return { closed: true, report: operation.report };
  const counted = await tx.query<OperationCounts>(
    'select * from operation_counts where operation_id = $1 for update',
    [operationId],
  );
  const ledger = await readLedger(tx, operationId);
  const counts = countsFrom(counted.rows[0] as OperationCounts);
  const states = ledger.states ?? {};
  const exclusions = ledger.exclusions ?? {};
  const excluded = Object.values(exclusions).reduce((sum, n) => sum + n, 0);
  const agrees =
    excluded === counts.excluded &&
    COUNTED_PARTS.every((part) => part === 'excluded' || (states[part] ?? 0) === counts[part]);
  if (!agrees) return { closed: false, why: 'counts_disagree' };
  if (counts.queued + counts.scheduled + counts.sending > 0) return { closed: false, why: 'still_open' };
  const remainder = await remainderOf(tx, operationId, operation.kind);
  const report: ClosureReport = {
    counts,
    mayHaveArrived: ledger.may_have_arrived,
    exclusions,
    remainder,
    attempts: ledger.attempts,
    ...present({
      firstAttemptAt: ledger.first_at?.toISOString(),
      lastAttemptAt: ledger.last_at?.toISOString(),
    }),
    breakdown: await operationBreakdown(tx, operationId),
  };
  await tx.query(
    `update executions set worked_by = '${LIVE_LANE}' where operation_id = $1 and state = 'unknown' and worked_by = $1`,
    [operationId],
  );
  await endOperation(tx, operationId, endIn(remainder, operation.control === 'cancel'), report);
  return { closed: true, report };
}

type LedgerRow = {
  states: Record<string, number> | null;
  exclusions: Record<string, number> | null;
  may_have_arrived: number;
  attempts: number;
  first_at: Date | null;
  last_at: Date | null;
};

async function readLedger(db: Queryable, operationId: Id<'operation'>): Promise<LedgerRow> {
  const { rows } = await db.query<LedgerRow>(
    `select
      (select jsonb_object_agg(state, n) from (
        select state, count(*)::int as n from executions where operation_id = $1 group by 1) s) as states,
      (select count(*)::int from executions where operation_id = $1 and state = 'failed' and may_have_arrived) as may_have_arrived,
      (select jsonb_object_agg(reason, n) from (
        select reason, count(*)::int as n from exclusions where operation_id = $1 group by 1) r) as exclusions,
      a.attempts, a.first_at, a.last_at
     from (select count(*)::int as attempts, min(a.started_at) as first_at, max(a.started_at) as last_at
       from executions e join attempts a on a.execution_id = e.id where e.operation_id = $1) a`,
    [operationId],
  );
  return rows[0] as LedgerRow;
}

/**
 * The part of an operation's selection that is not delivered. In a retry, items that were taken over and exclusions
 * count as delivered where their delivery is; in a replay only its own executions count.
 */
async function remainderOf(
  db: Queryable,
  operationId: Id<'operation'>,
  kind: OperationKind,
): Promise<Remainder> {
  const { rows } = await db.query<{ reason: string; items: number }>(
    // Look-ups for each line that needs one: as joins the planner may read the whole of the other table.
    `select reason, sum(items)::int as items from (
       select case e.state when 'ignored' then e.reason else e.state end as reason, count(*) as items
       from executions e where e.operation_id = $1 and e.state <> 'delivered'
         and ($2 or e.state <> 'superseded'
           or (select d.state from deliveries d where d.id = e.delivery_id) <> 'delivered')
       group by 1
       union all
       select x.reason, count(*) from exclusions x where x.operation_id = $1
         and ($2 or (select d.state from deliveries d where d.id = x.delivery_id) <> 'delivered')
       group by 1
     ) r group by 1 order by 1`,
    [operationId, kind === 'replay'],
  );
  return {
    count: rows.reduce((sum, { items }) => sum + items, 0),
    byReason: Object.fromEntries(rows.map(({ reason, items }) => [reason, items])),
  };
}

function countsFrom(row: OperationCounts): OperationCounts {
  return Object.fromEntries(
    (['expected', ...COUNTED_PARTS] as const).map((part) => [part, row[part]]),
  ) as OperationCounts;
}
