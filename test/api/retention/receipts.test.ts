import { expect, test } from '@jest/globals';
import { showId } from '../../../src/domain/tenancy/typed-id.ts';
import { useApi } from '../../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../../support/engine/failed-deliveries.ts';
import { anyId } from '../../support/store/any-id.ts';

const api = useApi();

test('a receipt past the term of receipts is not there, while its event is', async () => {
  await seedEndpoint(api);
  const [old, young] = await seedFailedDeliveries(api, 2);
  if (!old || !young) throw new Error('nothing was seeded');
  const receipt = (eventId: string) => showId('receipt', anyId(api.uuid(eventId)));
  const listed = async () =>
    (await api.call('GET', '/flowrelay/v1/receipts')).body.items.map(
      (each: { receiptId: string }) => each.receiptId,
    );
  await api.database.pool.query(
    `update events set accepted_at = accepted_at - interval '11 days' where id = $1`,
    [api.uuid(old.eventId)],
  );
  expect(new Set(await listed())).toEqual(new Set([receipt(old.eventId), receipt(young.eventId)]));
  await api.call('PATCH', '/api/v1/tenants/acme', {
    key: api.adminKey,
    body: { settings: { receiptRetentionDays: 10 } },
  });
  expect(await listed()).toEqual([receipt(young.eventId)]);
  for (const path of ['', '/guide'])
    expect(await api.call('GET', `/flowrelay/v1/receipts/${receipt(old.eventId)}${path}`)).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    });
  expect((await api.call('GET', `/flowrelay/v1/receipts/${receipt(young.eventId)}`)).status).toBe(200);
  expect((await api.call('GET', `/api/v1/events/${old.eventId}`)).status).toBe(200);
});
