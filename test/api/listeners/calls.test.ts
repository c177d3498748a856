import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { listenersChore } from '../../../src/operations/listeners/listeners-chore.ts';
import {
  handOver,
  isSettled,
  settleHanded,
  takeHanded,
} from '../../../src/store/listeners/handed-requests.ts';
import { keepListener } from '../../../src/store/listeners/listeners.ts';
import { useApi } from '../../support/api/use-api.ts';
import { seedEndpoint } from '../../support/engine/failed-deliveries.ts';
import { eventually } from '../../support/eventually.ts';
import { patient } from '../../support/patience.ts';

const PATH = '/api/v1/listeners';
const api = useApi();

const hashOf = (token: string) => createHash('sha256').update(token).digest();
const open = async (key: string, body: object = {}) => {
  const answer = await api.call('POST', PATH, { key, body });
  if (answer.status !== 201) throw new Error(answer.text);
  return answer.body;
};

/** A listener of a tenant of its own with one event that went to it. */
async function listening() {
  const { tenant, key } = await api.newTenant();
  const listener = await open(key);
  const { body } = await api.call('POST', '/api/v1/events', { key, body: { type: 'a', payload: { n: 1 } } });
  expect(body).toMatchObject({ deliveries: 1 });
  const { rows } = await api.database.pool.query('select id from deliveries where event_id = $1', [
    api.uuid(body.eventId),
  ]);
  const request = {
    id: crypto.randomUUID(),
    listenerId: api.uuid(listener.id) as never,
    deliveryId: rows[0].id as never,
    headers: { 'webhook-id': 'dlv_x' },
    timeoutMs: 60_000,
  };
  return { tenant, key, listener, request };
}

/** Hands a request to a listener and down a connection, with a token. */
async function handed(token: string) {
  const it = await listening();
  expect(await handOver(api.database.pool, it.request)).toBe(true);
  const taken = await takeHanded(api.database.pool, it.request.listenerId, [hashOf(token)]);
  return { ...it, taken };
}

const answer = (listener: { id: string }, key: string, body: object) =>
  api.call('POST', `${PATH}/${listener.id}/answers`, { key, body });

/** Runs the sweeper's chore once. */
async function sweep() {
  const { pool } = api.database;
  const attempt = (_: string, work: () => Promise<void>) => work();
  await listenersChore(
    { pool, stop: new AbortController().signal, count: () => {}, wakeLiveLanes: async () => {}, attempt },
    api.deps,
  ).run();
}

