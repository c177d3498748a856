import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { uuidIn } from '../support/api/retries.ts';
import { ALL_FAILURES, type Scene } from '../support/engine/recovery-scene.ts';
import { connectTestTemporal, type TemporalClient } from '../support/engine/temporal-client.ts';
import { useEngine, useScenes } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { patient } from '../support/patience.ts';
import { ok, retryAfter, slow, status } from '../support/receivers/receiver-behaviour.ts';

/** Each reason for waiting is shown by its name, and deliveries go on at once when an operator lifts it. */

const engine = useEngine();
let temporal: TemporalClient;
const scene = useScenes(engine);

beforeAll(async () => {
  temporal = await connectTestTemporal();
});
afterAll(async () => {
  await temporal.close();
});

type Verb = 'enable' | 'disable';

async function turn(it: Scene, verb: Verb, index = 0) {
  const path = `/api/v1/endpoints/${it.endpoints[index].id}/${verb}`;
  return (await engine.client.expect(200, 'POST', path, { key: it.tenant.key })).body;
}

async function endpointOf(it: Scene, index = 0) {
  const path = `/api/v1/endpoints/${it.endpoints[index].id}`;
  return (await engine.client.expect(200, 'GET', path, { key: it.tenant.key })).body;
}

async function nothingOnItsWay(): Promise<void> {
  await eventually('all that was on its way has ended', async () => {
    const { rows } = await engine.database.pool.query('select count(*)::int as claims from claims');
    return rows[0].claims === 0;
  });
}

const reasons = (waits: { what: string }[]): string[] => waits.map(({ what }) => what);

/** Tried again and again, with waits that are long enough to be seen. */
const again = {
  protect: false,
  retry: { maxAttempts: 50, initialMs: patient(1_000), factor: 1, capMs: patient(1_000) },
};

