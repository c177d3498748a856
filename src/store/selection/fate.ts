import type { Operation } from '../../domain/operations/operation.ts';
import { isExplicit, isSingle } from '../../domain/operations/selection.ts';
import { heldUntil } from '../policy/held-by-windows.ts';

/*
 * The fate of each delivery of a page, in SQL: the facts (`seen`) and the decision, by the rules of `retryFate` in their
 * order. A freeze makes items and exclusions of it, a plan only shows it.
 */

/** The columns of a delivery that the facts need: a page has them whose deliveries are not looked up again. */
export const WHOLE_DELIVERY: readonly string[] = [
  ...['id', 'tenant_id', 'endpoint_id', 'event_id', 'state', 'state_changed_at', 'original_version'],
  ...['resent_by', 'accepted_at', 'last_attempt_at', 'operation_id'],
];

/** What a page of deliveries has. */
export interface PageColumns {
  /** Columns of its own that go with the facts. */
  own?: string[];
  /** It has `WHOLE_DELIVERY`, read in the same statement. */
  whole?: boolean;
  /** Asks whether any execution may have arrived, too (`arrived`). */
  arrived?: boolean;
}

/** The facts that decide each delivery of `page`, a row each; with it those columns of the page. */
export function seenSql({ own = [], whole = false, arrived = false }: PageColumns = {}): string {
  const columns = [
    ...own.map((column) => `${whole ? 'd' : 'page'}.${column}`),
    ...WHOLE_DELIVERY.map((column) => `d.${column}`),
  ].join(', ');
  // Lateral with a limit: one look-up each, whatever the planner thinks of the size of the tables.
  const delivery = whole
    ? 'page d'
    : 'page cross join lateral (select x.* from deliveries x where x.id = page.id limit 1) d';
  // By one look-up with the tip: a delivery has few executions.
  const records = arrived
    ? `(select x.*, bool_or(x.may_have_arrived) over () as arrived from execution_records x where x.delivery_id = d.id)`
    : 'execution_records';
  const tip = (column: string) =>
    `case when earlier.id is null then newest.${column} else earlier.${column} end`;
  return `select ${columns}, d.operation_id as made_by,
        ${arrived ? 'coalesce(newest.arrived, false) or coalesce(own.may_have_arrived, false) as arrived, ' : ''}
        newest.generation + 1 as next_generation, newest.operation_id as newest_operation,
        ${tip('id')} as tip_id, coalesce(own.state, ${tip('outcome')}) as tip_state, ${tip('reason')} as tip_reason,
        own.execution_id is not null as tip_open, coalesce(own.attempts, ${tip('attempts')}) as tip_attempts,
        holder.id as holder_id, holder.control as holder_control, holder.state as holder_state,
        (select c.state from canaries c where c.operation_id = holder.id and c.endpoint_id = d.endpoint_id) as holder_canary,
        endpoint.state as endpoint_state
      from ${delivery}
      left join lateral (select e.* from ${records} e where e.delivery_id = d.id order by e.generation desc limit 1) newest on true
      -- Where the newest is not the tip itself: seldom.
      left join lateral (select e.* from execution_records e where ${gaveSlotBack('newest')} and ${isTip('e', 'd.id')}) earlier on true
      -- What is open is the newest of its delivery, and so the tip.
      left join lateral (select q.* from queue q where q.delivery_id = d.id limit 1) own on true
      left join lateral (select n.state from endpoints n where n.id = d.endpoint_id limit 1) endpoint on true
      -- An execution that a closed operation left unknown and that was resolved to be sent again is the live lane's.
      left join lateral (select o.id, o.control, o.state from operations o
        where o.id = own.operation_id and o.report is null limit 1) holder on true`;
}

/** SQL: the record `e` is of a run that was cancelled before an attempt, and gave its parent's slot back. */
function gaveSlotBack(e: string): string {
  return `${e}.outcome = 'cancelled' and ${e}.attempts = 0 and ${e}.parent_id is not null`;
}

/**
 * SQL: the end of the clause of a look-up of records `e` that finds the tip of a delivery, the parent of a further run: the
 * newest but for those that gave their parent's slot back.
 */
function isTip(e: string, deliveryId: string): string {
  return `${e}.delivery_id = ${deliveryId} and (${gaveSlotBack(e)}) is not true
        order by ${e}.generation desc limit 1`;
}

/**
 * A statement that reads the tip of a delivery, `(id, next)`, with the generation of a further run: of two statements with
 * the same view one conflicts.
 */
