import type { ClosureReport } from '../../domain/operations/operation.ts';
import type { Control, OPERATION_ENDS, OperationState } from '../../domain/operations/operation-state.ts';
import type { Halt } from '../../domain/operations/watch.ts';
import { HOLD_EXPIRES_MS, type HoldEnd } from '../../domain/policy/hold.ts';
import { BOOKED_AT_MOST_MS } from '../../domain/sending/pacing.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import type { SelectionCursor } from '../selection/selection-page.ts';

/*
 * Every change of an operation's state, one verb each. The database refuses every change that the transition table
 * of the domain does not name (RD003).
 */

/** How many of its items have ended. */
const ENDED = `(
       select c.expected - c.excluded - c.queued - c.scheduled - c.sending - c.unknown
       from operation_counts c where c.operation_id = operations.id)`;

/** Since when it runs, and how many items had ended by then: an estimate of its end begins with these. */
const RUNNING_SINCE = `running_since = clock_timestamp(), ended_before = ${ENDED}`;

/** A cancel that was asked for: nothing of it runs any more, and it waits for no time. */
const CANCELLED = `control = 'cancel', control_revision = control_revision + 1, state = 'closing', expires_at = null`;

/** The condition that an operation is a plan that nobody has executed. */
const UNEXECUTED = `exists (select from plans q where q.operation_id = operations.id and q.executed_at is null)`;

/** The condition that a policy holds an operation, or has not judged it yet: it does not run, whoever wants it to. */
const HELD_BY_POLICY = `(exists (select from operation_holds h where h.operation_id = operations.id and h.ended_at is null)
        or exists (select from plans q where q.operation_id = operations.id and q.origin = 'policy' and q.executed_at is null))`;

/** How long a plan waits for its execution. */
const LIFE_OF_PLAN = `(select q.life_ms * interval '1 millisecond' from plans q where q.operation_id = operations.id)`;

/** The statement that ends the open holds of the operations in `of`, whose ids it returned. */
const endsHold = (of: string, endedFor: HoldEnd): string =>
  `update operation_holds h set ended_at = clock_timestamp(), ended_for = '${endedFor}'
      from ${of} c where h.operation_id = c.id and h.ended_at is null`;

/** Locks an operation for its selection and returns where it stands; undefined when it may not go on selecting. */
export async function lockSelection(
  tx: Transaction,
  operationId: Id<'operation'>,
): Promise<SelectionCursor | undefined> {
  const { rows } = await tx.query<{ selection_cursor: SelectionCursor | null }>(
    `update operations set state = 'selecting' where id = $1 and control = 'run' and selected_at is null
       and closed_at is null and state not in ('planned', 'awaiting_approval')
     returning selection_cursor`,
    [operationId],
  );
  if (!rows[0]) return undefined;
  return rows[0].selection_cursor ?? { partition: 0 };
}

/** Ends the selection; the operation runs unless its owner said otherwise meanwhile. */
export async function endSelection(tx: Transaction, operationId: Id<'operation'>): Promise<void> {
  await tx.query(
    `update operations set selected_at = clock_timestamp(), ${RUNNING_SINCE},
       state = case when state = 'selecting' then 'running' else state end
     where id = $1 and selected_at is null`,
    [operationId],
  );
}

/** Shows an accepted operation whose items were frozen at acceptance as running. */
export async function showRunning(db: Queryable, operationId: Id<'operation'>): Promise<void> {
  await db.query(
    `update operations set state = 'running', ${RUNNING_SINCE}
     where id = $1 and state = 'accepted' and selected_at is not null`,
    [operationId],
  );
}

/**
 * Commits the control that the owner wants of an operation, with a new revision; every slice reads it at its next
 * claim. Fenced by the states that allow it; false in any other state, or where the operation is not the tenant's. A
 * cancel is never taken back: where a step of it has failed, resuming or another cancel tries that step again.
 */
