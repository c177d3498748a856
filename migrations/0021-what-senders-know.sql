-- What a sender needs to know: whether its copy of an endpoint is stale, which attempts were lost by us, and which
-- operations a worker was at when it was last seen.

-- Counts every change of what senders keep of an endpoint in memory: its state, its current version, its signing secrets.
-- A claim says which revision it saw; a copy of an earlier one is read again. Kept by triggers, so that no writer of a
-- secret or a version can forget it.
alter table endpoints add column revision integer not null default 1;

create function revise_endpoint() returns trigger language plpgsql as $$
begin
  new.revision := old.revision + 1;
  return new;
end $$;

create trigger revise_endpoint before update on endpoints for each row
  when ((old.state, old.current_version, old.prepares, old.ordered) is distinct from
    (new.state, new.current_version, new.prepares, new.ordered))
  execute function revise_endpoint();

create function revise_endpoint_of_secret() returns trigger language plpgsql as $$
begin
  update endpoints set revision = revision + 1 where id = coalesce(new.endpoint_id, old.endpoint_id);
  return null;
end $$;

create trigger revise_endpoint_of_secret after insert or update or delete on endpoint_secrets for each row
  execute function revise_endpoint_of_secret();

-- Of the attempts of an execution, those whose sender was lost: they are none of the receiver's.
alter table executions add column lost_attempts integer not null default 0 check (lost_attempts between 0 and attempts);

-- The operations whose slices a worker runs: when it is not seen any more, another goes on with them.
alter table workers add column operations uuid[] not null default '{}';
