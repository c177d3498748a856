import { describe, expect, test } from '@jest/globals';
import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { uuidIn } from '../support/api/retries.ts';
import { ALL_FAILURES, type Scene } from '../support/engine/recovery-scene.ts';
import type { TestEngine } from '../support/engine/test-engine.ts';
import { useEngine, useScenes, useTemporal } from '../support/engine/use-engine.ts';
import { startWorkerProcess } from '../support/engine/worker-process.ts';
import { eventually } from '../support/eventually.ts';
import { ok, status } from '../support/receivers/receiver-behaviour.ts';

const PATH = '/api/v1/retries/plans';

// biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
type Shown = any;

/** The plans of a scene over the API. */
function plansOf(engine: TestEngine, { tenant: { key } }: Scene) {
  const show = async (id: string): Promise<Shown> =>
    (await engine.client.expect(200, 'GET', `${PATH}/${id}?wait=2`, { key })).body;
  return {
    show,
    async ask(body: object = ALL_FAILURES): Promise<Shown> {
      return (await engine.client.expect(201, 'POST', PATH, { key, body })).body;
    },
    async made(id: string, withinMs = 20_000): Promise<Shown> {
      let seen: Shown;
      await eventually(
        'the plan is made',
        async () => {
          seen = await show(id);
          return seen.state === 'planned';
        },
        { withinMs },
      );
      return seen;
    },
    execute: (plan: Shown, beside: object = {}) =>
      engine.client.call('POST', plan.links.execute, { key, body: { planHash: plan.planHash, ...beside } }),
  };
}

describe('a plan', () => {
  const engine = useEngine({ checked: true });
  const scene = useScenes(engine);
  const temporal = useTemporal();

  test('waits for a human, sends nothing, and sends what it showed when it is executed', async () => {
    const it = await scene([ok, status(400)]);
    const plans = plansOf(engine, it);
    await it.seed(60);
    const asked = await plans.ask();
    const plan = await plans.made(asked.id);
    expect(plan).toMatchObject({ count: { items: 60, basis: 'exact', sends: 60 }, endpointCount: 2 });
    await it.seed(20);
    const waiting = await it.retries.show(plan.operationId);
    expect(waiting).toMatchObject({
      state: 'planned',
      counts: { expected: 0 },
      nextEvent: { what: 'expiry' },
    });
    expect(Date.parse(waiting.nextEvent.at)).toBeGreaterThan(Date.now() + 23 * 3_600_000);
    expect(it.sent()).toBe(0);

    expect(await plans.execute(plan, { maxDriftPercent: 0 })).toMatchObject({ status: 202 });
    const ended = await it.retries.ended(plan.operationId);
    expect(ended).toMatchObject({
      state: 'completed_with_failures',
      counts: { expected: 60, delivered: 30, failed: 30 },
    });
    expect(it.sent()).toBe(60);
    expect(await plans.show(plan.id)).toMatchObject({
      state: 'completed_with_failures',
      count: { items: 60 },
      drift: { gone: {}, endpointChanged: [], added: 20 },
    });
    const items = await it.retries.items(plan.operationId);
    const listed = await engine.client.expect(200, 'GET', `${plan.links.items}?limit=500`, {
      key: it.tenant.key,
    });
    expect(items.map(({ deliveryId }) => deliveryId).sort()).toEqual(
      listed.body.items.map(({ deliveryId }: Shown) => deliveryId).sort(),
    );
    // No command that runs did not have before: the run replays, and no address is in it.
    const history = await temporal.history(ended.workflowId);
    await Worker.runReplayHistory(
      { workflowBundle: { codePath: process.env.REDRIVE_TEST_WORKFLOW_BUNDLE ?? '' } },
      historyFromJSON(JSON.parse(historyToJSON(history))),
      ended.workflowId,
    );
  });

  test('that nobody executes in time is cancelled by itself, with nothing expected', async () => {
    const it = await scene([ok]);
    const plans = plansOf(engine, it);
    await it.seed(3);
    const plan = await plans.made((await plans.ask({ ...ALL_FAILURES, dryRun: true })).id);
    await engine.database.pool.query(`update operations set expires_at = now() where id = $1`, [
      uuidIn('plan', plan.id),
    ]);
    const ended = await it.retries.ended(plan.operationId);
    expect(ended).toMatchObject({
      state: 'cancelled',
      counts: { expected: 0 },
      controls: [{ did: 'cancel', by: 'redrive' }],
    });
    expect(await plans.show(plan.id)).toMatchObject({
      state: 'cancelled',
      endedFor: 'plan_expired',
      count: { items: 3 },
    });
    expect(await plans.execute(plan)).toMatchObject({ status: 409 });
    expect(it.sent()).toBe(0);
  });

  test('is cancelled like every operation, and its deliveries are free as before', async () => {
    const it = await scene([ok]);
    const plans = plansOf(engine, it);
    await it.seed(3);
    const plan = await plans.made((await plans.ask()).id);
    await it.retries.control(plan.operationId, 'cancel');
    // Also while it still closes.
    expect(await plans.show(plan.id)).toMatchObject({ endedFor: 'cancelled' });
    expect(await it.retries.ended(plan.operationId)).toMatchObject({
      state: 'cancelled',
      counts: { expected: 0 },
    });
    expect(await plans.show(plan.id)).toMatchObject({ endedFor: 'cancelled' });
    const { id } = await it.retries.start(ALL_FAILURES);
    expect(await it.retries.ended(id)).toMatchObject({ counts: { delivered: 3 } });
  });

  test('sends nothing more where its endpoint gets another address in the middle; what was shown is sent on under a new policy', async () => {
    const it = await scene([ok]);
    const plans = plansOf(engine, it);
    await it.seed(100);
    const plan = await plans.made((await plans.ask({ ...ALL_FAILURES, options: { ratePerSecond: 10 } })).id);
    const change = (body: object) =>
      engine.client.expect(200, 'PATCH', `/api/v1/endpoints/${it.endpoints[0].id}`, {
        key: it.tenant.key,
        body,
      });
    await plans.execute(plan);
    await eventually('it is under way', () => it.sent() > 2);
    await change({ giveUpAfterMs: 3_600_000 });
    const sent = it.sent();
    await eventually('it goes on', () => it.sent() > sent + 2);
    await change({ url: it.receivers[0]?.url('/moved') });
    const ended = await it.retries.ended(plan.operationId);
    const { delivered, ignored, expected } = ended.counts;
    expect([expected, delivered + ignored]).toEqual([100, 100]);
    expect(ignored).toBeGreaterThan(0);
    expect(ended.remainder).toEqual({ count: ignored, byReason: { endpoint_changed: ignored } });
    expect(it.receivers[0]?.requests.filter(({ path }) => path !== '/hook')).toEqual([]);
    // A plan of what is left shows the new address.
    const rest = await plans.made((await plans.ask({ select: { remainderOf: plan.operationId } })).id);
    expect(rest).toMatchObject({
      count: { items: ignored, sends: ignored },
      endpoints: [{ plannedVersion: 3 }],
    });
    await plans.execute(rest);
    expect(await it.retries.ended(rest.operationId)).toMatchObject({ counts: { delivered: ignored } });
    expect(it.receivers[0]?.requests.filter(({ path }) => path === '/moved')).toHaveLength(ignored);
  });

  test('whose drift the workflow finds too large waits again', async () => {
    const it = await scene([ok]);
    const plans = plansOf(engine, it);
    await it.seed(10);
    const plan = await plans.made((await plans.ask()).id);
    const ids = await it.ids();
    await it.retries.ended((await it.retries.start({ select: { deliveryIds: ids.slice(0, 5) } })).id);
    // As with a plan that is too large to be measured in the call.
    await engine.database.pool.query('update plans set items = 30000 where operation_id = $1', [
      uuidIn('plan', plan.id),
    ]);
    expect(await plans.execute(plan, { maxDriftPercent: 0 })).toMatchObject({ status: 202 });
    let seen: Shown;
    await eventually('it is planned again', async () => {
      seen = await plans.show(plan.id);
      return seen.driftTooLarge !== null;
    });
    expect(seen).toMatchObject({
      state: 'planned',
      planHash: plan.planHash,
      executedAt: null,
      driftTooLarge: { gone: { already_delivered: 5 } },
    });
    await it.retries.control(plan.operationId, 'cancel');
    await it.retries.ended(plan.operationId);
  });
});

