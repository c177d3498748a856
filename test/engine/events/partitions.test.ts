import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { verifyReport } from '../../../clients/typescript/src/index.ts';
import { weekOf } from '../../../src/domain/partitions/weeks.ts';
import { readWeeks } from '../../../src/store/partitions/week-partitions.ts';
import { uuidIn } from '../../support/api/retries.ts';
import { ALL_FAILURES, createScene, type Scene } from '../../support/engine/recovery-scene.ts';
import { startTestEngine, type TestEngine } from '../../support/engine/test-engine.ts';
import { useTemporal } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { type PlayedWeeks, partitionsOf, playWeeks, WEEK_MS } from '../../support/partitions/weeks.ts';
import { patient } from '../../support/patience.ts';
import { type Behaviour, held, ok } from '../../support/receivers/receiver-behaviour.ts';
import { readLedger, violationsOf } from '../../support/store/ledger.ts';
import { createTestDatabase, type TestDatabase } from '../../support/store/test-database.ts';
import { closedAfterEach } from '../../support/use.ts';

useTemporal();
const closing = closedAfterEach();

/** A database with partitions of past weeks; the service has not seen it yet. */
async function played(): Promise<{ database: TestDatabase; weeks: PlayedWeeks }> {
  const database = await createTestDatabase();
  return { database, weeks: await playWeeks(database, 6) };
}

/** Takes the partitions away that begin with the present week, as if nobody had made any since. */
async function withoutComing({ pool }: TestDatabase, tables: readonly string[]): Promise<void> {
  for (const table of tables)
    for (const { name, from } of (await readWeeks(pool, table))?.partitions ?? [])
      if (from >= weekOf(Date.now())) await pool.query(`drop table ${name}`);
}

async function started(
  database: TestDatabase,
  sizes: Parameters<TestEngine['addWorker']>[0] = {},
  behaviour: Behaviour = ok,
): Promise<{ engine: TestEngine; scene: Scene }> {
  const engine = closing(await startTestEngine({ database, sizes }));
  return { engine, scene: closing(await createScene(engine, [behaviour])) };
}

const event = (scene: Scene) => ({ key: scene.tenant.key, body: { type: 'a.kind', payload: { n: 1 } } });

test('a database that was restored from a backup of weeks ago takes events as soon as the service has started', async () => {
  const { database } = await played();
  await withoutComing(database, ['payloads', 'attempts']);
  const { engine, scene } = await started(database);
  await engine.client.expect(202, 'POST', '/api/v1/events', event(scene));
  await eventually('it is delivered', () => scene.sent() === 1);
  expect(engine.log.filter((line) => line.includes('weeks.made'))).toHaveLength(12);
});

test('what finds no week is refused or held, the week is asked for and made at once, and nothing is sent twice', async () => {
  const { database } = await played();
  // The sweeper alone would not come for an hour.
  const { engine, scene } = await started(database, { sweepEveryMs: 3_600_000 });
  await withoutComing(database, ['attempts']);
  for (let n = 0; n < 10; n += 1) await engine.client.expect(202, 'POST', '/api/v1/events', event(scene));
  await eventually('all of them are recorded', async () => {
    const { rows } = await database.pool.query(`select from deliveries where state = 'delivered'`);
    return rows.length === 10;
  });
  expect(scene.sent()).toBe(10);

  let taken = 10;
  await eventually(
    'an event is refused: until then the worker has rounds left that it was asked for',
    async () => {
      await withoutComing(database, ['payloads']);
      const { status, body } = await engine.client.call('POST', '/api/v1/events', event(scene));
      if (status === 503) {
        expect(body).toMatchObject({ code: 'temporarily_unavailable' });
        return true;
      }
      taken += 1;
      await eventually('it is delivered', () => scene.sent() === taken);
      return false;
    },
  );
  await eventually('the same is taken', async () => {
    const { status } = await engine.client.call('POST', '/api/v1/events', event(scene));
    return status === 202;
  });
  await eventually('it is delivered', () => scene.sent() === taken + 1);
  expect(violationsOf(await readLedger(database.pool))).toEqual([]);
});

