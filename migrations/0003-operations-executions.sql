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
  state text not null check (state in (
    'planned', 'awaiting_approval', 'accepted', 'selecting', 'running', 'paused', 'halted', 'closing',
    'completed', 'completed_with_failures', 'cancelled')),
  control text not null default 'run' check (control in ('run', 'pause', 'cancel')),
  control_revision int not null default 0,
  -- The revision the workflow has seen; behind means that a nudge was lost and the sweeper sends it again.
  control_seen int not null default 0,
  rate_per_second double precision check (rate_per_second > 0),
  max_concurrency int check (max_concurrency > 0),
  not_before timestamptz,
  watermark timestamptz not null,
  selection_cursor jsonb,
  selected_at timestamptz,
  -- Every state but the three ends has a next event with a known time.
  next_event text,
  next_event_at timestamptz,
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
  check (closed_at is null or report is not null)
);
create index operations_by_tenant on operations (tenant_id, id);
create index operations_open on operations (next_event_at) where closed_at is null;

create table operation_counts (
  operation_id uuid primary key references operations,
  expected int not null default 0,
  queued int not null default 0 check (queued >= 0),
  scheduled int not null default 0 check (scheduled >= 0),
  sending int not null default 0 check (sending >= 0),
  unknown int not null default 0 check (unknown >= 0),
  delivered int not null default 0 check (delivered >= 0),
  failed int not null default 0 check (failed >= 0),
  ignored int not null default 0 check (ignored >= 0),
  cancelled int not null default 0 check (cancelled >= 0),
  superseded int not null default 0 check (superseded >= 0),
  excluded int not null default 0 check (excluded >= 0),
  -- Set at closing: what is settled later is an addendum and changes no count.
  frozen boolean not null default false,
  constraint the_one_equation check (
    expected = queued + sending + scheduled + delivered + failed + unknown + ignored + cancelled + superseded + excluded)
) with (fillfactor = 50);

-- Pace of one operation over all endpoints, shared by its slices.
create table operation_pacing (
  operation_id uuid primary key references operations,
  arrival_at timestamptz not null default '-infinity'
) with (fillfactor = 50);

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
  -- Why it ended ignored, failed or cancelled.
  reason text,
  -- Null: whatever version is current when it is sent.
  target_version int,
  due_at timestamptz not null,
  give_up_at timestamptz not null,
  reconcile_until timestamptz,
  attempts int not null default 0 check (attempts >= 0),
  -- An attempt whose outcome is not known is among its attempts.
  may_have_arrived boolean not null default false,
  lease_token uuid,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  check ((state = 'sending') = (lease_token is not null)),
  check (open = (finished_at is null)),
  check ((state in ('ignored', 'cancelled')) <= (reason is not null))
) with (fillfactor = 50);
-- Rule 2: one delivery, one owner.
create unique index executions_one_open on executions (delivery_id) where open;
create unique index executions_one_child on executions (parent_id) where keeps_slot and parent_id is not null;
create index executions_by_delivery on executions (delivery_id, id);
create index executions_by_operation on executions (operation_id, id) where operation_id is not null;
-- The queue. No column of it, nor `in_queue`, changes when an item is claimed: claims stay heap-only updates.
create index executions_queue on executions (worked_by, endpoint_id, due_at, id) where in_queue;
create index executions_give_up on executions (give_up_at) where in_queue;

-- What a sender holds at this moment: one row a claim, found by the sweeper when its lease has passed.
create table claims (
  token uuid primary key,
  worked_by uuid not null,
  lease_until timestamptz not null,
  execution_ids uuid[] not null
);
create index claims_by_lease on claims (lease_until);
create index claims_by_owner on claims (worked_by);

-- Concurrency of endpoints and operations as leases that expire: a crash leaks none.
create table pace_slots (
  paced_id uuid not null,
  token uuid not null,
  slots int not null check (slots >= 0),
  expires_at timestamptz not null,
  primary key (paced_id, token)
);
create index pace_slots_by_token on pace_slots (token);

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
    'coalesced', 'already_delivered', 'changed_since', 'held', 'suppressed_duplicate', 'payload_expired')),
  -- The execution that was joined, and for `held` the operation that holds it.
  joined_execution_id uuid,
  held_by uuid,
  created_at timestamptz not null default now(),
  primary key (operation_id, delivery_id),
  check ((reason in ('coalesced', 'held')) = (joined_execution_id is not null)),
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
  created_at timestamptz not null default now(),
  primary key (scope, key_hash)
);

create table workers (
  id uuid primary key,
  host text not null,
  pid int not null,
  -- Its Temporal workers poll their queues.
  polling boolean not null default false,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);
