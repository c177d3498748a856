import type { ClosureReport } from '../../domain/operations/operation.ts';
import type { OperationState } from '../../domain/operations/operation-state.ts';
import type { Queryable } from '../db/queryable.ts';
import { LIVE_LANE } from '../db/queryable.ts';
import type { SelectionCursor } from '../selection/selection-page.ts';
import { operationBreakdown } from './operation-breakdown.ts';

/** Locks an operation for its selection and returns where it stands; undefined when it may not go on selecting. */
export async function lockSelection(
  db: Queryable,
  operationId: string,
): Promise<SelectionCursor | undefined> {
  const { rows } = await db.query(
    `update operations set state = 'selecting' where id = $1 and control = 'run' and selected_at is null
       and closed_at is null
     returning selection_cursor`,
    [operationId],
  );
  if (!rows[0]) return undefined;
  return rows[0].selection_cursor ?? { partition: 0 };
}

/** Moves the selection's cursor, in the transaction of the page that was frozen. */
export async function moveSelection(
  db: Queryable,
  operationId: string,
  cursor: SelectionCursor,
): Promise<void> {
  await db.query(
    `update operations set selection_cursor = $2, next_event = 'select', next_event_at = now() + interval '30 seconds'
     where id = $1 and closed_at is null`,
    [operationId, JSON.stringify(cursor)],
  );
}

/** Ends the selection; the operation runs unless its owner said otherwise meanwhile. */
export async function endSelection(db: Queryable, operationId: string): Promise<void> {
  await db.query(
    `update operations set selected_at = clock_timestamp(), state = case when state = 'selecting' then 'running' else state end
     where id = $1 and selected_at is null`,
    [operationId],
  );
}

/**
 * Renews the planner's statistics after a large selection. Without them the first claims are planned for a table that was
 * empty a moment ago: measured, 860 µs an item instead of 50.
 */
export async function renewStatistics(db: Queryable): Promise<void> {
  await db.query('analyze executions');
}

/** Shows an accepted operation whose items were frozen at acceptance as running. */
export async function showRunning(db: Queryable, operationId: string): Promise<void> {
  await db.query(
    `update operations set state = 'running' where id = $1 and state = 'accepted' and selected_at is not null`,
    [operationId],
  );
}

/** Asks for the cancel of an operation whose pause has expired; true when it was this call that did. */
export async function cancelExpired(db: Queryable, operationId: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `update operations set control = 'cancel', control_revision = control_revision + 1, state = 'closing'
     where id = $1 and control = 'pause' and expires_at < clock_timestamp() and closed_at is null`,
    [operationId],
  );
  return rowCount === 1;
}

/** Asks for the cancel of an operation whose workflow was cancelled from outside; true when it was this call that did. */
export async function cancelFromOutside(db: Queryable, operationId: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `update operations set control = 'cancel', control_revision = control_revision + 1, state = 'closing', expires_at = null
     where id = $1 and control <> 'cancel' and closed_at is null`,
    [operationId],
  );
  return rowCount === 1;
}

/**
 * Takes back the exclusion of coalesced deliveries whose joined execution ended cancelled unsent; returns them. Of an
 * operation that has closed nothing is taken back: it is locked, so that it does not close meanwhile.
 */
export async function reopenCoalesced(db: Queryable, operationId: string, limit: number): Promise<string[]> {
  const { rows } = await db.query(
    `with open as materialized (
       select id from operations where id = $1 and closed_at is null for no key update
     )
     delete from exclusions x using (
       select x.delivery_id from exclusions x join executions j on j.id = x.joined_execution_id
       where exists (select from open) and x.operation_id = $1 and x.reason = 'coalesced'
         and j.state = 'cancelled' and j.attempts = 0 limit $2
     ) stranded
     where x.operation_id = $1 and x.delivery_id = stranded.delivery_id
     returning x.delivery_id`,
    [operationId, limit],
  );
  return rows.map((row) => row.delivery_id);
}

/** Why an operation could not be closed. */
export type CloseRefused = 'still_open' | 'counts_disagree';

/**
 * Closes an operation: recounts its ledger under a lock on its counts, refuses where they disagree, writes the report
 * and freezes the counts. What is still unknown goes to the live lane. One that has closed is left as it is, and its
 * report is given again. Runs in a transaction.
 */
export async function closeOperation(
  db: Queryable,
  operationId: string,
  endIn: (counts: ClosureReport['counts'], cancelled: boolean) => OperationState,
): Promise<{ closed: true; report: ClosureReport } | { closed: false; why: CloseRefused }> {
  const found = await db.query('select control, report from operations where id = $1 for no key update', [
    operationId,
  ]);
  const operation = found.rows[0];
  if (operation.report) return { closed: true, report: operation.report };
  const counted = await db.query('select * from operation_counts where operation_id = $1 for update', [
    operationId,
  ]);
  const { rows } = await db.query(
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
  const row = rows[0];
  const counts = countsFrom(counted.rows[0]);
  const states: Record<string, number> = row.states ?? {};
  const exclusions: Record<string, number> = row.exclusions ?? {};
  const excluded = Object.values(exclusions).reduce((sum, n) => sum + n, 0);
  const agrees =
    excluded === counts.excluded &&
    Object.entries(counts).every(
      ([part, n]) => part === 'expected' || part === 'excluded' || (states[part] ?? 0) === n,
    );
  if (!agrees) return { closed: false, why: 'counts_disagree' };
  if (counts.queued + counts.scheduled + counts.sending > 0) return { closed: false, why: 'still_open' };
  const report: ClosureReport = {
    counts,
    mayHaveArrived: row.may_have_arrived,
    exclusions,
    attempts: row.attempts,
    ...(row.first_at ? { firstAttemptAt: row.first_at.toISOString() } : {}),
    ...(row.last_at ? { lastAttemptAt: row.last_at.toISOString() } : {}),
    breakdown: await operationBreakdown(db, operationId),
  };
  await db.query('update operation_counts set frozen = true where operation_id = $1', [operationId]);
  await db.query(
    `update executions set worked_by = '${LIVE_LANE}' where operation_id = $1 and state = 'unknown' and worked_by = $1`,
    [operationId],
  );
  await db.query(
    `update operations set state = $2, closed_at = clock_timestamp(), report = $3, next_event = null, next_event_at = null
     where id = $1 and closed_at is null`,
    [operationId, endIn(counts, operation.control === 'cancel'), JSON.stringify(report)],
  );
  return { closed: true, report };
}

function countsFrom(row: Record<string, number>): ClosureReport['counts'] {
  const {
    queued,
    sending,
    scheduled,
    delivered,
    failed,
    unknown,
    ignored,
    cancelled,
    superseded,
    excluded,
    expected,
  } = row as ClosureReport['counts'];
  return {
    expected,
    queued,
    sending,
    scheduled,
    delivered,
    failed,
    unknown,
    ignored,
    cancelled,
    superseded,
    excluded,
  };
}
