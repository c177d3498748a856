-- Why: nothing but payloads and lines of ledgers ever left the database. Each tenant says how long it keeps its events, with
-- everything that hangs on them, its receipts and its reports; the installation says how long at least. Tenants that are
-- there keep what they have until somebody sets a term: an upgrade removes nothing.
--
-- Versions before this one run on it. A term is to be set when the last of their processes has been replaced: they select
-- deliveries without asking whether these are being removed.

-- How far the removal of events has come for each tenant, and what it has passed by because something keeps it.
create table event_sweeps (
  tenant_id uuid primary key references tenants,
  accepted_at timestamptz not null default '-infinity',
  event_id uuid not null default '00000000-0000-0000-0000-000000000000'
);
create table event_sweep_held (
  tenant_id uuid not null references tenants,
  event_id uuid not null,
  accepted_at timestamptz not null,
  kept_for text not null check (kept_for in
    ('busy', 'open', 'operation', 'addendum', 'plan', 'outage', 'order', 'import', 'sent_again', 'replay')),
  looked_at timestamptz not null default now(),
  primary key (tenant_id, event_id)
);
create index event_sweep_held_by_look on event_sweep_held (tenant_id, looked_at);
create index event_sweep_held_by_age on event_sweep_held (tenant_id, accepted_at);

-- The operation that the removal of operations has looked at last; behind the newest it begins again.
create table report_sweeps (
  tenant_id uuid primary key references tenants,
  operation_id uuid not null default '00000000-0000-0000-0000-000000000000'
);

-- What was repeated since the file before the switch.
insert into event_origins select v.id, first_accepted_at(v.id) from events v
where v.replay_of is not null
  and v.id > coalesce((select o.event_id from event_origins o order by o.event_id desc limit 1), '00000000-0000-0000-0000-000000000000')
on conflict do nothing;
create or replace function first_accepted_at(the_event uuid) returns timestamptz language sql stable as $$
  with recursive told as (
    select least(v.accepted_at, (select o.first_accepted_at from event_origins o where o.event_id = v.id)) as at, v.replay_of
    from events v where v.id = the_event
    union all
    select least(o.accepted_at, (select x.first_accepted_at from event_origins x where x.event_id = o.id)), o.replay_of
    from told t join events o on o.id = t.replay_of
  )
  select min(at) from told
$$;

-- As in 0004-accounting.sql, but for frozen counts, which say what was: they do not move when the exclusions go.
create or replace function account_deleted_exclusions() returns trigger language plpgsql as $$
begin
  update operation_counts c set expected = c.expected - d.items, excluded = c.excluded - d.items
  from (select operation_id, count(*) as items from old_rows group by 1) d
  where c.operation_id = d.operation_id and not c.frozen;
  return null;
end $$;

-- As in 0006-surfaces.sql, but frozen diagnostics go with their receipt.
create or replace function keep_frozen_diagnostics() returns trigger language plpgsql as $$
begin
  if old.state = 'frozen' and (tg_op <> 'DELETE' or exists (select from events v where v.id = old.receipt_id)
    or exists (select from rejections r where r.id = old.receipt_id))
  then
    raise exception 'frozen diagnostics do not change' using errcode = 'RD002';
  end if;
  return case tg_op when 'DELETE' then old else new end;
end $$;

-- What is in the queue is never without its record, and no item goes whose operation has not been frozen: nothing is counted
-- by a removal.
create function refuse_removal() returns trigger language plpgsql as $$
begin
  if exists (select from old_rows o where exists (
    select from queue q where q.delivery_id = o.delivery_id and q.execution_id = o.id))
  then
    perform refuse_queue('an execution that is in the queue was removed');
  end if;
  if exists (select from old_rows o join operation_counts c on c.operation_id = o.operation_id and not c.frozen) then
    perform refuse_queue('an item was removed whose operation has not ended');
  end if;
  return null;
end $$;
create trigger refuse_removals after delete on execution_records referencing old table as old_rows
  for each statement execute function refuse_removal();

-- In days; no tenant keeps anything for less. Null sets nothing. Last, because whoever begins an operation reads this table.
alter table platform_limits
  add column least_payload_days int check (least_payload_days > 0),
  add column least_event_days int check (least_event_days > 0),
  add column least_receipt_days int check (least_receipt_days > 0),
  add column least_ledger_days int check (least_ledger_days > 0),
  add column least_report_days int check (least_report_days > 0);

-- For how many days a tenant with these settings keeps something (`payload`, `event`, `receipt`, `ledger`, `report`); null is
-- for ever. A payload and a receipt are gone with their event at the latest, and an event stays for as long as either was
-- promised; a report stays for as long as its lines, which is for ever where they have no term. The same words are in `src/domain/tenancy/retention.ts`.
create function retention_days(settings jsonb, of_what text) returns int language sql stable parallel safe as $$
  select case of_what
    when 'event' then s.event
    when 'payload' then coalesce(s.payload, s.event)
    when 'receipt' then coalesce(s.receipt, s.event)
    when 'ledger' then s.ledger
    when 'report' then s.report end
  from (
    select
      case when settings ? 'eventRetentionDays' then greatest((settings->>'eventRetentionDays')::int,
        (settings->>'payloadRetentionDays')::int, (settings->>'receiptRetentionDays')::int,
        p.least_event_days, p.least_payload_days, p.least_receipt_days) end as event,
      case when settings ? 'payloadRetentionDays' then
        greatest((settings->>'payloadRetentionDays')::int, p.least_payload_days) end as payload,
      case when settings ? 'receiptRetentionDays' then
        greatest((settings->>'receiptRetentionDays')::int, p.least_receipt_days) end as receipt,
      case when settings ? 'ledgerRetentionDays' then
        greatest((settings->>'ledgerRetentionDays')::int, p.least_ledger_days) end as ledger,
      case when settings ?& array['reportRetentionDays', 'ledgerRetentionDays'] then greatest((settings->>'reportRetentionDays')::int,
        (settings->>'ledgerRetentionDays')::int, p.least_report_days, p.least_ledger_days) end as report
    from (select 1) one left join platform_limits p on true
  ) s
$$;
