-- Why: what a removal of old events needs of large tables (0028) is made before the switch to the queue, while everything works
-- on: nothing waits for the reading of all events, and who leaves something out of an operation for the building of an index.

-- When what an event repeats (Stedi) was first accepted: a fence of an endpoint holds for it still when the first is gone. Apart
-- from events, which nobody waits for here.
create table event_origins (
  event_id uuid primary key,
  first_accepted_at timestamptz not null
);
insert into event_origins select id, first_accepted_at(id) from events where replay_of is not null;

create index receipt_diagnostics_by_receipt on receipt_diagnostics (receipt_id);
-- The replays and the endpoints of an operation that is removed.
create index receipt_replays_by_operation on receipt_replays (operation_id);
create index operation_endpoints_by_operation on operation_endpoints (operation_id);
-- A removal finds what was left out of operations by its delivery. Last, because others wait for it.
create index exclusions_by_delivery on exclusions (delivery_id);
