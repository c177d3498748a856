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
