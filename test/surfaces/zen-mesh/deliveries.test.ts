import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { uuidIn } from '../../support/api/retries.ts';
import { createScene, type Scene } from '../../support/engine/recovery-scene.ts';
import { useEngine } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { hang, ok, okWith, resetBeforeReading, status } from '../../support/receivers/receiver-behaviour.ts';
import { createZenClient, type ZenClient } from '../../support/surfaces/zen-mesh.ts';

/** Deliveries and their attempts, and the dead letter queue, which is a filter. */

const FIELDS = [
  'id',
  'event_id',
  'destination_id',
  'status',
  'response_code',
  'attempt_number',
  'attempted_at',
];

type Listed = Record<string, unknown> & { id: string; event_id: string; status: string };

let scene: Scene;
// Before the engine, which would wait for the answers that never come.
afterAll(async () => {
  await scene.close();
});
const engine = useEngine();
let zen: ZenClient;
let path: string;
/** Ids of endpoints by what they are. */
const endpoints: Record<string, string> = {};

const BEHAVIOURS = {
  down: status(503),
  reset: resetBeforeReading,
  up: ok,
  waiting: status(500),
  chatty: { answer: (response) => void response.writeHead(500).end('é'.repeat(5_000)) } as typeof ok,
  silent: hang,
};

beforeAll(async () => {
  scene = await createScene(engine, Object.values(BEHAVIOURS));
  const { key } = scene.tenant;
  zen = await createZenClient(engine.service.url ?? '', key);
  path = `/v1/tenants/${scene.tenant.handle}/deliveries`;
  for (const [index, name] of Object.keys(BEHAVIOURS).entries()) {
    const { id } = scene.endpoints[index];
    endpoints[name] = id;
    const retry =
      name === 'waiting' ? { maxAttempts: 3, initialMs: 600_000, capMs: 600_000 } : { maxAttempts: 1 };
    await engine.client.expect(200, 'PATCH', `/api/v1/endpoints/${id}`, {
      key,
      // What is silent is to be so until the tests have looked.
      body: { eventTypes: [`to.${name}`], retry, timeoutMs: 60_000 },
    });
  }
  const types = [...Object.keys(BEHAVIOURS), 'down', 'down'].map((name) => `to.${name}`);
  for (const type of types)
    await engine.client.expect(202, 'POST', '/api/v1/events', {
      key,
      body: { type, source: 'seed', payload: 1 },
    });
  await eventually('all but the silent one have answered', async () => {
    const { rows } = await engine.database.pool.query('select from deliveries where attempts = 1');
    return rows.length === types.length - 1;
  });
});

async function list(query: Record<string, string> = {}): Promise<Listed[]> {
  const answer = await zen('GET', `${path}?${new URLSearchParams(query)}`);
  expect(answer.status).toBe(200);
  return answer.body.deliveries;
}

const destinations = (listed: Listed[]) =>
  listed
    .map(({ destination_id }) => Object.keys(endpoints).find((name) => endpoints[name] === destination_id))
    .sort();

