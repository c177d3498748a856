import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import {
  CRASH_POINTS,
  type CrashPoint,
  isOfWorker,
  type WorkerCrashPoint,
} from '../../src/telemetry/crash-points.ts';
import { uuidIn } from '../support/api/retries.ts';
import { startChildScript } from '../support/child-script.ts';
import { createScene } from '../support/engine/recovery-scene.ts';
import { startTestEngine, type TestEngine } from '../support/engine/test-engine.ts';
import { eventually } from '../support/eventually.ts';
import { TIME_TO_ANSWER_MS } from '../support/patience.ts';
import { startReceiver } from '../support/receivers/receiver.ts';
import { ok, slow } from '../support/receivers/receiver-behaviour.ts';

/** A crash at every durable step: nothing is lost, and only what had been claimed can have been sent twice. */

// A step that died with its worker is taken up again when Temporal misses its heartbeat, after 30 s.
const ITEMS = 400;
/** More lines than a chunk of the ledger: they are hashed by steps of their own. */
const ITEMS_OF_CHUNKS = 1_100;
const SIZES = { lease: { startWithinMs: 800, marginMs: 400 } };

/** A process of the engine that crashes by itself when it comes to this point for the `after`th time. */
function crashing(
  engine: TestEngine,
  roles: { api: boolean; worker: boolean },
  at: CrashPoint,
  after: number,
) {
  const { log: _, masterKey, ...options } = engine.options;
  return startChildScript(new URL('../support/child/service.ts', import.meta.url), {
    env: {
      SERVICE_OPTIONS: JSON.stringify({ ...options, roles, masterKey: masterKey.toString('base64') }),
      CRASH: JSON.stringify({ at, after }),
    },
  });
}

function itemsFor(point: CrashPoint): number {
  return point === 'frozen' || point === 'hashed' ? ITEMS_OF_CHUNKS : ITEMS;
}

async function scene(engine: TestEngine, items: number, timeoutMs: number) {
  const it = await createScene(engine, [slow(20), slow(20)], {
    timeoutMs,
    retry: { maxAttempts: 9, initialMs: 10, factor: 1, capMs: 10 },
  });
  // Told at the end, once, whatever has crashed.
  const listener = await startReceiver(ok);
  await engine.client.newEndpoint(it.tenant.key, {
    ...{ url: listener.url('/told'), eventTypes: ['operation.closed'], timeoutMs: TIME_TO_ANSWER_MS },
  });
  await it.seed(items, [0, 1]);
  return {
    ...it,
    listener,
    close: async () => {
      await Promise.all([it.close(), listener.close()]);
    },
  };
}

async function survives(point: WorkerCrashPoint) {
  const engine = await startTestEngine({ roles: { api: true, worker: false }, sizes: SIZES });
  const items = itemsFor(point);
  // Its leases end soon.
  const it = await scene(engine, items, 600);
  const worker = crashing(engine, { api: false, worker: true }, point, point === 'requested' ? 30 : 0);
  try {
    await worker.firstLine;
    const { id } = await it.retries.start({ select: { filter: {} } });
    const { signal } = await worker.ended;
    expect([point, signal]).toEqual([point, 'SIGKILL']);
    await engine.addWorker();
    const ended = await it.retries.ended(id, 120_000);
    await it.listener.waitFor(({ requests }) => requests.length > 0, 60_000);
    const { rows } = await engine.database.pool.query(
      `select count(*)::int as unknown,
         (select r.lines from closure_reports r where r.operation_id = $1) as lines,
         (select sum(c.lines)::int from ledger_chunks c where c.operation_id = $1) as hashed
       from attempts a join executions e on e.id = a.execution_id
       where a.outcome = 'ambiguous' and e.operation_id = $1`,
      [uuidIn('operation', id)],
    );
    return {
      point,
      state: ended.state,
      counts: ended.counts,
      sentTwice: it.sent() - items,
      told: new Set(it.listener.requests.map((request) => request.id)).size,
      ...rows[0],
      overlap: Math.max(...it.receivers.map(({ maxOverlap }) => maxOverlap)),
    };
  } finally {
    worker.process.kill('SIGKILL');
    await it.close();
    await engine.close();
  }
}

/** Points that a plain retry does not come to: `test/chaos/small` does. */
const NOT_OF_A_RETRY: readonly CrashPoint[] = ['planned', 'settling', 'taken_over', 'cancelling'];
const POINTS_OF_A_RETRY = CRASH_POINTS.filter(isOfWorker).filter((point) => !NOT_OF_A_RETRY.includes(point));

test('a worker that crashes at any of them leaves nothing undone, nothing lost, and nothing doubled unknowingly', async () => {
  const points = [...POINTS_OF_A_RETRY];
  const results: Awaited<ReturnType<typeof survives>>[] = [];
  // Each has three services with their pools, beside the other tests of this Postgres: where one fails, the others end
  // before the next test begins.
  while (points.length > 0)
    for (const settled of await Promise.allSettled(points.splice(0, 5).map(survives))) {
      if (settled.status === 'rejected') throw settled.reason;
      results.push(settled.value);
    }
  expect(results).toHaveLength(POINTS_OF_A_RETRY.length);
  for (const { point, state, counts, sentTwice, unknown, overlap, lines, hashed, told } of results) {
    expect([point, told]).toEqual([point, 1]);
    expect([point, state, counts.delivered, overlap]).toEqual([point, 'completed', itemsFor(point), 1]);
    expect([point, sentTwice <= unknown]).toEqual([point, true]);
    expect([point, lines, hashed]).toEqual([point, itemsFor(point), itemsFor(point)]);
  }
});

test('an API that crashes after the commit has accepted: the repeat gets its answer, and a sweeper starts the run', async () => {
  const engine = await startTestEngine({ roles: { api: true, worker: true }, sizes: SIZES });
  const it = await scene(engine, ITEMS, TIME_TO_ANSWER_MS);
  const api = crashing(engine, { api: true, worker: false }, 'accepted', 0);
  try {
    const url = (await api.firstLine).split(' ')[1];
    const key = randomUUID();
    const ask = (base: string | undefined) =>
      fetch(`${base}/api/v1/retries`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${it.tenant.key}`,
          'content-type': 'application/json',
          'idempotency-key': key,
        },
        body: JSON.stringify({ select: { filter: {} } }),
      });
    await expect(ask(url)).rejects.toThrow();
    expect((await api.ended).signal).toBe('SIGKILL');
    const { rows } = await engine.database.pool.query('select id, start_confirmed_at from operations');
    expect(rows).toHaveLength(1);
    const repeat = await ask(engine.service.url);
    expect([repeat.status, repeat.headers.get('idempotency-replayed')]).toEqual([202, 'true']);
    const { id } = (await repeat.json()) as { id: string };
    expect(uuidIn('operation', id)).toBe(rows[0].id);
    await eventually('it has ended', async () => (await it.retries.show(id)).closedAt !== null, {
      withinMs: 60_000,
    });
    expect(await it.retries.ended(id)).toMatchObject({ counts: { delivered: ITEMS } });
    expect(it.sent()).toBe(ITEMS);
  } finally {
    api.process.kill('SIGKILL');
    await it.close();
    await engine.close();
  }
});
