-- Why: the result of an operation is handed to people who were not there and who trust neither this database nor its
-- keepers. So it is signed once, names the root of a hash tree over every line of the ledger, and these lines are kept
-- as they were hashed. What is settled later is told by addenda, each signed by itself.

-- Names this installation in what it signs; there from the first migration on, before the installation has started.
create table installation_id (
  only_one boolean primary key default true check (only_one),
  id uuid not null default uuidv7()
);
insert into installation_id default values;

create table signing_keys (
  -- Shown as a TypeID, which is the `kid` of what it signs.
  id uuid primary key,
  -- The 32 bytes of Ed25519.
  public_key bytea not null check (length(public_key) = 32),
  -- Sealed under the master key; gone once nothing is to be signed with it any more.
  sealed_private_key bytea,
  created_at timestamptz not null default clock_timestamp(),
  retired_at timestamptz,
  -- Its private key may be known to others: what it signed counts only where something else vouches for it.
  revoked_at timestamptz,
  check ((retired_at is null) = (sealed_private_key is not null)),
  check (revoked_at is null or retired_at is not null)
);
create unique index signing_keys_one_active on signing_keys ((true)) where retired_at is null;

-- What the report of an operation says of its items besides `operations.report`, from the freeze of its counts until
-- it is signed: there while lines are hashed.
create table report_drafts (
  operation_id uuid primary key references operations,
  details jsonb not null,
  frozen_at timestamptz not null
);

-- Items of an operation as they were when its counts were frozen, where they have changed since, or where what took
-- them over may still be changed by others. The lines of the ledger are made of these.
create table frozen_items (
  operation_id uuid not null,
  execution_id uuid not null,
  state text not null,
  reason text,
  attempts int not null,
  due_at timestamptz not null,
  may_have_arrived boolean not null,
  finished_at timestamptz,
  superseded_by uuid,
  primary key (operation_id, execution_id)
);

-- The delivery that stood for an excluded one when the counts were frozen: another may stand for it by now.
alter table exclusions add column resent_by uuid;

-- The lines of a closed ledger in their order, 1,024 a chunk, and the hash of the tree over each chunk: a node of the
-- tree over all lines (RFC 9162), because 1,024 is a power of two.
create table ledger_chunks (
  operation_id uuid not null references operations,
  number int not null check (number >= 0),
  lines int not null check (lines between 1 and 1024),
  -- Where the last of them stands among items (`i:`) and exclusions (`x:`).
  last_position text collate "C" not null,
  -- The states of its lines, by which chunks without any that is asked for are passed over.
  states text[] not null,
  hash bytea not null check (length(hash) = 32),
  -- Deflated; each line ends with a newline.
  packed bytea not null,
  primary key (operation_id, number),
  unique (operation_id, last_position)
);
-- It is compressed already.
alter table ledger_chunks alter column packed set storage external;

create table closure_reports (
  operation_id uuid primary key references operations,
  tenant_id uuid not null references tenants,
  signing_key_id uuid not null references signing_keys,
  -- SHA-256 of the signed payload.
  digest bytea not null check (length(digest) = 32),
  -- Flattened JSON (RFC 7515), as it is answered.
  jws text not null,
  lines int not null check (lines >= 0),
  merkle_root bytea not null check (length(merkle_root) = 32),
  signed_at timestamptz not null
);

-- Items that changed after the counts of their operation were frozen and that no addendum has told yet: as they were
-- when the report, or the last addendum, told them, and as they are.
create table late_changes (
  operation_id uuid not null,
  execution_id uuid not null,
  delivery_id uuid not null,
  from_state text not null,
  to_state text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (operation_id, execution_id)
);

create table report_addenda (
  operation_id uuid not null references closure_reports,
  number int not null check (number >= 1),
  signing_key_id uuid not null references signing_keys,
  digest bytea not null check (length(digest) = 32),
  jws text not null,
  changes int not null check (changes >= 1),
  signed_at timestamptz not null default clock_timestamp(),
  primary key (operation_id, number)
);

-- A signed report, an addendum and a stored line are facts: whatever would change one is a fault.
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'a row of % is never changed', tg_table_name using errcode = 'RD004';
end $$;
create trigger never_changed before update on closure_reports for each row execute function refuse_change();
create trigger never_changed before update on report_addenda for each row execute function refuse_change();
create trigger never_changed before update on ledger_chunks for each row execute function refuse_change();

