-- Why: the FlowRelay surface shows a receipt for every event and for every request that was refused, replays one event
-- by preview, confirmation and execution under one idempotency key, freezes diagnostics, and lets payloads expire by
-- themselves while the receipt stays.

-- The grant that a key was made with; it reads no bodies, whatever its scopes, and belongs to no other surface.
alter table api_keys add column made_with_grant text
  check (made_with_grant in ('observer', 'operator', 'recovery_operator', 'admin'));

-- When and why the payload went; null while it is kept. No index names these columns: the update stays heap-only.
alter table events add column payload_removed_at timestamptz;
alter table events add column payload_removed_for text check (payload_removed_for in ('retention', 'erasure'));
alter table events add constraint events_payload_removal
  check ((payload_removed_at is null) = (payload_removed_for is null)) not valid;

-- A request that was refused once its tenant was known: nothing of its body and its headers.
create table rejections (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  request_id text not null,
  code text not null,
  rejected_at timestamptz not null default now()
);
create index rejections_by_time on rejections (tenant_id, rejected_at, id);
create index rejections_by_request on rejections (tenant_id, request_id);

-- One row an idempotency key, which is the same from the preview to the execution.
create table receipt_replays (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  event_id uuid not null,
  -- What was asked for: one endpoint, or null where the receipt itself says which.
  asked_endpoint_id uuid,
  key_hash bytea not null check (length(key_hash) = 32),
  actor text not null,
  state text not null default 'previewed' check (state in ('previewed', 'confirmed', 'executed')),
  -- Target, payload, endpoint versions, event and actor as they were previewed: any change of them ends it.
  binding bytea not null check (length(binding) = 32),
  -- One handoff again, or the event matched afresh with the targets for its first.
  kind text not null check (kind in ('handoff', 'afresh')),
  -- Endpoints, and the delivery where there is one already.
  targets jsonb not null,
  duplicate_risk boolean not null,
  duplicate_risk_confirmed boolean not null default false,
  -- What was shown.
  preview jsonb not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  confirmed_at timestamptz,
  executed_at timestamptz,
  operation_id uuid references operations,
  check ((state = 'previewed') = (confirmed_at is null)),
  check ((state = 'executed') = (executed_at is not null)),
  check ((executed_at is null) = (operation_id is null)),
  check (confirmed_at is null or duplicate_risk_confirmed or not duplicate_risk)
);
create unique index receipt_replays_by_key on receipt_replays (tenant_id, key_hash);
create index receipt_replays_by_event on receipt_replays (tenant_id, event_id, id);
create index receipt_replays_executed on receipt_replays (tenant_id, executed_at) where executed_at is not null;

create table receipt_diagnostics (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  -- The event, or the rejection, whose receipt it is about.
  receipt_id uuid not null,
  actor text not null,
  state text not null default 'previewed' check (state in ('previewed', 'frozen')),
  -- A text, not jsonb: what was shown is kept byte for byte.
  content text not null,
  created_at timestamptz not null default now(),
  -- A preview that nobody froze goes.
  expires_at timestamptz not null,
  frozen_at timestamptz,
  check ((state = 'frozen') = (frozen_at is not null))
);
create index receipt_diagnostics_drafts on receipt_diagnostics (expires_at) where state = 'previewed';

create function keep_frozen_diagnostics() returns trigger language plpgsql as $$
begin
  if old.state = 'frozen' then
    raise exception 'frozen diagnostics do not change' using errcode = 'RD002';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end $$;
create trigger keep_frozen before update or delete on receipt_diagnostics
  for each row execute function keep_frozen_diagnostics();

-- How far the payloads of a tenant have been looked at for their age, in the order of acceptance.
create table payload_sweeps (
  tenant_id uuid primary key references tenants,
  accepted_at timestamptz not null default '-infinity',
  event_id uuid not null default '00000000-0000-0000-0000-000000000000'
);

-- Older than their retention, but with an open execution when they were looked at: looked at again until they can go.
create table payload_sweep_held (
  tenant_id uuid not null references tenants,
  event_id uuid not null,
  looked_at timestamptz not null default now(),
  primary key (tenant_id, event_id)
);
create index payload_sweep_held_by_look on payload_sweep_held (tenant_id, looked_at);
