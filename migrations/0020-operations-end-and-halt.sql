-- Why: an operation's states have one table of transitions, which the database keeps as it keeps that of executions; an
-- operation that waits for what it joined names it, so that a look at one row tells whether the wait is over; and an
-- estimate of its end needs to know since when it runs and with what behind it.

-- Mirrors OPERATION_TRANSITIONS in src/domain/operations/operation-state.ts; a test compares every pair.
create function operation_may_become(from_state text, to_state text) returns boolean
language sql immutable parallel safe return
  case from_state
    when 'planned' then to_state in ('awaiting_approval', 'accepted', 'cancelled')
    when 'awaiting_approval' then to_state in ('accepted', 'cancelled')
    when 'accepted' then to_state in
      ('selecting', 'running', 'paused', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'selecting' then to_state in ('running', 'paused', 'halted', 'closing')
    when 'running' then to_state in ('paused', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'paused' then to_state in
      ('selecting', 'running', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'halted' then to_state in ('selecting', 'running', 'closing', 'completed', 'completed_with_failures')
    when 'closing' then to_state in ('halted', 'cancelled')
    else false
  end;

create function check_operation_transition() returns trigger language plpgsql as $$
begin
  if not operation_may_become(old.state, new.state) then
    raise exception 'an operation may not go from % to %', old.state, new.state using errcode = 'RD002';
  end if;
  return new;
end $$;
create trigger check_transition before update on operations for each row
  when (old.state is distinct from new.state) execute function check_operation_transition();

alter table operations
  -- One of the executions it joined that is still to be sent, while it waits for these alone.
  add column awaited_execution_id uuid,
  -- When it began to run, the last time, and what of it had ended by then.
  add column running_since timestamptz,
  add column ended_before int;

-- The execution that runs in the place of one that was taken over, however often that happened; itself where it was not,
-- null where what took it over was cancelled before it was sent.
create function run_in_place_of(of_execution uuid) returns uuid language sql stable parallel safe as $$
  with recursive line as (
    select id, state from executions where id = of_execution
    union all
    select c.id, c.state from line l join executions c on c.parent_id = l.id and c.keeps_slot where l.state = 'superseded'
  )
  select id from line where state <> 'superseded' limit 1
$$;
