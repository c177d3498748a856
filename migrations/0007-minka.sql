-- Why: the Minka surface knows its callers by ed25519 keys and by rules of what they may do, and names bridges by luids
-- that are stored, not derived, so that they stay what they are whatever becomes of handles and ids.

create table signers (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  handle text not null check (handle ~ '^[a-zA-Z0-9_+.-]{1,81}$' and handle not in ('system', 'any')),
  public_key bytea not null check (length(public_key) = 32),
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

-- 17 characters of the alphabet that luids have; 96 of their bits are random.
create function make_bridge_luid() returns text language sql volatile as $$
  select '$brg.' || translate(left(encode(uuid_send(gen_random_uuid()), 'base64'), 17), '+/', '-_')
$$;
alter table endpoints add column luid text not null unique default make_bridge_luid()
  check (luid ~ '^\$brg\.[A-Za-z0-9_-]{17}$');

-- A retry of a bridge takes what failed and what is still pending: its cost follows these, not all that was ever delivered.
create index deliveries_undelivered_by_endpoint on deliveries (endpoint_id, accepted_at, id)
  where state in ('failed', 'pending');
