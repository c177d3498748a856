-- Why: what was shown is what runs. A plan is an operation that waits in the state `planned`: the ids that it would take
-- are kept as they were found, a thousand a row, so that ten million are ten thousand rows. They own nothing and block
-- nobody; items are made of them when the plan is executed.

-- A plan can be cancelled, and a step of making it can fail: `halted` is then `planned` again when it is resumed. One whose
-- drift is too large when it is executed is `planned` again, too.
create or replace function operation_may_become(from_state text, to_state text) returns boolean
language sql immutable parallel safe return
  case from_state
    when 'planned' then to_state in ('awaiting_approval', 'accepted', 'halted', 'closing', 'cancelled')
    when 'awaiting_approval' then to_state in ('accepted', 'halted', 'closing', 'cancelled')
    when 'accepted' then to_state in
      ('planned', 'selecting', 'running', 'paused', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'selecting' then to_state in ('planned', 'running', 'paused', 'halted', 'closing')
    when 'running' then to_state in ('paused', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'paused' then to_state in
      ('selecting', 'running', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'halted' then to_state in
      ('planned', 'selecting', 'running', 'closing', 'completed', 'completed_with_failures')
    when 'closing' then to_state in ('halted', 'cancelled')
    else false
  end;

create table plans (
  operation_id uuid primary key references operations,
  tenant_id uuid not null references tenants,
  origin text not null check (origin in ('plan', 'dry_run')),
  -- How long it waits for its execution, from the moment at which it is planned.
  life_ms double precision not null check (life_ms > 0),
  -- Null while it is being made.
  planned_at timestamptz,
  items int not null default 0 check (items >= 0),
  pages int not null default 0 check (pages >= 0),
  items_digest bytea check (length(items_digest) = 32),
  risks_digest bytea check (length(risks_digest) = 32),
  plan_hash bytea check (length(plan_hash) = 32),
  -- Events accepted within keep their payloads for a week past their term while the operation is open. A dry run has none.
  pin_from timestamptz,
  pin_to timestamptz,
  executed_at timestamptz,
  executed_by text,
  max_drift_percent double precision check (max_drift_percent between 0 and 100),
  -- What had changed when it was executed: {gone, endpointChanged, added}; `gone` grows while its items are made.
  drift jsonb,
  -- The drift that was too large, the last time that it was executed.
  refused_drift jsonb,
  -- Its life ended before anybody executed it.
  expired boolean not null default false,
  constraint plans_planned check (
    (planned_at is null) = (plan_hash is null)
    and (planned_at is null) = (items_digest is null)
    and (planned_at is null) = (risks_digest is null)),
  constraint plans_executed check (
    (executed_at is null) = (executed_by is null)
    and (executed_at is null or planned_at is not null)
    and (executed_at is null or not expired)
    and (drift is null or executed_at is not null)),
  constraint plans_pin check ((pin_from is null) = (pin_to is null) and (origin = 'plan' or pin_from is null))
);
create index plans_pinning on plans (tenant_id) where pin_from is not null;

-- A plan by endpoint, each as it was when the plan first met it: that version is the one whose address its items go to.
create table plan_endpoints (
  operation_id uuid not null references plans,
  endpoint_id uuid not null,
  version int not null,
  -- The versions that its deliveries were first sent with.
  original_versions int[] not null default '{}',
  items int not null check (items >= 0),
  -- Those of them that would have been sent.
  sends int not null check (sends between 0 and items),
  -- How many have each risk, in the order of PLAN_RISKS in src/domain/operations/plan-risks.ts.
  risks int[] not null check (cardinality(risks) = 14),
  primary key (operation_id, endpoint_id)
);

create table plan_pages (
  operation_id uuid not null references plans,
  number int not null check (number >= 0),
  -- In the order of selection.
  ids uuid[] not null check (cardinality(ids) <= 1000),
  -- The risks of each, as bits; see PLAN_RISKS.
  risks smallint[] not null,
  -- All bits that occur in it.
  any_risks smallint not null,
  -- SHA-256 of its ids, 16 bytes each.
  digest bytea not null check (length(digest) = 32),
  primary key (operation_id, number),
  check (cardinality(ids) = cardinality(risks))
);
-- Ids do not compress.
alter table plan_pages alter column ids set storage external;

-- What was shown stays as it was: the hash is over these rows.
create function refuse_change_of_plan() returns trigger language plpgsql as $$
begin
  if (select p.planned_at from plans p where p.operation_id = new.operation_id) is not null then
    raise exception 'a plan that was shown does not change' using errcode = 'RD009';
  end if;
  return new;
end $$;
create trigger refuse_change before insert or update on plan_pages for each row execute function refuse_change_of_plan();
create trigger refuse_change before insert or update on plan_endpoints for each row execute function refuse_change_of_plan();

-- Who executed a plan is one of the acts on its operation.
alter table operation_controls drop constraint operation_controls_did_check;
alter table operation_controls add constraint operation_controls_did_check
  check (did in ('pause', 'resume', 'rate', 'cancel', 'halt', 'execute'));

-- An endpoint has another address than the one that a plan showed: its deliveries stay unsent.
alter table exclusions drop constraint exclusions_reason_check;
alter table exclusions add constraint exclusions_reason_check check (reason in (
  'coalesced', 'already_delivered', 'changed_since', 'held', 'outcome_unknown', 'suppressed_duplicate', 'resent',
  'payload_expired', 'endpoint_disabled', 'endpoint_deleted', 'endpoint_changed', 'no_longer_matches', 'already_retried',
  'not_retryable'));
