-- What one tenant registers changes nothing for another. An issuer of tokens used to be unique over all tenants, so that a
-- stranger who was first took another's tokens, and a second audience made them ambiguous; a public key could be
-- registered by anybody, so that a stranger's copy made the owner's calls ambiguous; and whoever could point an endpoint
-- elsewhere received what had been accepted before.

-- Who vouches for an issuer: tokens of one that a tenant registered name their tenant.
alter table jwt_issuers add column by_installation boolean not null default false;
update jwt_issuers set by_installation = true where tenant_id is null;
alter table jwt_issuers add constraint jwt_issuers_of_installation check (tenant_id is not null or by_installation);
drop index jwt_issuers_by_claims;
create unique index jwt_issuers_by_claims on jwt_issuers (tenant_id, issuer, audience)
  nulls not distinct where revoked_at is null;
-- Tokens of these need not name a tenant: no two of them may take the same one.
create unique index jwt_issuers_unnamed on jwt_issuers (issuer, audience) where by_installation and revoked_at is null;

-- Who says that a public key is the tenant's: the key itself, by its signature, or the installation. Neither is known of
-- rows that are older than this.
alter table signers add column proved_by text check (proved_by in ('key', 'installation'));

-- When a caller who may only edit gave an endpoint a new origin: what was accepted before goes to the version that was
-- current then, and is not matched at all where the endpoint was made then (no version).
create table endpoint_fences (
  endpoint_id uuid not null references endpoints (id),
  accepted_before timestamptz not null,
  version integer,
  primary key (endpoint_id, accepted_before)
);

-- When the event was accepted that another one repeats, or is: a repeat has an old payload and a new time.
create function first_accepted_at(the_event uuid) returns timestamptz language sql stable as $$
  with recursive told as (
    select v.accepted_at, v.replay_of from events v where v.id = the_event
    union all
    select o.accepted_at, o.replay_of from told t join events o on o.id = t.replay_of
  )
  select min(accepted_at) from told
$$;

-- The version that an event of an endpoint goes to where that is not the current one.
create function fenced_version(the_endpoint uuid, the_event uuid) returns integer language sql stable as $$
  select f.version from endpoint_fences f
  where f.endpoint_id = the_endpoint and f.accepted_before > first_accepted_at(the_event)
  order by f.accepted_before limit 1
$$;

do $$
declare
  issuer record;
  signer record;
begin
  for issuer in
    select i.id, i.issuer, i.audience, t.handle from jwt_issuers i join tenants t on t.id = i.tenant_id
    where i.revoked_at is null order by i.id
  loop
    raise warning 'The issuer % with the audience % (%) belongs to the tenant %: its tokens must name that tenant from now on, by path, X-Tenant-ID or Redrive-Tenant. Revoke it and register it again with the key of the installation where they cannot.',
      issuer.issuer, issuer.audience, issuer.id, issuer.handle;
  end loop;
  for signer in
    select encode(s.public_key, 'base64') as public, string_agg(t.handle, ', ' order by s.id) as tenants
    from signers s join tenants t on t.id = s.tenant_id group by s.public_key having count(*) > 1 order by min(s.created_at)
  loop
    raise warning 'The public key % is registered with several tenants (%) and nobody has proved that it is theirs: remove it where it is not, and let its owner register it again with a proof.',
      signer.public, signer.tenants;
  end loop;
end
$$;
