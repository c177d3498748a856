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
  -- Owns the operations that span tenants; it has no endpoints and no events, and no key belongs to it.
  platform boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index tenants_platform on tenants (platform) where platform;
insert into tenants (id, handle, name, platform)
values ('00000000-0000-7000-8000-000000000000', 'redrive.platform', 'The platform', true);

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
  -- The grant that it was made with; such a key reads no bodies, whatever its scopes, and few surfaces take it.
  made_with_grant text check (made_with_grant in ('observer', 'operator', 'recovery_operator', 'admin')),
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  check (tenant_id is not null or scopes = array['admin'])
);
create index api_keys_by_tenant on api_keys (tenant_id, id);

-- Who has an identity provider of its own calls with its tokens (JWT). What a token may do, and for whom, is what
-- was registered for its `iss` and `aud`: never what the token says of itself.
create table jwt_issuers (
  id uuid primary key default uuidv7(),
  -- Null for an issuer of the whole installation.
  tenant_id uuid references tenants,
  -- Who vouches for it: tokens of one that a tenant registered name their tenant.
  by_installation boolean not null default false,
  name text not null,
  issuer text not null,
  audience text not null,
  -- The one algorithm that is accepted: a token does not choose how it is checked.
  algorithm text not null check (algorithm in ('HS256', 'EdDSA', 'RS256')),
  -- Sealed under the master key, bound to this row.
  sealed_secret bytea,
  -- Public keys only.
  jwks jsonb check (jsonb_typeof(jwks -> 'keys') = 'array'),
  jwks_url text,
  scopes text[] not null check (cardinality(scopes) > 0),
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  check (tenant_id is null or not ('admin' = any(scopes))),
  check (num_nonnulls(sealed_secret, jwks, jwks_url) = 1 and (algorithm = 'HS256') = (sealed_secret is not null)),
  constraint jwt_issuers_of_installation check (tenant_id is not null or by_installation)
);
-- What one tenant registers changes nothing for another: a pair is unique within the tenant.
create unique index jwt_issuers_by_claims on jwt_issuers (tenant_id, issuer, audience)
  nulls not distinct where revoked_at is null;
-- Tokens of these need not name a tenant: no two of them may take the same one.
create unique index jwt_issuers_unnamed on jwt_issuers (issuer, audience) where by_installation and revoked_at is null;
create index jwt_issuers_by_audience on jwt_issuers (issuer, audience);
create index jwt_issuers_by_tenant on jwt_issuers (tenant_id, id);

-- 17 characters of the alphabet that luids have; 96 of their bits are random.
create function make_bridge_luid() returns text language sql volatile as $$
  select '$brg.' || translate(left(encode(uuid_send(gen_random_uuid()), 'base64'), 17), '+/', '-_')
$$;

create table endpoints (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  handle text not null check (handle ~ '^[a-zA-Z0-9._-]{1,81}$'),
  state text not null default 'enabled' check (state in ('enabled', 'disabled', 'deleted')),
  disabled_reason text check (disabled_reason in ('operator', 'gone')),
  -- Since when it is disabled; what an operation was asked for before waits from then on.
  disabled_at timestamptz,
  current_version int not null default 1,
  -- Counts every change of what senders keep of it in memory: its state, its current version, its signing secrets. A claim
  -- says which revision it saw; a copy of an earlier one is read again.
  revision integer not null default 1,
  -- Of the current version, where the claim looks anyway: it has a partner, and what is claimed for it is prepared first.
  prepares boolean not null default false,
  -- Likewise: it gets the events of a key in their order.
  ordered boolean not null default false,
  -- Its other name for who knows bridges: stored, not derived, so that it stays what it is whatever becomes of handle and id.
  luid text not null unique default make_bridge_luid() check (luid ~ '^\$brg\.[A-Za-z0-9_-]{17}$'),
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
  -- A status request, with `{deliveryId}` in it, and the member of its answer that says whether it was processed.
  probe_url text,
  probe_field text,
  -- An answer 202 only says that it was taken: the receiver acknowledges what it has done.
  require_ack boolean not null default false,
  -- False: it is sent everything at once, whatever it says.
  protect boolean not null default true,
  ordered boolean not null default false,
  -- What a delivery that failed for good does to those behind it: it keeps them waiting, or lets them pass.
  on_exhausted text not null default 'block' check (on_exhausted in ('block', 'skip')),
  -- Which presets there are is said by the surfaces: a further one changes no table.
  preset text,
  -- {direction, senderProfile?, partnerProfile?, guides?, keyPath?}: files for a partner are prepared before they are sent.
  partner jsonb check (jsonb_typeof(partner) = 'object'),
  created_at timestamptz not null default now(),
  primary key (endpoint_id, version),
  constraint endpoint_versions_probe check ((probe_url is null) = (probe_field is null)),
  constraint endpoint_versions_probes check (on_ambiguous <> 'probe' or probe_url is not null)
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

-- Kept by triggers, so that no writer of a secret or a version can forget it.
create function revise_endpoint() returns trigger language plpgsql as $$
begin
  new.revision := old.revision + 1;
  return new;
end $$;

create trigger revise_endpoint before update on endpoints for each row
  when ((old.state, old.current_version, old.prepares, old.ordered) is distinct from
    (new.state, new.current_version, new.prepares, new.ordered))
  execute function revise_endpoint();

create function revise_endpoint_of_secret() returns trigger language plpgsql as $$
begin
  update endpoints set revision = revision + 1 where id = coalesce(new.endpoint_id, old.endpoint_id);
  return null;
end $$;

create trigger revise_endpoint_of_secret after insert or update or delete on endpoint_secrets for each row
  execute function revise_endpoint_of_secret();

-- When a caller who may only edit gave an endpoint a new origin: what was accepted before goes to the version that was
-- current then, and is not matched at all where the endpoint was made then (no version).
create table endpoint_fences (
  endpoint_id uuid not null references endpoints (id),
  accepted_before timestamptz not null,
  version integer,
  primary key (endpoint_id, accepted_before)
);