describe('an item at an endpoint that is disabled', () => {
  test('waits for it to be enabled, and is delivered then', async () => {
    const it = await scene([slow(100), ok]);
    await it.seed(600);
    const { id } = await it.retries.start(ALL_FAILURES);
    await eventually('it is under way', () => (it.receivers[0]?.requests.length ?? 0) >= 40);
    const { waitingItems, waitingFor, state } = await turn(it, 'disable');
    expect({ state, waitingFor }).toEqual({ state: 'disabled', waitingFor: [{ what: 'endpoint_disabled' }] });
    expect(waitingItems).toEqual([{ operationId: id, items: expect.any(Number) }]);
    expect(waitingItems[0].items).toBeGreaterThan(100);
    await nothingOnItsWay();
    await eventually('it waits, with a time', async () => {
      const { nextEvent } = await it.retries.show(id);
      return nextEvent.what === 'due';
    });
    const shown = await it.retries.show(id);
    expect(shown).toMatchObject({ state: 'running', counts: { ignored: 0 } });
    expect(reasons(shown.waitingFor)).toEqual(['endpoint_disabled']);
    const [item] = await it.retries.items(id, 'queued');
    expect(item.waitingFor).toEqual([{ what: 'endpoint_disabled', until: shown.waitingFor[0].until }]);
    const { rows } = await engine.database.pool.query(
      `select abs(extract(epoch from $1::timestamptz - disabled_at - interval '15 minutes')) < 0.001 as patience,
         abs(extract(epoch from $2::timestamptz - disabled_at - interval '15 minutes')) < 5 as next
       from endpoints where id = $3`,
      [shown.waitingFor[0].until, shown.nextEvent.at, uuidIn('endpoint', it.endpoints[0].id)],
    );
    expect(rows).toEqual([{ patience: true, next: true }]);
    const before = it.receivers[0]?.requests.length ?? 0;
    await turn(it, 'enable');
    expect(await it.retries.ended(id)).toMatchObject({
      state: 'completed',
      counts: { delivered: 600, ignored: 0 },
    });
    expect(before).toBeLessThan(300);
    expect(it.sent()).toBe(600);
  });

  test('is ignored, with the reason, when the patience of its operation ends', async () => {
    const it = await scene([status(503)], again);
    await it.seed(10);
    const { id } = await it.retries.start({ ...ALL_FAILURES, options: { disabledPatienceMs: 1_500 } });
    await eventually('all wait', async () => (await it.retries.show(id)).counts.scheduled === 10);
    expect((await turn(it, 'disable')).waitingItems).toEqual([{ operationId: id, items: 10 }]);
    expect(await it.retries.ended(id)).toMatchObject({ counts: { ignored: 10 } });
    const items = await it.retries.items(id, 'ignored');
    expect(items[0]).toMatchObject({ reason: 'endpoint_disabled', waitingFor: [] });
    const { rows } = await engine.database.pool.query(
      `select min(e.finished_at - n.disabled_at) >= interval '1500 milliseconds' as patient
       from executions e join endpoints n on n.id = e.endpoint_id where e.operation_id = $1`,
      [uuidIn('operation', id)],
    );
    expect(rows).toEqual([{ patient: true }]);
  });

  test.each([['enable'], ['patience']] as const)(
    'belongs to its operation where the live lane sends it, and sees the end of its wait: %s',
    async (end) => {
      const it = await scene([status(503)], again);
      await it.seed(3);
      const options = { disabledPatienceMs: end === 'enable' ? 900_000 : 4_000 };
      const { id, workflowId } = await it.retries.start({
        select: { deliveryIds: await it.ids() },
        options,
      });
      await eventually('all wait', async () => (await it.retries.show(id)).counts.scheduled === 3);
      await turn(it, 'disable');
      await eventually('the live lane has handed it over', async () => {
        const { rows } = await engine.database.pool.query(
          'select count(*)::int as items from executions where operation_id = $1 and worked_by = $1',
          [uuidIn('operation', id)],
        );
        return rows[0].items === 3;
      });
      const [item] = await it.retries.items(id);
      expect(reasons(item.waitingFor)).toContain('endpoint_disabled');
      it.receivers[0]?.switchTo(ok);
      if (end === 'enable') await turn(it, 'enable');
      expect(await it.retries.ended(id)).toMatchObject({
        counts: end === 'enable' ? { delivered: 3 } : { ignored: 3 },
      });
      expect(await temporal.restlessSteps(workflowId)).toBeLessThan(10);
    },
  );

  test('is ignored at once when the endpoint is deleted', async () => {
    const it = await scene([status(503)], again);
    await it.seed(20);
    const { id } = await it.retries.start(ALL_FAILURES);
    await eventually('all wait', async () => (await it.retries.show(id)).counts.scheduled === 20);
    await turn(it, 'disable');
    await eventually('it waits', async () => (await it.retries.show(id)).nextEvent.what === 'due');
    await engine.client.expect(204, 'DELETE', `/api/v1/endpoints/${it.endpoints[0].id}`, {
      key: it.tenant.key,
    });
    expect(await it.retries.ended(id)).toMatchObject({ counts: { ignored: 20 } });
    expect((await it.retries.items(id))[0]).toMatchObject({ reason: 'endpoint_deleted' });
  });
});

test('deliveries that a Retry-After holds back are named and counted, and go on as soon as the endpoint is enabled', async () => {
  const it = await scene([retryAfter(3_600)], {
    retry: { maxAttempts: 5, initialMs: 50, factor: 1, capMs: 50 },
  });
  await it.seed(300);
  const { id } = await it.retries.start(ALL_FAILURES);
  await eventually('it is asked to wait', async () =>
    reasons((await endpointOf(it)).waitingFor).includes('retry_after'),
  );
  await nothingOnItsWay();
  await eventually('the operation waits', async () => (await it.retries.show(id)).nextEvent.what === 'due');
  const endpoint = await endpointOf(it);
  expect(endpoint).toMatchObject({ circuit: 'closed', waiting: { deliveries: 300, more: false } });
  const [floor] = endpoint.waitingFor;
  const [queued] = await it.retries.items(id, 'queued');
  expect(queued.waitingFor).toContainEqual(floor);
  const delivery = `/api/v1/deliveries/${queued.deliveryId}`;
  expect((await engine.client.expect(200, 'GET', delivery, { key: it.tenant.key })).body).toMatchObject({
    waitingFor: queued.waitingFor,
    executions: [{ waitingFor: [] }, { waitingFor: queued.waitingFor }],
  });
  expect(reasons((await it.retries.show(id)).waitingFor)).toContain('retry_after');
  it.receivers[0]?.switchTo(ok);
  const enabled = await turn(it, 'enable');
  expect(enabled).toMatchObject({ state: 'enabled', circuit: 'closed', waitingFor: [] });
  expect(await it.retries.ended(id)).toMatchObject({ state: 'completed', counts: { delivered: 300 } });
});
