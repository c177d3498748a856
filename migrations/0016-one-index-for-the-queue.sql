-- Why: when a table is analysed while its queue is empty, both partial indexes of the queue look like a page, and the
-- planner read the whole queue by its times to give up and sorted it, at every look. Who does not ask for a time to give
-- up can no longer use that index.

drop index executions_give_up;
create index executions_give_up on executions (give_up_at) where in_queue and give_up_at > '-infinity';
