import { afterEach, describe, expect, test } from '@jest/globals';
import type { OutageRules } from '../../../src/domain/outages/outage-rules.ts';
import { uuidIn } from '../../support/api/retries.ts';
import type { ChildScript } from '../../support/child-script.ts';
import type { Scene } from '../../support/engine/recovery-scene.ts';
import type { TestEngine } from '../../support/engine/test-engine.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { startWorkerProcess } from '../../support/engine/worker-process.ts';
import { eventually } from '../../support/eventually.ts';
import { type Receiver, startReceiver } from '../../support/receivers/receiver.ts';
import { ok, status } from '../../support/receivers/receiver-behaviour.ts';

/** An endpoint is down, events come, its attempts are used up, and it is back: what it missed comes by one outage. */

/** Seconds in the place of minutes. */
const RULES: Partial<OutageRules> = {
  missedForMs: 500,
  backForMs: 1_500,
  settlesForMs: 200,
  triesAfterMs: 500,
  triesAtMostAfterMs: 1_000,
  looksEveryMs: 200,
  canary: { count: 25, maxFailurePercent: 10 },
  ramp: { startPerSecond: 50, everySeconds: 1 },
};

/** The same where no canary holds: one of which three are on the wire when a worker dies has done badly. */
const BOLD = { ...RULES, canary: { count: 25, maxFailurePercent: 100 } };

// biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
type Shown = any;

/** More of them by hand: EVENTS=5000. */
const EVENTS = Number(process.env.EVENTS ?? 500);

/** Two attempts, and little time for them. */
const IMPATIENT = { retry: { maxAttempts: 2, initialMs: 50, factor: 1, capMs: 50 }, giveUpAfterMs: 2_000 };

const others: Receiver[] = [];
afterEach(() => Promise.all(others.splice(0).map((receiver) => receiver.close())));

/** The outages of the endpoint of a scene, over the API. */
function outagesOf(engine: TestEngine, it: Scene) {
  const { key } = it.tenant;
  const get = async (path: string): Promise<Shown> =>
    (await engine.client.expect(200, 'GET', path, { key })).body;
  const endpointId: string = it.endpoints[0].id;
  const list = async (): Promise<Shown[]> => (await get(`/api/v1/outages?endpointIds=${endpointId}`)).items;
  return {
    get,
    list,
    show: async (): Promise<Shown> => get((await list())[0].links.self),
    /** Waits until its one outage is in a state. */
    async is(state: string, withinMs = 30_000): Promise<Shown> {
      let seen: Shown[] = [];
      await eventually(
        `its one outage is ${state}`,
        async () => {
          seen = await list();
          if (seen.length > 1) throw new Error(`there are ${seen.length} outages`);
          return seen[0]?.state === state;
        },
        { withinMs, otherwise: () => JSON.stringify(seen) },
      );
      return get(seen[0].links.self);
    },
    /** Accepts so many events. */
    async send(count: number): Promise<void> {
      for (let left = count; left > 0; left -= 500)
        await engine.client.expect(202, 'POST', '/api/v1/events', {
          key,
          body: Array.from({ length: Math.min(left, 500) }, (_, n) => ({
            type: 'night.event',
            payload: { n },
          })),
        });
    },
    switch: (how: 'enable' | 'disable') =>
      engine.client.expect(200, 'POST', `/api/v1/endpoints/${endpointId}/${how}`, { key }),
    /** Waits until so many of its deliveries are in a state. */
    async are(count: number, state: string, withinMs = 30_000): Promise<void> {
      let found = 0;
      await eventually(
        `${count} deliveries are ${state}`,
        async () => {
          found = (await it.ids(`state = '${state}'`)).length;
          return found === count;
        },
        { withinMs, otherwise: () => `${found}` },
      );
    },
    /** The plan that the recovery has led to, once it is made. */
    async plan(): Promise<Shown> {
      let seen: Shown;
      await eventually('the plan is made', async () => {
        const made = (await this.show()).operations.find((each: Shown) => each.madeByRecovery);
        seen = made && (await get(`/api/v1/retries/plans/${made.planId}`));
        return seen !== undefined && seen.plannedAt !== null;
      });
      return seen;
    },
    async planned(plan: Shown): Promise<string[]> {
      const { rows } = await engine.database.pool.query(
        'select unnest(ids) as id from plan_pages where operation_id = $1 order by 1',
        [uuidIn('operation', plan.operationId)],
      );
      return rows.map((row) => row.id);
    },
    execute: (plan: Shown) =>
      engine.client.expect(202, 'POST', plan.links.execute, { key, body: { planHash: plan.planHash } }),
  };
}

