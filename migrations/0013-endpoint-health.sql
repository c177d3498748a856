-- Why: an endpoint that is overloaded is sent less at a time, one that is down is left alone for a while and then tried by
-- one request alone. One row an endpoint, shared by every sender, as for its pace.

alter table endpoint_versions
  -- False: it is sent everything at once, whatever it says.
  add column protect boolean not null default true;

alter table endpoint_pacing
  add column window_size double precision check (window_size >= 1),
  add column halved_at timestamptz not null default '-infinity',
  add column streak int not null default 0,
  -- How often in a row its circuit was opened; 0 is closed. While it is open, `floor_until` is when it may be tried.
  add column openings int not null default 0,
  -- Whoever tries it alone has until then to say what came of it.
  add column trial_until timestamptz not null default '-infinity';
