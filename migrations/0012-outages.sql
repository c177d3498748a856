-- Why: an outage of an endpoint is a fact with a beginning, an end and a number of deliveries, and what an operator does
-- about it begins with that fact. It opens where the endpoint is found to be down, and stays until nothing that it made
-- wait is left; one that comes and goes is one outage.

create table outages (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  endpoint_id uuid not null references endpoints,
  -- What opened it.
  cause text not null check (cause in ('circuit_open', 'gone', 'disabled', 'not_delivered')),
  state text not null default 'open' check (state in ('open', 'recovered', 'closed', 'dismissed')),
  -- The first attempt of the run of failures that led to it, or when it was disabled.
  began_at timestamptz not null,
  -- Of deliveries that were accepted before it began, those that were accepted earlier than this are none of it: they had
  -- no attempts left by then.
  reaches_back_to timestamptz not null,
  opened_at timestamptz not null default clock_timestamp(),
  -- How often it was opened: again where its endpoint fails soon after it was back.
  openings int not null default 1 check (openings > 0),
  -- How the endpoint does since it was opened: the attempts of a spell in which almost all were delivered.
  good_from timestamptz,
  good int not null default 0 check (good >= 0),
  bad int not null default 0 check (bad >= 0),
  -- An operator has enabled the endpoint since, and nothing has failed there since then.
  enabled_at timestamptz,
  -- Since when nothing has been tried there: the last attempt, or when it was opened or enabled.
  quiet_since timestamptz not null default clock_timestamp(),
  -- Deliveries of it that were sent to see whether the endpoint is back.
  trials int not null default 0 check (trials >= 0),
  recovered_at timestamptz,
  -- What its endpoint asked for when it was back.
  on_recovered text check (on_recovered in ('none', 'propose', 'run')),
  -- Something of it was still to be sent by itself when it was back.
  had_open boolean not null default false,
  -- What was left when the last of that had ended was planned once more, or there was nothing of the kind.
  planned_again boolean not null default false,
  ended_at timestamptz,
  ended_for text check (ended_for in ('nothing_left', 'dismissed', 'retention', 'endpoint_deleted')),
  -- When the sweeper looks at it next.
  look_at timestamptz not null default clock_timestamp(),
  constraint outages_recovered check ((state = 'open') <= (recovered_at is null and on_recovered is null)
    and (state = 'recovered') <= (recovered_at is not null)
    and (recovered_at is null) = (on_recovered is null)),
  constraint outages_ended check ((state in ('closed', 'dismissed')) = (ended_at is not null)
    and (ended_at is null) = (ended_for is null) and (state = 'dismissed') = (ended_for is not distinct from 'dismissed')),
  constraint outages_spell check ((good_from is null) = (good = 0) and (good_from is not null or bad = 0)),
  check (reaches_back_to <= began_at)
) with (fillfactor = 50);
create unique index outages_one_open on outages (endpoint_id) where state = 'open';
create index outages_by_endpoint on outages (endpoint_id, id);
create index outages_by_tenant on outages (tenant_id, id);
-- What the sweeper looks at.
create index outages_unended on outages (look_at) where state in ('open', 'recovered');

-- Mirrors OUTAGE_TRANSITIONS in src/domain/outages/outage-state.ts; a test compares every pair.
create function outage_may_become(from_state text, to_state text) returns boolean
language sql immutable parallel safe return
  case from_state
    when 'open' then to_state in ('recovered', 'closed', 'dismissed')
    when 'recovered' then to_state in ('open', 'closed', 'dismissed')
    else false
  end;

create function check_outage_transition() returns trigger language plpgsql as $$
begin
  if not outage_may_become(old.state, new.state) then
    raise exception 'an outage may not go from % to %', old.state, new.state using errcode = 'RD012';
  end if;
  return new;
end $$;
create trigger check_transition before update on outages for each row
  when (old.state is distinct from new.state) execute function check_outage_transition();

-- The operations that selected what an outage made wait.
create table outage_operations (
  outage_id uuid not null references outages,
  operation_id uuid primary key references operations,
  -- A plan that was made when the endpoint was back, and not asked for by anybody.
  made boolean not null default false,
  -- It is to be executed as soon as it is planned.
  runs boolean not null default false,
  check (made or not runs)
);
create index outage_operations_by_outage on outage_operations (outage_id, operation_id);

-- What follows when the endpoint is back: nothing, a plan, or a plan that is executed.
alter table endpoint_versions add column on_recovered text not null default 'propose'
  check (on_recovered in ('none', 'propose', 'run'));

-- Attempts in a row that were not delivered, and when the first of them began; where there are any, or an outage is open,
-- senders tell what becomes of each attempt. Of a healthy endpoint nothing is written.
alter table endpoint_pacing
  add column missed int not null default 0 check (missed >= 0),
  add column missed_from timestamptz,
  -- The outage that is open.
  add column outage_id uuid references outages,
  add constraint endpoint_pacing_missed check ((missed = 0) = (missed_from is null));

-- What endpoints that are disabled today go on to miss belongs to an outage, too.
with opened as (
  insert into outages (tenant_id, endpoint_id, cause, began_at, reaches_back_to)
  select n.tenant_id, n.id, case n.disabled_reason when 'gone' then 'gone' else 'disabled' end, t.began_at,
    t.began_at - v.give_up_after_ms * interval '1 millisecond'
  from endpoints n join endpoint_versions v on v.endpoint_id = n.id and v.version = n.current_version
  cross join lateral (select coalesce(n.disabled_at, n.updated_at) as began_at) t
  where n.state = 'disabled'
  returning id, endpoint_id
)
update endpoint_pacing p set outage_id = o.id from opened o where p.endpoint_id = o.endpoint_id;
