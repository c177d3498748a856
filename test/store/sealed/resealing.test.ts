import { describe, expect, test } from '@jest/globals';
import type { KnownMasterKeys } from '../../../src/domain/tenancy/master-key.ts';
import { type Id, showId } from '../../../src/domain/tenancy/typed-id.ts';
import { openSealer } from '../../../src/installation-sealer.ts';
import { createSealer, type Sealer } from '../../../src/sealing/sealing.ts';
import {
  endpointHeadersContext,
  endpointSecretContext,
  jwtIssuerSecretContext,
} from '../../../src/sealing/sealing-contexts.ts';
import { admitMasterKeys, readMasterKeys } from '../../../src/store/db/installation.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { SEALED_PLACES } from '../../../src/store/sealed/sealed-values.ts';
import { insertEndpointVersion } from '../../../src/store/tenancy/endpoint-versions.ts';
import { createLogger } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { resealingChores } from '../../../src/worker/resealing-chore.ts';
import { eventually } from '../../support/eventually.ts';
import { createTestStore, type TestStore } from '../../support/store/test-store.ts';
import { closedAfterEach } from '../../support/use.ts';

const closing = closedAfterEach();
const [before, after] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const old = createSealer(before);
const leading = createSealer(after, { otherMasterKey: before });

/** A worker's rounds of sealing anew, and what it says is left. */
function worker(store: TestStore, sealer: Sealer, stop = new AbortController().signal) {
  const metrics = createMetrics();
  const lines: string[] = [];
  const log = createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) } });
  const deps = {
    pool: store.pool,
    stop,
    count: (action: string, items: number) => metrics.sweeperActions.inc({ action }, items),
    wakeLiveLanes: async () => {},
    attempt: (_part: string, work: () => Promise<void>) => work(),
  };
  return {
    lines,
    round: async () => {
      for (const chore of resealingChores(deps, { sealer, metrics, log })) await chore.run();
    },
    left: async () => (await metrics.sealedUnderOtherKey.get()).values[0]?.value,
  };
}

const admit = (store: TestStore, known: KnownMasterKeys) =>
  withTransaction(store.pool, (tx) => admitMasterKeys(tx, known));

async function sealedStore() {
  const store = closing(await createTestStore());
  await admit(store, { present: old.masterKeyCheck });
  const tenant = await store.newTenant();
  const endpointIds = [];
  for (let n = 0; n < 3; n += 1) {
    const endpointId = await store.newEndpoint(tenant);
    await store.rows('update endpoint_versions set sealed_headers = $2 where endpoint_id = $1', [
      endpointId,
      old.seal('{"x-key":"theirs"}', endpointHeadersContext(endpointId)),
    ]);
    await store.rows('delete from endpoint_secrets where endpoint_id = $1', [endpointId]);
    await store.rows('insert into endpoint_secrets (endpoint_id, sealed) values ($1, $2)', [
      endpointId,
      old.seal('whsec_ours', endpointSecretContext(endpointId)),
    ]);
    endpointIds.push(endpointId);
  }
  return { store, tenant, endpointIds };
}

const begin = (store: TestStore) =>
  admit(store, { present: leading.masterKeyCheck, other: old.masterKeyCheck });

test('every column that holds something sealed is one of those that a rotation goes through', async () => {
  const store = closing(await createTestStore());
  const columns = await store.rows(
    `select table_name || '.' || column_name as place from information_schema.columns
     where table_schema = 'public' and data_type = 'bytea' and column_name like 'sealed%' order by 1`,
  );
  const known = Object.values(SEALED_PLACES).map(({ table, column }) => `${table}.${column}`);
  expect(columns.map(({ place }) => place)).toEqual(known.sort());
});