test('a worker that stops makes the week that its last outcomes find missing, and ends', async () => {
  const { database } = await played();
  const answers = held();
  const { engine, scene } = await started(database, { sweepEveryMs: 3_600_000 }, answers);
  await engine.client.expect(202, 'POST', '/api/v1/events', event(scene));
  await eventually('it is on the wire', () => scene.sent() === 1);
  const stopped = engine.service.stop().then(() => true);
  await withoutComing(database, ['attempts']);
  answers.release(ok);
  expect(await Promise.race([stopped, delay(patient(30_000), false, { ref: false })])).toBe(true);
  const { rows } = await database.pool.query('select state from deliveries');
  expect(rows).toEqual([{ state: 'delivered' }]);
});

test('an event that finds no week has it made by the worker of its process without a notice, which a pooler passes on to nobody', async () => {
  const { database } = await played();
  // Found before the one of the server, and tells nobody.
  await database.pool.query(`create function public.pg_notify(text, text) returns void language sql as ''`);
  const { engine, scene } = await started(database, { sweepEveryMs: 3_600_000 });
  await eventually('its first round is over, and the next does not come', () =>
    engine.log.some((line) => /weeks\.(dropped|waits)/.test(line)),
  );
  await withoutComing(database, ['payloads']);
  await engine.client.expect(503, 'POST', '/api/v1/events', event(scene));
  await eventually('the same is taken', async () => {
    const { status } = await engine.client.call('POST', '/api/v1/events', event(scene));
    return status === 202;
  });
});

test('a report outlives its items and the weeks in which they were, and still verifies', async () => {
  const { database, weeks } = await played();
  await weeks.idsAgo(5 * WEEK_MS);
  // Something keeps that week until everything is there.
  await database.pool.query(
    `with kept as (insert into payloads (event_id, tenant_id, body) values (uuidv7(), uuidv7(), '{}') returning event_id)
     insert into attempts (execution_id, number, tenant_id, started_at, duration_ms, outcome)
     select event_id, 1, event_id, now(), 1, 'delivered' from kept`,
  );
  const { engine, scene } = await started(database);
  const { key } = scene.tenant;
  const five = (await partitionsOf(database.pool, 'attempts'))[1] ?? '';
  await scene.seed(20);
  const { id } = await scene.retries.start(ALL_FAILURES);
  expect(await scene.retries.ended(id)).toMatchObject({ state: 'completed', counts: { delivered: 20 } });
  await weeks.idsAgo(0);
  const { rows } = await database.pool.query(`select count(*)::int as n from ${five}`);
  expect(rows).toEqual([{ n: 41 }]);
  await database.pool.query(`delete from payloads where body = '{}'`);
  await database.pool.query('delete from attempts where tenant_id = execution_id');
  const get = async (path: string, accept?: string) =>
    engine.client.expect(200, 'GET', path, { key, ...(accept ? { headers: { accept } } : {}) });
  const ledger = (await get(`/api/v1/retries/${id}/items`, 'application/x-ndjson')).text;
  await database.pool.query(`update tenants set settings = '{"eventRetentionDays": 0}' where id = $1`, [
    uuidIn('tenant', scene.tenant.id),
  ]);
  await eventually('nothing is left', async () => (await scene.ids()).length === 0, { withinMs: 30_000 });
  // A worker that has just started looks for what may go.
  await engine.addWorker();
  await eventually(
    'the week is gone',
    async () => !(await partitionsOf(database.pool, 'attempts')).includes(five),
    {
      withinMs: 30_000,
    },
  );
  expect((await get(`/api/v1/retries/${id}/items`, 'application/x-ndjson')).text).toBe(ledger);
  expect(
    await verifyReport({
      report: (await get(`/api/v1/retries/${id}/report`, 'application/jose+json')).body,
      keys: (await get('/.well-known/redrive/jwks.json')).body,
      operation: id,
      items: ledger,
    }),
  ).toMatchObject({ ok: true, lines: 20 });
});
