-- Why: a retry of many can begin carefully: a few items of each endpoint first, a rate that grows, and an end to it when too
-- much fails. What that is judged by is counted apart, for these operations only.

alter table operations
  -- It has a canary, a ramp or a threshold.
  add column watched boolean not null default false,
  add column ramped_at timestamptz not null default now(),
  -- Why it was halted last, with the numbers; kept when it is resumed.
  add column halt jsonb,
  add constraint operations_halted check (state <> 'halted' or (halt is not null and control <> 'run'));

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
