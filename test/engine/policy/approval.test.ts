import { describe, expect, test } from '@jest/globals';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { type Governed, govern } from '../../support/api/governed.ts';
import { uuidIn } from '../../support/api/retries.ts';
import { startChildScript } from '../../support/child-script.ts';
import { ALL_FAILURES, type Scene } from '../../support/engine/recovery-scene.ts';
import { useEngine, useScenes, useTemporal } from '../../support/engine/use-engine.ts';
import { startWorkerProcess } from '../../support/engine/worker-process.ts';
import { eventually } from '../../support/eventually.ts';
import { ok } from '../../support/receivers/receiver-behaviour.ts';

/** Operations that a policy holds, over the running service. */

const PLANS = '/api/v1/retries/plans';

describe('an operation that waits for approval', () => {
  const engine = useEngine({ checked: true });
  const scene = useScenes(engine);
  const temporal = useTemporal();

  async function governed(failures: number, policy: object): Promise<{ it: Scene; by: Governed }> {
    const it = await scene([ok]);
    const by = govern(engine, it.tenant);
    await it.seed(failures);
    await by.set(policy);
    return { it, by };
  }

  test('is planned, waits without polling, and sends exactly what was approved', async () => {
    const { it, by } = await governed(40, { approveAbove: 10, reasonAbove: 10, approvers: { count: 2 } });
    const { id, workflowId } = await it.retries.start(ALL_FAILURES);
    const waiting = await by.waiting(id);
    expect(waiting).toMatchObject({
      counts: { expected: 0 },
      waitingFor: [{ what: 'approval', missing: 2 }, { what: 'reason' }],
    });
    await eventually(
      'its workflow waits',
      async () => (await it.retries.show(id)).nextEvent.what === 'expiry',
    );
    await it.seed(5);
    const restless = await temporal.restlessSteps(workflowId);
    const { planHash } = waiting.approval;
    const [bob, carol] = [await by.person('bob'), await by.person('carol')];
    expect(await by.say(id, 'approve', bob, { planHash })).toMatchObject({ status: 200 });
    expect(await by.say(id, 'explain', it.tenant.key, { reason: 'it was down' })).toMatchObject({
      status: 200,
    });
    expect((await it.retries.show(id)).state).toBe('awaiting_approval');
    expect(it.sent()).toBe(0);
    expect(restless).toBeLessThan(10);
    expect(await by.say(id, 'approve', carol, { planHash })).toMatchObject({ status: 200 });
    const ended = await it.retries.ended(id);
    expect(ended).toMatchObject({
      state: 'completed',
      counts: { expected: 40, delivered: 40 },
      reason: 'it was down',
      plan: { planHash, drift: { gone: {}, added: 5 } },
      approval: { endedFor: 'approved' },
    });
    expect(it.sent()).toBe(40);
    // No command of the workflow is new.
    const history = await temporal.history(workflowId);
    await Worker.runReplayHistory(
      { workflowBundle: { codePath: process.env.REDRIVE_TEST_WORKFLOW_BUNDLE ?? '' } },
      historyFromJSON(JSON.parse(historyToJSON(history))),
      workflowId,
    );
    const text = JSON.stringify(JSON.parse(historyToJSON(history)));
    for (const word of ['it was down', Buffer.from('it was down').toString('base64').slice(0, 12)])
      expect(text).not.toContain(word);
  });

  test('from a plan that somebody made: planned, executed, approved, run, and signed', async () => {
    const { it, by } = await governed(12, { approveAbove: 3 });
    const { key } = it.tenant;
    const asked = (await engine.client.expect(201, 'POST', PLANS, { key, body: ALL_FAILURES })).body;
    let plan = asked;
    await eventually('it is planned', async () => {
      plan = (await engine.client.expect(200, 'GET', `${PLANS}/${asked.id}?wait=2`, { key })).body;
      return plan.state === 'planned';
    });
    expect(plan.risks.awaitsApproval).toBe(12);
    const body = { planHash: plan.planHash, maxDriftPercent: 0 };
    await engine.client.expect(202, 'POST', plan.links.execute, { key, body });
    await by.approve(plan.operationId);
    expect(await it.retries.ended(plan.operationId)).toMatchObject({ counts: { delivered: 12 } });
    const jws = await engine.client.expect(200, 'GET', `/api/v1/retries/${plan.operationId}/report`, {
      key,
      headers: { accept: 'application/jose+json' },
    });
    const payload = JSON.parse(Buffer.from(JSON.parse(jws.text).payload, 'base64url').toString());
    expect(payload).toMatchObject({
      plan: { planHash: plan.planHash },
      approvals: [{ by: 'actor:approver-1', at: expect.any(String) }],
      policy: { planHash: plan.planHash, approvers: 1, endedFor: 'approved' },
    });
    expect(payload.timeline.map(({ did }: { did: string }) => did)).toEqual([
      'accept',
      'execute',
      'hold',
      'approve',
      'close',
    ]);
  });

  test('whose drift is too large when it is approved waits again, as a plan whose approvals are void', async () => {
    const { it, by } = await governed(10, { approveAbove: 5 });
    const { key } = it.tenant;
    const asked = (await engine.client.expect(201, 'POST', PLANS, { key, body: ALL_FAILURES })).body;
    let plan = asked;
    await eventually('it is planned', async () => {
      plan = (await engine.client.expect(200, 'GET', `${PLANS}/${asked.id}?wait=2`, { key })).body;
      return plan.state === 'planned';
    });
    const body = { planHash: plan.planHash, maxDriftPercent: 0 };
    await engine.client.expect(202, 'POST', plan.links.execute, { key, body });
    await by.waiting(plan.operationId);
    const [one] = await it.ids();
    await it.retries.ended((await it.retries.start({ select: { deliveryIds: [one] } })).id);
    await by.approve(plan.operationId);
    await eventually('it is planned again', async () => {
      plan = (await engine.client.expect(200, 'GET', `${PLANS}/${asked.id}`, { key })).body;
      return plan.driftTooLarge !== null;
    });
    expect(plan).toMatchObject({ state: 'planned', executedAt: null, risks: { awaitsApproval: 10 } });
    expect((await it.retries.show(plan.operationId)).approval).toMatchObject({ endedFor: 'void' });
    expect(it.sent()).toBe(1);
    await it.retries.control(plan.operationId, 'cancel');
    await it.retries.ended(plan.operationId);
  });

  test.each([
    ['rejected', 'rejected'],
    ['expired', 'expired'],
    ['cancelled', 'cancelled'],
  ] as const)('ends when it is %s, and nothing of it was sent', async (how, endedFor) => {
    const { it, by } = await governed(4, { approveAbove: 1 });
    const ids = await it.ids();
    const bulk = await it.retries.start(ALL_FAILURES);
    await by.waiting(bulk.id);
    const list = await it.retries.start({ select: { deliveryIds: ids } });
    for (const { id } of [bulk, list]) {
      await by.waiting(id);
      if (how === 'rejected') await by.say(id, 'reject', await by.person('carol'), { comment: 'not now' });
      else if (how === 'cancelled') await it.retries.control(id, 'cancel');
      else
        await engine.database.pool.query('update operations set expires_at = now() where id = $1', [
          uuidIn('operation', id),
        ]);
      const ended = await it.retries.ended(id);
      expect(ended).toMatchObject({ state: 'cancelled', counts: { delivered: 0 }, approval: { endedFor } });
    }
    expect(it.sent()).toBe(0);
    // Their deliveries are free as before.
    await by.set({});
    const after = await it.retries.start(ALL_FAILURES);
    expect(await it.retries.ended(after.id)).toMatchObject({ counts: { delivered: 4 } });
  });

  test('runs at once in an emergency', async () => {
    const { it, by } = await governed(6, { approveAbove: 1 });
    const rushes = await by.person('rushes', ['write:deliveries', 'approve:emergency']);
    const { id } = await it.retries.start(ALL_FAILURES);
    await by.waiting(id);
    await by.say(id, 'emergency', rushes, { reason: 'the shop is down' });
    expect(await it.retries.ended(id)).toMatchObject({
      counts: { delivered: 6 },
      approval: { endedFor: 'emergency' },
    });
  });
});

