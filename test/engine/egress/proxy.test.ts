import { expect, test } from '@jest/globals';
import { startService } from '../../../src/service.ts';
import { createTestClient } from '../../support/api/test-client.ts';
import { useEngine } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { metricsAt, sampleOf } from '../../support/metrics.ts';
import { TIME_TO_ANSWER_MS } from '../../support/patience.ts';
import { startForwardProxy } from '../../support/receivers/forward-proxy.ts';
import { startReceiver } from '../../support/receivers/receiver.ts';
import { closedAfterEach } from '../../support/use.ts';

const engine = useEngine({ checked: true, roles: { api: true, worker: false } });
const closing = closedAfterEach();

test('a proxy that refuses is counted and no fault of the endpoint, which gets its event when it no longer does', async () => {
  let refused = true;
  const proxy = closing(await startForwardProxy({ refuse: () => (refused ? 403 : undefined) }));
  const service = await startService({
    ...engine.options,
    roles: { api: true, worker: true },
    config: { ...engine.options.config, egressProxy: proxy.url() },
  });
  closing({ close: () => service.stop() });
  const client = await createTestClient(service.url ?? '', engine.adminKey);
  const receiver = closing(await startReceiver());
  const { key } = await client.newTenant('by-proxy');
  const endpoint = await client.newEndpoint(key, {
    url: receiver.url('/hook'),
    timeoutMs: TIME_TO_ANSWER_MS,
    retry: { maxAttempts: 100, initialMs: 50, factor: 1, capMs: 50 },
  });
  await client.expect(202, 'POST', '/api/v1/events', { key, body: { type: 'paid', payload: {} } });
  const failures = async () =>
    sampleOf(await metricsAt(service.url), 'redrive_egress_proxy_failures_total') ?? 0;
  await eventually('more attempts are refused than open a circuit', async () => (await failures()) > 25);
  const { body } = await client.call('GET', `/api/v1/endpoints/${endpoint.id}`, { key });
  expect(body.circuit).toBe('closed');
  refused = false;
  await receiver.waitFor(({ requests }) => requests.length === 1);
  const { rows } = await engine.database.pool.query(
    `select distinct fault_code from attempts where outcome <> 'delivered'`,
  );
  expect(rows).toEqual([{ fault_code: 'proxy_failed' }]);
});
