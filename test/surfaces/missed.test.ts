import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { freezeNext } from '../../src/operations/freeze-selection.ts';
import { useApi } from '../support/api/use-api.ts';
import { seedEndpoint } from '../support/engine/failed-deliveries.ts';
import { createMinkaScene } from '../support/surfaces/minka-scene.ts';

/** Deliveries that a disabled endpoint missed can be had by every surface once it is enabled. */

const api = useApi();

type Missed = {
  tenant: { id: string; handle: string; key: string };
  endpointId: string;
  eventId: string;
  deliveryId: string;
};

/** How each surface is asked for it; the last call's status. */
const RETRIES: Record<string, (missed: Missed) => Promise<number>> = {
  native: ({ tenant: { key } }) =>
    statusOf(key, '/api/v1/retries', { select: { filter: { state: ['ignored'] } } }),
  'native, by its name': ({ tenant: { key } }) =>
    statusOf(key, '/api/v1/retries', { select: { eventIds: ['missed'] } }),
  'zen mesh': ({ tenant: { key, handle } }) =>
    statusOf(
      key,
      '/v1/replays',
      {
        source_id: 'shop',
        time_range: { since: '2020-01-01T00:00:00Z', until: '2126-01-01T00:00:00Z' },
      },
      { 'x-tenant-id': handle },
    ),
  'jack henry, raw': ({ tenant: { key, id } }) =>
    statusOf(key, `/a/api/enterprise-event/v1/${id}/retries/events`, {}),
  'jack henry, a subscription': ({ tenant: { key, id }, endpointId }) =>
    statusOf(key, `/a/api/enterprise-event/v1/${id}/retries/subscriptions/${api.uuid(endpointId)}`, {}),
  stedi: async ({ tenant: { key } }) =>
    (
      await api.call('POST', '/2023-08-01/executions/retry', {
        key: undefined,
        headers: { authorization: key },
        body: { condition: {} },
      })
    ).status,
  async flowrelay({ tenant: { key }, eventId }) {
    const headers = { 'idempotency-key': randomUUID() };
    const asked = async (path: string) =>
      api.call('POST', `/flowrelay/v1${path}`, { key, headers, body: {} });
    const preview = await asked(`/receipts/rcp_${eventId.slice(4)}/replay/preview`);
    const replayId = preview.body.replayId ?? preview.body.id;
    await asked(`/replays/${replayId}/confirm`);
    return (await asked(`/replays/${replayId}/execute`)).status;
  },
  async minka({ tenant }) {
    const scene = await createMinkaScene(api, tenant, 'unused');
    return (await scene.retry({ maxAge: 0 }, { bridge: 'missing' })).status;
  },
};

async function statusOf(key: string, path: string, body: object, more: Record<string, string> = {}) {
  const headers = { 'idempotency-key': randomUUID(), ...more };
  return (await api.call('POST', path, { key, headers, body })).status;
}

test.each(Object.keys(RETRIES))('by %s', async (surface) => {
  const { tenant, key } = await api.newTenant();
  const endpointId = await seedEndpoint(api, key, { handle: 'missing' });
  await api.call('POST', `/api/v1/endpoints/${endpointId}/disable`, { key });
  const { body } = await api.call('POST', '/api/v1/events', {
    key,
    body: { id: 'missed', type: 'a', source: 'shop', payload: 1 },
  });
  const show = async () => (await api.call('GET', `/api/v1/events/${body.eventId}`, { key })).body;
  const [delivery] = (await show()).deliveries;
  expect(delivery).toMatchObject({ state: 'ignored' });
  await api.call('POST', `/api/v1/endpoints/${endpointId}/enable`, { key });

  const status = await RETRIES[surface]?.({
    tenant: { id: tenant.id, handle: tenant.handle, key },
    endpointId,
    eventId: body.eventId,
    deliveryId: delivery.id,
  });
  expect(status).toBeLessThan(300);
  const { rows } = await api.database.pool.query('select id from operations where tenant_id = $1', [
    tenant.id,
  ]);
  for (const { id } of rows) while (await freezeNext(api.deps.pool, id));
  expect((await show()).deliveries).toMatchObject([{ id: delivery.id, state: 'pending' }]);
});
