import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Id } from '../../src/domain/tenancy/typed-id.ts';
import { useApi } from '../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../support/engine/failed-deliveries.ts';
import { sendItems } from '../support/store/send-items.ts';

const api = useApi();
let endpointId: string;

beforeAll(async () => {
  endpointId = await seedEndpoint(api);
});

const advice = async (id: string, key = api.key) =>
  (await api.call('GET', `/api/v1/deliveries/${id}/advice`, { key })).body;

async function failed(): Promise<string> {
  const [seeded] = await seedFailedDeliveries(api, 1);
  return seeded?.deliveryId ?? '';
}

/** A retry of a delivery alone, and what it became. */
async function retry(id: string) {
  const { body } = await api.call('POST', '/api/v1/retries', { body: { select: { deliveryIds: [id] } } });
  return body.items[0];
}

const rows = (sql: string, id: string) => api.database.pool.query(sql, [api.uuid(id)]);

describe('advice', () => {
  test('is to retry, and the retry is sent; then it is on its way, and then delivered', async () => {
    const id = await failed();
    expect(await advice(id)).toMatchObject({ step: 'fix_endpoint', faultCode: 'http_4xx' });
    await rows(`update deliveries set fault_code = 'http_5xx' where id = $1`, id);
    expect(await advice(id)).toEqual({
      deliveryId: id,
      state: 'failed',
      happened: 'Its receiver had an error of its own.',
      faultCode: 'http_5xx',
      mayHaveArrived: false,
      step: 'retry',
      why: expect.any(String),
      next: expect.stringContaining(id),
      retry: { fate: 'will_be_sent', reason: null },
      waitingFor: [],
    });
    expect((await retry(id)).became).toBe('queued');
    expect(await advice(id)).toMatchObject({ step: 'wait', retry: { fate: 'joins', reason: 'coalesced' } });
    await sendItems(api.database.pool, [api.uuid(endpointId)], () => 200);
    expect(await advice(id)).toMatchObject({
      state: 'delivered',
      happened: 'Its receiver has it.',
      step: 'none',
      retry: { fate: 'cannot', reason: 'already_delivered' },
    });
  });

  test('is to settle what nobody knows, and then to confirm what may have arrived', async () => {
    const id = await failed();
    await retry(id);
    await sendItems(api.database.pool, [api.uuid(endpointId)], () => 'timeout');
    expect(await advice(id)).toMatchObject({
      state: 'unknown',
      step: 'settle',
      mayHaveArrived: true,
      retry: { fate: 'waits', reason: 'outcome_unknown' },
    });
    await api.call('POST', `/api/v1/deliveries/${id}/resolve`, {
      body: { outcome: 'failed', confirm: true },
    });
    expect(await advice(id)).toMatchObject({ state: 'failed', step: 'confirm', faultCode: 'timeout' });
  });

  test('is to release what a paused operation holds', async () => {
    const id = await failed();
    const { body } = await api.call('POST', '/api/v1/retries', {
      body: { select: { deliveryIds: [id] }, options: { ratePerSecond: 1 } },
    });
    await api.call('POST', `/api/v1/retries/${body.id}/pause`);
    expect(await advice(id)).toMatchObject({
      step: 'release',
      next: expect.stringContaining(`${body.id}/resume`),
      waitingFor: expect.arrayContaining([expect.objectContaining({ what: 'pause' })]),
    });
  });

  test('is what the retry meets: of a payload that is gone, and at an endpoint that is disabled', async () => {
    const gone = await failed();
    await rows('delete from payloads where event_id = (select event_id from deliveries where id = $1)', gone);
    const disabled = await failed();
    await api.call('POST', `/api/v1/endpoints/${endpointId}/disable`);
    try {
      for (const [id, step] of [
        [gone, 'send_again'],
        [disabled, 'fix_endpoint'],
      ] as const) {
        const said = await advice(id);
        expect(said.step).toBe(step);
        expect((await retry(id)).reason).toBe(said.retry.reason);
      }
    } finally {
      await api.call('POST', `/api/v1/endpoints/${endpointId}/enable`);
    }
  });

  test('is for whoever may read it, of the tenant alone', async () => {
    const id = await failed();
    const other = await api.newTenant();
    const path = `/api/v1/deliveries/${id}/advice`;
    expect((await api.call('GET', path, { key: other.key })).status).toBe(404);
    const without = await api.newKey(api.tenant.id as Id<'tenant'>, ['write:deliveries']);
    expect((await api.call('GET', path, { key: without })).status).toBe(403);
    expect((await api.call('GET', '/api/v1/deliveries/dlv_01k9z3e5hbe7r9qk2m4n6p8r0s/advice')).status).toBe(
      404,
    );
  });
});
