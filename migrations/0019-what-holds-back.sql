-- Why: what holds a delivery back is to be shown by its name, and lifted by an operator as a whole. A floor of a
-- Retry-After and one of an open circuit look alike in `floor_until`; a sender that remembers an endpoint's Retry-After
-- must learn that it was lifted; and what an operation has at an endpoint that an operator disables waits for some time.

alter table endpoint_pacing
  -- The part of `floor_until` that its answers asked for.
  add column retry_after_until timestamptz not null default '-infinity',
  -- When an operator last lifted all that was held against it.
  add column lifted_at timestamptz not null default '-infinity';
update endpoint_pacing set retry_after_until = floor_until where openings = 0;

-- Since when it is disabled; what an operation was asked for before waits from then on.
alter table endpoints add column disabled_at timestamptz;
update endpoints set disabled_at = updated_at where state = 'disabled';

-- How long its items wait at an endpoint that an operator disables: 15 minutes unless it was asked for something else.
alter table operations add column disabled_patience_ms double precision not null
  generated always as (coalesce((options ->> 'disabledPatienceMs')::double precision, 900000)) stored;
