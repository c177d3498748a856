import { beforeAll, describe, expect, test } from '@jest/globals';
import { useApi } from '../../support/api/use-api.ts';
import { seedEndpoint } from '../../support/engine/failed-deliveries.ts';

const api = useApi();

beforeAll(() => seedEndpoint(api));

const post = (body: unknown, idempotencyKey?: string) =>
  api.call('POST', '/api/v1/retries', {
    body,
    headers: idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey },
  });

describe('names in the place of ids', () => {
  const event = async (id: string, change: object = {}) => {
    const { body } = await api.call('POST', '/api/v1/events', {
      body: { id, type: 'named', key: 'k', payload: 1, ...change },
    });
    return body.eventId as string;
  };
  const selected = async (select: object, key?: string) => post({ select }, key);

  test('an event is found by its sender’s id, wherever its id is taken', async () => {
    const eventId = await event('inv-77/ä ö');
    const path = `/api/v1/events/${encodeURIComponent('inv-77/ä ö')}`;
    expect((await api.call('GET', path)).body).toMatchObject({ id: eventId, externalId: 'inv-77/ä ö' });
    const answer = await selected({ eventIds: ['inv-77/ä ö', eventId] });
    expect(answer.body).toMatchObject({ select: { eventIds: [eventId] }, counts: { expected: 1 } });
    const { body: items } = await api.call('GET', `/api/v1/retries/${answer.body.id}/items`);
    expect(items.items).toMatchObject([{ eventId, externalId: 'inv-77/ä ö', eventType: 'named', key: 'k' }]);
    const { body: delivery } = await api.call('GET', `/api/v1/deliveries/${items.items[0].deliveryId}`);
    expect(delivery.event).toMatchObject({ externalId: 'inv-77/ä ö' });
    expect((await api.call('DELETE', `${path}/payload`)).status).toBe(204);
  });

  test('an id of ours wins over a sender’s id that looks like it; one that is nobody’s is the sender’s', async () => {
    const ours = await event('plain');
    const confusing = await event(ours);
    expect((await selected({ eventIds: [ours] })).body.select).toEqual({ eventIds: [ours] });
    expect((await api.call('GET', `/api/v1/events/${ours}`)).body.id).toBe(ours);
    expect(confusing).not.toBe(ours);
    const uuid = '0190F3C2-A5B8-7C1E-9D3F-4A5B6C7D8E9F';
    const named = await event(uuid);
    expect((await selected({ eventIds: [uuid] })).body.select).toEqual({ eventIds: [named] });
    const typed = await event('evt_01k9z3e5hbe7r9qk2m4n6p8r0s');
    expect((await api.call('GET', '/api/v1/events/evt_01k9z3e5hbe7r9qk2m4n6p8r0s')).body.id).toBe(typed);
  });

  test('a sender’s id stands for the first event, and not for its suppressed repeats', async () => {
    const first = await event('twice');
    await event('twice');
    expect((await selected({ eventIds: ['twice'] })).body.select).toEqual({ eventIds: [first] });
  });

  test('a sender’s id that several types share stands for all of them, and erases none', async () => {
    const first = await event('shared');
    const second = await event('shared', { type: 'named.too' });
    expect((await selected({ eventIds: ['shared'] })).body.select).toEqual({ eventIds: [first, second] });
    expect((await api.call('GET', '/api/v1/events/shared')).body.id).toBe(first);
    expect((await api.call('DELETE', '/api/v1/events/shared/payload')).body).toMatchObject({
      code: 'state_conflict',
      detail: expect.stringContaining(second),
    });
    expect((await api.call('DELETE', `/api/v1/events/${second}/payload`)).status).toBe(204);
  });

  test('an endpoint is found by its handle, in paths, lists and selections, also once it is deleted', async () => {
    const id = await seedEndpoint(api, api.key, { handle: 'warehouse', eventTypes: ['only.here'] });
    const path = '/api/v1/endpoints/warehouse';
    expect((await api.call('GET', path)).body.id).toBe(id);
    expect((await api.call('PATCH', path, { body: { timeoutMs: 900 } })).body.version).toBe(2);
    for (const verb of ['disable', 'enable', 'rotate-secret'])
      expect((await api.call('POST', `${path}/${verb}`)).status).toBe(200);
    await event('for-warehouse', { type: 'only.here' });
    const list = () => api.call('GET', '/api/v1/deliveries?endpointIds=warehouse&eventTypes=only.here');
    expect((await list()).body.items).toMatchObject([{ endpointId: id }]);
    const filter = { endpointIds: ['warehouse', id], state: ['pending'] };
    expect((await selected({ filter }, 'k-handle')).body.select.filter.endpointIds).toEqual([id]);
    expect((await api.call('DELETE', path)).status).toBe(204);
    expect((await list()).body.items.length).toBe(1);
    expect((await api.call('POST', `${path}/enable`)).body.code).toBe('state_conflict');
    const next = await seedEndpoint(api, api.key, { handle: 'warehouse', eventTypes: ['only.here'] });
    expect((await api.call('GET', path)).body.id).toBe(next);
    // The same request is the same one, whatever the name has come to mean.
    expect((await selected({ filter }, 'k-handle')).headers.get('idempotency-replayed')).toBe('true');
  });

  test('that are nobody’s, or another tenant’s, are refused by their place', async () => {
    const { key } = await api.newTenant();
    await seedEndpoint(api, key, { handle: 'their-endpoint' });
    await api.call('POST', '/api/v1/events', { key, body: { id: 'their-event', type: 'a', payload: 1 } });
    for (const name of ['nobody', 'their-event', 'x\u0001y'])
      expect((await api.call('GET', `/api/v1/events/${encodeURIComponent(name)}`)).status).toBe(404);
    expect((await api.call('GET', '/api/v1/endpoints/their-endpoint')).status).toBe(404);
    await event('mine');
    const refused = await selected({ eventIds: ['mine', 'their-event', 'nobody'] });
    expect(refused).toMatchObject({
      status: 404,
      body: {
        code: 'unknown_ids',
        errors: [{ pointer: '#/select/eventIds/1' }, { pointer: '#/select/eventIds/2' }],
      },
    });
    expect(await selected({ filter: { endpointIds: ['their-endpoint'] } }, 'k-theirs')).toMatchObject({
      status: 404,
      body: { errors: [{ pointer: '#/select/filter/endpointIds/0', code: 'unknown' }] },
    });
    expect(await api.call('GET', '/api/v1/deliveries?endpointIds=nobody')).toMatchObject({
      status: 404,
      body: { code: 'unknown_ids', errors: [{ parameter: 'endpointIds' }] },
    });
  });
});
