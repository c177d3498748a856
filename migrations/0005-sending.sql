-- Why: whoever sends has claimed before, at a pace that all senders share. An endpoint that is overloaded is sent less at a
-- time, one that is down is left alone for a while and then tried by one request alone; a retry of many can begin carefully;
-- and the events of one key go out in their order where an endpoint asks for it.

-- What a sender holds at this moment: one row a claim, found by the sweeper when its lease has passed.
create table claims (
  token uuid primary key,
  worked_by uuid not null,
  lease_until timestamptz not null,
  execution_ids uuid[] not null
);
create index claims_by_lease on claims (lease_until);
create index claims_by_owner on claims (worked_by);

-- Concurrency of endpoints and operations as leases that expire: a crash leaks none.
create table pace_slots (
  paced_id uuid not null,
  token uuid not null,
  slots int not null check (slots >= 0),
  expires_at timestamptz not null,
  primary key (paced_id, token)
);
create index pace_slots_by_token on pace_slots (token);

-- One row an endpoint, shared by every sender: the only place where its pace is decided.
create table endpoint_pacing (
  endpoint_id uuid primary key references endpoints,
  -- Theoretical arrival time of the generic cell rate algorithm: the next request is due here.
  arrival_at timestamptz not null default '-infinity',
  -- From Retry-After: nothing is sent before.
  floor_until timestamptz not null default '-infinity',
  -- The part of `floor_until` that its answers asked for.
  retry_after_until timestamptz not null default '-infinity',
  -- When an operator last lifted all that was held against it: a sender that remembers more forgets it.
  lifted_at timestamptz not null default '-infinity',
  window_size double precision check (window_size >= 1),
  halved_at timestamptz not null default '-infinity',
  streak int not null default 0,
  -- How often in a row its circuit was opened; 0 is closed. While it is open, `floor_until` is when it may be tried.
  openings int not null default 0,
  -- Whoever tries it alone has until then to say what came of it.
  trial_until timestamptz not null default '-infinity'
) with (fillfactor = 50);

-- Pace of one operation over all endpoints, shared by its slices.
create table operation_pacing (
  operation_id uuid primary key references operations,
  arrival_at timestamptz not null default '-infinity'
) with (fillfactor = 50);

-- What a watched operation (a canary, a ramp, a threshold) is judged by is counted apart, for these alone: a few items of
-- each endpoint first, a rate that grows, and an end to it when too much fails.
create table canaries (
  operation_id uuid not null,
  endpoint_id uuid not null,
  state text not null default 'testing' check (state in ('testing', 'passed', 'held')),
  allowed int not null check (allowed > 0),
  claimed int not null default 0 check (claimed >= 0),
  began_at timestamptz not null default clock_timestamp(),
  primary key (operation_id, endpoint_id)
);

-- Attempts of watched operations by the second in which they were recorded, since they were accepted or resumed.
create table operation_pulses (
  operation_id uuid not null,
  second timestamptz not null,
  attempts int not null,
  bad int not null,
  first_attempts int not null,
  first_bad int not null,
  primary key (operation_id, second)
) with (fillfactor = 50);

-- The first delivery that keeps this one waiting: one before it that is open, or that failed for good where the endpoint
-- blocks on that. What was sent again keeps nobody waiting: the delivery that stands for it has its place. What was never meant to be sent, and what an operator cancelled, keeps nobody waiting.
create function blocked_by(of_delivery uuid) returns uuid language sql stable parallel safe as $$
  select b.id from deliveries d
  join endpoints n on n.id = d.endpoint_id and n.ordered
  join endpoint_versions v on v.endpoint_id = n.id and v.version = n.current_version
  join deliveries b on b.endpoint_id = d.endpoint_id and b.order_key = d.order_key and b.order_number < d.order_number
    and b.order_key is not null and b.state <> 'delivered'
  where d.id = of_delivery and (
    b.state in ('pending', 'unknown')
    or (b.state = 'failed' and ((v.on_exhausted = 'block' and b.resent_by is null)
      or exists (select from executions e where e.delivery_id = b.id and e.open))))
  order by b.order_number limit 1
$$;

create table workers (
  id uuid primary key,
  host text not null,
  pid int not null,
  -- Its Temporal workers poll their queues.
  polling boolean not null default false,
  -- The operations whose slices it runs: when it is not seen any more, another goes on with them.
  operations uuid[] not null default '{}',
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);