describe('a rotation of the master key', () => {
  test('seals everything anew, and says so when nothing is left', async () => {
    const { store, endpointIds } = await sealedStore();
    const [issuer] = await store.rows(
      `insert into jwt_issuers (by_installation, name, issuer, audience, algorithm, sealed_secret, scopes)
       values (true, 'x', 'https://id.example/', 'redrive', 'HS256', '\\x00', '{read:endpoints}') returning id`,
    );
    await store.rows('update jwt_issuers set sealed_secret = $2 where id = $1', [
      issuer.id,
      old.seal('token secret', jwtIssuerSecretContext(issuer.id)),
    ]);
    expect(await begin(store)).toBe('rotates');
    const { round, left, lines } = worker(store, leading);
    await round();
    expect(await left()).toBe(0);
    const present = createSealer(after);
    for (const endpointId of endpointIds) {
      const [row] = await store.rows(
        `select v.sealed_headers as headers, s.sealed as secret from endpoint_versions v
         join endpoint_secrets s using (endpoint_id) where endpoint_id = $1`,
        [endpointId],
      );
      expect(present.open(row.headers, endpointHeadersContext(endpointId)).toString()).toBe(
        '{"x-key":"theirs"}',
      );
      expect(present.open(row.secret, endpointSecretContext(endpointId)).toString()).toBe('whsec_ours');
    }
    expect(await readMasterKeys(store.pool)).toEqual({
      sealedUnder: leading.masterKeyCheck,
      rotatingTo: leading.masterKeyCheck,
    });
    expect(lines.map((line) => JSON.parse(line).event)).toEqual(['master_key.rotated']);
    await round();
    expect(lines).toHaveLength(1);
  });

  test('keeps versions of an endpoint alike that were alike', async () => {
    const { store, tenant, endpointIds } = await sealedStore();
    const [endpointId] = endpointIds;
    if (!endpointId) throw new Error('there is no endpoint');
    await store.rows(
      `insert into endpoint_versions select (jsonb_populate_record(v, '{"version": 2}')).*
       from endpoint_versions v where endpoint_id = $1`,
      [endpointId],
    );
    await begin(store);
    await worker(store, leading).round();
    const rows = await store.rows(
      'select count(distinct sealed_headers)::int as headers, count(*)::int as versions from endpoint_versions where endpoint_id = $1 and tenant_id = $2',
      [endpointId, tenant.id],
    );
    expect(rows).toEqual([{ headers: 1, versions: 2 }]);
  });

  test('is done by several workers at once, and goes on where one has stopped', async () => {
    const { store } = await sealedStore();
    await begin(store);
    const stopped = new AbortController();
    stopped.abort();
    const early = worker(store, leading, stopped.signal);
    await early.round();
    expect(await early.left()).toBe(6);
    expect((await readMasterKeys(store.pool)).sealedUnder).toBe(old.masterKeyCheck);
    const workers = [worker(store, leading), worker(store, leading)];
    await Promise.all(workers.map(({ round }) => round()));
    await Promise.all(workers.map(({ round }) => round()));
    expect(await workers[0]?.left()).toBe(0);
  });

  test('does nothing in a process that still seals by the key before, and takes up what that has sealed since', async () => {
    const { store, endpointIds } = await sealedStore();
    const waiting = createSealer(before, { otherMasterKey: after });
    const step1 = worker(store, waiting);
    await step1.round();
    // It has counted nothing: a 0 would say that all is done.
    expect(await step1.left()).toBeUndefined();
    expect((await readMasterKeys(store.pool)).rotatingTo).toBeUndefined();
    await begin(store);
    await worker(store, waiting).round();
    const { round, left } = worker(store, leading);
    await round();
    const [endpointId = ''] = endpointIds;
    await store.rows('update endpoint_secrets set sealed = $2 where endpoint_id = $1', [
      endpointId,
      waiting.seal('whsec_late', endpointSecretContext(endpointId)),
    ]);
    await round();
    expect(await left()).toBe(0);
  });

  test('is not held up by a value that neither key opens, and tells of it', async () => {
    const { store, endpointIds } = await sealedStore();
    await store.rows('update endpoint_secrets set sealed = $2 where endpoint_id = $1', [
      endpointIds[0],
      Buffer.from('damaged'),
    ]);
    await begin(store);
    const { round, left, lines } = worker(store, leading);
    await round();
    expect(await left()).toBe(0);
    expect((await readMasterKeys(store.pool)).sealedUnder).toBe(leading.masterKeyCheck);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      {
        event: 'master_key.unopenable',
        unopenable: 1,
        of: [`endpointSecret ${showId('endpoint', endpointIds[0] as Id<'endpoint'>)}`],
      },
      { event: 'master_key.rotated', unopenable: 1 },
    ]);
  });

  test('is begun by one of two that lead to different keys at once', async () => {
    const { store } = await sealedStore();
    const third = createSealer(Buffer.alloc(32, 3)).masterKeyCheck;
    const other = old.masterKeyCheck;
    let second: Promise<string> | undefined;
    const first = await withTransaction(store.pool, async (tx) => {
      const verdict = await admitMasterKeys(tx, { present: leading.masterKeyCheck, other });
      second = admit(store, { present: third, other });
      await eventually('the second waits', async () => {
        const [{ waiting }] = await store.rows(
          `select count(*)::int as waiting from pg_stat_activity
           where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return waiting > 0;
      });
      return verdict;
    });
    expect([first, await second]).toEqual(['rotates', 'rotation_unfinished']);
  });

  test('keeps no key that is derived from the key of the next rotation', async () => {
    const { store } = await sealedStore();
    await begin(store);
    await worker(store, leading).round();
    await openSealer(store.pool, { masterKey: after, otherMasterKey: Buffer.alloc(32, 3) });
    expect(await store.rows('select purpose from kept_keys')).toEqual([]);
  });

  test('waits for a change of an endpoint that is under way, which copies what is sealed', async () => {
    const { store, tenant, endpointIds } = await sealedStore();
    const [endpointId] = endpointIds;
    if (!endpointId) throw new Error('there is no endpoint');
    await begin(store);
    let rounds: Promise<void> | undefined;
    await withTransaction(store.pool, async (tx) => {
      await tx.query('select from endpoints where id = $1 for update', [endpointId]);
      rounds = worker(store, leading).round();
      const { rows } = await tx.query<{ sealed: Buffer }>(
        'select sealed_headers as sealed from endpoint_versions where endpoint_id = $1',
        [endpointId],
      );
      await insertEndpointVersion(tx, tenant.id, endpointId, 2, {
        url: 'https://hooks.example/in',
        timeoutMs: 1_000,
        retry: { maxAttempts: 1, initialMs: 0, factor: 1, capMs: 0 },
        giveUpAfterMs: 1_000,
        onAmbiguous: 'resend',
        reconcileWithinMs: 0,
        requireAck: false,
        traceparent: false,
        protect: true,
        ordered: false,
        onExhausted: 'block',
        onRecovered: 'none',
        sealedHeaders: rows[0]?.sealed as Buffer,
      });
    });
    await rounds;
    await worker(store, leading).round();
    const [counted] = await store.rows(
      'select count(distinct sealed_headers)::int as headers, count(*)::int as versions from endpoint_versions where endpoint_id = $1',
      [endpointId],
    );
    expect(counted).toEqual({ headers: 1, versions: 2 });
  });
});
