-- Why: who runs a recovery wants to be told, by Redrive itself, when one waits for an approval, halts or has closed, and
-- when an endpoint is down or back. A fact is written down in the transaction that commits it, and told by an event of its
-- tenant behind it: so the fact never waits for the counter of the tenant's events, which every sender locks, and what is
-- told can name the end of an audit chain that has the act in it.

-- Facts that are to be told; a row goes when its event is accepted, in one transaction.
create table announcements (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  -- Which types there are is said by the code.
  type text not null check (type ~ '^(operation|outage)\.[a-z_]+$'),
  -- Tells a fact from the others of its type; the event has it as its external id, which keeps it from being told again.
  fact text not null check (length(fact) between 1 and 255),
  -- The endpoint that it is about, which is not told of itself.
  except_endpoint_id uuid,
  -- Ids, counts and codes: nothing that a customer, a sender or a receiver wrote.
  data jsonb not null check (jsonb_typeof(data) = 'object' and octet_length(data::text) <= 8192),
  at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
  unique (tenant_id, type, fact)
);
create index announcements_by_tenant on announcements (tenant_id, id);

-- Who is to be told: few endpoints name one of these types, and each fact looks whether there is one. The list is that of
-- ANNOUNCED_TYPES in src/domain/endpoints/event-type.ts; a test compares the two.
create index endpoint_versions_told on endpoint_versions (tenant_id)
  where event_types && array['operation.awaiting_approval', 'operation.approved', 'operation.rejected', 'operation.halted',
    'operation.closed', 'operation.drift_too_large', 'outage.opened', 'outage.recovered'];

-- A checkpoint is signed when it is kept, by the key of reports: a copy of it is worth something wherever it is. Those that
-- were kept before are not.
alter table audit_checkpoints
  add column signing_key_id uuid references signing_keys,
  -- Flattened JSON (RFC 7515), as it is answered.
  add column jws text,
  add constraint audit_checkpoints_signed check ((jws is null) = (signing_key_id is null));

create or replace function keep_audit_checkpoint() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and (new.tenant_id, new.number, new.hash, new.at)
    is not distinct from (old.tenant_id, old.number, old.hash, old.at)
    and (old.jws is null or (new.jws, new.signing_key_id) is not distinct from (old.jws, old.signing_key_id))
  then return new;
  end if;
  raise exception 'audit checkpoints do not change' using errcode = 'RD004';
end $$;

-- A replay under a new identity makes deliveries of its own, one for each that it selected, and items of these.
alter table operations
  add column new_identity boolean not null default false,
  add constraint operations_new_identity check (not new_identity or kind = 'replay');

-- The operation that made it, and `replay_of` the delivery that was selected. Once, however often a page is frozen.
alter table deliveries
  add column operation_id uuid,
  add constraint deliveries_new_identity check (operation_id is null or replay_of is not null);
create unique index deliveries_once_replayed on deliveries (operation_id, replay_of) where operation_id is not null;
-- The deliveries of an event that are not its first ones: few, and they keep its payload while they are open, too.
create index deliveries_replayed on deliveries (event_id, id) where replay_of is not null;

-- What nobody looks at any more goes: the lines of ledgers behind the time that their tenant keeps them for, and the pages
-- of plans. Reports, counts, digests and roots stay. Of both the first part goes first: without it, nothing is served.
create index closure_reports_by_signing on closure_reports (tenant_id, signed_at, operation_id);
-- Up to which report the lines of a tenant have gone, in the order of signing.
create table ledger_sweeps (
  tenant_id uuid primary key references tenants,
  signed_at timestamptz not null default '-infinity',
  operation_id uuid not null default '00000000-0000-0000-0000-000000000000'
);
alter table plans add column pages_gone_at timestamptz;
create index plans_with_pages on plans (operation_id) where executed_at is null and pages_gone_at is null;