export async function commitControl(
  db: Queryable,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
  change: {
    control?: Control;
    rate?: { perSecond: number | null };
    pausedForMs?: number;
    /** The only endpoints whose canaries begin again. */
    only?: Id<'endpoint'>[];
  },
  from: OperationState[],
): Promise<boolean> {
  const { rowCount } = await db.query(
    `with before as materialized (
      select id, state, control from operations
      where id = $1 and tenant_id = $2 and state = any($7) and (control <> 'cancel' or state = 'halted') for no key update
    ), changed as (update operations set
      control = case when operations.control = 'cancel' then 'cancel'
        when $3 = 'run' and ${HELD_BY_POLICY} then 'pause' else coalesce($3, operations.control) end,
      control_revision = control_revision + 1,
      rate_per_second = case when $4 then $5::float8 else rate_per_second end,
      state = case when $3 is null then operations.state
        when $3 = 'pause' then 'paused'
        when $3 = 'cancel' or operations.control = 'cancel' then 'closing'
        when ${UNEXECUTED} then 'planned'
        when ${HELD_BY_POLICY} then 'awaiting_approval'
        when selected_at is null then 'selecting'
        else 'running' end,
      running_since = case when $3 = 'run' then clock_timestamp() else running_since end,
      ended_before = case when $3 = 'run' then ${ENDED} else ended_before end,
      expires_at = case when $3 = 'pause' then now() + $6::float8 * interval '1 millisecond'
        when $3 = 'run' and ${UNEXECUTED} then now() + ${LIFE_OF_PLAN}
        when $3 = 'run' and ${HELD_BY_POLICY} then now() + interval '${HOLD_EXPIRES_MS} milliseconds'
        when $3 is not null then null else expires_at end,
      next_event = 'control', next_event_at = now()
    from before b where operations.id = b.id returning operations.id
    ), let_go as (
      -- The next canaries are judged by themselves: those held or still out begin again, and after a halt all do.
      delete from canaries k using before b
      where k.operation_id = b.id and $3 = 'run' and (k.state <> 'passed' or b.state = 'halted')
        and ($8::uuid[] is null or k.endpoint_id = any($8))
    ), forgotten as (
      delete from operation_pulses u using before b where u.operation_id = b.id and $3 = 'run'
    ), paced as (
      -- A new rate counts from the end of the sends booked under the old one, whose next free time may be minutes away.
      update operation_pacing p set arrival_at = least(p.arrival_at, now() + ${BOOKED_AT_MOST_MS} * interval '1 millisecond')
      from changed c where p.operation_id = c.id and $4
    ), unheld as (
      ${endsHold('changed', 'cancelled')} and $3 = 'cancel'
    )
    select id from changed`,
    [
      operationId,
      tenantId,
      change.control ?? null,
      change.rate !== undefined,
      change.rate?.perSecond ?? null,
      change.pausedForMs ?? null,
      from,
      change.only ?? null,
    ],
  );
  return rowCount === 1;
}

/**
 * Asks for the cancel of an operation whose pause, halt, plan or wait for approval has expired; true when it was this call
 * that did. A plan that nobody has executed is noted as expired, and so is the hold of one that nobody has approved.
 */
export async function cancelExpired(db: Queryable, operationId: Id<'operation'>): Promise<boolean> {
  const { rowCount } = await db.query(
    `with cancelled as (
      update operations set ${CANCELLED}
      where id = $1 and (control = 'pause' or state in ('halted', 'planned', 'awaiting_approval'))
        and expires_at < clock_timestamp() and closed_at is null
      returning id
    ), noted as (
      update plans p set expired = true from cancelled c where p.operation_id = c.id and p.executed_at is null
    ), unheld as (
      ${endsHold('cancelled', 'expired')}
    )
    select id from cancelled`,
    [operationId],
  );
  return rowCount === 1;
}

/**
 * Asks for the cancel of an operation whose workflow was cancelled from outside; true when it was this call that did.
 */
