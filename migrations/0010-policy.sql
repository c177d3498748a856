-- Why: who starts a recovery of many deliveries is not always the one who should decide that it runs. A tenant says, and
-- the platform sharpens, which operations wait for a reason, a ticket or the approval of others. What was approved is the
-- hash of a plan, and nothing runs before it: that is kept here, whatever the code does.

-- The rules of each tenant; those of the platform's own tenant are the floor under all of them.
create table tenant_policies (
  tenant_id uuid primary key references tenants,
  reason_above int check (reason_above >= 0),
  -- A restricted form of regular expressions: src/domain/policy/ticket-pattern.ts.
  ticket_pattern text check (length(ticket_pattern) between 1 and 200),
  approve_above int check (approve_above >= 0),
  approve_when text[] not null default '{}'
    check (approve_when <@ array['mayHaveArrived', 'endpointChanged', 'replayOfDelivered']),
  approvers int not null default 1 check (approvers between 1 and 5),
  items_per_operation int check (items_per_operation >= 0),
  items_per_day int check (items_per_day >= 0),
  open_operations int check (open_operations >= 0),
  rate_per_second double precision check (rate_per_second > 0),
  freeze_windows jsonb not null default '[]'
    check (jsonb_typeof(freeze_windows) = 'array' and jsonb_array_length(freeze_windows) <= 50),
  -- SHA-256 of all of it, by which audit and reports name it.
  digest bytea not null check (length(digest) = 32),
  changed_at timestamptz not null default clock_timestamp(),
  changed_by text not null,
  constraint tenant_policies_ticket check (ticket_pattern is null or reason_above is not null)
);

-- A plan may be made because a policy has to look at an operation that was started without one. It keeps payloads while it
-- waits, too. The requester may have called it an emergency from the start.
alter table plans drop constraint plans_origin_check;
alter table plans add constraint plans_origin_check check (origin in ('plan', 'dry_run', 'policy'));
alter table plans drop constraint plans_pin;
alter table plans add constraint plans_pin
  check ((pin_from is null) = (pin_to is null) and (origin <> 'dry_run' or pin_from is null));
alter table plans add column executed_key uuid,
  add column emergency boolean not null default false check (origin = 'policy' or not emergency);

-- While it waits for approval its control does not say run: every claim, every look of a slice and every other retry that
-- meets its items finds it stopped, by the conditions that hold for a pause.
alter table operations add constraint operations_awaiting check (state <> 'awaiting_approval' or control <> 'run');

