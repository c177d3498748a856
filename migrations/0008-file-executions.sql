-- Why: executions of files are retried by what they ended as, each once, and what keeps one from being retried is said;
-- and whoever asks for it is told of every file that failed, exactly once.

alter table exclusions drop constraint exclusions_reason_check;
alter table exclusions add constraint exclusions_reason_check check (reason in (
  'coalesced', 'already_delivered', 'changed_since', 'held', 'suppressed_duplicate', 'payload_expired',
  'no_longer_matches', 'already_retried', 'not_retryable'));

-- What was never sent is retried by the state of its newest execution; small, like those of failures.
create index deliveries_rare_by_tenant on deliveries (tenant_id, accepted_at, id)
  where state in ('unknown', 'cancelled', 'ignored');

-- What ended without being delivered, in the order in which it ended: to list, and to tell of, failures among millions
-- that were delivered. By a column of its own, for an index by `state` would keep claims from being heap-only updates.
alter table executions add column undelivered boolean not null
  generated always as (state in ('failed', 'ignored', 'cancelled', 'superseded')) stored;
create index executions_undelivered_by_end on executions (tenant_id, finished_at, id) where undelivered;

-- How far a tenant has been told of what failed: of everything that ended up to here, in the order of executions_by_end.
create table failed_file_feeds (
  tenant_id uuid primary key references tenants,
  finished_at timestamptz not null,
  execution_id uuid not null,
  created_at timestamptz not null default now()
);
-- Which tenants are to be told, and since when.
create index endpoint_versions_failed_files on endpoint_versions (tenant_id, created_at)
  where 'file.failed.v2' = any (event_types);
