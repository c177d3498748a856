-- Why: guards that each process kept to itself held for one process only, and what leads out of the cluster needs keys of its
-- own. Here is what several processes have to agree on.

-- The rest of a tenant's requests at one surface: a bucket that fills by the clock of the database. A process takes some at a
-- time and counts down by itself. Nothing of it has to survive a crash: a bucket that is gone is a full one.
create unlogged table rate_buckets (
  surface text not null,
  -- A tenant, or an actor of the installation.
  holder text not null,
  tokens double precision not null check (tokens >= 0),
  -- What the last statement took, which it returns: it may be less than was asked for.
  granted int not null check (granted >= 0),
  filled_at timestamptz not null,
  primary key (surface, holder)
) with (fillfactor = 50);