describe('a listener', () => {
  test('has an endpoint that gets new events only, and shows its secret once', async () => {
    const { key } = await api.newTenant();
    await seedEndpoint(api, key);
    const before = await api.call('POST', '/api/v1/events', { key, body: { type: 'a', payload: 1 } });
    const listener = await open(key, { eventTypes: ['a'] });
    expect(listener.secret).toMatch(/^whsec_/);
    const after = await api.call('POST', '/api/v1/events', {
      key,
      body: [
        { type: 'a', payload: 2 },
        { type: 'b', payload: 3 },
      ],
    });
    expect([
      before.body.deliveries,
      ...after.body.map((each: { deliveries: number }) => each.deliveries),
    ]).toEqual([1, 2, 1]);
    const endpoint = await api.call('GET', `/api/v1/endpoints/${listener.endpointId}`, { key });
    expect(endpoint.body).toMatchObject({
      url: `redrive-listener:${listener.id}`,
      retry: { maxAttempts: 1 },
      protect: false,
      maxConcurrency: 5,
    });
    expect(endpoint.text).not.toContain('whsec_');
    const { rows } = await api.database.pool.query(
      'select test, count(*)::int from deliveries where endpoint_id = $1 group by test',
      [api.uuid(listener.endpointId)],
    );
    expect(rows).toEqual([{ test: true, count: 1 }]);
    const fences = await api.database.pool.query(
      'select version from endpoint_fences where endpoint_id = $1',
      [api.uuid(listener.endpointId)],
    );
    expect(fences.rows).toEqual([{ version: null }]);
  });

  test('is one of five at most, also where they are opened at once, and an ended one is none', async () => {
    const { key } = await api.newTenant();
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => api.call('POST', PATH, { key, body: {} })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([
      ...Array(5).fill(201),
      ...Array(7).fill(409),
    ]);
    expect(answers.find(({ status }) => status === 409)?.body.detail).toContain('5 listeners');
    const endpoints = await api.call('GET', '/api/v1/endpoints', { key });
    expect(endpoints.body.items).toHaveLength(5);
    await api.call('DELETE', `/api/v1/endpoints/${endpoints.body.items[2].id}`, { key });
    await open(key);
    expect((await api.call('POST', PATH, { key, body: {} })).status).toBe(409);
    // Another tenant has places of its own.
    await open((await api.newTenant()).key);
  });

  test('ends a minute after nobody has kept it, by the clock of the database', async () => {
    const { key, listener, request } = await listening();
    const { pool } = api.database;
    const expire = (seconds: number) =>
      pool.query(
        `update listeners set expires_at = clock_timestamp() + $2 * interval '1 second' where id = $1`,
        [request.listenerId, seconds],
      );
    const stateOf = async () =>
      (await api.call('GET', `/api/v1/endpoints/${listener.endpointId}`, { key })).body.state;
    const { rows } = await pool.query(
      `select extract(epoch from expires_at - created_at)::float8 as s from listeners where id = $1`,
      [request.listenerId],
    );
    // Counted from when it is written, somewhat behind the beginning of its transaction.
    expect(rows[0].s).toBeGreaterThanOrEqual(60);
    expect(rows[0].s).toBeLessThan(60 + patient(5));
    await expire(1_000);
    await sweep();
    expect(await stateOf()).toBe('enabled');
    await expire(-1);
    // Over is over, before anybody has swept.
    expect(await keepListener(pool, request.listenerId)).toBe(false);
    expect(await handOver(pool, request)).toBe(false);
    expect((await api.call('GET', `${PATH}/${listener.id}/stream`, { key })).status).toBe(404);
    await sweep();
    expect(await stateOf()).toBe('deleted');
    const late = await api.call('POST', '/api/v1/events', { key, body: { type: 'a', payload: 2 } });
    expect(late.body.deliveries).toBe(0);
  });

  test('is nobody’s but its tenant’s', async () => {
    const ours = await handed('ours');
    const { key } = await api.newTenant();
    for (const call of [
      api.call('GET', `${PATH}/${ours.listener.id}/stream`, { key }),
      answer(ours.listener, key, { token: 'ours', status: 200 }),
    ])
      expect(await call).toMatchObject({ status: 404, body: { code: 'not_found' } });
    const theirs = await open(key);
    expect(await answer(theirs, key, { token: 'ours', status: 200 })).toMatchObject({ status: 409 });
    expect(await isSettled(api.database.pool, ours.request.id)).toBe(false);
  });

  test('needs the scope write:endpoints, which no grant has', async () => {
    const { tenant } = await api.newTenant();
    for (const made of [
      { scopes: ['read:endpoints', 'write:deliveries', 'write:events'] },
      { grant: 'admin' },
    ]) {
      const { body } = await api.call('POST', '/api/v1/keys', {
        key: api.adminKey,
        body: { tenantId: tenant.id, name: 'x', ...made },
      });
      expect(await api.call('POST', PATH, { key: body.key, body: {} })).toMatchObject({
        status: 403,
        body: { code: 'insufficient_scope' },
      });
    }
  });

  test('is not changed, and is no outage when it is disabled', async () => {
    const { key } = await api.newTenant();
    const { endpointId } = await open(key);
    const changed = await api.call('PATCH', `/api/v1/endpoints/${endpointId}`, {
      key,
      body: { url: 'https://hooks.example/elsewhere' },
    });
    expect(changed).toMatchObject({ status: 409, body: { code: 'state_conflict' } });
    await api.call('POST', `/api/v1/endpoints/${endpointId}/disable`, { key });
    expect((await api.call('GET', '/api/v1/outages', { key })).body.items).toEqual([]);
  });
});

