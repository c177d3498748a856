-- Why: who comes from another system has failures there. They are taken line by line into deliveries that have failed, and
-- nothing is sent by that. An upload can break off at any line, so how far it has come is written down with what it brought;
-- and what others did must not look like what Redrive did: not to an outage, a circuit, an order or a figure.

create table imports (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  -- How its lines are read. Which formats there are is said by the code.
  format text not null,
  state text not null default 'open' check (state in ('open', 'closed', 'abandoned', 'expired')),
  -- The id of the other system is sent as `webhook-id`.
  keep_ids boolean not null,
  -- The type and the source of events whose lines have none.
  event_type text,
  source text,
  ingestion_batch_id text not null,
  opened_by text not null,
  -- Lines of the file that have been taken: it goes on behind them.
  lines bigint not null default 0,
  accepted bigint not null default 0,
  duplicates bigint not null default 0,
  refused bigint not null default 0,
  blank bigint not null default 0,
  bytes bigint not null default 0,
  opened_at timestamptz not null default now(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  lines_removed_at timestamptz,
  constraint imports_add_up check (lines = accepted + duplicates + refused + blank
    and least(accepted, duplicates, refused, blank) >= 0),
  constraint imports_ended check ((state = 'open') = (ended_at is null)),
  constraint imports_removed check (lines_removed_at is null or ended_at is not null)
);
create unique index imports_one_open on imports (tenant_id) where state = 'open';
create index imports_by_tenant on imports (tenant_id, id);
-- What the sweeper looks at: what has expired, and reports whose time is over.
create index imports_open on imports (expires_at) where state = 'open';
create index imports_with_lines on imports (ended_at) where ended_at is not null and lines_removed_at is null;

-- The endpoints that the names of the other system stand for: they are named when it is opened, and nothing goes elsewhere.
create table import_targets (
  import_id uuid not null references imports,
  theirs text not null,
  endpoint_id uuid not null references endpoints,
  primary key (import_id, theirs)
);

-- The fate of each line: the primary key takes each once.
create table import_lines (
  import_id uuid not null,
  line bigint not null check (line > 0),
  result text not null check (result in ('accepted', 'duplicate', 'refused')),
  -- A code; the member of the line that it is about, by a name of the format.
  reason text check (length(reason) <= 64),
  member text check (length(member) <= 128),
  -- The endpoint of the other system that nothing stands for.
  theirs text check (length(theirs) <= 255),
  event_id uuid,
  delivery_id uuid,
  primary key (import_id, line),
  constraint import_lines_reason check ((result = 'accepted') = (reason is null))
);
create index import_lines_not_accepted on import_lines (import_id, result, line) where result <> 'accepted';

-- The events of each transaction: they are numbered like those that were sent, and are none of the traffic of their time.
create table import_batches (
  tenant_id uuid not null,
  accepted_at timestamptz not null,
  import_id uuid not null,
  events int not null check (events > 0),
  primary key (tenant_id, accepted_at, import_id)
);

alter table events add column import_id uuid;

alter table deliveries
  add column import_id uuid,
  -- What it is known by at its receiver from before; its own id where null.
  add column webhook_id text,
  -- Nobody waits for what failed elsewhere.
  add constraint deliveries_imported check (import_id is null or (order_key is null and replay_of is null)),
  add constraint deliveries_webhook_id check (webhook_id is null or import_id is not null);
-- A receiver acknowledges by it.
create unique index deliveries_by_webhook_id on deliveries (endpoint_id, webhook_id) where webhook_id is not null;

-- Made by the other system.
alter table attempts add column imported boolean not null default false;

-- Members of an imported line that the format does not know; they go with the payload.
alter table payloads add column import_members text;
