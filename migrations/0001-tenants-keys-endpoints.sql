-- Why: everything belongs to a tenant, and an execution must be able to name the exact configuration it was
-- sent with. So an endpoint is a name with a state, and what is sent where lives in immutable versions.

create table installation (
  only_one boolean primary key default true check (only_one),
  -- Sealed under the master key at first start; a process that cannot open it refuses to run with a wrong key.
  master_key_check bytea not null,
  created_at timestamptz not null default now()
);

create table tenants (
  id uuid primary key default uuidv7(),
  -- Never shaped like a uuid or a TypeID, so that one path parameter can take all three spellings.
  handle text not null unique check (
    handle ~ '^[a-z0-9][a-z0-9._-]{0,62}$'
    and handle !~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
    and handle !~ '^[a-z]{2,4}_[0-9a-hjkmnp-tv-z]{26}$'
  ),
  name text,
  plan text check (plan in ('free', 'pro', 'business')),
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Apart from tenants because each ingest transaction updates it: its row lock makes the order of event numbers
-- the order in which events become visible, which a sequence would not.
create table tenant_counters (
  tenant_id uuid primary key references tenants,
  last_event_number bigint not null default 0
) with (fillfactor = 50);

create table api_keys (
  id uuid primary key default uuidv7(),
  -- Null for a key of the whole installation (the admin key).
  tenant_id uuid references tenants,
  name text not null,
  key_hash bytea not null unique check (length(key_hash) = 32),
  scopes text[] not null check (cardinality(scopes) > 0),
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  check (tenant_id is not null or scopes = array['admin'])
);
create index api_keys_by_tenant on api_keys (tenant_id, id);

create table endpoints (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  handle text not null check (handle ~ '^[a-zA-Z0-9._-]{1,81}$'),
  state text not null default 'enabled' check (state in ('enabled', 'disabled', 'deleted')),
  disabled_reason text check (disabled_reason in ('operator', 'gone')),
  current_version int not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check ((state = 'disabled') = (disabled_reason is not null))
);
create unique index endpoints_by_handle on endpoints (tenant_id, handle) where state <> 'deleted';
create index endpoints_by_tenant on endpoints (tenant_id, id) where state <> 'deleted';

create table endpoint_versions (
  endpoint_id uuid not null references endpoints,
  version int not null check (version > 0),
  tenant_id uuid not null references tenants,
  url text not null,
  -- Null matches every type.
  event_types text[],
  filter jsonb,
  timeout_ms int not null check (timeout_ms between 1 and 60000),
  max_attempts int not null check (max_attempts between 1 and 100),
  initial_ms int not null check (initial_ms between 0 and 86400000),
  factor double precision not null check (factor between 1 and 100),
  cap_ms int not null check (cap_ms between 0 and 86400000),
  give_up_after_ms bigint not null check (give_up_after_ms between 1000 and 2592000000),
  on_ambiguous text not null check (on_ambiguous in ('resend', 'probe', 'hold')),
  reconcile_within_ms int not null check (reconcile_within_ms between 0 and 604800000),
  rate_per_second double precision check (rate_per_second > 0),
  max_concurrency int check (max_concurrency > 0),
  -- Custom header values may be credentials: the whole map is sealed under the master key.
  sealed_headers bytea,
  created_at timestamptz not null default now(),
  primary key (endpoint_id, version)
);

-- Signing secrets, sealed under the master key. While one rotates, the older is valid until it expires.
create table endpoint_secrets (
  id uuid primary key default uuidv7(),
  endpoint_id uuid not null references endpoints,
  sealed bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz
);
create index endpoint_secrets_by_endpoint on endpoint_secrets (endpoint_id, id);

-- One row an endpoint, shared by every sender: the only place where its pace is decided.
create table endpoint_pacing (
  endpoint_id uuid primary key references endpoints,
  -- Theoretical arrival time of the generic cell rate algorithm: the next request is due here.
  arrival_at timestamptz not null default '-infinity',
  -- From Retry-After: nothing is sent before.
  floor_until timestamptz not null default '-infinity'
) with (fillfactor = 50);
