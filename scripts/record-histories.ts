import { mkdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { govern } from '../test/support/api/governed.ts';
import { uuidIn } from '../test/support/api/retries.ts';
import { ALL_FAILURES, createScene, type Scene } from '../test/support/engine/recovery-scene.ts';
import { connectTestTemporal } from '../test/support/engine/temporal-client.ts';
import { startTestEngine, type TestEngine } from '../test/support/engine/test-engine.ts';
import { eventually } from '../test/support/eventually.ts';
import { type Behaviour, ok, retryAfter, slow } from '../test/support/receivers/receiver-behaviour.ts';
import { startTestEnvironment } from '../test/support/test-environment.ts';

/**
 * Records histories of real runs for the replay test: `npx tsx scripts/record-histories.ts`, or those that are
 * named behind it, which leaves the others alone. To be run when a path is new, and beside the old files, not in their place, once a version has been deployed: those are the runs it must not
 * break.
 */
const DIRECTORY = fileURLToPath(new URL('../test/fixtures/histories/', import.meta.url));

const environment = await startTestEnvironment();
Object.assign(process.env, environment.variables);
const temporal = await connectTestTemporal();
const engine = await startTestEngine({ sizes: { sliceBudgetMs: 2_000 } });
try {
  const scenes: Record<string, () => Promise<string>> = {
    single,
    'bulk-paused-resumed-paced': commanded,
    cancelled,
    'waiting-for-retry-after': waiting,
    terminated,
    'cancelled-in-the-temporal-ui': cancelledOutside,
    'several-slices': severalSlices,
    superfluous,
    'plan-executed': planned,
    'plan-expired': expired,
    approved,
    'approval-expired': approvalExpired,
    rejected,
  };
  const named = process.argv.slice(2);
  if (named.length === 0) await rm(DIRECTORY, { recursive: true, force: true });
  await mkdir(DIRECTORY, { recursive: true });
  for (const name of named.length > 0 ? named : Object.keys(scenes)) {
    const play = scenes[name];
    if (!play) throw new Error(`there is no scene ${name}`);
    await record(name, play);
  }
} finally {
  await engine.close();
  await temporal.close();
  await environment.stop();
}

/** Saves the runs that a scene leaves behind, oldest first. */
async function record(name: string, play: (on: TestEngine) => Promise<string>): Promise<void> {
  const workflowId = await play(engine);
  const runs: string[] = [];
  await eventually('every run has ended and is listed', async () => {
    runs.length = 0;
    for await (const run of temporal.client.workflow.list({ query: `WorkflowId = "${workflowId}"` })) {
      if (run.status.name === 'RUNNING') return false;
      runs.unshift(run.runId);
    }
    return runs.length > 0;
  });
  for (const [index, runId] of runs.entries()) {
    const history = await temporal.client.workflow.getHandle(workflowId, runId).fetchHistory();
    const file = `${name}${runs.length > 1 ? `-run-${index + 1}` : ''}.json`;
    await writeFile(
      `${DIRECTORY}${file}`,
      `${JSON.stringify(JSON.parse(historyToJSON(history)), null, 1)}\n`,
    );
    process.stdout.write(`${file}: ${history.events?.length} events\n`);
  }
}

async function sceneOf(behaviours: Behaviour[], failures: number, endpoint = {}): Promise<Scene> {
  const scene = await createScene(engine, behaviours, endpoint);
  await scene.seed(failures);
  return scene;
}

async function single(): Promise<string> {
  const scene = await sceneOf([ok], 1);
  const { id, workflowId } = await scene.retries.start({ select: { deliveryIds: await scene.ids() } });
  return endOf(scene, id, workflowId);
}

async function commanded(): Promise<string> {
  const scene = await sceneOf([slow(50)], 400);
  const { id, workflowId } = await scene.retries.start(ALL_FAILURES);
  await eventually('it is under way', () => scene.sent() > 20);
  await scene.retries.control(id, 'pause');
  await eventually('it waits', async () => (await scene.retries.show(id)).nextEvent.what === 'expiry');
  await scene.retries.control(id, 'resume');
  await scene.retries.control(id, 'rate', { perSecond: 200 });
  return endOf(scene, id, workflowId);
}

async function cancelled(): Promise<string> {
  const scene = await sceneOf([slow(50)], 600);
  const { id, workflowId } = await scene.retries.start(ALL_FAILURES);
  await eventually('it is under way', () => scene.sent() > 20);
  await scene.retries.control(id, 'cancel');
  return endOf(scene, id, workflowId);
}

async function waiting(): Promise<string> {
  const scene = await sceneOf([retryAfter(6)], 10, { retry: { maxAttempts: 3, initialMs: 10, capMs: 10 } });
  const { id, workflowId } = await scene.retries.start(ALL_FAILURES);
  await eventually('it waits', async () => (await scene.retries.show(id)).nextEvent?.what === 'due');
  scene.receivers[0]?.switchTo(ok);
  return endOf(scene, id, workflowId);
}

async function terminated(): Promise<string> {
  const scene = await sceneOf([slow(50)], 400);
  const { id, workflowId } = await scene.retries.start(ALL_FAILURES);
  await eventually('it is under way', () => scene.sent() > 20);
  await temporal.handle(workflowId).terminate('by hand');
  await engine.database.pool.query(`update operations set nudged_at = '-infinity' where id = $1`, [
    uuidIn('operation', id),
  ]);
  return endOf(scene, id, workflowId);
}

async function cancelledOutside(): Promise<string> {
  const scene = await sceneOf([slow(50)], 600);
  const { id, workflowId } = await scene.retries.start(ALL_FAILURES);
  await eventually('it is under way', () => scene.sent() > 20);
  await temporal.handle(workflowId).cancel();
  return endOf(scene, id, workflowId);
}

async function severalSlices(): Promise<string> {
  const helper = await engine.addWorker();
  const scene = await sceneOf([slow(20), slow(20)], 9_000);
  const { id, workflowId } = await scene.retries.start(ALL_FAILURES);
  const ended = await endOf(scene, id, workflowId);
  await helper.stop();
  return ended;
}

async function superfluous(): Promise<string> {
  const scene = await sceneOf([ok], 3);
  const { id, workflowId } = await scene.retries.start(ALL_FAILURES);
  await endOf(scene, id, workflowId);
  await temporal.handle(workflowId).result();
  const queues = engine.options.config.taskQueuePrefix;
  await temporal.client.workflow.execute('operation', {
    workflowId,
    taskQueue: `${queues}-bulk`,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    args: [uuidIn('operation', id), `${queues}-interactive`],
  });
  return workflowId;
}

/** A plan that waits, and its id and links. */
async function planOf(scene: Scene) {
  const { key } = scene.tenant;
  const path = '/api/v1/retries/plans';
  const { body: asked } = await engine.client.expect(201, 'POST', path, { key, body: ALL_FAILURES });
  let plan = asked;
  await eventually('it waits', async () => {
    plan = (await engine.client.expect(200, 'GET', `${path}/${asked.id}`, { key })).body;
    return (await scene.retries.show(asked.operationId)).nextEvent?.what === 'expiry' && plan.planHash;
  });
  return { ...plan, workflowId: (await scene.retries.show(asked.operationId)).workflowId };
}

async function planned(): Promise<string> {
  const scene = await sceneOf([ok], 30);
  const plan = await planOf(scene);
  await engine.client.expect(202, 'POST', plan.links.execute, {
    key: scene.tenant.key,
    body: { planHash: plan.planHash },
  });
  return endOf(scene, plan.operationId, plan.workflowId);
}

async function expired(): Promise<string> {
  const scene = await sceneOf([ok], 3);
  const plan = await planOf(scene);
  await engine.database.pool.query('update operations set expires_at = now() where id = $1', [
    uuidIn('operation', plan.operationId),
  ]);
  return endOf(scene, plan.operationId, plan.workflowId);
}

/** An operation that its policy holds, and those who govern it. */
async function heldBy(policy: object, failures: number) {
  const scene = await sceneOf([ok], failures);
  const governed = govern(engine, scene.tenant);
  await governed.set(policy);
  const { id, workflowId } = await scene.retries.start(ALL_FAILURES);
  await governed.waiting(id);
  await eventually('it waits', async () => (await scene.retries.show(id)).nextEvent?.what === 'expiry');
  return { scene, governed, id, workflowId };
}

async function approved(): Promise<string> {
  const { scene, governed, id, workflowId } = await heldBy({ approveAbove: 10 }, 30);
  await governed.approve(id);
  return endOf(scene, id, workflowId);
}

async function approvalExpired(): Promise<string> {
  const { scene, id, workflowId } = await heldBy({ approveAbove: 1 }, 3);
  await engine.database.pool.query('update operations set expires_at = now() where id = $1', [
    uuidIn('operation', id),
  ]);
  return endOf(scene, id, workflowId);
}

async function rejected(): Promise<string> {
  const { scene, governed, id, workflowId } = await heldBy({ approveAbove: 1 }, 3);
  await governed.say(id, 'reject', await governed.person('carol'), { comment: 'no' });
  return endOf(scene, id, workflowId);
}

async function endOf(scene: Scene, id: string, workflowId: string): Promise<string> {
  await scene.retries.ended(id, 60_000);
  await scene.close();
  return workflowId;
}
