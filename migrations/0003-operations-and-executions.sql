-- Why: one row for each run of a delivery decides who may send; an operation's counts are kept by triggers, so that
-- no statement can change an item and forget to account for it; the equation of the counts is a constraint.

create table operations (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  kind text not null check (kind in ('retry', 'replay')),
  surface text not null default 'native',
  -- Derived from the idempotency scope and key; changed by nothing.
  workflow_id text not null unique,
  -- Worked by the live lane, on the interactive task queue.
  interactive boolean not null,
  target text not null check (target in ('original', 'current')),
  selection jsonb not null,
  options jsonb not null,
  reason text,
  ticket text,
  requested_by uuid references api_keys,
  -- Who asked, with or without an API key.
  actor text,
  state text not null check (state in (
    'planned', 'awaiting_approval', 'accepted', 'selecting', 'running', 'paused', 'halted', 'closing',
    'completed', 'completed_with_failures', 'cancelled')),
  control text not null default 'run' check (control in ('run', 'pause', 'cancel')),
  control_revision int not null default 0,
  -- The revision the workflow has seen; behind means that a nudge was lost and the sweeper sends it again.
  control_seen int not null default 0,
  rate_per_second double precision check (rate_per_second > 0),
  max_concurrency int check (max_concurrency > 0),
  -- It has a canary, a ramp or a threshold.
  watched boolean not null default false,
  ramped_at timestamptz not null default now(),
  -- Why it was halted last, with the numbers; kept when it is resumed.
  halt jsonb,
  -- Whoever asks for a replay of a range is told how many events it is about, then and whenever they ask again: what is
  -- left of the range changes while it is replayed, so that counting again would answer something else.
  estimated_events int check (estimated_events >= 0),
  not_before timestamptz,
  watermark timestamptz not null,
  selection_cursor jsonb,
  selected_at timestamptz,
  -- When it began to run, the last time, and what of it had ended by then: an estimate of its end needs both.
  running_since timestamptz,
  ended_before int,
  -- One of the executions it joined that is still to be sent, while it waits for these alone.
  awaited_execution_id uuid,
  -- Every state but the three ends has a next event with a known time.
  next_event text,
  next_event_at timestamptz,
  -- How long its items wait at an endpoint that an operator disables: 15 minutes unless it was asked for something else.
  disabled_patience_ms double precision not null
    generated always as (coalesce((options ->> 'disabledPatienceMs')::double precision, 900000)) stored,
  -- When a paused operation is cancelled by itself.
  expires_at timestamptz,
  start_confirmed_at timestamptz,
  start_attempts int not null default 0,
  start_again_at timestamptz,
  nudged_at timestamptz not null default '-infinity',
  created_at timestamptz not null default now(),
  closed_at timestamptz,
  report jsonb,
  check ((state in ('completed', 'completed_with_failures', 'cancelled')) = (closed_at is not null)),
  check ((closed_at is null) = (next_event_at is not null)),
  check (closed_at is null or report is not null),
  constraint operations_halted check (state <> 'halted' or (halt is not null and control <> 'run'))
);
create index operations_by_tenant on operations (tenant_id, id);
create index operations_open on operations (next_event_at) where closed_at is null;

