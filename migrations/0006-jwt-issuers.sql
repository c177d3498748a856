-- Why: who has an identity provider of its own calls with its tokens (JWT). What a token may do, and for whom, is what
-- was registered for its `iss` and `aud`: never what the token says of itself.

create table jwt_issuers (
  id uuid primary key default uuidv7(),
  -- Null for an issuer of the whole installation.
  tenant_id uuid references tenants,
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
  check (num_nonnulls(sealed_secret, jwks, jwks_url) = 1 and (algorithm = 'HS256') = (sealed_secret is not null))
);
-- A token names its issuer and its audience and nothing else of ours: two tenants cannot have the same pair.
create unique index jwt_issuers_by_claims on jwt_issuers (issuer, audience) where revoked_at is null;
create index jwt_issuers_by_audience on jwt_issuers (issuer, audience);
create index jwt_issuers_by_tenant on jwt_issuers (tenant_id, id);
