-- Why: guards that each process kept to itself held for one process only, and what leads out of the cluster needs keys of its
-- own. Here is what several processes have to agree on.

-- The rest of a tenant's requests at one surface: a bucket that fills by the clock of the database. A process takes some at a
-- time and counts down by itself. Nothing of it has to survive a crash: a bucket that is gone is a full one.
create unlogged table rate_buckets (
  surface text not null,
  -- A tenant, or an actor of the installation.
  holder text not null,
  tokens double precision not null check (tokens >= 0),
  -- What the last statement took, which it returns: it may be less than was asked for.
  granted int not null check (granted >= 0),
  filled_at timestamptz not null,
  primary key (surface, holder)
) with (fillfactor = 50);

-- An endpoint within a company often has a certificate of an authority of its own, and asks for one in return. They belong to
-- the version, as its address does; the key is sealed.
alter table endpoint_versions
  add column ca_certificate text check (length(ca_certificate) between 1 and 65536),
  add column client_certificate text check (length(client_certificate) between 1 and 65536),
  add column sealed_client_key bytea,
  add constraint endpoint_versions_client_key check ((client_certificate is null) = (sealed_client_key is null)),
  -- Without TLS they would be neither sent nor looked at.
  add constraint endpoint_versions_certificates check (url ilike 'https:%' or (ca_certificate is null and client_certificate is null));

-- A rotation of the master key: everything sealed is sealed anew in the background, under the key that `rotating_to` is the
-- check value of, and `master_key_check` follows when nothing is left.
alter table installation
  add column rotating_to bytea check (length(rotating_to) = 32);

-- Keys that were derived from a master key which was rotated since, sealed: what others know the installation by stays.
create table kept_keys (
  purpose text primary key,
  sealed bytea not null
);