create trigger frozen_counts before update on operation_counts for each row
  when (old.frozen and new is distinct from old) execute function refuse_change();

-- As in 0004-accounting.sql, and for operations whose counts are frozen: keeps their items as they were, and notes what
-- is to be told in an addendum. An operation is known to be frozen by the lock that it did not get: by then a freeze
-- that this statement had to wait for counts as well, which the statement itself could not see.
create or replace function account_updated_executions() returns trigger language plpgsql as $$
declare
  frozen_ones uuid[];
begin
  with moved as materialized (
    select n.operation_id, o.state as from_state, n.state as to_state, count(*) as items
    from old_rows o join new_rows n on n.id = o.id
    where o.state <> n.state
    group by 1, 2, 3
  ), checked as materialized (
    select operation_id, from_state, to_state,
      case when execution_may_become(from_state, to_state) then items else refuse_transition(from_state, to_state) end as items
    from moved
  ), sides as (
    select operation_id, from_state as state, -items as items from checked
    union all
    select operation_id, to_state, items from checked
  ), delta as materialized (
    select operation_id,
      coalesce(sum(items) filter (where state = 'queued'), 0) as queued,
      coalesce(sum(items) filter (where state = 'scheduled'), 0) as scheduled,
      coalesce(sum(items) filter (where state = 'sending'), 0) as sending,
      coalesce(sum(items) filter (where state = 'unknown'), 0) as unknown,
      coalesce(sum(items) filter (where state = 'delivered'), 0) as delivered,
      coalesce(sum(items) filter (where state = 'failed'), 0) as failed,
      coalesce(sum(items) filter (where state = 'ignored'), 0) as ignored,
      coalesce(sum(items) filter (where state = 'cancelled'), 0) as cancelled,
      coalesce(sum(items) filter (where state = 'superseded'), 0) as superseded
    from sides group by operation_id
  ), locked as materialized (
    -- Several operations meet in one statement only in a take-over: lock them in one order everywhere.
    select c.operation_id from operation_counts c
    where c.operation_id in (select operation_id from delta where operation_id is not null) and not c.frozen
    order by c.operation_id for update
  ), counted as (
    update operation_counts c set
      queued = c.queued + d.queued, scheduled = c.scheduled + d.scheduled, sending = c.sending + d.sending,
      unknown = c.unknown + d.unknown, delivered = c.delivered + d.delivered, failed = c.failed + d.failed,
      ignored = c.ignored + d.ignored, cancelled = c.cancelled + d.cancelled, superseded = c.superseded + d.superseded
    from delta d join locked l on l.operation_id = d.operation_id
    where c.operation_id = d.operation_id
  )
  select array_agg(d.operation_id) into frozen_ones from delta d
  -- The last condition makes every plan check first, also one that finds no operation and would look no further.
  where d.operation_id is not null and d.operation_id not in (select operation_id from locked)
    and (select count(*) from checked) >= 0;
  if frozen_ones is null then return null; end if;

  insert into frozen_items (operation_id, execution_id, state, reason, attempts, due_at, may_have_arrived, finished_at)
  select o.operation_id, o.id, o.state, o.reason, o.attempts, o.due_at, o.may_have_arrived, o.finished_at
  from old_rows o join new_rows n on n.id = o.id
  where o.operation_id = any(frozen_ones) and o.state <> n.state
    and exists (select from report_drafts d where d.operation_id = o.operation_id)
  on conflict do nothing;

  insert into late_changes (operation_id, execution_id, delivery_id, from_state, to_state)
  select o.operation_id, o.id, o.delivery_id, o.state, n.state
  from old_rows o join new_rows n on n.id = o.id
  where o.operation_id = any(frozen_ones) and o.state <> n.state
    and (exists (select from report_drafts d where d.operation_id = o.operation_id)
      or exists (select from closure_reports r where r.operation_id = o.operation_id))
  order by o.operation_id, o.id
  on conflict (operation_id, execution_id) do update set to_state = excluded.to_state, at = excluded.at;
  return null;
end $$;
