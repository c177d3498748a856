import { LIVE_LANE } from '../db/queryable.ts';

/*
 * An end is one statement over two tables: it deletes the row in the queue under its fence, and writes the outcome into the
 * record, with what that row said. Postgres counts the move where the row goes, and refuses that without an outcome.
 */

/** The columns of a row in the queue that its record keeps: a cancel makes an execution of it again, reports read them. */
const KEPT = [
  'attempts',
  'lost_attempts',
  'may_have_arrived',
  'due_at',
  'give_up_at',
  'put_off_ms',
  'acknowledged_at',
] as const;

type Kept = (typeof KEPT)[number];

/**
 * SQL: the assignments by which a record keeps what its row in the queue said, deleted as `row`, save where it says
 * `otherwise`. Of one that was put off for its order it keeps the time that it was due at, not that of the next look.
 */
export function kept(row: string, otherwise: Partial<Record<Kept, string>> = {}): string {
  const said = (column: Kept) =>
    column === 'due_at' ? `coalesce(${row}.put_off_from, ${row}.due_at)` : `${row}.${column}`;
  return KEPT.map((column) => `${column} = ${otherwise[column] ?? said(column)}`).join(', ');
}

/** SQL: what becomes of a row in the queue `q` that was unknown and is to be sent again: nobody asks any more. */
export const SENT_AGAIN = `state = 'scheduled', due_at = now(),
        give_up_at = greatest(q.give_up_at, now() + interval '24 hours'),
        worked_by = case when exists (select from operations o where o.id = q.operation_id and o.report is null)
          then q.worked_by else '${LIVE_LANE}' end,
        reconcile_until = null, probe_at = null`;

/** SQL: whether something can be sent of the whole delivery `d`: its endpoint is enabled, and its payload kept. */
export const sendable = (d: string): string =>
  `((select n.state from endpoints n where n.id = ${d}.endpoint_id) = 'enabled'
        and (select b.event_id from payloads b where b.event_id = ${d}.event_id) is not null)`;

/** SQL: what becomes of the record of one that was unknown, `g`, and is settled as `outcome`. */
export const RESOLVED_AS = (outcome: string): string =>
  `outcome = ${outcome}, reason = case when ${outcome} = 'failed' then 'resolved' end, finished_at = clock_timestamp(),
        ${kept('g', { due_at: 'now()', give_up_at: "greatest(g.give_up_at, now() + interval '24 hours')" })}`;
