-- Why: hours may lie between the call that asks for an operation and its last attempt, and other processes do the work. So
-- what is traced later finds the call here, and links to it. Only sampled calls have a row.

create table operation_traces (
  operation_id uuid primary key references operations,
  -- A W3C `traceparent` of our own making, never what a caller sent.
  traceparent text not null check (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-01$')
);