describe('a request to a listener', () => {
  test('is handed down once, as it was accepted, and its row has no payload', async () => {
    const it = await handed('a');
    expect(it.taken).toMatchObject([{ body: '{"n":1}', headers: { 'webhook-id': 'dlv_x' }, token: 0 }]);
    expect(await takeHanded(api.database.pool, it.request.listenerId, [hashOf('b')])).toEqual([]);
    const { rows } = await api.database.pool.query('select * from listener_requests where id = $1', [
      it.request.id,
    ]);
    expect(JSON.stringify(rows)).not.toContain('"n"');
    expect(JSON.stringify(rows)).not.toContain('"a"');
  });

  test('is answered once, and in time', async () => {
    const it = await handed('once');
    const body = Buffer.from('x'.repeat(5_000)).toString('base64');
    expect(await answer(it.listener, it.key, { token: 'never', status: 200 })).toMatchObject({ status: 409 });
    expect(await answer(it.listener, it.key, { token: 'once', status: 202, body })).toMatchObject({
      status: 204,
    });
    expect(await answer(it.listener, it.key, { token: 'once', status: 500 })).toMatchObject({
      status: 409,
      body: { code: 'state_conflict', detail: expect.stringContaining('its time is over') },
    });
    expect(await settleHanded(api.database.pool, it.request.id)).toEqual({
      handed: true,
      ended: false,
      answer: { status: 202, excerpt: Buffer.from('x'.repeat(1_024)) },
    });
    const late = await handed('late');
    await api.database.pool.query(
      `update listener_requests set expires_at = clock_timestamp() - interval '1 second' where id = $1`,
      [late.request.id],
    );
    expect(await answer(late.listener, late.key, { token: 'late', status: 200 })).toMatchObject({
      status: 409,
    });
    expect(await settleHanded(api.database.pool, late.request.id)).toEqual({ handed: true, ended: false });
    expect(await answer(late.listener, late.key, { token: 'late', status: 200 })).toMatchObject({
      status: 409,
    });
  });

  test.each([
    ['too large', { status: 200, body: 'a'.repeat(88_004) }, '#/body'],
    ['not base64', { status: 200, body: 'ü' }, '#/body'],
    ['interim', { status: 100 }, '#/status'],
    ['none', {}, '#/status'],
    ['two', { status: 200, unreachable: true }, '#/status'],
    ['a body of nothing', { unreachable: true, body: 'b2s=' }, '#/body'],
    ['a word of somebody there', { here: true }, '#/token'],
  ])('takes no answer that is %s', async (_, said, pointer) => {
    const token = crypto.randomUUID();
    const it = await handed(token);
    const refused = await answer(it.listener, it.key, { token, ...said });
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
    expect(await isSettled(api.database.pool, it.request.id)).toBe(false);
  });

  test('that could not be passed on did not arrive', async () => {
    const it = await handed('away');
    expect(await answer(it.listener, it.key, { token: 'away', unreachable: true })).toMatchObject({
      status: 204,
    });
    expect(await settleHanded(api.database.pool, it.request.id)).toMatchObject({ answer: 'unreachable' });
  });

  test('whose payload was erased is not handed down empty', async () => {
    const it = await listening();
    await handOver(api.database.pool, it.request);
    await api.database.pool.query(
      'delete from payloads where event_id = (select event_id from deliveries where id = $1)',
      [it.request.deliveryId],
    );
    expect(await takeHanded(api.database.pool, it.request.listenerId, [hashOf('e')])).toEqual([]);
  });

  test('is dropped long after its sender died', async () => {
    const it = await handed('dead');
    await api.database.pool.query(
      `update listener_requests set expires_at = clock_timestamp() - interval '3 minutes' where id = $1`,
      [it.request.id],
    );
    await sweep();
    expect(await settleHanded(api.database.pool, it.request.id)).toEqual({ handed: true, ended: true });
  });
});

test('the connection of a listener is one, and the listener ends with it', async () => {
  const { key } = await api.newTenant();
  const listener = await open(key);
  const stream = `${api.url}${PATH}/${listener.id}/stream`;
  const headers = { authorization: `Bearer ${key}` };
  const leaving = new AbortController();
  const first = await fetch(stream, { headers, signal: leaving.signal });
  expect(first.status).toBe(200);
  await eventually('it is connected', async () => {
    const { rows } = await api.database.pool.query('select connected from listeners where id = $1', [
      api.uuid(listener.id),
    ]);
    return rows[0].connected;
  });
  expect((await api.call('GET', `${PATH}/${listener.id}/stream`, { key })).status).toBe(409);
  leaving.abort();
  await eventually('its endpoint is deleted', async () => {
    const { body } = await api.call('GET', `/api/v1/endpoints/${listener.endpointId}`, { key });
    return body.state === 'deleted';
  });
  await eventually('it has ended', async () => {
    const { rows } = await api.database.pool.query('select ended_at from listeners where id = $1', [
      api.uuid(listener.id),
    ]);
    return rows[0].ended_at !== null;
  });
  const { rows } = await api.database.pool.query(
    `select action, actor from audit_entries where target_id = $1 order by id`,
    [api.uuid(listener.endpointId)],
  );
  expect(rows).toEqual([
    { action: 'endpoint.made', actor: expect.stringMatching(/^key_/) },
    { action: 'endpoint.deleted', actor: expect.stringMatching(/^key_/) },
  ]);
});
