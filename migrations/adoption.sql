-- What separates the schema of Redrive 0.1.0, which sixteen files made, from the one that the files by subject make: run once,
-- where a database of those files is taken over (src/store/db/adoption.ts).

alter table events validate constraint events_payload_removal;

-- Why something was excluded says what is in the way. An unknown outcome was `coalesced`, which promises a send that does
-- not come before somebody settles it; what was selected at an endpoint that takes nothing became an item that could only
-- end ignored. Both are exclusions with a reason of their own now; an unknown one names its execution, as what is joined.

alter table exclusions drop constraint exclusions_reason_check;
alter table exclusions add constraint exclusions_reason_check check (reason in (
  'coalesced', 'already_delivered', 'changed_since', 'held', 'outcome_unknown', 'suppressed_duplicate', 'payload_expired',
  'endpoint_disabled', 'endpoint_deleted', 'no_longer_matches', 'already_retried', 'not_retryable'));

alter table exclusions drop constraint exclusions_check;
alter table exclusions add constraint exclusions_check
  check ((reason in ('coalesced', 'held', 'outcome_unknown')) = (joined_execution_id is not null));

-- A repeat that is retried where filters run again is an item that has ended when it is made: it is counted as such.
create or replace function account_inserted_executions() returns trigger language plpgsql as $$
begin
  update operation_counts c set
    expected = c.expected + d.items, queued = c.queued + d.queued, scheduled = c.scheduled + d.scheduled,
    ignored = c.ignored + d.ignored
  from (
    select operation_id, count(*) as items,
      count(*) filter (where state = 'queued') as queued,
      count(*) filter (where state = 'scheduled') as scheduled,
      count(*) filter (where state = 'ignored') as ignored
    from new_rows where operation_id is not null group by 1
  ) d where c.operation_id = d.operation_id;
  return null;
end $$;

-- Why: a repeat of an external id was suppressed for ever and for the whole tenant, also where the first could never be
-- delivered any more: what a sender sent again never arrived. It is suppressed at an endpoint now only where the first was
-- delivered, is open, or can still be replayed with the same payload; elsewhere it is a new delivery that stands for the
-- first.

-- The same id of another type or another source is another event. No source is the empty text, which no source is.
alter table event_identities add column type text not null default '', add column source text not null default '';
update event_identities i set type = v.type, source = coalesce(v.source, '') from events v where v.id = i.event_id;
alter table event_identities alter column type drop default, alter column source drop default;
alter table event_identities drop constraint event_identities_pkey;
alter table event_identities add primary key (tenant_id, external_id, type, source);

-- The repeats of a first event that are kept with a payload of their own: few, and the only ones that have to be looked at
-- when the id comes once more. The newest of them stands for all.
create table event_resends (
  first_event_id uuid not null,
  event_id uuid not null,
  primary key (first_event_id, event_id)
);

-- The delivery of a repeat that stands for this one, at the same endpoint: this one is left out of every retry.
alter table deliveries add column resent_by uuid;

alter table exclusions drop constraint exclusions_reason_check;
alter table exclusions add constraint exclusions_reason_check check (reason in (
  'coalesced', 'already_delivered', 'changed_since', 'held', 'outcome_unknown', 'suppressed_duplicate', 'resent',
  'payload_expired', 'endpoint_disabled', 'endpoint_deleted', 'no_longer_matches', 'already_retried', 'not_retryable'));

-- What was sent again keeps nobody waiting any more: the delivery that stands for it has its place.
create or replace function blocked_by(of_delivery uuid) returns uuid language sql stable parallel safe as $$
  select b.id from deliveries d
  join endpoints n on n.id = d.endpoint_id and n.ordered
  join endpoint_versions v on v.endpoint_id = n.id and v.version = n.current_version
  join deliveries b on b.endpoint_id = d.endpoint_id and b.order_key = d.order_key and b.order_number < d.order_number
    and b.order_key is not null and b.state <> 'delivered'
  where d.id = of_delivery and (
    b.state in ('pending', 'unknown')
    or (b.state = 'failed' and ((v.on_exhausted = 'block' and b.resent_by is null)
      or exists (select from executions e where e.delivery_id = b.id and e.open))))
  order by b.order_number limit 1
$$;

-- Why: what holds a delivery back is to be shown by its name, and lifted by an operator as a whole. A floor of a
-- Retry-After and one of an open circuit look alike in `floor_until`; a sender that remembers an endpoint's Retry-After
-- must learn that it was lifted; and what an operation has at an endpoint that an operator disables waits for some time.

alter table endpoint_pacing
  -- The part of `floor_until` that its answers asked for.
  add column retry_after_until timestamptz not null default '-infinity',
  -- When an operator last lifted all that was held against it.
  add column lifted_at timestamptz not null default '-infinity';
update endpoint_pacing set retry_after_until = floor_until where openings = 0;

-- Since when it is disabled; what an operation was asked for before waits from then on.
alter table endpoints add column disabled_at timestamptz;
update endpoints set disabled_at = updated_at where state = 'disabled';

-- How long its items wait at an endpoint that an operator disables: 15 minutes unless it was asked for something else.
alter table operations add column disabled_patience_ms double precision not null
  generated always as (coalesce((options ->> 'disabledPatienceMs')::double precision, 900000)) stored;