describe('GET /v1/tenants/{tid}/deliveries', () => {
  test('lists deliveries with the documented fields in their order, newest first', async () => {
    const listed = await list();
    expect(listed).toHaveLength(8);
    for (const each of listed) expect(Object.keys(each)).toEqual(FIELDS);
    const ids = listed.map(({ id }) => id);
    expect(ids).toEqual([...ids].sort().reverse());
  });

  test.each([
    ['delivered', ['up'], { response_code: 200, attempt_number: 1 }],
    ['failed', ['chatty', 'down', 'down', 'down', 'reset'], { attempt_number: 1 }],
    ['retrying', ['waiting'], { response_code: 500, attempt_number: 1 }],
    ['pending', ['silent'], { response_code: null, attempt_number: 0, attempted_at: null }],
  ])('status=%s', async (named, expected, members) => {
    const listed = await list({ status: named });
    expect(destinations(listed)).toEqual(expected);
    for (const each of listed) expect(each).toMatchObject({ status: named, ...members });
  });

  test('shows a response code of 0 where the connection failed', async () => {
    const [only] = await list({ destination_id: endpoints.reset ?? '' });
    expect(only).toMatchObject({ status: 'failed', response_code: 0 });
  });

  test('filters by destination_id and event_id, each in both spellings; an id of nothing matches nothing', async () => {
    const [down] = await list({ destination_id: endpoints.down ?? '' });
    for (const id of [endpoints.down ?? '', uuidIn('endpoint', endpoints.down ?? '')])
      expect(destinations(await list({ destination_id: id }))).toEqual(['down', 'down', 'down']);
    for (const id of [down?.event_id ?? '', uuidIn('event', down?.event_id ?? '')])
      expect((await list({ event_id: id })).map(({ id: found }) => found)).toEqual([down?.id]);
    expect(await list({ event_id: down?.event_id ?? '', destination_id: endpoints.up ?? '' })).toEqual([]);
    for (const id of ['evt_abc123', 'x', '\0', '', 'evt_01k9z3e5hbe7r9qk2m4n6p8r0s']) {
      expect(await list({ event_id: id })).toEqual([]);
      expect(await list({ destination_id: id })).toEqual([]);
    }
  });

  test('is paged by limit (20, at most 100) and next_cursor, each delivery once', async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const query = new URLSearchParams({ limit: '3', ...(cursor ? { cursor } : {}) });
      const { body } = await zen('GET', `${path}?${query}`);
      seen.push(...body.deliveries.map(({ id }: Listed) => id));
      cursor = body.next_cursor;
      pages += 1;
    } while (cursor !== null);
    expect(pages).toBe(3);
    expect(seen).toEqual((await list()).map(({ id }) => id));
    const more = await createScene(engine, [ok]);
    await more.seed(101);
    const theirs = `/v1/tenants/${more.tenant.handle}/deliveries`;
    const { key } = more.tenant;
    expect((await zen('GET', theirs, { key })).body.deliveries).toHaveLength(20);
    expect((await zen('GET', `${theirs}?limit=100`, { key })).body.deliveries).toHaveLength(100);
    await more.close();
  });

  test.each([
    'limit=0',
    'limit=101',
    'limit=x',
    'limit=1&limit=2',
    'status=ignored',
    'status=FAILED',
    'status=failed&status=pending',
    'from=yesterday',
    'from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z',
    'to=2026-01-01',
    'cursor=x',
    'cursor=%00',
    'state=failed',
  ])('refuses ?%s with 422 that names the parameter', async (query) => {
    const answer = await zen('GET', `${path}?${query}`);
    expect(answer.status).toBe(422);
    expect(answer.body.type).toBe('https://api.zen-mesh.io/errors/invalid-parameters');
    expect(answer.body.errors[0].field).toBe(query.includes('to=') ? 'to' : query.split('=')[0]);
  });

  test('refuses a cursor of another filter or tenant', async () => {
    const { body } = await zen('GET', `${path}?limit=1&status=failed`);
    const cursor = `cursor=${body.next_cursor}`;
    expect((await zen('GET', `${path}?limit=1&status=failed&${cursor}`)).status).toBe(200);
    expect((await zen('GET', `${path}?limit=1&${cursor}`)).status).toBe(422);
  });

  test('needs read:deliveries', async () => {
    const { body } = await engine.client.expect(201, 'POST', '/api/v1/keys', {
      body: { tenantId: scene.tenant.handle, name: 'writer', scopes: ['write:deliveries'] },
    });
    for (const where of [path, `${path}/dlv_01k9z3e5hbe7r9qk2m4n6p8r0s`])
      expect(await zen('GET', where, { key: body.key })).toMatchObject({
        status: 403,
        body: { required_scope: 'read:deliveries', detail: 'API key does not have read:deliveries scope.' },
      });
  });

  test('shows dropped ones without a status filter only', async () => {
    const { key } = scene.tenant;
    await engine.client.expect(202, 'POST', '/api/v1/events', {
      key,
      body: { id: 'x', type: 'to.up', payload: 1 },
    });
    const repeat = await engine.client.expect(202, 'POST', '/api/v1/events', {
      key,
      body: { id: 'x', type: 'to.up', payload: 1 },
    });
    const event_id = repeat.body.eventId;
    expect(await list({ event_id })).toMatchObject([{ status: 'dropped', attempt_number: 0 }]);
    for (const named of ['delivered', 'failed', 'retrying', 'pending'])
      expect(await list({ event_id, status: named })).toEqual([]);
  });
});

