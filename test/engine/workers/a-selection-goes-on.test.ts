import { afterEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { uuidIn } from '../../support/api/retries.ts';
import { ALL_FAILURES, createScene, type Scene } from '../../support/engine/recovery-scene.ts';
import { connectTestTemporal, type TemporalClient } from '../../support/engine/temporal-client.ts';
import { startTestEngine, type TestEngine } from '../../support/engine/test-engine.ts';
import { startWorkerProcess } from '../../support/engine/worker-process.ts';
import { eventually } from '../../support/eventually.ts';
import { ok } from '../../support/receivers/receiver-behaviour.ts';

/** A selection whose worker dies is missed by Temporal sooner than any other step, and one that waits is not missed at all. */

/** Less than any deadline waits for; a selection of so many takes many pages. */
const ITEMS = 40_000;
const SLOWLY = { options: { ratePerSecond: 5 } };
/** What Temporal allows a selection between two beats, and more. */
const MORE_THAN_ALLOWED_MS = 18_000;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function sceneOn(engine: TestEngine, items: number): Promise<Scene> {
  const it = await createScene(engine, [ok]);
  closing.push(() => it.close());
  await it.seed(items);
  return it;
}

/** The step that a run waits for, as Temporal sees it. */
async function stepOf(temporal: TemporalClient, workflowId: string) {
  const { raw } = await temporal.handle(workflowId).describe();
  const [step] = raw.pendingActivities ?? [];
  const atMs = (time: { seconds?: unknown } | null | undefined) => Number(time?.seconds ?? 0) * 1_000;
  return {
    type: step?.activityType?.name,
    attempt: step?.attempt ?? 0,
    beatsForMs: step?.lastHeartbeatTime ? atMs(step.lastHeartbeatTime) - atMs(step.lastStartedTime) : 0,
  };
}

/** Holds the row of an operation, so that no page of its selection can be committed; returns how to let it go. */
async function heldBack({ database }: TestEngine, operationId: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('begin');
  await client.query('select from operations where id = $1 for update', [uuidIn('operation', operationId)]);
  return async () => {
    await client.query('rollback');
    await client.end();
  };
}

test('a selection whose worker died goes on at another before Temporal misses its other steps', async () => {
  const engine = await startTestEngine({ roles: { api: true, worker: false } });
  closing.push(() => engine.close());
  const worker = await startWorkerProcess(engine);
  closing.push(() => {
    worker.process.kill('SIGKILL');
    return worker.ended;
  });
  const temporal = await connectTestTemporal();
  closing.push(() => temporal.close());
  const sending = await sceneOn(engine, 1_000);
  const selecting = await sceneOn(engine, ITEMS);

  const sent = await sending.retries.start({ ...ALL_FAILURES, ...SLOWLY });
  await eventually('a slice of one is under way', () => sending.sent() > 0, { withinMs: 20_000 });
  expect(await stepOf(temporal, sent.workflowId)).toMatchObject({ type: 'dispatchSlice', attempt: 1 });
  const selected = await selecting.retries.start({ ...ALL_FAILURES, ...SLOWLY });
  const expected = async () => (await selecting.retries.show(selected.id)).counts.expected;
  await eventually('the other one has some of its selection', async () => (await expected()) > 0, {
    withinMs: 20_000,
  });
  const letGo = await heldBack(engine, selected.id);
  expect(await expected()).toBeLessThan(ITEMS);
  worker.process.kill('SIGKILL');
  await worker.ended;
  await letGo();
  await engine.addWorker();

  await eventually(
    'the selection has begun again',
    async () => {
      const { type, attempt } = await stepOf(temporal, selected.workflowId);
      return type !== 'select' || attempt > 1;
    },
    { withinMs: 40_000 },
  );
  // Both were at the same worker; this one is allowed to be silent for twice as long.
  expect(await stepOf(temporal, sent.workflowId)).toMatchObject({ type: 'dispatchSlice', attempt: 1 });
  await eventually('all is selected', async () => (await expected()) === ITEMS, { withinMs: 60_000 });
  for (const [it, { id }] of [[sending, sent] as const, [selecting, selected] as const]) {
    await it.retries.control(id, 'cancel');
    await it.retries.ended(id, 60_000);
  }
  expect((await selecting.retries.show(selected.id)).counts).toMatchObject({ expected: ITEMS, excluded: 0 });
});

test('a selection that waits for Postgres for longer than that is heard of all the while, and begun once', async () => {
  const engine = await startTestEngine();
  closing.push(() => engine.close());
  const temporal = await connectTestTemporal();
  closing.push(() => temporal.close());
  const it = await sceneOn(engine, ITEMS);
  const { id, workflowId } = await it.retries.start({ ...ALL_FAILURES, ...SLOWLY });
  const expected = async () => (await it.retries.show(id)).counts.expected;
  await eventually('it has some of its selection', async () => (await expected()) > 0, { withinMs: 20_000 });
  const letGo = await heldBack(engine, id);
  expect(await expected()).toBeLessThan(ITEMS);
  await eventually(
    'it has waited for longer than it may be silent',
    async () => (await stepOf(temporal, workflowId)).beatsForMs > MORE_THAN_ALLOWED_MS,
    { withinMs: 40_000 },
  );
  expect(await stepOf(temporal, workflowId)).toMatchObject({ type: 'select', attempt: 1 });
  await letGo();
  await eventually('all is selected', async () => (await expected()) === ITEMS, { withinMs: 60_000 });
  await it.retries.control(id, 'cancel');
  await it.retries.ended(id, 60_000);
});
