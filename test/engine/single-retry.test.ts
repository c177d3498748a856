import { describe, expect, test } from '@jest/globals';
import { uuidIn } from '../support/api/retries.ts';
import { createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { startTestEngine } from '../support/engine/test-engine.ts';
import { useEngine, useTemporal } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { patient } from '../support/patience.ts';
import {
  type Behaviour,
  hang,
  held,
  ok,
  retryAfter,
  slow,
  status,
} from '../support/receivers/receiver-behaviour.ts';
import { startTcpProxy } from '../support/receivers/tcp-proxy.ts';
import { closedAfterEach } from '../support/use.ts';

const temporal = useTemporal();
const engine = useEngine();
const own = closedAfterEach();

async function scene(
  behaviour: Behaviour,
  endpoint: Record<string, unknown> = {},
  on = engine,
): Promise<Scene> {
  return own(await createScene(on, [behaviour], endpoint));
}

describe('a retry of one delivery', () => {
  test('is one operation and one workflow, and the workflow is closed afterwards', async () => {
    const it = await scene(ok);
    await it.seed(1);
    const [deliveryId] = await it.ids();
    const accepted = await it.retries.start({ select: { deliveryIds: [deliveryId] }, reason: 'asked for' });
    expect(accepted.items).toEqual([
      {
        deliveryId: expect.stringMatching(/^dlv_/),
        became: 'queued',
        executionId: expect.stringMatching(/^exe_/),
      },
    ]);
    const ended = await it.retries.ended(accepted.id);
    expect(ended).toMatchObject({ state: 'completed', counts: { expected: 1, delivered: 1 } });
    expect(it.sent()).toBe(1);
    expect(it.receivers[0]?.requests[0]).toMatchObject({ id: accepted.items[0].deliveryId });
    await eventually('its run is closed', async () => {
      const { status: run } = await temporal.handle(accepted.workflowId).describe();
      return run.name === 'COMPLETED';
    });
    expect(await temporal.runsOf(accepted.workflowId)).toBe(1);
    const { rows } = await engine.database.pool.query('select id from operations where tenant_id = $1', [
      uuidIn('tenant', it.tenant.id),
    ]);
    expect(rows).toHaveLength(1);
  });

  test('is on the wire at once', async () => {
    const it = await scene(ok);
    await it.seed(10);
    const waits: number[] = [];
    for (const [n, deliveryId] of (await it.ids()).entries()) {
      const since = Date.now();
      await it.retries.start({ select: { deliveryIds: [deliveryId] } });
      await it.receivers[0]?.waitFor(({ requests }) => requests.length === n + 1);
      waits.push((it.receivers[0]?.requests.at(-1)?.at ?? 0) - since);
    }
    // The median: tens of milliseconds are asked for, and a busy machine may lose one.
    expect(waits.sort((a, b) => a - b)[5]).toBeLessThan(patient(500));
  });

  test.each(['eventIds', 'executionIds'])('can be named by %s', async (by) => {
    const it = await scene(ok);
    await it.seed(1);
    const column = by === 'eventIds' ? 'd.event_id' : 'e.id';
    const { rows } = await engine.database.pool.query(
      `select ${column} as id from deliveries d join executions e on e.delivery_id = d.id where d.tenant_id = $1`,
      [uuidIn('tenant', it.tenant.id)],
    );
    const { id } = await it.retries.start({ select: { [by]: [rows[0].id] } });
    expect(await it.retries.ended(id)).toMatchObject({ counts: { expected: 1, delivered: 1 } });
  });

  test('joins an execution that is being sent elsewhere, and names it', async () => {
    const receiver = held();
    const it = await scene(receiver);
    await it.seed(1);
    const select = { deliveryIds: await it.ids() };
    const first = await it.retries.start({ select });
    await it.receivers[0]?.waitFor(({ requests }) => requests.length === 1);
    const second = await it.retries.start({ select, options: { takeOverScheduled: true } });
    expect(second.items).toMatchObject([
      {
        deliveryId: first.items[0].deliveryId,
        became: 'excluded',
        reason: 'coalesced',
        joinedExecutionId: first.items[0].executionId,
      },
    ]);
    receiver.release(ok);
    expect(await it.retries.ended(second.id)).toMatchObject({ state: 'completed', counts: { excluded: 1 } });
    expect(await it.retries.ended(first.id)).toMatchObject({ counts: { delivered: 1 } });
    expect(it.sent()).toBe(1);
  });

  test('takes the place of an automatic one that waits, where it is to', async () => {
    const it = await scene(status(500), { retry: { maxAttempts: 5, initialMs: 600_000, capMs: 600_000 } });
    await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: it.tenant.key,
      body: { type: 'a.b', payload: 1 },
    });
    await eventually('it waits to be tried again', async () => {
      const { rows } = await engine.database.pool.query(
        `select from executions where tenant_id = $1 and state = 'scheduled'`,
        [uuidIn('tenant', it.tenant.id)],
      );
      return rows.length === 1;
    });
    it.receivers[0]?.switchTo(ok);
    const select = { deliveryIds: await it.ids() };
    const joining = await it.retries.start({ select });
    expect(joining.items[0]).toMatchObject({ became: 'excluded', reason: 'coalesced' });
    const taking = await it.retries.start({ select, options: { takeOverScheduled: true } });
    expect(taking.items[0]).toMatchObject({
      became: 'queued',
      supersededExecutionId: joining.items[0].joinedExecutionId,
    });
    expect(await it.retries.ended(taking.id)).toMatchObject({ counts: { delivered: 1 } });
    const sent = (name: string) => it.receivers[0]?.requests.map(({ headers }) => headers[name]);
    expect(sent('redrive-attempt')).toEqual(['1', '2']);
    expect(sent('redrive-execution-attempt')).toEqual(['1', '1']);
  });

  test('takes a delivery that a paused operation holds, where another bulk retry leaves it and says who holds it', async () => {
    const it = await scene(slow(50));
    await it.seed(400);
    const bulk = await it.retries.start({ select: { filter: {} } });
    await it.retries.reaches(bulk.id, ['running']);
    await it.retries.control(bulk.id, 'pause');
    await eventually(
      'nothing is in flight',
      async () => (await it.retries.show(bulk.id)).counts.sending === 0,
    );
    const held = await it.retries.items(bulk.id, 'queued');
    const select = { deliveryIds: [held.at(-1).deliveryId] };
    const many = { deliveryIds: held.slice(-20).map(({ deliveryId }) => deliveryId) };
    const refused = await it.retries.start({ select: many });
    for (const item of refused.items) expect(item).toMatchObject({ reason: 'held', heldBy: bulk.id });
    const single = await it.retries.start({ select });
    expect(single.items[0]).toMatchObject({
      became: 'queued',
      supersededExecutionId: held.at(-1).executionId,
    });
    expect(await it.retries.ended(single.id)).toMatchObject({ counts: { delivered: 1 } });
    await it.retries.control(bulk.id, 'resume');
    expect(await it.retries.ended(bulk.id)).toMatchObject({
      state: 'completed',
      counts: { expected: 400, delivered: 399, superseded: 1 },
    });
    expect(it.sent()).toBe(400);
  });

  test('waits for an endpoint that asked for a pause without looking again and again', async () => {
    const PAUSE_SECONDS = patient(3);
    const it = await scene(retryAfter(PAUSE_SECONDS));
    await it.seed(2);
    const [first, second] = await it.ids();
    await it.retries.ended((await it.retries.start({ select: { deliveryIds: [first] } })).id);
    it.receivers[0]?.switchTo(ok);
    const waiting = await it.retries.start({ select: { deliveryIds: [second] } });
    await eventually(
      'it waits until then',
      async () => (await it.retries.show(waiting.id)).nextEvent.what === 'due',
    );
    expect(await it.retries.ended(waiting.id)).toMatchObject({ counts: { delivered: 1 } });
    const [refused, sent] = it.receivers[0]?.requests.map(({ at }) => at) ?? [];
    expect((sent ?? 0) - (refused ?? 0)).toBeGreaterThanOrEqual(PAUSE_SECONDS * 1_000);
    expect(await temporal.restlessSteps(waiting.workflowId)).toBeLessThan(10);
  });

  test('that is cancelled in flight ends with its outcome, and looks for it without haste', async () => {
    const it = await scene(hang, { timeoutMs: 2_500 });
    await it.seed(1);
    const { id, workflowId } = await it.retries.start({ select: { deliveryIds: await it.ids() } });
    await it.receivers[0]?.waitFor(({ requests }) => requests.length === 1);
    expect(await it.retries.control(id, 'cancel')).toMatchObject({ state: 'closing', inFlight: 1 });
    const ended = await it.retries.ended(id);
    expect(ended).toMatchObject({ state: 'cancelled', counts: { expected: 1 } });
    expect(await temporal.restlessSteps(workflowId)).toBeLessThan(10);
  });

  test('is sent although the worker whose share the endpoint is has vanished', async () => {
    const ghost = 'ffffffff-ffff-7fff-bfff-ffffffffffff';
    await engine.database.pool.query(
      `insert into workers (id, host, pid, polling, seen_at) values ($1, 'ghost', 1, false, now() + interval '1 hour')`,
      [ghost],
    );
    try {
      const made = own(await createScene(engine, Array<Behaviour>(6).fill(ok)));
      await made.seed(6);
      await eventually('the ghost has its share', async () => {
        const { rows } = await engine.database.pool.query(
          `select from workers w, workers g where g.id = $1 and w.id <> g.id and w.seen_at > g.started_at + interval '200 ms'`,
          [ghost],
        );
        return rows.length === 1;
      });
      const select = { deliveryIds: await made.ids() };
      expect(await made.retries.ended((await made.retries.start({ select })).id, 6_000)).toMatchObject({
        counts: { delivered: 6 },
      });
    } finally {
      await engine.database.pool.query('delete from workers where id = $1', [ghost]);
    }
  });
});

