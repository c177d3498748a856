-- Why: an outcome that nobody knows is asked for (`probe`), waited for (`hold`) or acknowledged by the receiver, at any
-- time, also long after its operation has closed.

alter table endpoint_versions
  -- A status request, with `{deliveryId}` in it, and the member of its answer that says whether it was processed.
  add column probe_url text,
  add column probe_field text,
  -- An answer 202 only says that it was taken: the receiver acknowledges what it has done.
  add column require_ack boolean not null default false,
  add constraint endpoint_versions_probe check ((probe_url is null) = (probe_field is null)),
  add constraint endpoint_versions_probes check (on_ambiguous <> 'probe' or probe_url is not null);

alter table executions
  -- What its operation asks for; null: what its endpoint does.
  add column on_ambiguous text check (on_ambiguous in ('resend', 'probe', 'hold')),
  add column probe_at timestamptz,
  add column probes int not null default 0,
  -- Acknowledged while it was being sent: its outcome, whatever it is, makes it delivered.
  add column acknowledged_at timestamptz,
  add constraint executions_probe_unknown check (probe_at is null or state = 'unknown');
create index executions_probe on executions (probe_at) where probe_at is not null;

-- As before, and what was ignored after an attempt can still be acknowledged.
create or replace function execution_may_become(from_state text, to_state text) returns boolean
language sql immutable parallel safe return
  case from_state
    when 'queued' then to_state in ('sending', 'superseded', 'cancelled', 'ignored', 'failed', 'delivered')
    when 'scheduled' then to_state in ('sending', 'superseded', 'cancelled', 'ignored', 'failed', 'delivered')
    when 'sending' then to_state in ('delivered', 'failed', 'scheduled', 'unknown', 'queued', 'cancelled')
    when 'unknown' then to_state in ('delivered', 'failed', 'scheduled')
    when 'failed' then to_state = 'delivered'
    when 'cancelled' then to_state = 'delivered'
    when 'ignored' then to_state = 'delivered'
    else false
  end;
