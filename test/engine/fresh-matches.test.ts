import { expect, test } from '@jest/globals';
import { PLATFORM_TENANT } from '../../src/store/tenancy/tenants.ts';
import { uuidIn } from '../support/api/retries.ts';
import { createScene } from '../support/engine/recovery-scene.ts';
import { useEngine, useTemporal } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { ok, slow } from '../support/receivers/receiver-behaviour.ts';
import { jackHenryAt } from '../support/surfaces/jack-henry.ts';
import { closedAfterEach } from '../support/use.ts';

const COUNT = 600;

const temporal = useTemporal();
const engine = useEngine({ checked: true });
const own = closedAfterEach();

/** Failures of one endpoint, and a second endpoint that never had them. */
async function scene() {
  const made = own(await createScene(engine, [slow(80)]));
  await made.seed(COUNT);
  const fresh = await engine.client.newEndpoint(made.tenant.key, { url: made.receivers[0]?.url('/fresh') });
  const api = jackHenryAt(engine.service.url ?? '', engine.adminKey);
  return { ...made, id: uuidIn('tenant', made.tenant.id), freshId: uuidIn('endpoint', fresh.id), api };
}

/** An operation of the platform, as an administrator sees and steers it. */
const platform = {
  headers: { 'redrive-tenant': PLATFORM_TENANT.handle },
  async show(id: string) {
    const asked = { key: engine.adminKey, headers: platform.headers };
    return (await engine.client.expect(200, 'GET', `/api/v1/retries/${id}`, asked)).body;
  },
  async control(id: string, verb: 'pause' | 'resume' | 'cancel') {
    const asked = { key: engine.adminKey, headers: platform.headers };
    return (await engine.client.expect(200, 'POST', `/api/v1/retries/${id}/${verb}`, asked)).body;
  },
  async ended(id: string) {
    await eventually('it has ended', async () => (await platform.show(id)).closedAt !== null, {
      withinMs: 40_000,
      otherwise: () => 'it is open',
    });
    const shown = await platform.show(id);
    const { expected, ...parts } = shown.counts as Record<string, number>;
    expect(Object.values(parts).reduce((sum, n) => sum + n, 0)).toBe(expected);
    return shown;
  },
};

test('first deliveries and retries of one operation are paused, resumed, sent once each and accounted for', async () => {
  const it = await scene();
  const id = await it.api.retry(`/${it.id}/retries/events`, {});
  await it.retries.reaches(id, ['running']);
  expect(await it.retries.control(id, 'pause')).toMatchObject({ state: 'paused' });
  await eventually('nothing is in flight', async () => (await it.retries.show(id)).counts.sending === 0);
  const sent = it.sent();
  await it.retries.control(id, 'resume');
  const ended = await it.retries.ended(id, 40_000);
  expect(ended).toMatchObject({ state: 'completed', counts: { expected: 2 * COUNT, delivered: 2 * COUNT } });
  expect(it.sent()).toBe(2 * COUNT);
  expect(sent).toBeLessThan(2 * COUNT);
  expect(await it.ids(`endpoint_id = '${it.freshId}' and state = 'delivered'`)).toHaveLength(COUNT);
  expect(await it.retries.report(id)).toMatchObject({
    counts: { expected: 2 * COUNT, delivered: 2 * COUNT },
  });
});

test('an operation of the platform is paused, revived after its run was terminated, and ends', async () => {
  const [one, two] = [await scene(), await scene()];
  const id = await one.api.retry('/retries/events', { institutionIds: [one.id, two.id] });
  await eventually('it sends', () => one.sent() + two.sent() > 0);
  await platform.control(id, 'pause');
  const { workflowId } = await platform.show(id);
  await temporal.handle(workflowId).terminate('by hand');
  await platform.control(id, 'resume');
  const ended = await platform.ended(id);
  expect(ended).toMatchObject({ state: 'completed', counts: { expected: 4 * COUNT, delivered: 4 * COUNT } });
  expect([one.sent(), two.sent()]).toEqual([2 * COUNT, 2 * COUNT]);
});

test('deliveries that a cancelled operation of the platform had not sent are free for the tenant to retry', async () => {
  const it = await scene();
  const id = await it.api.retry('/retries/events', { institutionIds: [it.id] });
  await eventually('it sends', () => it.sent() > 0);
  await platform.control(id, 'cancel');
  const ended = await platform.ended(id);
  expect(ended.state).toBe('cancelled');
  const delivered = ended.counts.delivered;
  it.receivers[0]?.switchTo(ok);
  const again = await it.retries.ended(await it.api.retry(`/${it.id}/retries/events`, {}), 40_000);
  expect(again.counts).toMatchObject({
    expected: 2 * COUNT,
    excluded: delivered,
    delivered: 2 * COUNT - delivered,
  });
  expect(it.sent()).toBe(2 * COUNT);
});
