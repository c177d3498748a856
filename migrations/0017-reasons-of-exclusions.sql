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
