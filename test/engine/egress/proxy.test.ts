import { expect, test } from '@jest/globals';
import { startService } from '../../../src/service.ts';
import { uuidIn } from '../../support/api/retries.ts';
import { createTestClient } from '../../support/api/test-client.ts';
import { ALL_FAILURES } from '../../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { metricsAt, sampleOf } from '../../support/metrics.ts';
import { TIME_TO_ANSWER_MS } from '../../support/patience.ts';
import { type ForwardProxy, startForwardProxy } from '../../support/receivers/forward-proxy.ts';
import { startReceiver } from '../../support/receivers/receiver.ts';
import { ok } from '../../support/receivers/receiver-behaviour.ts';
import { closedAfterEach } from '../../support/use.ts';

const engine = useEngine({ checked: true, roles: { api: true, worker: false } });
const closing = closedAfterEach();
const scene = useScenes(engine);

async function servingBy(proxy: ForwardProxy) {
  const service = await startService({
    ...engine.options,
    roles: { api: true, worker: true },
    config: { ...engine.options.config, egressProxy: proxy.url() },
  });
  closing({ close: () => service.stop() });
  return service;
}

const failuresAt = async (url: string | undefined) =>
  sampleOf(await metricsAt(url), 'redrive_egress_proxy_failures_total') ?? 0;

test('a bulk that is watched waits for a proxy that refuses: no canary of it fails, and it is not halted', async () => {
  let refused = true;
  const proxy = closing(await startForwardProxy({ refuse: () => (refused ? 407 : undefined) }));
  const it = await scene([ok]);
  await it.seed(60);
  const service = await servingBy(proxy);
  const options = { canary: { count: 2, maxFailurePercent: 0 }, haltAtFailurePercent: 1 };
  const { id } = await it.retries.start({ ...ALL_FAILURES, options });
  // Each of its canary more than once: what was kept back has its place again.
  await eventually('its canary is refused', async () => (await failuresAt(service.url)) >= 4);
  expect(await it.retries.show(id)).toMatchObject({ state: 'running', halt: null });
  refused = false;
  expect(await it.retries.ended(id)).toMatchObject({ counts: { delivered: 60 }, halt: null });
});

test('a proxy that refuses is counted and no fault of the endpoint, which gets its event when it no longer does', async () => {
  let refused = true;
  const proxy = closing(await startForwardProxy({ refuse: () => (refused ? 407 : undefined) }));
  const service = await servingBy(proxy);
  const client = await createTestClient(service.url ?? '', engine.adminKey);
  const receiver = closing(await startReceiver());
  const { key } = await client.newTenant('by-proxy');
  const endpoint = await client.newEndpoint(key, {
    url: receiver.url('/hook'),
    timeoutMs: TIME_TO_ANSWER_MS,
    retry: { maxAttempts: 1 },
  });
  // More than the refusals that open a circuit.
  const EVENTS = 30;
  for (let n = 0; n < EVENTS; n++)
    await client.expect(202, 'POST', '/api/v1/events', { key, body: { type: 'paid', payload: { n } } });
  await eventually('each was refused', async () => (await failuresAt(service.url)) >= EVENTS);
  const { body } = await client.call('GET', `/api/v1/endpoints/${endpoint.id}`, { key });
  expect(body.circuit).toBe('closed');
  refused = false;
  await receiver.waitFor(({ requests }) => requests.length === EVENTS);
  const { rows } = await engine.database.pool.query(
    `select distinct a.fault_code from attempts a join executions e on e.id = a.execution_id
     where e.endpoint_id = $1 and a.outcome <> 'delivered'`,
    [uuidIn('endpoint', endpoint.id)],
  );
  expect(rows).toEqual([{ fault_code: 'proxy_failed' }]);
});