create table executions (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null,
  delivery_id uuid not null,
  endpoint_id uuid not null,
  operation_id uuid,
  parent_id uuid,
  -- Whose slices claim it: an operation, or nobody's (nil), which is the live lane.
  worked_by uuid not null default '00000000-0000-0000-0000-000000000000',
  state text not null check (state in (
    'queued', 'scheduled', 'sending', 'unknown', 'superseded', 'cancelled', 'ignored', 'failed', 'delivered')),
  open boolean not null generated always as (state in ('queued', 'scheduled', 'sending', 'unknown')) stored,
  -- What a queue holds: not what is unknown, which waits for a decision, perhaps in great numbers. No claim changes it.
  in_queue boolean generated always as (state in ('queued', 'scheduled', 'sending')) stored,
  -- One cancelled before its first attempt gives its parent's child slot back.
  keeps_slot boolean not null generated always as (not (state = 'cancelled' and attempts = 0)) stored,
  -- What ended without being delivered. A column of its own: an index by `state` would keep claims from being heap-only.
  undelivered boolean not null generated always as (state in ('failed', 'ignored', 'cancelled', 'superseded')) stored,
  -- Why it ended ignored, failed or cancelled.
  reason text,
  -- Null: whatever version is current when it is sent.
  target_version int,
  match_filter boolean not null default false,
  due_at timestamptz not null,
  -- When it is due by itself, while it is put off because something before it is in the way.
  put_off_from timestamptz,
  give_up_at timestamptz not null,
  reconcile_until timestamptz,
  attempts int not null default 0 check (attempts >= 0),
  -- Those of them whose sender was lost: they are none of the receiver's.
  lost_attempts integer not null default 0
    constraint executions_lost_attempts check (lost_attempts between 0 and attempts),
  -- An attempt whose outcome is not known is among its attempts.
  may_have_arrived boolean not null default false,
  -- What its operation asks for; null: what its endpoint does.
  on_ambiguous text check (on_ambiguous in ('resend', 'probe', 'hold')),
  probe_at timestamptz,
  probes int not null default 0,
  -- Acknowledged while it was being sent: its outcome, whatever it is, makes it delivered.
  acknowledged_at timestamptz,
  lease_token uuid,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  check ((state = 'sending') = (lease_token is not null)),
  check (open = (finished_at is null)),
  check ((state in ('ignored', 'cancelled')) <= (reason is not null)),
  constraint executions_probe_unknown check (probe_at is null or state = 'unknown')
) with (fillfactor = 50);
comment on column executions.match_filter is 'The endpoint''s current types and filter are applied once more before it is sent.';
-- Rule 2: one delivery, one owner.
create unique index executions_one_open on executions (delivery_id) where open;
create unique index executions_one_child on executions (parent_id) where keeps_slot and parent_id is not null;
create index executions_by_delivery on executions (delivery_id, id);
create index executions_by_operation on executions (operation_id, id) where operation_id is not null;
-- The queue. No column of it, nor `in_queue`, changes when an item is claimed: claims stay heap-only updates.
create index executions_queue on executions (worked_by, endpoint_id, due_at, id) where in_queue;
-- When a table is analysed while its queue is empty, both partial indexes of the queue look like a page, and the planner
-- would read the whole queue by its times to give up and sort it, at every look. Who does not ask for a time to give up
-- cannot use this one.
create index executions_give_up on executions (give_up_at) where in_queue and give_up_at > '-infinity';
create index executions_probe on executions (probe_at) where probe_at is not null;
-- What ended, in the order in which it ended, is read by pollers; what has not ended comes first in lists.
create index executions_by_end on executions (tenant_id, finished_at, id);
-- The same of failures, among millions that were delivered.
create index executions_undelivered_by_end on executions (tenant_id, finished_at, id) where undelivered;

-- Append-only.
create table attempts (
  execution_id uuid not null,
  number int not null,
  id uuid not null default uuidv7(),
  tenant_id uuid not null,
  endpoint_version int,
  started_at timestamptz not null,
  duration_ms int not null,
  outcome text not null check (outcome in ('delivered', 'retryable', 'permanent', 'gone', 'ambiguous', 'unsent')),
  fault_code text,
  http_status int,
  retry_after_ms int,
  -- Sent although an earlier attempt may have arrived.
  resend boolean not null default false,
  response_excerpt bytea check (length(response_excerpt) <= 1024),
  primary key (execution_id, number)
);

-- What an operation selected and did not run.
create table exclusions (
  operation_id uuid not null,
  delivery_id uuid not null,
  reason text not null check (reason in (
    'coalesced', 'already_delivered', 'changed_since', 'held', 'outcome_unknown', 'suppressed_duplicate', 'resent',
    'payload_expired', 'endpoint_disabled', 'endpoint_deleted', 'no_longer_matches', 'already_retried', 'not_retryable')),
  -- The execution that was joined or whose outcome is unknown, and for `held` the operation that holds it.
  joined_execution_id uuid,
  held_by uuid,
  created_at timestamptz not null default now(),
  primary key (operation_id, delivery_id),
  check ((reason in ('coalesced', 'held', 'outcome_unknown')) = (joined_execution_id is not null)),
  check ((reason = 'held') = (held_by is not null))
);

-- One row for each use of a key; the record, not the workflow, is what makes a repeat answer alike.
create table idempotency_keys (
  scope text not null,
  key_hash bytea not null check (length(key_hash) = 32),
  tenant_id uuid not null,
  fingerprint bytea not null,
  -- Counts the uses of the key after its expiry: a fresh use never meets an old workflow run.
  use int not null default 1,
  operation_id uuid not null,
  status int not null,
  body text not null,
  expires_at timestamptz not null,
  -- Valid for as long as its operation is open.
  while_open boolean not null default false,
  created_at timestamptz not null default now(),
  primary key (scope, key_hash)
);

-- Who paused, paced, resumed or cancelled an operation, and what halted it, written down in the transaction of the act.
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
