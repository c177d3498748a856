-- Why: answers under keys of requests, which repeat a reason and a ticket, stayed after their time, and so did secrets that had
-- been replaced. Workers remove them, and a removed operation takes its keys with it.
--
-- Versions before this one run on it. `idempotency_keys.use` is read by them alone: the id of a workflow ended with it, and
-- ends with the operation's id now, which nothing has to remember.
create index idempotency_keys_expiring on idempotency_keys (expires_at) where expires_at < 'infinity';
create index idempotency_keys_while_open on idempotency_keys (created_at) where while_open;
create index idempotency_keys_of_operation on idempotency_keys (operation_id);
create index resolutions_keys_expiring on resolutions (key_expires_at) where key_expires_at is not null;
create index endpoint_secrets_expiring on endpoint_secrets (expires_at) where expires_at is not null;
