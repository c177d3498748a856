-- Why: five more surfaces over the same engine. They ask for what the native one does not: who asked without an API key,
-- keys that are valid while their operation is open, items that are matched afresh, filters that are applied again, the
-- preparation of files for partners, and operations over several tenants.

alter table operations add column actor text;

alter table idempotency_keys add column while_open boolean not null default false;

alter table executions add column match_filter boolean not null default false;
comment on column executions.match_filter is 'The endpoint''s current types and filter are applied once more before it is sent.';
-- What ended, in the order in which it ended, is read by pollers; what has not ended comes first in lists.
create index executions_by_end on executions (tenant_id, finished_at, id);

alter table exclusions drop constraint exclusions_reason_check;
alter table exclusions add constraint exclusions_reason_check check (reason in (
  'coalesced', 'already_delivered', 'changed_since', 'held', 'suppressed_duplicate', 'payload_expired',
  'no_longer_matches'));

alter table endpoint_versions add column preset text check (preset in ('zen-mesh', 'minka', 'stedi', 'flowrelay'));
-- {direction, senderProfile?, partnerProfile?, guides?, keyPath?}: files for a partner are prepared before they are sent.
alter table endpoint_versions add column partner jsonb check (jsonb_typeof(partner) = 'object');

-- Its current version has a partner: what is claimed for it is prepared first.
alter table endpoints add column prepares boolean not null default false;

-- The event that a repeat under a new identity repeats.
alter table events add column replay_of uuid;

-- Owns the operations that span tenants; it has no endpoints and no events, and no key belongs to it.
alter table tenants add column platform boolean not null default false;
create unique index tenants_platform on tenants (platform) where platform;
insert into tenants (id, handle, name, platform)
values ('00000000-0000-7000-8000-000000000000', 'redrive.platform', 'The platform', true);
