-- Why: a console shows the attempts of each minute over days and agrees with the ledger to the last of them. Counting when
-- somebody looks would read every attempt there is, and one counter a minute would be a row that all senders wait for. So
-- each batch of outcomes adds a few rows in its own transaction, the sweeper sums them up, and who reads adds what is not
-- summed up yet.

-- What was recorded since the last fold. It is read as a whole: no index, and no end that a vacuum would lock it for.
create table attempt_deltas (
  tenant_id uuid not null,
  -- The minute in which these attempts began.
  minute timestamptz not null,
  endpoint_id uuid not null,
  event_type text not null,
  outcome text not null,
  -- Empty where there was no fault.
  fault_code text not null,
  attempts int not null
) with (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

create table attempt_minutes (
  tenant_id uuid not null,
  minute timestamptz not null,
  endpoint_id uuid not null,
  event_type text not null,
  outcome text not null,
  fault_code text not null,
  attempts bigint not null check (attempts > 0),
  primary key (tenant_id, minute, endpoint_id, event_type, outcome, fault_code)
) with (fillfactor = 80);

create table attempt_hours (
  tenant_id uuid not null,
  hour timestamptz not null,
  endpoint_id uuid not null,
  event_type text not null,
  outcome text not null,
  fault_code text not null,
  attempts bigint not null check (attempts > 0),
  primary key (tenant_id, hour, endpoint_id, event_type, outcome, fault_code)
) with (fillfactor = 80);

-- Locked by whoever folds, so that one at a time does; says since when attempts are counted.
create table attempt_folds (
  only_one boolean primary key default true check (only_one),
  began_at timestamptz not null default now(),
  pruned_at timestamptz not null default '-infinity'
);
insert into attempt_folds default values;

-- The endpoints that operations have made items for: operations are looked for by endpoint, and those of a large one must
-- not be read for that. Noted behind the counts, whose lock of the operation's row comes first.
create table operation_endpoints (
  endpoint_id uuid not null,
  operation_id uuid not null,
  primary key (endpoint_id, operation_id)
);
insert into operation_endpoints (endpoint_id, operation_id)
select distinct endpoint_id, operation_id from executions where operation_id is not null;

create function note_operation_endpoints() returns trigger language plpgsql as $$
begin
  insert into operation_endpoints (endpoint_id, operation_id)
  select distinct endpoint_id, operation_id from new_rows where operation_id is not null order by 1, 2
  on conflict do nothing;
  return null;
end $$;
create trigger note_endpoints after insert on executions
  referencing new table as new_rows
  for each statement execute function note_operation_endpoints();

create index operations_by_actor on operations (tenant_id, actor, id);

-- The counts of an operation over time, while they move: a few hundred points whatever it takes, for a chart. The counts
-- before and at the end are those of the operation itself.
create table operation_samples (
  operation_id uuid not null references operations,
  at timestamptz not null,
  expected int not null,
  queued int not null,
  scheduled int not null,
  sending int not null,
  unknown int not null,
  delivered int not null,
  failed int not null,
  ignored int not null,
  cancelled int not null,
  superseded int not null,
  excluded int not null,
  primary key (operation_id, at)
);

-- The first attempts by which a canary was judged, and those of them that did not deliver; none where its owner holds the
-- endpoint, or where it ended before this was kept.
alter table canaries add column judged_attempts int, add column judged_bad int;

-- The endpoints that alone go on after a resume; all where null.
alter table operation_controls add column endpoint_ids uuid[];

-- A delivery that an operator asked for to try an endpoint: it is sent like any other, and says nothing about the
-- endpoint's health.
alter table deliveries add column test boolean not null default false;

-- What is looked up by its exact words.
create index events_by_key on events (tenant_id, key, accepted_at, id) where key is not null;
create index operations_by_ticket on operations (tenant_id, ticket, id) where ticket is not null;
