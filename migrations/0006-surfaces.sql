-- Why: what only one surface asks for. Callers that are known by ed25519 keys, and by rules of what they may do; who asks
-- to be told of every file that failed, exactly once; a receipt for every event and every request that was refused, the
-- replay of one by preview, confirmation and execution under one idempotency key, and diagnostics that are frozen.

create table signers (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  handle text not null check (handle ~ '^[a-zA-Z0-9_+.-]{1,81}$' and handle not in ('system', 'any')),
  public_key bytea not null check (length(public_key) = 32),
  -- Who says that the key is the tenant's: the key itself, by its signature, or the installation. Not known of old rows.
  proved_by text check (proved_by in ('key', 'installation')),
  created_at timestamptz not null default now(),
  unique (tenant_id, handle),
  unique (tenant_id, public_key)
);
-- A request need not name its tenant: then its key does.
create index signers_by_key on signers (public_key);
create index signers_by_handle on signers (handle);

create table access_rules (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  -- {action, record?, signer?, bearer?}
  rule jsonb not null check (jsonb_typeof(rule) = 'object'),
  created_at timestamptz not null default now()
);
create index access_rules_by_tenant on access_rules (tenant_id, id);

-- How far a tenant has been told of what failed: of everything that ended up to here, in the order of executions_by_end.
create table failed_file_feeds (
  tenant_id uuid primary key references tenants,
  finished_at timestamptz not null,
  execution_id uuid not null,
  created_at timestamptz not null default now()
);
-- Which tenants are to be told, and since when.
create index endpoint_versions_failed_files on endpoint_versions (tenant_id, created_at)
  where 'file.failed.v2' = any (event_types);

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
