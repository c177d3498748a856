import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createPool } from '../../src/store/db/pool.ts';
import { ALL_FAILURES, createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { startTestEngine, type TestEngine } from '../support/engine/test-engine.ts';
import { eventually } from '../support/eventually.ts';
import { metricsAt, samplesOf } from '../support/metrics.ts';
import { slow } from '../support/receivers/receiver-behaviour.ts';
import { type ChaosParts, startChaosParts } from './chaos-parts.ts';

/** Servers that are killed and stay away: work that needs them waits, all else goes on, and nobody has to help. */

const ITEMS = 3_000;
let parts: ChaosParts;
let engine: TestEngine;
let it: Scene;

beforeEach(async () => {
  parts = await startChaosParts();
  const pool = createPool(parts.databaseUrl, { max: 4 });
  pool.on('error', () => {});
  engine = await startTestEngine({
    database: { url: parts.databaseUrl, pool, drop: () => pool.end() },
    temporal: { address: parts.temporalAddress },
    sizes: { lease: { startWithinMs: 1_500, marginMs: 1_000 } },
  });
  it = await createScene(engine, [slow(20), slow(20)], {
    retry: { maxAttempts: 20, initialMs: 100, factor: 1.5, capMs: 1_000 },
  });
});
afterEach(async () => {
  await it.close();
  await engine.close();
  await parts.stop();
});

const publish = () =>
  engine.client.call('POST', '/api/v1/events', { key: it.tenant.key, body: [{ type: 'a', payload: {} }] });

/** Lines of the engine's log about an event. */
const said = (event: string) => engine.log.filter((line) => line.includes(`"event":"${event}"`));

test('Temporal away: retries are accepted and run when it is back, and everything else goes on', async () => {
  await it.seed(ITEMS);
  const { id } = await it.retries.start({ ...ALL_FAILURES, options: { ratePerSecond: 200 } });
  await eventually('it is in the middle', () => it.sent() > 200, { withinMs: 30_000 });
  await parts.temporal.kill();
  const endedBefore = said('slice.ended').length;
  const accepted: string[] = [];
  const goesOn = async () => {
    accepted.push((await it.retries.start({ ...ALL_FAILURES, reason: 'while it is away' })).id);
    expect((await publish()).status).toBe(202);
    await eventually(
      'first deliveries go on',
      async () =>
        (await it.ids(`state = 'delivered' and event_id in (select id from events where type = 'a')`))
          .length ===
        2 * accepted.length,
      { withinMs: 20_000 },
    );
    expect((await it.retries.show(id)).state).toBe('running');
  };
  for (let n = 0; n < 3; n++) await goesOn();
  // All that its slice can do without Temporal, which is not there to be told of it.
  await eventually('its slice has ended', () => said('slice.ended').length > endedBefore, {
    withinMs: 60_000,
  });
  for (let n = 0; n < 3; n++) await goesOn();
  await parts.temporal.restart();
  expect(await it.retries.ended(id, 90_000)).toMatchObject({
    state: 'completed',
    counts: { expected: ITEMS, delivered: ITEMS },
  });
  for (const late of accepted)
    expect(await it.retries.ended(late, 60_000)).toMatchObject({ state: 'completed' });
  expect(it.sent()).toBe(ITEMS + 2 * accepted.length);
  for (const { maxOverlap } of it.receivers) expect(maxOverlap).toBe(1);
});

test('Postgres away: 503 with Retry-After, no more is sent than was claimed, and all goes on by itself', async () => {
  await it.seed(ITEMS);
  const { id } = await it.retries.start({ ...ALL_FAILURES, options: { ratePerSecond: 400 } });
  await eventually('it is in the middle', () => it.sent() > 400, { withinMs: 30_000 });
  await parts.postgres.kill();
  await eventually(
    'what was claimed has been sent',
    async () => samplesOf(await metricsAt(engine.service.url), 'redrive_in_flight').every((n) => n === 0),
    { withinMs: 30_000 },
  );
  const sent = it.sent();
  for (let n = 0; n < 5; n++) {
    for (const answer of [await it.retries.post(ALL_FAILURES, 'while-it-is-away'), await publish()]) {
      expect([answer.status, answer.body.code]).toEqual([503, 'temporarily_unavailable']);
      expect(answer.headers.get('retry-after')).toBeTruthy();
    }
    const triedBefore = said('check_in.failed').length;
    await eventually(
      'the worker has asked for it again',
      () => said('check_in.failed').length > triedBefore,
      {
        withinMs: 30_000,
      },
    );
  }
  expect(it.sent()).toBe(sent);
  await parts.postgres.restart();
  expect(await it.retries.ended(id, 90_000)).toMatchObject({
    state: 'completed',
    counts: { expected: ITEMS, delivered: ITEMS },
  });
  const { rows } = await engine.database.pool.query(
    `select count(*)::int as lost from attempts where fault_code = 'lease_lost'`,
  );
  expect(it.sent() - ITEMS).toBeLessThanOrEqual(rows[0].lost);
  for (const { maxOverlap } of it.receivers) expect(maxOverlap).toBe(1);
});