describe('a worker that is killed in between', () => {
  const engine = useEngine({ roles: { api: true, worker: false }, checked: true });
  const scene = useScenes(engine);

  test('while it plans, while it waits, and once it is approved: nothing is sent before, everything after', async () => {
    const it = await scene([ok]);
    const by = govern(engine, it.tenant);
    await it.seed(12_000);
    await by.set({ approveAbove: 100 });
    const { pool } = engine.database;
    await pool.query(`create function takes_time() returns trigger language plpgsql as $$
      begin perform pg_sleep(0.05); return new; end $$`);
    await pool.query(
      'create trigger takes_time before insert on plan_pages for each row execute function takes_time()',
    );
    const first = await startWorkerProcess(engine);
    const { id } = await it.retries.start({ ...ALL_FAILURES, options: { ratePerSecond: 2_000 } });
    const planned = async () =>
      (
        await pool.query('select pages, planned_at from plans where operation_id = $1', [
          uuidIn('operation', id),
        ])
      ).rows[0];
    await eventually('it is in the middle', async () => (await planned()).pages > 0);
    first.process.kill('SIGKILL');
    await first.ended;
    expect((await planned()).planned_at).toBeNull();
    await pool.query('drop trigger takes_time on plan_pages');
    const second = await startWorkerProcess(engine);
    await eventually('it waits', async () => (await it.retries.show(id)).state === 'awaiting_approval', {
      withinMs: 60_000,
    });
    second.process.kill('SIGKILL');
    await second.ended;
    // Nobody is there to hear of it.
    await by.approve(id);
    expect(it.sent()).toBe(0);
    const third = await startWorkerProcess(engine);
    try {
      expect(await it.retries.ended(id, 120_000)).toMatchObject({
        counts: { expected: 12_000, delivered: 12_000 },
        plan: { items: 12_000 },
      });
      expect(it.sent()).toBe(12_000);
    } finally {
      third.process.kill('SIGKILL');
      await third.ended;
    }
  });
});