describe('the dead letter queue', () => {
  test('is status=failed with from (inclusive) and to (exclusive) of acceptance', async () => {
    const failed = await list({ status: 'failed', destination_id: endpoints.down ?? '' });
    expect(failed).toHaveLength(3);
    const { rows } = await engine.database.pool.query(
      `update events e set accepted_at = x.at from (
        select d.id, d.event_id, timestamptz '2026-01-01T00:00:00Z' + (row_number() over (order by d.id) - 1) * interval '1 hour' as at
        from deliveries d where d.id = any($1::uuid[])) x
       where e.id = x.event_id returning e.id`,
      [failed.map(({ id }) => uuidIn('delivery', id))],
    );
    await engine.database.pool.query(
      'update deliveries d set accepted_at = e.accepted_at from events e where e.id = d.event_id and e.id = any($1::uuid[])',
      [rows.map(({ id }) => id)],
    );
    const [third, second, first] = failed.map(({ id }) => id);
    const within = async (from: string, to: string) =>
      (await list({ status: 'failed', from, to })).map(({ id }) => id);
    expect(await within('2026-01-01T00:00:00Z', '2026-01-01T02:00:00Z')).toEqual([second, first]);
    expect(await within('2026-01-01T00:00:00.001Z', '2026-01-01T02:00:00.001Z')).toEqual([third, second]);
    expect(await within('2026-01-01T02:00:00+02:00', '2026-01-01T00:00:01Z')).toEqual([first]);
    expect(await within('2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z')).toEqual([]);
  });

  test('does not hold deliveries that failed and are being retried', async () => {
    const [failed] = await list({ status: 'failed', destination_id: endpoints.chatty ?? '' });
    const receiver = scene.receivers[Object.keys(BEHAVIOURS).indexOf('chatty')];
    receiver?.switchTo(hang);
    await engine.client.expect(202, 'POST', '/api/v1/retries', {
      key: scene.tenant.key,
      body: { select: { deliveryIds: [failed?.id] } },
    });
    await receiver?.waitFor(({ requests }) => requests.length === 2);
    expect(await list({ status: 'failed', destination_id: endpoints.chatty ?? '' })).toEqual([]);
    expect(await list({ status: 'retrying', destination_id: endpoints.chatty ?? '' })).toHaveLength(1);
    receiver?.switchTo(okWith('fine'));
  });
});

describe('GET /v1/tenants/{tid}/deliveries/{did}', () => {
  test('shows the attempts: HTTP status (0 when the connection failed), truncated body, timestamp, duration, error', async () => {
    const [down] = await list({ destination_id: endpoints.down ?? '' });
    const { body } = await zen('GET', `${path}/${down?.id}`);
    expect(Object.keys(body)).toEqual([...FIELDS, 'attempts']);
    expect(body.attempts).toEqual([
      {
        attempt_number: 1,
        response_code: 503,
        response_body: 'status 503',
        attempted_at: body.attempted_at,
        duration_ms: expect.any(Number),
        error: 'http_5xx',
      },
    ]);
    const [reset] = await list({ destination_id: endpoints.reset ?? '' });
    const failed = (await zen('GET', `${path}/${reset?.id}`)).body.attempts[0];
    expect(failed).toMatchObject({
      response_code: 0,
      response_body: null,
      error: expect.stringMatching(/^connection_/),
    });
    const [up] = await list({ destination_id: endpoints.up ?? '', status: 'delivered' });
    const fine = (await zen('GET', `${path}/${up?.id}`)).body.attempts[0];
    expect(fine).toMatchObject({ response_code: 200, response_body: 'ok', error: null });
    const [chatty] = await list({ destination_id: endpoints.chatty ?? '' });
    const long = (await zen('GET', `${path}/${chatty?.id}`)).body.attempts[0];
    expect(long.response_body.length).toBeLessThanOrEqual(1_024);
    expect(long.response_body).toMatch(/^é+/);
  });

  test('numbers the attempts of all retries in one row', async () => {
    const [down] = await list({ status: 'failed', destination_id: endpoints.down ?? '' });
    const { handle } = scene.tenant;
    for (const expected of [2, 3]) {
      await zen('POST', `/v1/tenants/${handle}/events/${down?.event_id}/retry`);
      await eventually('it was tried again', async () => {
        const { body } = await zen('GET', `${path}/${down?.id}`);
        return body.attempt_number === expected && body.status === 'failed';
      });
    }
    const { body } = await zen('GET', `${path}/${down?.id}`);
    expect(body.attempts.map((each: { attempt_number: number }) => each.attempt_number)).toEqual([1, 2, 3]);
  });

  test('takes dlv_, del_ and uuid; everything else is 404', async () => {
    const [{ id } = { id: '' }] = await list();
    for (const spelled of [id, id.replace('dlv_', 'del_'), uuidIn('delivery', id)])
      expect((await zen('GET', `${path}/${spelled}`)).body.id).toBe(id);
    const stranger = await engine.client.newTenant('stranger');
    const theirs = await zen('GET', `/v1/tenants/stranger/deliveries/${id}`, { key: stranger.key });
    expect(theirs).toMatchObject({ status: 404, body: { detail: `Delivery ${id} not found.` } });
    for (const unknown of ['del_abc123', 'evt_01k9z3e5hbe7r9qk2m4n6p8r0s', '%00', 'x'])
      expect((await zen('GET', `${path}/${unknown}`)).status).toBe(404);
  });
});