describe('while Temporal is away', () => {
  test('it is sent all the same, and its operation closes when Temporal is back', async () => {
    const proxy = await startTcpProxy(process.env.REDRIVE_TEST_TEMPORAL_ADDRESS ?? '', { open: false });
    const cutOff = await startTestEngine({ temporal: { address: proxy.address } });
    try {
      const it = await scene(ok, {}, cutOff);
      await it.seed(2);
      const [first, second] = await it.ids();
      const before = await it.retries.start({ select: { deliveryIds: [first] } });
      await it.receivers[0]?.waitFor(({ requests }) => requests.length === 1);
      await eventually(
        'it is delivered',
        async () => (await it.retries.show(before.id)).counts.delivered === 1,
      );
      expect((await it.retries.show(before.id)).closedAt).toBeNull();
      const ready = await cutOff.client.call('GET', '/readyz');
      expect(ready.status).toBe(503);
      proxy.forward();
      expect(await it.retries.ended(before.id)).toMatchObject({ state: 'completed' });
      proxy.cut();
      const during = await it.retries.start({ select: { deliveryIds: [second] } });
      await it.receivers[0]?.waitFor(({ requests }) => requests.length === 2);
      await eventually(
        'it is delivered',
        async () => (await it.retries.show(during.id)).counts.delivered === 1,
      );
      proxy.forward();
      expect(await it.retries.ended(during.id)).toMatchObject({ state: 'completed' });
    } finally {
      await cutOff.close();
      await proxy.close();
    }
  });

  test('the service stops without having seen it', async () => {
    const proxy = await startTcpProxy(process.env.REDRIVE_TEST_TEMPORAL_ADDRESS ?? '', { open: false });
    const cutOff = await startTestEngine({ temporal: { address: proxy.address } });
    const since = performance.now();
    await cutOff.close();
    expect(performance.now() - since).toBeLessThan(patient(3_000));
    await proxy.close();
  });
});
