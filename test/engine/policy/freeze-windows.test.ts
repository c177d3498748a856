import { describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { uuidIn } from '../../support/api/retries.ts';
import { ALL_FAILURES, type Scene } from '../../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { patient } from '../../support/patience.ts';
import { ok, slow, status } from '../../support/receivers/receiver-behaviour.ts';
import { type Freeze, freeze } from '../../support/store/freeze.ts';

/** Operations that meet a freeze window: they wait for its end, and go on by themselves. */

const engine = useEngine();
const scene = useScenes(engine);

/** Longer than a slice waits, so that the operation itself does; and than a busy machine needs to look at it. */
const LASTS_SECONDS = 6 + patient(1_500) / 1_000;

const hold = (it: Scene, span: Freeze = {}) =>
  freeze(engine.database.pool, uuidIn('tenant', it.tenant.id), { toSeconds: LASTS_SECONDS, ...span });

const endpointId = (it: Scene, index: number): Id<'endpoint'> => uuidIn('endpoint', it.endpoints[index].id);

/** Waits until an operation waits for the end of its window, and returns it as it is shown then. */
async function waits(it: Scene, id: string) {
  // biome-ignore lint/suspicious/noExplicitAny: operations as they are shown
  let shown: any;
  await eventually('it waits for the end of the window', async () => {
    shown = await it.retries.show(id);
    return shown.nextEvent.what === 'window_ends' && shown.counts.sending === 0;
  });
  return shown;
}

/** Attempts of an operation that began before a time. */
async function attemptsBefore(operationId: string, at: Date): Promise<number> {
  const { rows } = await engine.database.pool.query(
    `select count(*)::int as n from attempts a join executions e on e.id = a.execution_id
     where e.operation_id = $1 and a.started_at < $2`,
    [uuidIn('operation', operationId), at],
  );
  return rows[0].n;
}

async function firstAttemptAfter(operationId: string, endsAt: Date): Promise<number> {
  const { rows } = await engine.database.pool.query(
    `select (extract(epoch from min(a.started_at) - $2) * 1000)::float8 as ms from attempts a
     join executions e on e.id = a.execution_id where e.operation_id = $1 and a.started_at >= $2`,
    [uuidIn('operation', operationId), endsAt],
  );
  return rows[0].ms;
}

describe('an operation that meets a window', () => {
  test('under way waits with its end, and goes on then with nobody telling it to', async () => {
    const it = await scene([ok]);
    await it.seed(300);
    const { id } = await it.retries.start({ ...ALL_FAILURES, options: { ratePerSecond: 40 } });
    await eventually('it is under way', () => it.sent() >= 20);
    const endsAt = await hold(it, { fromSeconds: 0 });
    const shown = await waits(it, id);
    const before = await attemptsBefore(id, endsAt);
    expect(shown).toMatchObject({
      state: 'running',
      control: 'run',
      waitingFor: [{ what: 'freeze_window', until: endsAt.toISOString() }],
    });
    expect(Math.abs(Date.parse(shown.nextEvent.at) - endsAt.getTime())).toBeLessThan(1_000);
    const [item] = await it.retries.items(id, 'queued');
    expect(item.waitingFor).toEqual([{ what: 'freeze_window', until: endsAt.toISOString() }]);
    expect(it.sent()).toBeLessThan(300);
    expect(await it.retries.ended(id)).toMatchObject({ state: 'completed', counts: { delivered: 300 } });
    expect(await attemptsBefore(id, endsAt)).toBe(before);
    const late = await firstAttemptAfter(id, endsAt);
    expect(late).toBeLessThan(patient(2_000));
    expect(it.sent()).toBe(300);
  });

  test('for one of its endpoints goes on at the others', async () => {
    const it = await scene([ok, ok]);
    await it.seed(60);
    const endsAt = await hold(it, { endpointId: endpointId(it, 1) });
    const { id } = await it.retries.start(ALL_FAILURES);
    await eventually('the other is done', () => it.receivers[0]?.requests.length === 30);
    await waits(it, id);
    expect(it.receivers[1]?.requests).toHaveLength(0);
    expect(await it.retries.ended(id)).toMatchObject({ counts: { delivered: 60 } });
    expect(await firstAttemptAfter(id, endsAt)).toBeGreaterThanOrEqual(0);
  });

  test('keeps nobody else waiting: first deliveries and a single retry go out meanwhile', async () => {
    const it = await scene([ok]);
    await it.seed(20);
    const endsAt = await hold(it);
    const { id } = await it.retries.start(ALL_FAILURES);
    await waits(it, id);
    const [first] = await it.ids();
    const single = await it.retries.start({ select: { deliveryIds: [first] } });
    expect(await it.retries.ended(single.id)).toMatchObject({ counts: { delivered: 1 } });
    await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: it.tenant.key,
      body: { type: 'test.made', payload: {} },
    });
    await eventually('both were delivered', () => it.sent() === 2);
    expect(Date.now()).toBeLessThan(endsAt.getTime());
    expect(await it.retries.ended(id)).toMatchObject({
      state: 'completed',
      counts: { delivered: 19, superseded: 1 },
    });
    expect(await attemptsBefore(id, endsAt)).toBe(0);
    expect(it.sent()).toBe(21);
  });

  test('with a canary out has the canary judged by what came back, and sends no more before the end', async () => {
    const it = await scene([slow(1_000), ok]);
    await it.seed(100);
    const { id } = await it.retries.start({
      ...ALL_FAILURES,
      options: { canary: { count: 5, maxFailurePercent: 0 } },
    });
    await eventually('both canaries are out', () => it.sent() >= 5);
    const endsAt = await hold(it);
    await waits(it, id);
    const before = await attemptsBefore(id, endsAt);
    expect(await it.retries.ended(id)).toMatchObject({ counts: { delivered: 100 }, halt: null });
    expect(before).toBeLessThan(100);
    expect(await attemptsBefore(id, endsAt)).toBe(before);
  });

  test('has its items given up by the time that is left to them after the window', async () => {
    const it = await scene([status(503)], {
      protect: false,
      retry: { maxAttempts: 50, initialMs: 200, factor: 1, capMs: 200 },
    });
    await it.seed(10);
    const endsAt = await hold(it);
    const { id } = await it.retries.start({ ...ALL_FAILURES, options: { giveUpAfterMs: 3_000 } });
    await waits(it, id);
    await eventually('its time to give up would be over', () =>
      Promise.resolve(Date.now() > endsAt.getTime() - 2_000),
    );
    expect(await it.retries.show(id)).toMatchObject({ counts: { queued: 10 } });
    const ended = await it.retries.ended(id);
    expect(ended).toMatchObject({ counts: { failed: 10 } });
    const { rows } = await engine.database.pool.query(
      `select min(attempts) as attempts, min(finished_at) > $2 as after from executions where operation_id = $1`,
      [uuidIn('operation', id), endsAt],
    );
    expect(rows[0].after).toBe(true);
    // Given up at the end of the window they would have none; how many there is time for is up to the machine.
    expect(rows[0].attempts).toBeGreaterThan(0);
  });
});
