-- Why: who did what must be shown to somebody who does not trust this database. Each act is a row of its tenant, written
-- in the act's own transaction; a sealer then numbers the rows of a tenant and chains them by hash, so that the acts take
-- no common lock, the chain cannot fork, and a row that is changed, removed or slipped in later is found.

create table audit_entries (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  -- In milliseconds, as it is shown: what is hashed is what is read.
  at timestamptz not null default date_trunc('milliseconds', clock_timestamp())
    check (at = date_trunc('milliseconds', at)),
  actor text not null check (actor <> ''),
  key_id uuid,
  -- Which actions there are is said by the code.
  action text not null check (action ~ '^[a-z_]+\.[a-z_]+$'),
  target_kind text not null,
  target_id uuid not null,
  -- Ids, counts, codes and digests: nothing that a customer, a sender or a receiver wrote.
  detail jsonb not null default '{}' check (jsonb_typeof(detail) = 'object' and octet_length(detail::text) <= 8192),
  -- What a human wrote, {reason?, ticket?}, enters the chain by its salted digest: it can be erased, with its salt.
  words jsonb check (jsonb_typeof(words) = 'object'),
  salt bytea check (length(salt) = 16),
  words_digest bytea check (length(words_digest) = 32),
  -- Given by the sealer. The hash is over the one before and over the entry, its number included.
  number bigint check (number > 0),
  prev bytea check (length(prev) = 32),
  hash bytea check (length(hash) = 32),
  constraint audit_entries_sealed check (num_nonnulls(number, prev, hash) in (0, 3)),
  constraint audit_entries_words check ((words is null) = (salt is null) and (words is null or words_digest is not null)),
  unique (tenant_id, number)
);
-- What the sealer looks for; empty but for the last second.
create index audit_entries_unsealed on audit_entries (tenant_id, id) where number is null;
create index audit_entries_by_target on audit_entries (target_id, tenant_id, number);
create index audit_entries_by_time on audit_entries (tenant_id, at);

-- Where the chain of a tenant ends. Who seals locks it first and reads after.
create table audit_heads (
  tenant_id uuid primary key references tenants,
  number bigint not null default 0 check (number >= 0),
  hash bytea not null default decode(repeat('00', 32), 'hex') check (length(hash) = 32),
  sealed_at timestamptz,
  -- Of the newest checkpoint.
  checkpoint_number bigint not null default 0,
  checkpoint_at timestamptz,
  check (checkpoint_number <= number)
) with (fillfactor = 50);

-- Copies of the heads, which leave the database: a chain that was written anew does not agree with an old one.
create table audit_checkpoints (
  tenant_id uuid not null references tenants,
  number bigint not null check (number > 0),
  hash bytea not null check (length(hash) = 32),
  at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
  primary key (tenant_id, number)
);

create function keep_audit_entry() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and to_jsonb(new) - '{number,prev,hash,words,salt}'::text[]
      = to_jsonb(old) - '{number,prev,hash,words,salt}'::text[]
    and ((new.number, new.prev, new.hash) is not distinct from (old.number, old.prev, old.hash)
      or (old.number is null and new.number is not null))
    and ((new.words, new.salt) is not distinct from (old.words, old.salt) or (new.words is null and new.salt is null))
  then return new;
  end if;
  raise exception 'audit entries do not change' using errcode = 'RD004';
end $$;

create function keep_audit_checkpoint() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and (new.tenant_id, new.number, new.hash, new.at)
    is not distinct from (old.tenant_id, old.number, old.hash, old.at)
  then return new;
  end if;
  raise exception 'audit checkpoints do not change' using errcode = 'RD004';
end $$;

create function keep_audit_head() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and new.tenant_id = old.tenant_id and new.number >= old.number
    and (new.number > old.number or new.hash = old.hash)
  then return new;
  end if;
  raise exception 'the head of an audit chain does not go back' using errcode = 'RD004';
end $$;

create trigger keep_entry before update or delete on audit_entries for each row execute function keep_audit_entry();
create trigger keep_entries before truncate on audit_entries execute function keep_audit_entry();
create trigger keep_checkpoint before update or delete on audit_checkpoints for each row
  execute function keep_audit_checkpoint();
create trigger keep_checkpoints before truncate on audit_checkpoints execute function keep_audit_checkpoint();
create trigger keep_head before update or delete on audit_heads for each row execute function keep_audit_head();
create trigger keep_heads before truncate on audit_heads execute function keep_audit_head();
