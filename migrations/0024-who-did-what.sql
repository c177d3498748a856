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

-- A name that a client gave an event stands for the first one with it and for those that were sent again under it.
create index events_sent_again on events (duplicate_of) where duplicate_of is not null;