/** That each delivery of a scene was taken by these receivers exactly once, where they took it. */
async function onceEach(it: Scene, receivers: Receiver[]): Promise<void> {
  const took = receivers.flatMap(({ requests }) => requests.filter(({ answered }) => answered === 200));
  expect(took.length).toBe((await it.ids()).length);
  expect(new Set(took.map(({ id }) => id)).size).toBe(took.length);
  expect(await it.ids(`state <> 'delivered'`)).toEqual([]);
}

describe('an endpoint', () => {
  const engine = useEngine({ checked: true, sizes: { outages: RULES } });
  const scene = useScenes(engine);

  test('that dies while events come has one outage, a plan of exactly what is left of it, and gets everything once', async () => {
    const it = await scene([ok], IMPATIENT);
    const outages = outagesOf(engine, it);
    await outages.send(5);
    await outages.are(5, 'delivered');
    const port = it.receivers[0]?.port ?? 0;
    const before = it.receivers[0] as Receiver;
    await before.close();
    await outages.send(EVENTS);
    const open = await outages.is('open');
    // Whichever is first: on a busy machine half a second without a delivery comes before enough failures in a row.
    expect(['circuit_open', 'not_delivered']).toContain(open.cause);
    expect(open.onRecovered).toBeNull();
    await outages.are(EVENTS, 'failed', 60_000);
    const back = await startReceiver(ok, { port });
    others.push(back);
    const recovered = await outages.is('recovered');
    expect(recovered).toMatchObject({ openings: 1, onRecovered: 'propose' });
    const plan = await outages.plan();
    expect(plan).toMatchObject({
      state: 'planned',
      requestedBy: 'redrive',
      options: { canary: RULES.canary, ramp: RULES.ramp, giveUpAfterMs: 86_400_000 },
    });
    // One delivery was the trial that showed that it is back.
    expect(back.requests).toHaveLength(1);
    expect(await outages.planned(plan)).toEqual(await it.ids(`state = 'failed'`));
    expect(plan.count).toEqual({ items: EVENTS - 1, basis: 'exact', sends: EVENTS - 1 });
    await outages.execute(plan);
    expect(await it.retries.ended(plan.operationId, 60_000)).toMatchObject({
      state: 'completed',
      counts: { expected: EVENTS - 1, delivered: EVENTS - 1 },
    });
    expect(await outages.is('closed')).toMatchObject({
      endedFor: 'nothing_left',
      deliveries: { byState: { delivered: EVENTS, failed: 0 } },
    });
    await onceEach(it, [before, back]);
  });

  test('that answers 500 to everything has an outage, too, and a plan that runs with its canary where that is asked for', async () => {
    const it = await scene([status(500)], { ...IMPATIENT, onRecovered: 'run' });
    const outages = outagesOf(engine, it);
    // Before the rest comes, 20 in a row over half a second.
    await eventually('it is open', async () => {
      await outages.send(10);
      return (await outages.list()).length > 0;
    });
    expect(await outages.is('open')).toMatchObject({ cause: 'not_delivered' });
    await outages.send(200);
    const all = (await it.ids()).length;
    await outages.are(all, 'failed');
    it.receivers[0]?.switchTo(ok);
    const ended = await outages.is('closed', 60_000);
    const [run] = ended.operations;
    expect(run).toMatchObject({ madeByRecovery: true });
    const { state, options, counts, controls } = await it.retries.ended(run.operationId);
    expect(state).toBe('completed');
    expect(options).toMatchObject({ canary: RULES.canary, ramp: RULES.ramp });
    expect(counts).toMatchObject({ expected: all - 1, delivered: all - 1 });
    expect(controls).toMatchObject([{ did: 'execute', by: 'redrive' }]);
    await onceEach(it, it.receivers);
  });

  test('that answers 410 keeps what comes until it is enabled', async () => {
    const it = await scene([status(410)], { ...IMPATIENT, onRecovered: 'run' });
    const outages = outagesOf(engine, it);
    await outages.send(1);
    expect(await outages.is('open')).toMatchObject({ cause: 'gone' });
    await outages.send(300);
    expect(await outages.show()).toMatchObject({
      missedWhileDisabled: 300,
      deliveries: { byState: { failed: 1, ignored: 300 } },
    });
    it.receivers[0]?.switchTo(ok);
    await outages.switch('enable');
    const ended = await outages.is('closed', 60_000);
    expect(ended).toMatchObject({ openings: 1, operations: [{ madeByRecovery: true }] });
    await onceEach(it, it.receivers);
  });

  test('that an operator disables has what it missed proposed when it is enabled', async () => {
    const it = await scene([ok]);
    const listener = await startReceiver(ok);
    others.push(listener);
    await engine.client.newEndpoint(it.tenant.key, {
      url: listener.url('/told'),
      eventTypes: ['outage.opened', 'outage.recovered'],
    });
    const outages = outagesOf(engine, it);
    await outages.switch('disable');
    await outages.send(300);
    expect(await outages.is('open')).toMatchObject({ cause: 'disabled', missedWhileDisabled: 300 });
    await outages.switch('enable');
    await outages.is('recovered');
    const plan = await outages.plan();
    expect(plan.count).toMatchObject({ items: 300, sends: 300 });
    expect(it.sent()).toBe(0);
    await listener.waitFor(({ requests }) => requests.length === 2);
    const told = listener.requests.map(({ body }) => JSON.parse(body.toString()));
    const of = (type: string) => told.filter((each) => each.type === type).map(({ data }) => data);
    const { id: outageId } = await outages.show();
    expect(of('outage.opened')).toMatchObject([
      { outageId, endpointId: it.endpoints[0].id, cause: 'disabled' },
    ]);
    expect(of('outage.recovered')).toMatchObject([{ outageId, plan: plan.id }]);
    await outages.execute(plan);
    await outages.is('closed', 60_000);
    await onceEach(it, [...it.receivers, listener]);
  });

  test('that comes and goes has one outage until it stays', async () => {
    const it = await scene([status(500)], { ...IMPATIENT, onRecovered: 'run' });
    const outages = outagesOf(engine, it);
    const receiver = it.receivers[0] as Receiver;
    await eventually('it is open', async () => {
      await outages.send(10);
      return (await outages.list()).length > 0;
    });
    for (let n = 0; n < 6; n++) {
      receiver.switchTo(n % 2 === 0 ? ok : status(500));
      const answered = receiver.requests.length;
      await outages.send(20);
      await receiver.waitFor(({ requests }) => requests.length >= answered + 20);
      await outages.send(5);
    }
    receiver.switchTo(ok);
    await outages.send(50);
    const ended = await outages.is('closed', 60_000);
    expect(ended.cause).toBe('not_delivered');
    await onceEach(it, it.receivers);
  });

  test('of which nothing is to be recovered is told apart from one that was never down', async () => {
    // Time enough for all of them on a busy machine, where some would be given up.
    const it = await scene([ok], { retry: IMPATIENT.retry });
    const outages = outagesOf(engine, it);
    await outages.send(50);
    await outages.are(50, 'delivered');
    expect(await outages.list()).toEqual([]);
    const { rows } = await engine.database.pool.query(
      'select missed, missed_from, outage_id from endpoint_pacing where endpoint_id = $1',
      [uuidIn('endpoint', it.endpoints[0].id)],
    );
    expect(rows).toEqual([{ missed: 0, missed_from: null, outage_id: null }]);
  });
});

