-- Why: a person signs in to the console once, with a key or a token that must not stay in a browser. What stays there is a
-- random cookie that means nothing but here: its hash names a row, which says whose it is and how long it may still be used.

create table console_sessions (
  id uuid primary key default uuidv7(),
  -- Of 256 random bits: there is nothing to guess, and nothing to sign in with for who reads this table.
  token_hash bytea not null unique check (length(token_hash) = 32),
  -- Opened with a key: its scopes, its expiry and its revocation are read from its row with each request.
  key_id uuid references api_keys,
  -- Opened with a token: whom it spoke for, what it allowed at most and until when, since it is not shown again. Its issuer is
  -- read with each request.
  jwt_issuer_id uuid references jwt_issuers,
  actor text check (actor <> ''),
  scopes text[],
  token_expires_at timestamptz,
  created_at timestamptz not null default now(),
  -- The last request, to within a minute: not every one is written down.
  seen_at timestamptz not null default now(),
  -- Signed out.
  ended_at timestamptz,
  constraint console_sessions_credential check (
    num_nonnulls(key_id, jwt_issuer_id) = 1
    and num_nonnulls(jwt_issuer_id, actor, scopes, token_expires_at) in (0, 4)
  )
);
-- Rows are removed by their age.
create index console_sessions_by_age on console_sessions (created_at);

-- Links that sign in once, printed where a service runs on this machine alone. Used, a code is gone.
create table sign_in_codes (
  code_hash bytea primary key check (length(code_hash) = 32),
  key_id uuid not null references api_keys,
  expires_at timestamptz not null
);
