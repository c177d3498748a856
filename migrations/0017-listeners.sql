-- Why: who develops a receiver wants the deliveries of a tenant on their own machine, which no sender can reach. So a listener
-- reaches out instead: it has an endpoint of its own, and the requests to it are handed over here, from the worker that sends
-- to the API process that holds the connection, and their answers back. Neither knows where the other runs.

create table listeners (
  id uuid primary key default uuidv7(),
  tenant_id uuid not null references tenants,
  -- Ends with it: it is deleted then.
  endpoint_id uuid not null unique references endpoints,
  -- Five of a tenant at a time, each in a place of its own.
  place smallint not null check (place between 1 and 5),
  -- A connection holds it. It ends with that, and nobody takes it up again.
  connected boolean not null default false,
  -- A connection puts it off; without one nothing does.
  expires_at timestamptz not null,
  ended_at timestamptz,
  created_at timestamptz not null default now()
);
create unique index listeners_places on listeners (tenant_id, place) where ended_at is null;
create index listeners_expiring on listeners (expires_at) where ended_at is null;

-- One attempt at the endpoint of a listener, for as long as its sender waits for the answer: the sender removes the row. What
-- is sent is read from the payload of the event, and is not copied.
create table listener_requests (
  id uuid primary key,
  listener_id uuid not null references listeners,
  tenant_id uuid not null,
  delivery_id uuid not null,
  -- With the signature.
  headers jsonb not null check (jsonb_typeof(headers) = 'object'),
  made_at timestamptz not null default clock_timestamp(),
  -- The time limit of the attempt.
  expires_at timestamptz not null,
  -- Handed down the connection, with a token that answers it: only its hash is kept.
  handed_at timestamptz,
  token_hash bytea unique check (length(token_hash) = 32),
  answered_at timestamptz,
  -- An answer has a status; without one the receiver could not be reached.
  status smallint check (status between 200 and 599),
  excerpt bytea check (length(excerpt) <= 1024),
  constraint listener_requests_handed check ((handed_at is null) = (token_hash is null)),
  constraint listener_requests_answered check (answered_at is null or handed_at is not null),
  constraint listener_requests_status check (status is null or answered_at is not null),
  constraint listener_requests_excerpt check ((status is null) = (excerpt is null))
);
create index listener_requests_waiting on listener_requests (listener_id, id) where handed_at is null;
create index listener_requests_expiring on listener_requests (expires_at);