export function tipOf(deliveryId: string): string {
  return `select e.id, (select max(g.generation) + 1 from execution_records g where g.delivery_id = e.delivery_id) as next
      from execution_records e where ${isTip('e', deliveryId)}`;
}

/** The operation that decides, as the decision needs it. */
export type Deciding = Pick<Operation, 'kind' | 'newIdentity' | 'selection' | 'options'>;

/** What is different about a decision; each is a condition on `s`, a row of the facts. */
export interface DecidedBy {
  /** It changed since it was selected; by default since the watermark of `op`, for what a filter selected. */
  changed?: string;
  /** Its endpoint has another address than it was shown with. */
  moved?: string;
  /** The operation has decided it already; by default looked up. */
  mine?: string;
  /** It has no payload any more; by default looked up. */
  expired?: string;
}

/** Whether an operation takes over what stopped operations hold. */
const takesStopped = ({ newIdentity, selection, options }: Deciding): boolean =>
  !newIdentity && (options.takeOverScheduled === true || isSingle(selection));

/** The condition that an operation that was stopped holds the open execution of `s`. */
export const HELD = `(s.holder_control = 'pause' or s.holder_state = 'halted' or s.holder_canary = 'held')`;

/** The condition that a freeze window holds the open execution of `s`, which is not that of a single retry. */
const HELD_BY_WINDOW = `(s.holder_id is not null and not (select h.single from operations h where h.id = s.holder_id)
          and ${heldUntil('s.tenant_id', 's.endpoint_id')} is not null)`;

/** The decision on `s`; `op` is the placeholder of the operation's id. */
export function decisionSql(
  operation: Deciding,
  op: string,
  { changed, moved, mine, expired }: DecidedBy = {},
): string {
  const { kind, newIdentity, selection, options } = operation;
  const { takeOverScheduled: takesOver = false, matchFilter } = options;
  const takesResent = kind === 'replay' && options.includeResent === true;
  // A new delivery takes nothing over: what is open is another delivery's.
  const take = newIdentity ? `'coalesced'` : `'take'`;
  const own = newIdentity
    ? // One that it has made is met by a filter that is still at work.
      `s.made_by = ${op} or (select n.id from deliveries n where n.operation_id = ${op} and n.replay_of = s.id) is not null`
    : // Most deliveries have had one run.
      `case when s.next_generation = 2 then s.newest_operation = ${op}
            else ${op} = any (array(select x.operation_id from execution_records x where x.delivery_id = s.id)) end`;
  const changedSince =
    changed ?? (isExplicit(selection) ? undefined : 's.state_changed_at > (select watermark from op)');
  // Look-ups by delivery and event alone: EXISTS may be hashed, and the operation may be looked up first: each page would
  // then read all items that it has already, or the payloads of every event there is.
  const decidedBefore =
    mine ??
    `(select x.delivery_id from exclusions x where x.operation_id = ${op} and x.delivery_id = s.id) is not null
          or ${own}`;
  const withoutPayload =
    expired ?? '(select b.event_id from payloads b where b.event_id = s.event_id) is null';
  const decision = `case
        when ${decidedBefore} then 'mine'
        when s.state = 'delivered' and ${kind === 'retry'} then 'already_delivered'
        when s.tip_state = 'sending' then 'coalesced'
        when s.tip_state = 'unknown' then 'outcome_unknown'
        when not s.tip_open and s.tip_reason = 'suppressed_duplicate' then ${
          // Where filters run again, so does the search for a first event: it gets a child that says the same.
          matchFilter ? `'repeat'` : `'suppressed_duplicate'`
        }
        ${takesResent ? '' : `when not s.tip_open and s.resent_by is not null then 'resent'`}
        ${changedSince === undefined ? '' : `when not s.tip_open and ${changedSince} then 'changed_since'`}
        when ${withoutPayload} then 'payload_expired'
        when s.endpoint_state <> 'enabled' then 'endpoint_' || s.endpoint_state
        when not s.tip_open then 'new'
        when s.holder_control = 'cancel' or s.holder_state = 'closing' then ${take}
        when ${HELD}
          then ${takesStopped(operation) ? `'take'` : `'held'`}
        ${takesStopped(operation) && !takesOver ? `when ${HELD_BY_WINDOW} then 'take'` : ''}
        else ${takesOver ? take : `'coalesced'`} end`;
  if (moved === undefined) return decision;
  return `(select case when f.fate in ('new', 'take') and ${moved} then 'endpoint_changed' else f.fate end
        from (select ${decision} as fate) f)`;
}