-- What waits can be completed: its items may be acknowledged, or taken over by others. A halted one waits again.
create or replace function operation_may_become(from_state text, to_state text) returns boolean
language sql immutable parallel safe return
  case from_state
    when 'planned' then to_state in ('awaiting_approval', 'accepted', 'halted', 'closing', 'cancelled')
    when 'awaiting_approval' then to_state in
      ('accepted', 'halted', 'closing', 'completed', 'completed_with_failures', 'cancelled')
    when 'accepted' then to_state in
      ('planned', 'selecting', 'running', 'paused', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'selecting' then to_state in ('planned', 'running', 'paused', 'halted', 'closing')
    when 'running' then to_state in ('paused', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'paused' then to_state in
      ('selecting', 'running', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'halted' then to_state in
      ('planned', 'awaiting_approval', 'selecting', 'running', 'closing', 'completed', 'completed_with_failures')
    when 'closing' then to_state in ('halted', 'cancelled')
    else false
  end;

-- Each time that a policy held an operation, and what came of it.
create table operation_holds (
  operation_id uuid not null references operations,
  number int not null check (number > 0),
  tenant_id uuid not null references tenants,
  -- What is approved.
  plan_hash bytea not null check (length(plan_hash) = 32),
  -- Of the policy in force that held it.
  policy_digest bytea not null check (length(policy_digest) = 32),
  needs_reason boolean not null,
  needs_ticket boolean not null,
  -- Why it has to be approved.
  because text[] not null,
  approvers int not null check (approvers between 0 and 5),
  opened_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  -- `explained`: only words were missing. `void`: it was approved, and too much had changed by then.
  ended_for text check (ended_for in
    ('approved', 'explained', 'emergency', 'rejected', 'expired', 'cancelled', 'void')),
  primary key (operation_id, number),
  constraint operation_holds_approvers check ((approvers > 0) = (cardinality(because) > 0)),
  constraint operation_holds_ended check ((ended_at is null) = (ended_for is null)),
  constraint operation_holds_explained check (ended_for is distinct from 'explained' or approvers = 0)
);
create unique index operation_holds_open on operation_holds (operation_id) where ended_at is null;

-- What somebody said about a hold. The comment is a human's and can be erased; reports and audit have its digest.
create table operation_verdicts (
  operation_id uuid not null,
  hold int not null,
  verdict text not null check (verdict in ('approve', 'reject', 'emergency')),
  actor text not null check (actor <> ''),
  key_id uuid,
  comment text check (length(comment) between 1 and 1000),
  salt bytea check (length(salt) = 16),
  comment_digest bytea check (length(comment_digest) = 32),
  at timestamptz not null default clock_timestamp(),
  foreign key (operation_id, hold) references operation_holds (operation_id, number),
  constraint operation_verdicts_comment
    check ((comment is null) = (salt is null) and (comment is null or comment_digest is not null)),
  -- One actor counts once.
  primary key (operation_id, hold, actor, verdict)
);

-- Nobody approves what one has asked for oneself.
create function refuse_self_approval() returns trigger language plpgsql as $$
begin
  if exists (
    select from operations o left join plans p on p.operation_id = o.id
    where o.id = new.operation_id
      and (new.actor in (o.actor, p.executed_by) or new.key_id in (o.requested_by, p.executed_key))
  ) then
    raise exception 'nobody approves an operation of one''s own' using errcode = 'RD011';
  end if;
  return new;
end $$;
create trigger refuse_self_approval before insert on operation_verdicts for each row
  when (new.verdict = 'approve') execute function refuse_self_approval();

-- A hold ends as approved only by as many as it asked for, and what it asked for does not change.
create function keep_hold() returns trigger language plpgsql as $$
begin
  if (new.plan_hash, new.policy_digest, new.because, new.approvers)
      is distinct from (old.plan_hash, old.policy_digest, old.because, old.approvers)
    or (new.ended_for = 'approved' and old.ended_for is null and (new.needs_reason or new.needs_ticket
      or (select count(*) from operation_verdicts v where v.operation_id = new.operation_id and v.hold = new.number
        and v.verdict = 'approve') < new.approvers))
    or (new.ended_for = 'explained' and (new.needs_reason or new.needs_ticket))
    or (old.ended_for is not null and (old.ended_for, new.ended_for) is distinct from ('approved', 'void')
      and new.ended_for is distinct from old.ended_for)
  then
    raise exception 'a hold does not end without what it asked for' using errcode = 'RD010';
  end if;
  return new;
end $$;
create trigger keep_hold before update on operation_holds for each row execute function keep_hold();

-- Nothing runs that is held.
create function refuse_held_run() returns trigger language plpgsql as $$
begin
  if exists (select from operation_holds h where h.operation_id = new.id and h.ended_at is null) then
    raise exception 'an operation that is held does not run' using errcode = 'RD010';
  end if;
  return new;
end $$;
create trigger refuse_held_run before update of state, control on operations for each row
  when (new.control = 'run' and (old.control <> 'run' or old.state is distinct from new.state))
  execute function refuse_held_run();

-- Who approved, rejected or went past a hold, and who gave the words, are acts on the operation.
alter table operation_controls drop constraint operation_controls_did_check;
alter table operation_controls add constraint operation_controls_did_check check (did in
  ('pause', 'resume', 'rate', 'cancel', 'halt', 'execute', 'hold', 'explain', 'approve', 'reject', 'emergency'));

-- A key may stand for a person or a service. Who made a credential has a hand in it: it approves nothing of its maker's.
alter table api_keys add column actor text check (length(actor) between 1 and 200),
  add column made_by text, add column made_by_key uuid;
alter table jwt_issuers add column made_by text, add column made_by_key uuid;