describe('an API that dies after an approval was committed', () => {
  const engine = useEngine({ checked: true });
  const scene = useScenes(engine);

  test('has approved: the repeat is answered alike, and the operation goes on', async () => {
    const it = await scene([ok]);
    const by = govern(engine, it.tenant);
    await it.seed(5);
    await by.set({ approveAbove: 1 });
    const { log: _, masterKey, ...options } = engine.options;
    const api = startChildScript(new URL('../../support/child/service.ts', import.meta.url), {
      env: {
        SERVICE_OPTIONS: JSON.stringify({
          ...options,
          roles: { api: true, worker: false },
          masterKey: masterKey.toString('base64'),
        }),
        CRASH: JSON.stringify({ at: 'said', after: 0 }),
      },
    });
    const url = (await api.firstLine).split(' ')[1];
    const { id } = await it.retries.start(ALL_FAILURES);
    const { planHash } = (await by.waiting(id)).approval;
    const bob = await by.person('bob');
    const sent = fetch(`${url}/api/v1/retries/${id}/approve`, {
      method: 'POST',
      headers: { authorization: `Bearer ${bob}`, 'content-type': 'application/json' },
      body: JSON.stringify({ planHash }),
    });
    await expect(sent).rejects.toThrow();
    await api.ended;
    expect(await by.say(id, 'approve', bob, { planHash })).toMatchObject({
      status: 200,
      body: { approval: { approvers: { given: 1 } } },
    });
    expect(await it.retries.ended(id, 60_000)).toMatchObject({ counts: { delivered: 5 } });
    expect(it.sent()).toBe(5);
  });
});
