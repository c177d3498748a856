import { afterEach, expect, test } from '@jest/globals';
import { ALL_FAILURES, createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { startTestEngine, type TestEngine } from '../support/engine/test-engine.ts';
import { eventually } from '../support/eventually.ts';
import { metricsAt, samplesOf } from '../support/metrics.ts';
import { slow } from '../support/receivers/receiver-behaviour.ts';

/** Postgres that is there and cannot serve: no crash loop, no false success, and all goes on by itself. */

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function furnish(): Promise<{ engine: TestEngine; it: Scene }> {
  const engine = await startTestEngine({ sizes: { lease: { startWithinMs: 1_500, marginMs: 1_000 } } });
  closing.push(() => engine.close());
  const it = await createScene(engine, [slow(30), slow(30)], {
    timeoutMs: 1_500,
    retry: { maxAttempts: 9, initialMs: 10, factor: 1, capMs: 10 },
  });
  closing.push(() => it.close());
  return { engine, it };
}

/** Every request that was answered is an attempt in the ledger, and nothing was sent side by side. */
async function expectTrueLedger({ engine, it }: { engine: TestEngine; it: Scene }): Promise<void> {
  const { rows } = await engine.database.pool.query(
    `select count(*)::int as attempts from attempts where started_at > now() - interval '50 minutes'`,
  );
  expect(rows[0].attempts).toBeGreaterThanOrEqual(it.sent());
  for (const { maxOverlap } of it.receivers) expect(maxOverlap).toBe(1);
}

test('a full disk stops sending, is answered 503 with Retry-After, and costs nothing once there is room', async () => {
  const { engine, it } = await furnish();
  await it.seed(600);
  const { id } = await it.retries.start(ALL_FAILURES);
  await eventually('it is in the middle', () => it.sent() > 100);
  const { pool } = engine.database;
  await pool.query(`create function disk_full() returns trigger language plpgsql as $$ begin
    raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$`);
  const tables = ['execution_records', 'queue', 'deliveries', 'attempts', 'operations', 'claims'];
  for (const table of tables)
    await pool.query(
      `create trigger disk_full before insert or update on ${table} for each statement execute function disk_full()`,
    );
  await eventually(
    'nothing is on the wire any more',
    async () => samplesOf(await metricsAt(engine.service.url), 'redrive_in_flight').every((n) => n === 0),
    { withinMs: 20_000 },
  );
  const sent = it.sent();
  const refused = await it.retries.post({ select: { deliveryIds: [await someDelivery(it)] } });
  expect([refused.status, refused.body.code]).toEqual([503, 'temporarily_unavailable']);
  expect(refused.headers.get('retry-after')).toBeTruthy();
  expect(it.sent()).toBe(sent);
  // No crash loop: each try was made with patience.
  expect(engine.log.length).toBeLessThan(2_000 + 3 * it.sent());
  for (const table of tables) await pool.query(`drop trigger disk_full on ${table}`);
  expect(await it.retries.ended(id, 60_000)).toMatchObject({
    state: 'completed',
    counts: { expected: 600, delivered: 600 },
  });
  await expectTrueLedger({ engine, it });
});

test('a pool without a free connection is answered 503 with Retry-After, and serves again when there is one', async () => {
  const { engine, it } = await furnish();
  await it.seed(30);
  const ids = await it.ids();
  const holder = await engine.database.pool.connect();
  await holder.query('begin');
  await holder.query('lock table operations in access exclusive mode');
  const waiting = ids.map((id) => it.retries.post({ select: { deliveryIds: [id] } }));
  try {
    await eventually(
      'all connections are taken',
      async () => {
        const { rows } = await engine.database.pool.query(
          `select count(*)::int as held from pg_stat_activity
           where datname = current_database() and application_name = 'redrive-api' and wait_event_type = 'Lock'`,
        );
        return rows[0].held === 20;
      },
      { withinMs: 20_000 },
    );
    const refused = await engine.client.call('GET', '/api/v1/deliveries', { key: it.tenant.key });
    expect([refused.status, refused.body.code]).toEqual([503, 'temporarily_unavailable']);
    expect(refused.headers.get('retry-after')).toBeTruthy();
  } finally {
    await holder.query('rollback');
    holder.release();
  }
  const answers = await Promise.all(waiting);
  const accepted = answers.filter(({ status }) => status === 202);
  expect(answers.every(({ status }) => status === 202 || status === 503)).toBe(true);
  for (const { body } of accepted) await it.retries.ended(body.id);
  // A refused request did nothing.
  expect(await it.ids(`state = 'delivered'`)).toHaveLength(accepted.length);
  // On a busy machine the short leases of this engine end before their answer: then one is sent again.
  const sent = new Set(it.receivers.flatMap(({ requests }) => requests.map(({ id }) => id)));
  expect(sent.size).toBe(accepted.length);
});

test('a clock of the database that jumps ahead costs at most attempts whose outcome nobody knows', async () => {
  const { engine, it } = await furnish();
  await it.seed(300);
  const { id } = await it.retries.start(ALL_FAILURES);
  await eventually('it is in the middle', () => it.sent() > 60);
  // As if the clock of the database had jumped ahead: every lease is over, and everything is due.
  await engine.database.pool.query(`update claims set lease_until = lease_until - interval '1 hour'`);
  expect(await it.retries.ended(id, 60_000)).toMatchObject({ counts: { expected: 300 } });
  const ended = await it.retries.show(id);
  expect(ended.counts.delivered).toBe(300);
  // On a busy machine some are not answered in time, too.
  const { rows } = await engine.database.pool.query(
    `select count(*)::int as unknown from attempts where outcome = 'ambiguous'`,
  );
  expect(it.sent() - 300).toBeLessThanOrEqual(rows[0].unknown);
});

async function someDelivery(it: Scene): Promise<string> {
  const [id] = await it.ids(`state = 'failed'`);
  return id ?? '';
}
