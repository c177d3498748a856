-- Why: payloads and attempts only grow, and a table gives the room of its removed rows back to nobody. Each becomes a table of
-- partitions by week, of which an empty one is dropped whole. What is there becomes the oldest partition as it is: nothing is
-- copied, and nobody waits for it to be read.
--
-- Here only what shows that it may: `prepare_weeks`, which `migrate` calls before the next file until it has a constraint that
-- says before which Monday all ids are, and has looked at each row for it, while everybody works on. The version before
-- knows nothing of it. It is refused ids behind that Monday, which is thirteen weeks ahead: within those the next file follows,
-- or the constraints are dropped.

-- The least id whose time is this one, or a later one: a UUIDv7 begins with its milliseconds.
create function first_id_at(at timestamptz) returns uuid language sql immutable as $$
  select (lpad(to_hex(least(extract(epoch from at) * 1000, 281474976710655)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;

create function prepare_weeks(at_most int, out passed bigint, out expected bigint, out done boolean) language plpgsql as $$
declare
  one record;
  before_id uuid;
  newest uuid;
  newest_at timestamptz;
begin
  done := false;
  passed := 0;
  select sum(greatest(reltuples, 0))::bigint into expected from pg_class where oid in ('payloads'::regclass, 'attempts'::regclass);
  for one in
    select t.of_table, t.key, t.of_table || '_before' as bound, c.oid as constraint_id, c.convalidated,
      substring(pg_get_constraintdef(c.oid) from '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')::uuid as before_id,
      (select greatest(reltuples, 0)::bigint from pg_class where oid = t.of_table::regclass) as rows
    from (values ('payloads', 'event_id'), ('attempts', 'execution_id')) t(of_table, key)
    left join pg_constraint c on c.conrelid = t.of_table::regclass and c.conname = t.of_table || '_before'
  loop
    -- Prepared long ago: ids would come to the bound before there are partitions behind it.
    if one.before_id < first_id_at(now() + interval '14 days') then
      execute format('alter table %I drop constraint %I', one.of_table, one.bound);
      return;
    end if;
    if one.constraint_id is null then
      -- From here on nobody writes, for the moment in which the newest id is looked up by its index: no later one, of a clock
      -- that was wrong, comes between that and the constraint.
      execute format('lock table %I in access exclusive mode', one.of_table);
      execute format('select %I from %I order by 1 desc limit 1', one.key, one.of_table) into newest;
      newest_at := to_timestamp(('x' || left(replace(newest::text, '-', ''), 12))::bit(48)::bigint / 1000.0);
      before_id := first_id_at(date_trunc('week', greatest(now() + interval '13 weeks', newest_at + interval '14 days'), 'UTC')
        + interval '7 days');
      execute format('alter table %I add constraint %I check (%I < %L) not valid', one.of_table, one.bound, one.key, before_id);
      if newest_at > now() + interval '14 days' then
        raise warning 'the newest id of % is of %: a clock was wrong. All up to two weeks behind that stays in one partition',
          one.of_table, newest_at;
      end if;
      return;
    end if;
    if not one.convalidated then
      -- Nobody waits behind this one. A vacuum that works by itself gives way after a second.
      perform set_config('lock_timeout', '10s', true);
      execute format('alter table %I validate constraint %I', one.of_table, one.bound);
      passed := passed + one.rows;
      return;
    end if;
    passed := passed + one.rows;
  end loop;
  if current_setting('redrive.only_prepare', true) = 'on' then
    raise warning 'run migrate before %: ids that are later are refused until then',
      (select to_timestamp(min(('x' || left(replace(substring(pg_get_constraintdef(c.oid)
          from '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'), '-', ''), 12))::bit(48)::bigint) / 1000.0)::date
        from pg_constraint c where c.conname in ('payloads_before', 'attempts_before'));
  end if;
  done := true;
end $$;
