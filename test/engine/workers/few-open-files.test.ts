import { afterEach, expect, test } from '@jest/globals';
import { ALL_FAILURES, createScene } from '../../support/engine/recovery-scene.ts';
import { PATIENT_LEASE, startTestEngine } from '../../support/engine/test-engine.ts';
import { startWorkerProcess } from '../../support/engine/worker-process.ts';
import { slow } from '../../support/receivers/receiver-behaviour.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

test('a worker that runs out of files blames no endpoint: everything is delivered by one attempt each, and it says so', async () => {
  const ITEMS = 600;
  const engine = await startTestEngine({ roles: { api: true, worker: false } });
  closing.push(() => engine.close());
  const worker = await startWorkerProcess(
    engine,
    { socketsPerSlice: 256, lease: PATIENT_LEASE },
    { openFiles: 192 },
  );
  closing.push(() => {
    worker.process.kill('SIGKILL');
    return worker.ended;
  });
  const it = await createScene(engine, [slow(300)], { retry: { maxAttempts: 1 } });
  closing.push(() => it.close());
  await it.seed(ITEMS);
  const { id } = await it.retries.start(ALL_FAILURES);
  const died = worker.ended.then(({ output }) =>
    Promise.reject(new Error(`the worker has ended: ${output}`)),
  );
  expect(await Promise.race([it.retries.ended(id, 60_000), died])).toMatchObject({
    state: 'completed',
    counts: { expected: ITEMS, delivered: ITEMS },
  });
  expect(it.receivers[0]?.requests).toHaveLength(ITEMS);
  const { rows } = await engine.database.pool.query(
    `select a.outcome, a.fault_code, count(*)::int from attempts a join execution_records e on e.id = a.execution_id
     where e.operation_id is not null group by 1, 2`,
  );
  expect(rows).toEqual([{ outcome: 'delivered', fault_code: null, count: ITEMS }]);
  const troubled = await engine.database.pool.query(
    'select from endpoint_pacing where streak > 0 or openings > 0 or window_size is not null',
  );
  expect(troubled.rows).toEqual([]);

  died.catch(() => {});
  worker.process.kill('SIGTERM');
  const { output } = await worker.ended;
  expect(output).toContain('"event":"worker.few_open_files"');
  expect(output).toContain('"event":"sockets.short","of":"files"');
});