describe('a worker that dies while it makes a plan', () => {
  const engine = useEngine({ roles: { api: true, worker: false } });
  const scene = useScenes(engine);

  test('loses nothing: another one goes on where it was', async () => {
    const it = await scene([ok]);
    const plans = plansOf(engine, it);
    await it.seed(30_000);
    const { pool } = engine.database;
    await pool.query(`create function takes_time() returns trigger language plpgsql as $$
      begin perform pg_sleep(0.05); return new; end $$`);
    await pool.query(
      'create trigger takes_time before insert on plan_pages for each row execute function takes_time()',
    );
    const first = await startWorkerProcess(engine);
    const { id } = await plans.ask();
    const operationId = uuidIn('plan', id);
    const pages = async () =>
      (await pool.query('select pages, planned_at from plans where operation_id = $1', [operationId]))
        .rows[0];
    await eventually('it is in the middle', async () => (await pages()).pages > 0);
    first.process.kill('SIGKILL');
    await first.ended;
    const left = await pages();
    expect(left.planned_at).toBeNull();
    await pool.query('drop trigger takes_time on plan_pages');
    const second = await startWorkerProcess(engine);
    try {
      const plan = await plans.made(id, 60_000);
      expect(plan).toMatchObject({ count: { items: 30_000, basis: 'exact' } });
      const { rows } = await pool.query(
        'select count(distinct id)::int as n from plan_pages, unnest(ids) as id where operation_id = $1',
        [operationId],
      );
      expect(rows).toEqual([{ n: 30_000 }]);
    } finally {
      second.process.kill('SIGKILL');
      await second.ended;
    }
  });
});
