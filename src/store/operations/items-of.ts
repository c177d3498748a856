/**
 * SQL: the executions of an operation as the view `executions` shows them, each of those that are open looked up in the
 * queue: as a join all of the queue may be read for each (see `lookedUp`), and most of them have ended.
 */
export function itemsOf(operation: string): string {
  return `(select r.id, r.operation_id, r.delivery_id, r.endpoint_id, r.reason, r.finished_at,
        coalesce(q.state, r.outcome) as state, coalesce(q.attempts, r.attempts) as attempts,
        coalesce(q.may_have_arrived, r.may_have_arrived) as may_have_arrived, coalesce(q.due_at, r.due_at) as due_at
      from execution_records r left join lateral (
        select x.state, x.attempts, x.may_have_arrived, x.due_at from queue x
        where r.outcome is null and x.delivery_id = r.delivery_id and x.execution_id = r.id limit 1) q on true
      where r.operation_id = ${operation})`;
}
