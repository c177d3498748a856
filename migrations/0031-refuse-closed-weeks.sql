-- Why: a partition into which nothing comes any more was closed by CHECK (false). Postgres writes the row that such a
-- constraint refuses into its log, with the beginning of its payload. Called by the constraint, this refuses the row first, and
-- says only its id. Code and constraint are those that CHECK (false) gives: the version before treats both alike.

-- Volatile, as it is by default: nobody may work it out in advance of a row.
create function refuse_closed_week(of_partition text, id uuid) returns boolean language plpgsql as $$
begin
  raise exception using errcode = 'check_violation', constraint = 'week_closed', table = of_partition,
    message = format('the partition %s takes no rows any more', of_partition), detail = format('The row has the id %s.', id);
end $$;
