import { expect, test } from '@jest/globals';
import type { ChoreDeps } from '../../../src/loops/chore.ts';
import { insertEndpointSecret } from '../../../src/store/tenancy/endpoint-secrets.ts';
import { expiryChore } from '../../../src/worker/expiry-chore.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();

/** The tables with a column that says until when a row is good, and what becomes of the row then. */
const EMPTIED_BY = {
  api_keys: 'it is a credential, which is listed for good',
  console_sessions: 'the next session',
  endpoint_secrets: 'expiry',
  idempotency_keys: 'expiry',
  imports: 'it is a record, which imports close',
  listener_requests: 'listeners',
  listeners: 'it is a record, which listeners end',
  operations: 'it is a record, which ends as cancelled',
  pace_slots: 'pacing',
  receipt_diagnostics: 'flowrelay',
  receipt_replays: 'its event',
  resolutions: 'expiry, of its key alone: the rest is a record',
  sign_in_codes: 'the next session',
};

test('each table whose rows have a time has something that empties it', async () => {
  const tables = await store.rows(
    `select distinct c.table_name as name from information_schema.columns c
     join information_schema.tables t using (table_schema, table_name)
     where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.column_name like '%expires_at' order by 1`,
  );
  expect(tables.map(({ name }) => name)).toEqual(Object.keys(EMPTIED_BY));
});

test('what has expired goes, however much it is, and nothing else does', async () => {
  const tenant = await store.newTenant();
  const endpointId = await store.newEndpoint(tenant);
  await store.rows('delete from endpoint_secrets where endpoint_id = $1', [endpointId]);
  for (let n = 0; n < 4; n += 1) await insertEndpointSecret(store.pool, endpointId, Buffer.from([n]));
  await store.rows(
    `update endpoint_secrets set expires_at = case sealed when '\\x00' then null when '\\x01' then now() + interval '1 day'
       else now() end where endpoint_id = $1`,
    [endpointId],
  );
  await store.rows(
    `insert into idempotency_keys (scope, key_hash, tenant_id, fingerprint, operation_id, status, body, expires_at)
     select 's', sha256(n::text::bytea), $1, '\\x00', uuidv7(), 202, '{"reason":"words"}', now() + (n - 3) * interval '1 day'
     from generate_series(1, 4) n`,
    [tenant.id],
  );
  await store.rows(
    `insert into resolutions (tenant_id, actor, outcome, selection, key_hash, fingerprint, key_expires_at)
     select $1, 'key_1', 'delivered', '{}', sha256(n::text::bytea), '\\x00', now() + (n - 3) * interval '1 day'
     from generate_series(1, 4) n`,
    [tenant.id],
  );
  const deps: Pick<ChoreDeps, 'pool' | 'stop' | 'attempt'> = {
    pool: store.pool,
    stop: new AbortController().signal,
    attempt: (_, work) => work(),
  };
  await expiryChore(deps as ChoreDeps, 1).run();
  const [left] = await store.rows(
    `select (select array_agg(sealed::text order by sealed) from endpoint_secrets where endpoint_id = $1) as secrets,
       (select count(*)::int from idempotency_keys where tenant_id = $2) as keys,
       (select count(*)::int from resolutions where tenant_id = $2) as resolutions,
       (select count(key_hash)::int from resolutions where tenant_id = $2) as resolution_keys`,
    [endpointId, tenant.id],
  );
  expect(left).toEqual({ secrets: ['\\x00', '\\x01'], keys: 1, resolutions: 4, resolution_keys: 1 });
});