describe('a worker that dies during a recovery', () => {
  const engine = useEngine({ roles: { api: true, worker: false } });
  const scene = useScenes(engine);

  test('leaves neither two plans nor none, and everything comes once', async () => {
    const it = await scene([ok], { ...IMPATIENT, onRecovered: 'run' });
    const outages = outagesOf(engine, it);
    await outages.switch('disable');
    await outages.send(400);
    await outages.switch('enable');
    const workers: ChildScript[] = [];
    const start = async () => workers.push(await startWorkerProcess(engine, { outages: BOLD }));
    const kill = async () => {
      const last = workers.at(-1);
      last?.process.kill('SIGKILL');
      await last?.ended;
    };
    try {
      await start();
      await eventually('it is back', async () => (await outages.list())[0].state === 'recovered');
      await kill();
      await start();
      await eventually('its plan is under way', () => it.sent() > 30, {
        withinMs: 60_000,
        otherwise: () => `${it.sent()} were sent`,
      });
      await kill();
      await start();
      const ended = await outages.is('closed', 90_000);
      expect(ended.operations).toMatchObject([{ madeByRecovery: true }]);
      const [{ operationId }] = ended.operations;
      expect(await it.retries.ended(operationId)).toMatchObject({
        state: 'completed',
        counts: { delivered: 400 },
      });
      expect(await it.ids(`state <> 'delivered'`)).toEqual([]);
      // What was on the wire when a worker died may come twice, with the same id; nothing else does.
      const lost = await engine.database.pool.query(
        `select count(*)::int as n from attempts where fault_code = 'lease_lost'`,
      );
      expect(it.sent()).toBeLessThanOrEqual(400 + lost.rows[0].n);
      expect(it.receivers[0]?.maxOverlap).toBe(1);
    } finally {
      await kill();
    }
  });
});