export async function cancelFromOutside(db: Queryable, operationId: Id<'operation'>): Promise<boolean> {
  const { rowCount } = await db.query(
    `with cancelled as (
      update operations set ${CANCELLED}
      where id = $1 and (control <> 'cancel' or state = 'halted') and closed_at is null returning id
    ), unheld as (
      ${endsHold('cancelled', 'cancelled')}
    )
    select id from cancelled`,
    [operationId],
  );
  return rowCount === 1;
}

/** Lets an operation that was planned wait for its execution, until its life ends. */
export async function awaitExecution(tx: Transaction, operationId: Id<'operation'>): Promise<void> {
  await tx.query(
    `update operations set selection_cursor = null, expires_at = now() + ${LIFE_OF_PLAN} where id = $1`,
    [operationId],
  );
}

/**
 * Holds a plan that waits for its execution until the end of the transaction, and counts that act; false where it does not
 * wait, or its life is over.
 */
export async function holdExecution(tx: Transaction, operationId: Id<'operation'>): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update operations set control_revision = control_revision + 1
     where id = $1 and state = 'planned' and control = 'run' and expires_at > clock_timestamp()`,
    [operationId],
  );
  return rowCount === 1;
}

/** Accepts an operation that was planned, whose execution is being written down. */
export async function acceptPlanned(tx: Transaction, operationId: Id<'operation'>): Promise<void> {
  await tx.query(
    `update operations set state = 'accepted', expires_at = null, next_event = 'control', next_event_at = now()
     where id = $1 and state = 'planned' and control = 'run'`,
    [operationId],
  );
}

/**
 * Lets an operation wait for the words or the approval that a policy asks for, until that expires. Nothing of it runs: its
 * control says so to whoever looks.
 */
export async function awaitApproval(tx: Transaction, operationId: Id<'operation'>): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update operations set state = 'awaiting_approval', control = 'pause', control_revision = control_revision + 1,
       expires_at = now() + interval '${HOLD_EXPIRES_MS} milliseconds',
       -- It has been looked at by then: what the live lane is for is over.
       interactive = false, next_event = 'expiry', next_event_at = now() + interval '${HOLD_EXPIRES_MS} milliseconds'
     where id = $1 and state = 'planned' and control <> 'cancel'`,
    [operationId],
  );
  return rowCount === 1;
}

/** Accepts an operation that a policy has looked at, or that was approved; its hold, if any, has ended. */
export async function acceptJudged(tx: Transaction, operationId: Id<'operation'>): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update operations set state = 'accepted', control = 'run', control_revision = control_revision + 1,
       expires_at = null, next_event = 'control', next_event_at = now()
     where id = $1 and state in ('planned', 'awaiting_approval') and control <> 'cancel'`,
    [operationId],
  );
  return rowCount === 1;
}

/** Asks for the cancel of an operation that was rejected. */
export async function cancelRejected(tx: Transaction, operationId: Id<'operation'>): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update operations set ${CANCELLED}, next_event = 'control', next_event_at = now()
     where id = $1 and state = 'awaiting_approval'`,
    [operationId],
  );
  return rowCount === 1;
}

/** Holds an operation that waits for approval until the end of the transaction, and counts one more act on it. */
export async function lockAwaiting(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update operations set control_revision = control_revision + 1
     where id = $1 and tenant_id = $2 and state = 'awaiting_approval'`,
    [operationId, tenantId],
  );
  return rowCount === 1;
}

/** Takes an execution back before anything of it was selected: the operation is planned as it was. */
export async function planAgain(tx: Transaction, operationId: Id<'operation'>): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update operations set state = 'planned', expires_at = now() + ${LIFE_OF_PLAN}
     where id = $1 and state in ('accepted', 'selecting') and control = 'run' and selected_at is null
       and selection_cursor is null`,
    [operationId],
  );
  return rowCount === 1;
}

/**
 * Halts a running operation, with the reason; it waits for a human for `waitsMs`, and is then cancelled by itself.
 * False where it does not run.
 */