-- Why: an operation's states have one table of transitions, which the database keeps as it keeps that of executions; an
-- operation that waits for what it joined names it, so that a look at one row tells whether the wait is over; and an
-- estimate of its end needs to know since when it runs and with what behind it.

-- Mirrors OPERATION_TRANSITIONS in src/domain/operations/operation-state.ts; a test compares every pair.
create function operation_may_become(from_state text, to_state text) returns boolean
language sql immutable parallel safe return
  case from_state
    when 'planned' then to_state in ('awaiting_approval', 'accepted', 'cancelled')
    when 'awaiting_approval' then to_state in ('accepted', 'cancelled')
    when 'accepted' then to_state in
      ('selecting', 'running', 'paused', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'selecting' then to_state in ('running', 'paused', 'halted', 'closing')
    when 'running' then to_state in ('paused', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'paused' then to_state in
      ('selecting', 'running', 'halted', 'closing', 'completed', 'completed_with_failures')
    when 'halted' then to_state in ('selecting', 'running', 'closing', 'completed', 'completed_with_failures')
    when 'closing' then to_state in ('halted', 'cancelled')
    else false
  end;

create function check_operation_transition() returns trigger language plpgsql as $$
begin
  if not operation_may_become(old.state, new.state) then
    raise exception 'an operation may not go from % to %', old.state, new.state using errcode = 'RD003';
  end if;
  return new;
end $$;
create trigger check_transition before update on operations for each row
  when (old.state is distinct from new.state) execute function check_operation_transition();

alter table operations
  -- One of the executions it joined that is still to be sent, while it waits for these alone.
  add column awaited_execution_id uuid,
  -- When it began to run, the last time, and what of it had ended by then.
  add column running_since timestamptz,
  add column ended_before int;

-- The execution that runs in the place of one that was taken over, however often that happened; itself where it was not,
-- null where what took it over was cancelled before it was sent.
create function run_in_place_of(of_execution uuid) returns uuid language sql stable parallel safe as $$
  with recursive line as (
    select id, state from executions where id = of_execution
    union all
    select c.id, c.state from line l join executions c on c.parent_id = l.id and c.keeps_slot where l.state = 'superseded'
  )
  select id from line where state <> 'superseded' limit 1
$$;

-- What a sender needs to know: whether its copy of an endpoint is stale, which attempts were lost by us, and which
-- operations a worker was at when it was last seen.

-- Counts every change of what senders keep of an endpoint in memory: its state, its current version, its signing secrets.
-- A claim says which revision it saw; a copy of an earlier one is read again. Kept by triggers, so that no writer of a
-- secret or a version can forget it.
alter table endpoints add column revision integer not null default 1;

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

-- Of the attempts of an execution, those whose sender was lost: they are none of the receiver's.
alter table executions add column lost_attempts integer not null default 0 constraint executions_lost_attempts check (lost_attempts between 0 and attempts);

-- The operations whose slices a worker runs: when it is not seen any more, another goes on with them.
alter table workers add column operations uuid[] not null default '{}';

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

-- Why: who paused, paced, resumed or cancelled an operation, what halted it, and who settled what nobody knew the
-- outcome of, is asked for later. It is written down in the transaction of the act itself.

create table operation_controls (
  operation_id uuid not null references operations,
  -- The revision of its control after the act.
  number int not null,
  did text not null check (did in ('pause', 'resume', 'rate', 'cancel', 'halt')),
  -- As credentials name it; `redrive` where nobody asked, `temporal` where it was cancelled there.
  actor text not null,
  -- What a rate was set to; null lifts the limit.
  rate_per_second double precision,
  -- Why it was halted, with the numbers.
  halt jsonb,
  at timestamptz not null default clock_timestamp(),
  primary key (operation_id, number),
  check ((did = 'halt') = (halt is not null))
);

-- One act of settling deliveries whose outcome is unknown: one of them, a list, or what a filter selects.
create table resolutions (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  actor text not null,
  outcome text not null check (outcome in ('delivered', 'failed', 'retry')),
  -- In the customer's words: it stays here.
  reason text,
  selection jsonb not null,
  -- What a repeat is known by, until the key expires.
  key_hash bytea check (length(key_hash) = 32),
  fingerprint bytea,
  key_expires_at timestamptz,
  -- What was answered; null while it is under way, and after a crash in the middle of it.
  answer text,
  created_at timestamptz not null default clock_timestamp(),
  check ((key_hash is null) = (fingerprint is null) and (key_hash is null) = (key_expires_at is null))
);
create unique index resolutions_by_key on resolutions (tenant_id, key_hash) where key_hash is not null;

-- What such an act has settled. One execution can be unknown, and settled, more than once.
create table resolved_executions (
  execution_id uuid not null,
  resolution_id uuid not null references resolutions,
  primary key (execution_id, resolution_id)
);
create index resolved_executions_by_resolution on resolved_executions (resolution_id);

-- Which presets there are is said by the surfaces: a further surface with one of its own changes no table.
alter table endpoint_versions drop constraint endpoint_versions_preset_check;
