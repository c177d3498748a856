import type { ClosureReport } from '../../domain/operations/operation.ts';
import {
  COUNTED_PARTS,
  type OperationCounts,
  type Remainder,
} from '../../domain/operations/operation-counts.ts';
import type { OperationKind } from '../../domain/operations/operation-state.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import { onlyRow } from '../db/only-row.ts';
import { LIVE_LANE, type Queryable, type Transaction } from '../db/queryable.ts';
import { type Draft, keepDraft } from '../proof/closure-reports.ts';
import { ledgerDetails } from '../proof/ledger-details.ts';
import { itemsOf } from './items-of.ts';
import { operationBreakdown } from './operation-breakdown.ts';
import { writeFrozen } from './operation-states.ts';

/** Why the counts of an operation could not be frozen. */
export type FreezeRefused = 'still_open' | 'counts_disagree';

/** What became of freezing: done now, done before, not to be done yet, or the operation has closed. */
export type Frozen =
  | ({ became: 'frozen'; lines: number } & Draft)
  | { became: 'frozen_already' | 'closed_already' }
  | { became: 'refused'; why: FreezeRefused };

/**
 * Freezes the counts of an operation, the first step of its closing: recounts its ledger under a lock on its counts,
 * refuses where they disagree, and writes down the report, which nothing changes from then on. Executions that are still
 * unknown go to the live lane. Nothing is frozen twice.
 */
export async function freezeCounts(tx: Transaction, operationId: Id<'operation'>): Promise<Frozen> {
  const found = await tx.query<{ kind: OperationKind; frozen: boolean; closed: boolean }>(
    `select kind, report is not null as frozen, closed_at is not null as closed from operations
     where id = $1 for no key update`,
    [operationId],
  );
  const operation = found.rows[0];
  if (!operation) throw new Error('an operation that is being closed is not there');
  if (operation.closed) return { became: 'closed_already' };
  if (operation.frozen) return { became: 'frozen_already' };
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
  if (!agrees) return { became: 'refused', why: 'counts_disagree' };
  if (counts.queued + counts.scheduled + counts.sending > 0) return { became: 'refused', why: 'still_open' };
  const { totals, details } = await ledgerDetails(tx, operationId);
  const report: ClosureReport = {
    counts,
    mayHaveArrived: ledger.may_have_arrived,
    exclusions,
    remainder: await remainderOf(tx, operationId, operation.kind),
    attempts: totals.attempts,
    ...present({
      firstAttemptAt: totals.firstAt?.toISOString(),
      lastAttemptAt: totals.lastAt?.toISOString(),
    }),
    breakdown: await operationBreakdown(tx, operationId),
  };
  await tx.query(
    `update queue q set worked_by = '${LIVE_LANE}' from execution_records r
     where r.operation_id = $1 and ${lookedUp('q.delivery_id', 'r.delivery_id', 'r.outcome is null')}
       and q.execution_id = r.id and q.state = 'unknown' and q.worked_by = $1`,
    [operationId],
  );
  await tx.query(
    `update exclusions x set resent_by = (select d.resent_by from deliveries d where d.id = x.delivery_id)
     where x.operation_id = $1 and x.reason = 'resent'`,
    [operationId],
  );
  return {
    became: 'frozen',
    lines: counts.expected,
    details,
    frozenAt: await writeFrozen(tx, operationId, report),
  };
}

/**
 * Keeps what hashing needs after the freeze has been committed: the draft of the report, and the items that were taken
 * over by executions that somebody may still cancel unsent, after which their lines would name others.
 */
export async function keepForHashing(
  tx: Transaction,
  operationId: Id<'operation'>,
  draft: Draft,
): Promise<void> {
  await keepDraft(tx, operationId, draft);
  await tx.query(
    `insert into frozen_items (operation_id, execution_id, state, reason, attempts, due_at, may_have_arrived, finished_at,
       superseded_by)
     select e.operation_id, e.id, e.state, e.reason, e.attempts, e.due_at, e.may_have_arrived, e.finished_at, c.id
     from ${itemsOf('$1')} e left join lateral (
       select x.id, x.open, x.attempts from executions x
       where x.delivery_id = e.delivery_id and x.parent_id = e.id and x.keeps_slot limit 1) c on true
     where e.state = 'superseded' and (c.id is null or (c.open and c.attempts = 0))`,
    [operationId],
  );
}

type LedgerRow = {
  states: Record<string, number> | null;
  exclusions: Record<string, number> | null;
  may_have_arrived: number;
};

async function readLedger(db: Queryable, operationId: Id<'operation'>): Promise<LedgerRow> {
  return onlyRow(
    await db.query<LedgerRow>(
      `select
      (select jsonb_object_agg(state, n) from (
        select state, count(*)::int as n from ${itemsOf('$1')} e group by 1) s) as states,
      (select count(*)::int from ${itemsOf('$1')} e where state = 'failed' and may_have_arrived) as may_have_arrived,
      (select jsonb_object_agg(reason, n) from (
        select reason, count(*)::int as n from exclusions where operation_id = $1 group by 1) r) as exclusions`,
      [operationId],
    ),
  );
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
       from ${itemsOf('$1')} e where e.state <> 'delivered'
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