export async function haltOperation(
  db: Queryable,
  operationId: Id<'operation'>,
  halt: Halt,
  waitsMs: number,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update operations set state = 'halted', control = 'pause', control_revision = control_revision + 1,
       halt = $2::jsonb || jsonb_build_object('at', clock_timestamp()),
       expires_at = now() + $3::float8 * interval '1 millisecond', next_event = 'control', next_event_at = now()
     where id = $1 and control = 'run' and state = 'running'`,
    [operationId, JSON.stringify(halt), waitsMs],
  );
  return rowCount === 1;
}

/** The fate of an operation of which a step failed, its tenant, and the state it was found in. */
export interface Stuck {
  tenantId: Id<'tenant'>;
  became: 'halted' | 'halted_already' | 'overtaken' | 'ended';
  found: OperationState;
}

/**
 * Halts an operation of which a step has failed, whatever it was about to do; a cancel stays asked for. The run itself
 * calls this, and has no further control to see. Does not halt where the owner has asked for something that the run has
 * not seen yet (`overtaken`): that is tried first, unless the run failed in looking. Undefined where there is no such
 * operation.
 */
export async function haltStuck(
  db: Queryable,
  operationId: Id<'operation'>,
  halt: Extract<Halt, { reason: 'failed_step' }>,
  { waitsMs, looking }: { waitsMs: number; looking: boolean },
): Promise<Stuck | undefined> {
  const { rows } = await db.query<Omit<Stuck, 'tenantId'> & { tenant_id: Id<'tenant'> }>(
    `with before as materialized (
      select id, tenant_id, state as found, case
        when closed_at is not null then 'ended'
        when state = 'halted' and halt->>'reason' = 'failed_step' then 'halted_already'
        when control_revision > control_seen and not $4 then 'overtaken'
        else 'halted' end as became
      from operations where id = $1 for no key update
    ), halted as (
      update operations o set state = 'halted',
        control = case when o.control = 'run' then 'pause' else o.control end,
        control_revision = o.control_revision + 1, control_seen = o.control_revision + 1,
        halt = $2::jsonb || jsonb_build_object('at', clock_timestamp()),
        expires_at = now() + $3::float8 * interval '1 millisecond',
        next_event = 'expiry', next_event_at = now() + $3::float8 * interval '1 millisecond',
        start_confirmed_at = coalesce(o.start_confirmed_at, now()), start_attempts = 0, start_again_at = null
      from before b where o.id = b.id and b.became = 'halted'
    )
    select became, found, tenant_id from before`,
    [operationId, JSON.stringify(halt), waitsMs, looking],
  );
  const [row] = rows;
  return row && { became: row.became, found: row.found, tenantId: row.tenant_id };
}

/**
 * Writes down the report of an operation, whose transaction has recounted its ledger, and freezes its counts with it;
 * says when. From then on nothing works its items for it, and all that is left is to hash and sign.
 */
export async function writeFrozen(
  tx: Transaction,
  operationId: Id<'operation'>,
  report: ClosureReport,
): Promise<Date> {
  await tx.query('update operation_counts set frozen = true where operation_id = $1', [operationId]);
  return onlyRow(
    await tx.query<{ at: Date }>(
      'update operations set report = $2 where id = $1 returning clock_timestamp() as at',
      [operationId, JSON.stringify(report)],
    ),
  ).at;
}

/** Ends an operation whose report is written. */
export async function endOperation(
  tx: Transaction,
  operationId: Id<'operation'>,
  end: (typeof OPERATION_ENDS)[number],
  closedAt: Date,
): Promise<void> {
  await tx.query(
    `update operations set state = $2, closed_at = $3, next_event = null, next_event_at = null,
       awaited_execution_id = null
     where id = $1 and closed_at is null`,
    [operationId, end, closedAt],
  );
}

/** Holds an operation that is being closed until the end of the transaction, and says what time it is. */
export async function holdForClosing(tx: Transaction, operationId: Id<'operation'>): Promise<Date> {
  return onlyRow(
    await tx.query<{ at: Date }>(
      'select clock_timestamp() as at from operations where id = $1 for no key update',
      [operationId],
    ),
  ).at;
}
