-- Why: of what was imported there may be no attempt that anybody tells of (a message of a dead-letter queue, an export
-- without attempts), and its receiver can have it all the same. Where the receiver acknowledges it, it is delivered.

alter table deliveries
  drop constraint deliveries_check1,
  add constraint deliveries_delivered check (state <> 'delivered' or attempts > 0 or import_id is not null);
