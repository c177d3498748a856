-- What is open of an execution is looked up in the queue by the key of its delivery: as an element of an array, which keeps
-- the planner from reading the queue in the order of its index for each execution (decision 99). By the id of the execution
-- both can still be hashed.
create or replace view executions as
-- Not the table itself, which could not be named for locking behind a left join: the version before locks what it reads here.
with q as (select * from queue)
select r.id, r.tenant_id, r.delivery_id, r.endpoint_id, r.operation_id, r.parent_id, q.worked_by,
  coalesce(q.state, r.outcome) as state,
  r.outcome is null as open,
  q.in_queue,
  -- One cancelled before its first attempt gives its parent's child slot back.
  r.outcome is distinct from 'cancelled' or r.attempts > 0 as keeps_slot,
  coalesce(r.outcome <> 'delivered', false) as undelivered,
  r.reason, r.target_version, r.match_filter, coalesce(q.due_at, r.due_at) as due_at, q.put_off_from,
  coalesce(q.give_up_at, r.give_up_at) as give_up_at, q.reconcile_until, coalesce(q.attempts, r.attempts) as attempts,
  coalesce(q.lost_attempts, r.lost_attempts) as lost_attempts,
  coalesce(q.may_have_arrived, r.may_have_arrived) as may_have_arrived, r.on_ambiguous, q.probe_at, q.probes,
  coalesce(q.acknowledged_at, r.acknowledged_at) as acknowledged_at, q.lease_token, r.created_at, r.finished_at,
  coalesce(q.put_off_ms, r.put_off_ms) as put_off_ms, r.generation
from execution_records r left join q on q.delivery_id = any(array[r.delivery_id]) and q.execution_id = r.id;
