/**
 * SQL: makes the view of executions one that can be written, in the databases of tests. Their seeds, and the changes that
 * they make behind the back of the engine, name an execution as it is and leave it to this which of the two tables that
 * concerns. Never in production: an update through a view does not look at its conditions once more when it had to wait.
 */
export const WRITABLE_EXECUTIONS = `
create function insert_execution() returns trigger language plpgsql as $$
begin
  new.id := coalesce(new.id, uuidv7());
  new.created_at := coalesce(new.created_at, now());
  new.generation := coalesce(new.generation,
    (select coalesce(max(r.generation), 0) + 1 from execution_records r where r.delivery_id = new.delivery_id));
  if new.state in ('queued', 'scheduled', 'sending', 'unknown') then
    insert into execution_records (id, tenant_id, delivery_id, endpoint_id, operation_id, parent_id, generation,
      target_version, match_filter, on_ambiguous, created_at)
    values (new.id, new.tenant_id, new.delivery_id, new.endpoint_id, new.operation_id, new.parent_id, new.generation,
      new.target_version, coalesce(new.match_filter, false), new.on_ambiguous, new.created_at);
    insert into queue (delivery_id, execution_id, tenant_id, endpoint_id, operation_id, worked_by, state, target_version,
      match_filter, on_ambiguous, due_at, put_off_from, give_up_at, put_off_ms, reconcile_until, attempts, lost_attempts,
      may_have_arrived, probe_at, probes, acknowledged_at, lease_token)
    values (new.delivery_id, new.id, new.tenant_id, new.endpoint_id, new.operation_id,
      coalesce(new.worked_by, '00000000-0000-0000-0000-000000000000'), new.state, new.target_version,
      coalesce(new.match_filter, false), new.on_ambiguous, new.due_at, new.put_off_from, new.give_up_at, new.put_off_ms,
      new.reconcile_until, coalesce(new.attempts, 0), coalesce(new.lost_attempts, 0), coalesce(new.may_have_arrived, false),
      new.probe_at, coalesce(new.probes, 0), new.acknowledged_at, new.lease_token);
  else
    insert into execution_records (id, tenant_id, delivery_id, endpoint_id, operation_id, parent_id, generation,
      target_version, match_filter, on_ambiguous, created_at, outcome, reason, finished_at, attempts, lost_attempts,
      may_have_arrived, due_at, give_up_at, put_off_ms, acknowledged_at)
    values (new.id, new.tenant_id, new.delivery_id, new.endpoint_id, new.operation_id, new.parent_id, new.generation,
      new.target_version, coalesce(new.match_filter, false), new.on_ambiguous, new.created_at, new.state, new.reason,
      new.finished_at, coalesce(new.attempts, 0), coalesce(new.lost_attempts, 0), coalesce(new.may_have_arrived, false),
      new.due_at, new.give_up_at, new.put_off_ms, new.acknowledged_at);
  end if;
  select * into new from executions e where e.id = new.id;
  return new;
end $$;

create function update_execution() returns trigger language plpgsql as $$
declare
  stays_open boolean := new.state in ('queued', 'scheduled', 'sending', 'unknown');
begin
  if stays_open and not old.open then perform refuse_transition(old.state, new.state); end if;
  -- What never changes of one: nothing is counted by it.
  if (new.tenant_id, new.delivery_id, new.endpoint_id, new.operation_id, new.parent_id, new.generation, new.target_version,
      new.match_filter, new.on_ambiguous, new.created_at) is distinct from
    (old.tenant_id, old.delivery_id, old.endpoint_id, old.operation_id, old.parent_id, old.generation, old.target_version,
      old.match_filter, old.on_ambiguous, old.created_at) then
    perform set_config('session_replication_role', 'replica', true);
    update execution_records set tenant_id = new.tenant_id, delivery_id = new.delivery_id, endpoint_id = new.endpoint_id,
      operation_id = new.operation_id, parent_id = new.parent_id, generation = new.generation,
      target_version = new.target_version, match_filter = new.match_filter, on_ambiguous = new.on_ambiguous,
      created_at = new.created_at
    where id = old.id;
    update queue set delivery_id = new.delivery_id, tenant_id = new.tenant_id, endpoint_id = new.endpoint_id,
      operation_id = new.operation_id, target_version = new.target_version, match_filter = new.match_filter,
      on_ambiguous = new.on_ambiguous
    where execution_id = old.id and delivery_id = old.delivery_id;
    perform set_config('session_replication_role', 'origin', true);
  end if;
  if stays_open then
    update queue set worked_by = new.worked_by, state = new.state, due_at = new.due_at,
      put_off_from = new.put_off_from, give_up_at = new.give_up_at, put_off_ms = new.put_off_ms,
      reconcile_until = new.reconcile_until, attempts = new.attempts, lost_attempts = new.lost_attempts,
      may_have_arrived = new.may_have_arrived, probe_at = new.probe_at, probes = new.probes,
      acknowledged_at = new.acknowledged_at, lease_token = new.lease_token
    where execution_id = old.id and delivery_id = new.delivery_id;
  else
    with gone as (
      delete from queue q where q.execution_id = old.id and q.delivery_id = new.delivery_id
    )
    update execution_records set outcome = new.state, reason = new.reason, finished_at = new.finished_at,
      attempts = new.attempts, lost_attempts = new.lost_attempts, may_have_arrived = new.may_have_arrived,
      due_at = new.due_at, give_up_at = new.give_up_at, put_off_ms = new.put_off_ms, acknowledged_at = new.acknowledged_at
    where id = old.id;
  end if;
  -- The triggers list what ends, and nothing ends at another time afterwards.
  update listed_executions set finished_at = new.finished_at where execution_id = old.id and not stays_open;
  select * into new from executions e where e.id = old.id;
  return new;
end $$;

-- Nothing deletes an execution but a test that wants another world: no trigger looks on.
create function delete_execution() returns trigger language plpgsql as $$
begin
  perform set_config('session_replication_role', 'replica', true);
  delete from queue where execution_id = old.id and delivery_id = old.delivery_id;
  delete from execution_records where id = old.id;
  delete from listed_executions where execution_id = old.id;
  perform set_config('session_replication_role', 'origin', true);
  return old;
end $$;

drop trigger write_like_before on executions;
create trigger inserts instead of insert on executions for each row execute function insert_execution();
create trigger updates instead of update on executions for each row execute function update_execution();
create trigger deletes instead of delete on executions for each row execute function delete_execution();
`;
