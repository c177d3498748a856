-- Why: see the file before. One short transaction: behind it `payloads` and `attempts` are tables of partitions, and what they
-- were is the oldest partition of each. The version before works on: names, columns and keys are what they were. It makes no
-- partitions, which are there for thirteen weeks: for that long it may run on this schema.
--
-- Behind: prepare_weeks

-- Waits for the transactions that use one of them, and keeps new ones waiting for as long as `lock_timeout` says; `migrate`
-- tries it again then.
lock table payloads, attempts in access exclusive mode;
do $$
declare
  one record;
  given record;
  converted int := 0;
  others text;
begin
  -- These stay with the oldest partition alone.
  select string_agg(x.what, ', ') into others from (
    select 'the view ' || r.ev_class::regclass as what from pg_depend d join pg_rewrite r on r.oid = d.objid
    where d.classid = 'pg_rewrite'::regclass and d.refobjid in ('payloads'::regclass, 'attempts'::regclass)
    union select 'the trigger ' || tgname || ' of ' || tgrelid::regclass from pg_trigger
    where not tgisinternal and tgrelid in ('payloads'::regclass, 'attempts'::regclass)
    union select 'the policy ' || polname || ' of ' || polrelid::regclass from pg_policy
    where polrelid in ('payloads'::regclass, 'attempts'::regclass)
    union select 'the publication ' || p.pubname || ' of ' || r.prrelid::regclass from pg_publication_rel r
    join pg_publication p on p.oid = r.prpubid where r.prrelid in ('payloads'::regclass, 'attempts'::regclass)
    union select 'the index ' || indexrelid::regclass || ' of ' || indrelid::regclass from pg_index
    where not indisprimary and indrelid in ('payloads'::regclass, 'attempts'::regclass)
  ) x;
  if others is not null then
    raise warning 'make these anew, for they are of what the tables were before: %', others;
  end if;
  for one in
    select t.of_table, t.key, t.of_table || '_before' as before, c.oid as table_id, pg_get_userbyid(c.relowner) as owner,
      pg_get_constraintdef(k.oid) as primary_key, c.relacl,
      substring(pg_get_constraintdef(b.oid) from '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}') as before_id
    from (values ('payloads', 'event_id'), ('attempts', 'execution_id')) t(of_table, key)
    join pg_class c on c.oid = t.of_table::regclass
    join pg_constraint k on k.conrelid = c.oid and k.contype = 'p'
    join pg_constraint b on b.conrelid = c.oid and b.conname = t.of_table || '_before' and b.convalidated
  loop
    converted := converted + 1;
    execute format('alter table %I rename constraint %I to %I', one.of_table, one.of_table || '_pkey', one.before || '_pkey');
    execute format('alter table %I rename to %I', one.of_table, one.before);
    execute format('create table %I (like %I including all excluding indexes) partition by range (%I)',
      one.of_table, one.before, one.key);
    execute format('alter table %I drop constraint %I', one.of_table, one.of_table || '_before');
    execute format('alter table %I add constraint %I %s', one.of_table, one.of_table || '_pkey', one.primary_key);
    -- No row is read: the constraint says what the bounds say.
    execute format('alter table %I attach partition %I for values from (minvalue) to (%L)', one.of_table, one.before, one.before_id);
    execute format('alter table %I drop constraint %I', one.before, one.of_table || '_before');
    -- Who was given the table has it under its name.
    execute format('alter table %I owner to %I', one.of_table, one.owner);
    for given in
      select x.privilege_type, x.is_grantable, coalesce(quote_ident(r.rolname), 'public') as grantee
      from aclexplode(one.relacl) x left join pg_roles r on r.oid = x.grantee
    loop
      execute format('grant %s on %I to %s%s', given.privilege_type, one.of_table, given.grantee,
        case when given.is_grantable then ' with grant option' end);
    end loop;
  end loop;
  if converted <> 2 then
    raise exception 'payloads and attempts are not both prepared' using errcode = 'RD013';
  end if;
end $$;
drop function prepare_weeks, first_id_at;
