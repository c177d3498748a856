import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { DeliveryState } from '../../../src/domain/sending/delivery-state.ts';
import { showId } from '../../../src/domain/tenancy/typed-id.ts';
import { useApi } from '../../support/api/use-api.ts';
import {
  type SeededDelivery,
  seedEndpoint,
  seedFailedDeliveries,
} from '../../support/engine/failed-deliveries.ts';
import { eventually } from '../../support/eventually.ts';
import { createZenClient, type ZenAnswer, type ZenClient } from '../../support/surfaces/zen-mesh.ts';

/** Cases that the document leaves open, and requests of clients that did not read it. */

const ERRORS = 'https://api.zen-mesh.io/errors/';
const UNKNOWN = '01k9z3e5hbe7r9qk2m4n6p8r0s';

const api = useApi();

type World = { tenant: string; handle: string; key: string; zen: ZenClient };

/** A tenant of its own: the quota is small. */
async function world(): Promise<World> {
  const { tenant, key } = await api.newTenant();
  return { tenant: tenant.id, handle: tenant.handle, key, zen: await createZenClient(api.url, key) };
}

async function failures(count: number) {
  const it = await world();
  await seedEndpoint(api, it.key);
  const seeded = await seedFailedDeliveries(api, count, it.key);
  return { ...it, seeded, first: seeded[0] as SeededDelivery };
}

const retry = ({ zen, handle }: World, eventId: string, headers: Record<string, string> = {}) =>
  zen('POST', `/v1/tenants/${handle}/events/${eventId}/retry`, { headers });
const batch = ({ zen, handle }: World, body: unknown, headers: Record<string, string> = {}) =>
  zen('POST', `/v1/tenants/${handle}/retry/batch`, { body, headers });

function expectProblem(answer: ZenAnswer, status: number, type: string): void {
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.body).toMatchObject({
    type: `${ERRORS}${type}`,
    status,
    instance: answer.headers.get('request-id'),
  });
  expect(answer.status).toBe(status);
  expect(Object.keys(answer.body).slice(0, 5)).toEqual(['type', 'title', 'status', 'detail', 'instance']);
  expect(answer.text).not.toMatch(/redrive\.dev|"code":"(?!\w+"[,}])/);
}

async function operations({ tenant }: World): Promise<number> {
  const { rows } = await api.database.pool.query(
    'select count(*) as n from operations where tenant_id = $1',
    [tenant],
  );
  return Number(rows[0].n);
}

/** Executions of a delivery, oldest first. */
async function executions(deliveryId: string) {
  const { rows } = await api.database.pool.query(
    'select id, state, parent_id, target_version, operation_id from executions where delivery_id = $1 order by id',
    [api.uuid(deliveryId)],
  );
  return rows;
}

/** Ids of the endpoints of a tenant. */
async function endpointsOf(it: World): Promise<string[]> {
  const { body } = await api.call('GET', '/api/v1/endpoints?limit=100', { key: it.key });
  return body.items.map(({ id }: { id: string }) => id);
}

async function endpointOf(deliveryId: string): Promise<string> {
  const { rows } = await api.database.pool.query('select endpoint_id from deliveries where id = $1', [
    api.uuid(deliveryId),
  ]);
  return showId('endpoint', rows[0].endpoint_id);
}

/** An event for several endpoints, with a delivery in each of these states, oldest first. */
async function eventWith(...states: DeliveryState[]) {
  const it = await world();
  for (const _ of states) await seedEndpoint(api, it.key);
  const accepted = await api.call('POST', '/api/v1/events', { key: it.key, body: { type: 'a', payload: 1 } });
  const { eventId } = accepted.body;
  const { rows } = await api.database.pool.query(
    'select id from deliveries where event_id = $1 order by id',
    [api.uuid(eventId)],
  );
  const ids = rows.map(({ id }): string => id);
  for (const [index, state] of states.entries()) await bring(ids[index] ?? '', state);
  const shown = await api.call('GET', `/api/v1/events/${eventId}`, { key: it.key });
  return {
    ...it,
    eventId: eventId as string,
    ids: shown.body.deliveries.map(({ id }: { id: string }) => id) as string[],
  };
}

/** Brings a delivery that is queued to a state, as the engine would. */
async function bring(id: string, state: DeliveryState): Promise<void> {
  if (state === 'pending') return;
  const attempted = state !== 'ignored' && state !== 'cancelled';
  const ends: Partial<Record<DeliveryState, string>> = { unknown: 'unknown' };
  const { pool } = api.database;
  if (attempted)
    await pool.query(
      `with sending as (update executions set state = 'sending', lease_token = uuidv7() where delivery_id = $1 returning *)
       insert into attempts (execution_id, number, tenant_id, endpoint_version, started_at, duration_ms, outcome)
       select id, 1, tenant_id, 1, now(), 5, 'permanent' from sending`,
      [id],
    );
  await pool.query(
    `update executions set state = $2, lease_token = null, attempts = $3, reason = case when $2 in ('ignored', 'cancelled') then 'a_test' end,
      finished_at = case when $2 <> 'unknown' then now() end where delivery_id = $1`,
    [id, ends[state] ?? state, attempted ? 1 : 0],
  );
  await pool.query(
    `update deliveries set state = $2, attempts = $3, last_attempt_at = case when $3 > 0 then now() end where id = $1`,
    [id, state, attempted ? 1 : 0],
  );
}

describe('a single retry', () => {
  test('is one operation over all failed or scheduled deliveries of the event, and names the oldest', async () => {
    const it = await eventWith('delivered', 'failed', 'pending', 'failed', 'ignored');
    const answer = await retry(it, it.eventId);
    expect(answer).toMatchObject({
      status: 202,
      body: { status: 'queued', delivery_id: it.ids[1], message: 'Retry initiated for 3 deliveries' },
    });
    expect(await operations(it)).toBe(1);
    for (const [index, made] of [1, 2, 2, 2, 1].entries())
      expect(await executions(it.ids[index] ?? '')).toHaveLength(made);
  });

  test('takes the place of a scheduled execution, and sends it now to the original target', async () => {
    const it = await failures(1);
    await api.database.pool.query(
      `insert into executions (tenant_id, delivery_id, endpoint_id, parent_id, state, due_at, give_up_at)
       select tenant_id, delivery_id, endpoint_id, id, 'scheduled', now() + interval '1 hour', now() + interval '1 day'
       from executions where delivery_id = $1`,
      [api.uuid(it.first.deliveryId)],
    );
    expect((await retry(it, it.first.eventId)).body.status).toBe('queued');
    const [, scheduled, taken] = await executions(it.first.deliveryId);
    expect(scheduled.state).toBe('superseded');
    expect(taken).toMatchObject({ state: 'queued', parent_id: scheduled.id, target_version: 1 });
  });

  test.each([
    [['delivered', 'delivered'], { status: 'delivered', message: 'Already delivered' }, 0],
    [
      ['delivered', 'unknown'],
      { status: 'dropped', message: expect.stringContaining('may have arrived') },
      1,
    ],
    [
      ['unknown', 'failed'],
      { status: 'queued', message: expect.stringMatching(/^Retry initiated\. Not sent: dlv_\w+\. Its last/) },
      1,
    ],
    [['delivered', 'ignored'], { status: 'delivered', message: 'Already delivered' }, 0],
    [['ignored', 'cancelled'], { status: 'queued', message: 'Retry initiated' }, 1],
  ] as [DeliveryState[], object, number][])(
    'of deliveries that are %j answers %j',
    async (states, body, which) => {
      const it = await eventWith(...states);
      expect(await retry(it, it.eventId)).toMatchObject({
        status: 202,
        body: { ...body, delivery_id: it.ids[which] },
      });
    },
  );

  test('never sends an unknown delivery: it counts as open', async () => {
    const it = await eventWith('unknown');
    await retry(it, it.eventId);
    await batch(it, { delivery_ids: it.ids });
    expect(await executions(it.ids[0] ?? '')).toHaveLength(1);
  });

  test('of an event whose deliveries were all dropped is not found', async () => {
    const it = await eventWith('ignored', 'ignored');
    const answer = await retry(it, it.eventId);
    expectProblem(answer, 404, 'not-found');
    expect(answer.body.detail).toContain(`Event ${it.eventId} has no delivery to retry: it was dropped`);
    expect(await operations(it)).toBe(0);
  });

  test('of an event whose deliveries were dropped at destinations that are deleted says so, and what to do', async () => {
    const it = await eventWith('ignored', 'ignored');
    const deleted = (state: string) =>
      api.database.pool.query(
        `update endpoints set state = $2 where id in (select endpoint_id from deliveries where id = $1)`,
        [api.uuid(it.ids[0] ?? ''), state],
      );
    await deleted('deleted');
    // One of two: a replay sends the other.
    expect((await retry(it, it.eventId)).body.detail).toContain('Once the destination is enabled');
    await api.database.pool.query(`update endpoints set state = 'deleted' where tenant_id = $1`, [it.tenant]);
    const answer = await retry(it, it.eventId);
    expectProblem(answer, 404, 'not-found');
    expect(answer.body.detail).toBe(
      `Event ${it.eventId} has no delivery to retry. Its endpoint is deleted. Create an endpoint that takes its place and send the event again from its source (POST /api/v1/events).`,
    );
  });

  test('of a repeat names the first event while that is kept', async () => {
    const it = await world();
    await seedEndpoint(api, it.key);
    const send = () =>
      api.call('POST', '/api/v1/events', { key: it.key, body: { id: 'once', type: 'a', payload: 1 } });
    const [first, repeat] = [(await send()).body, (await send()).body];
    expect((await retry(it, repeat.eventId)).body.detail).toBe(
      `Event ${repeat.eventId} has no delivery to retry: it repeats ${first.eventId}; retry that one.`,
    );
    await api.database.pool.query('delete from events where id = $1', [api.uuid(first.eventId)]);
    expect((await retry(it, repeat.eventId)).body.detail).toBe(
      `Event ${repeat.eventId} has no delivery to retry: it repeats an event that is no longer kept. Send it again.`,
    );
  });

  test('of a delivery that was dropped and is retried from elsewhere: it is under way', async () => {
    const it = await eventWith('ignored');
    // Its endpoint was disabled after an attempt: a retry that waits leaves the state as it is.
    const id = [api.uuid(it.ids[0] ?? '')];
    await api.database.pool.query('update executions set attempts = 1 where delivery_id = $1', id);
    await api.database.pool.query(
      'update deliveries set attempts = 1, last_attempt_at = now() where id = $1',
      id,
    );
    await api.call('POST', '/api/v1/retries', {
      key: it.key,
      body: { mode: 'replay', select: { deliveryIds: it.ids } },
    });
    const shown = await it.zen('GET', `/v1/tenants/${it.handle}/deliveries/${it.ids[0]}`);
    expect(shown.body.status).toBe('retrying');
    const listed = await it.zen('GET', `/v1/tenants/${it.handle}/deliveries?status=${shown.body.status}`);
    expect(listed.body.deliveries).toMatchObject([{ id: it.ids[0], status: shown.body.status }]);
    expect((await retry(it, it.eventId)).body.detail).toContain('is under way already');
    expect((await batch(it, { delivery_ids: it.ids })).body).toMatchObject({ queued: 1 });
  });

  test('of an event without deliveries is not found', async () => {
    const it = await world();
    const { body } = await api.call('POST', '/api/v1/events', {
      key: it.key,
      body: { type: 'a', payload: 1 },
    });
    const answer = await retry(it, body.eventId);
    expectProblem(answer, 404, 'not-found');
    expect(answer.body.detail).toBe(
      `Event ${body.eventId} has no delivery to retry: no destination wanted it when it was accepted.`,
    );
  });

  test('of an event that was taken while its destination was disabled names the replay that sends it, and that does', async () => {
    const it = await world();
    const endpoint = await seedEndpoint(api, it.key);
    const act = (what: string) =>
      api.call('POST', `/api/v1/endpoints/${endpoint}/${what}`, { key: it.key, body: {} });
    await act('disable');
    const { body } = await api.call('POST', '/api/v1/events', {
      key: it.key,
      body: { type: 'a', source: 'billing', payload: 1 },
    });
    const answer = await retry(it, body.eventId);
    expectProblem(answer, 404, 'not-found');
    expect(answer.body.detail).toContain('POST /v1/replays');
    await act('enable');
    const replay = await it.zen('POST', '/v1/replays', {
      body: {
        source_id: 'billing',
        time_range: {
          since: new Date(Date.now() - 3_600_000).toISOString(),
          until: new Date(Date.now() + 3_600_000).toISOString(),
        },
      },
    });
    expect(replay.body).toMatchObject({ status: 'queued', estimated_events: 1 });
  });

  test('tells that the payload is no longer retained', async () => {
    const it = await failures(1);
    await api.database.pool.query('delete from payloads where event_id = $1', [api.uuid(it.first.eventId)]);
    expect((await retry(it, it.first.eventId)).body).toEqual({
      status: 'expired',
      delivery_id: it.first.deliveryId,
      message: expect.stringMatching(
        /^Its payload is no longer retained\. Send the event again from its source/,
      ),
    });
    expect((await batch(it, { delivery_ids: [it.first.deliveryId] })).body).toMatchObject({
      queued: 0,
      deliveries: [{ status: 'expired' }],
    });
  });

  test('of a suppressed duplicate sends nothing', async () => {
    const it = await world();
    await seedEndpoint(api, it.key);
    const send = () =>
      api.call('POST', '/api/v1/events', { key: it.key, body: { id: 'x', type: 'a', payload: 1 } });
    const [first, repeat] = [await send(), await send()];
    const answer = await retry(it, repeat.body.eventId);
    expectProblem(answer, 404, 'not-found');
    expect(answer.body.detail).toContain(`it repeats ${first.body.eventId}; retry that one.`);
  });

  describe('where an endpoint takes nothing', () => {
    const PUT: Record<string, (id: string, key: string) => Promise<unknown>> = {
      'disabled by an operator': (id, key) =>
        api.call('POST', `/api/v1/endpoints/${id}/disable`, { key, body: {} }),
      'disabled by a 410': (id) =>
        api.database.pool.query(
          `update endpoints set state = 'disabled', disabled_reason = 'gone' where id = $1`,
          [api.uuid(id)],
        ),
      deleted: (id, key) => api.call('DELETE', `/api/v1/endpoints/${id}`, { key }),
    };

    test.each(Object.keys(PUT))('%s: says why, names the next call, and makes nothing', async (how) => {
      const it = await eventWith('failed', 'pending');
      for (const id of await endpointsOf(it)) await PUT[how]?.(id, it.key);
      const answer = await retry(it, it.eventId);
      expect(answer).toMatchObject({ status: 202, body: { status: 'dropped', delivery_id: it.ids[0] } });
      expect(Object.keys(answer.body)).toEqual(['status', 'delivery_id', 'message']);
      expect(answer.body.message).toMatch(
        how === 'deleted'
          ? /^Not sent: 2 deliveries, the oldest dlv_\w+\. Its endpoint is deleted\. Create/
          : /Its endpoint is disabled\. Enable it \(POST \/api\/v1\/endpoints\/end_\w+\/enable\) and retry\./,
      );
      expect((await batch(it, { delivery_ids: it.ids })).body).toEqual({
        queued: 0,
        deliveries: it.ids.map((id) => ({ delivery_id: id, status: 'dropped' })),
      });
      for (const id of it.ids) expect(await executions(id)).toHaveLength(1);
    });

    test.each(Object.keys(PUT))('%s: counts only deliveries to the others', async (how) => {
      const it = await eventWith('failed', 'failed', 'failed');
      const [first] = await endpointsOf(it);
      await PUT[how]?.(first ?? '', it.key);
      const made = await Promise.all(it.ids.map(async (id) => [id, await endpointOf(id)] as const));
      const left = made.filter(([, endpoint]) => endpoint === first).map(([id]) => id);
      const answer = await batch(it, { delivery_ids: it.ids });
      expect(answer.body.queued).toBe(2);
      expect(answer.body.deliveries).toEqual(
        it.ids.map((id) => ({ delivery_id: id, status: left.includes(id) ? 'dropped' : 'queued' })),
      );
      const single = await retry(it, it.eventId);
      expect(single.body.status).toBe('queued');
      expect(single.body.message).toMatch(
        new RegExp(`^Retry initiated for 2 deliveries\\. Not sent: ${left[0]}\\. Its endpoint is d`),
      );
      expect(left).not.toContain(single.body.delivery_id);
    });
  });

  test('takes no body but an empty object, and no parameters', async () => {
    const it = await failures(1);
    const path = `/v1/tenants/${it.handle}/events/${it.first.eventId}/retry`;
    for (const body of [{ delivery_ids: [] }, [], 'null', '"x"'])
      expectProblem(await it.zen('POST', path, { body }), 422, 'invalid-parameters');
    expectProblem(await it.zen('POST', `${path}?force=1`), 422, 'invalid-parameters');
    expect((await it.zen('POST', path, { body: {} })).status).toBe(202);
  });

  test.each([
    'evt_abc123',
    `evt_${UNKNOWN}`,
    `dlv_${UNKNOWN}`,
    'x',
    '%00',
    '%F0%9F%92%A9',
    'a'.repeat(3_000),
    '..%2f..',
  ])('of %s is the printed 404', async (id) => {
    const it = await world();
    const answer = await retry(it, id);
    expectProblem(answer, 404, 'not-found');
    expect(answer.body.title).toBe('Not Found');
    expect(answer.body.detail).toMatch(/^Event [\s\S]{1,101} not found\.$/);
  });
});

describe('a batch', () => {
  test('echoes ids as they are spelled, counts repeats once and keeps their order', async () => {
    const it = await failures(3);
    const [a, b, c] = it.seeded.map(({ deliveryId }) => deliveryId) as [string, string, string];
    const spelled = [c.replace('dlv_', 'del_'), api.uuid(a), c, b, api.uuid(b)];
    expect((await batch(it, { delivery_ids: spelled })).body).toEqual({
      queued: 3,
      deliveries: [spelled[0], spelled[1], spelled[3]].map((id) => ({ delivery_id: id, status: 'queued' })),
    });
    expect(await operations(it)).toBe(1);
  });

  test('tells each delivery’s own state, and leaves delivered and dropped ones alone', async () => {
    const it = await eventWith('failed', 'delivered', 'ignored', 'pending', 'unknown', 'cancelled');
    const answer = await batch(it, { delivery_ids: it.ids });
    const expected = ['queued', 'delivered', 'dropped', 'queued', 'dropped', 'queued'];
    expect(answer.body.deliveries.map(({ status }: { status: string }) => status)).toEqual(expected);
    expect(answer.body.queued).toBe(3);
    for (const [index, made] of [2, 1, 1, 2, 1, 2].entries())
      expect(await executions(it.ids[index] ?? '')).toHaveLength(made);
  });

  test('with more unknown ids than an error names says that it was cut, and names all of as many', async () => {
    const it = await world();
    for (const [count, detail] of [
      [2, '2 deliveries not found.'],
      [100, '100 deliveries not found.'],
      [101, '101 deliveries not found. `errors` names the first 100.'],
      [1_000, '1000 deliveries not found. `errors` names the first 100.'],
    ] as const)
      for (const idAt of [() => randomUUID(), (n: number) => `del_unread${n}`]) {
        const ids = Array.from({ length: count }, (_, n) => idAt(n));
        const answer = await batch(it, { delivery_ids: [...ids, ids[0]].slice(0, 1_000) });
        expectProblem(answer, 404, 'not-found');
        expect(answer.body.detail).toBe(detail);
        expect(answer.body.errors.map(({ message }: { message: string }) => message)).toEqual(
          ids.slice(0, 100).map((id) => `Delivery ${id} not found.`),
        );
      }
  });

  test('with an unknown id, or another tenant’s, does nothing and names each', async () => {
    const [it, theirs] = [await failures(1), await failures(1)];
    const ids = [
      it.first.deliveryId,
      'del_abc123',
      theirs.first.deliveryId,
      `del_${UNKNOWN}`,
      'del_abc123',
      'a\0b',
    ];
    const answer = await batch(it, { delivery_ids: ids });
    expectProblem(answer, 404, 'not-found');
    expect(answer.body.detail).toBe('4 deliveries not found.');
    expect(answer.body.errors).toEqual(
      [1, 2, 3, 5].map((index) => ({
        field: `delivery_ids[${index}]`,
        message: `Delivery ${ids[index]} not found.`,
        code: 'not_found',
      })),
    );
    const single = await batch(it, { delivery_ids: ['del_abc123'] });
    expect(single.body).toMatchObject({
      detail: 'Delivery del_abc123 not found.',
      errors: [{ field: 'delivery_ids[0]' }],
    });
    expect(await operations(it)).toBe(0);
  });

  test.each([
    [{}, 'delivery_ids', 'required'],
    [{ delivery_ids: [] }, 'delivery_ids', 'too_short'],
    [{ delivery_ids: 'del_abc123' }, 'delivery_ids', 'wrong_type'],
    [{ delivery_ids: null }, 'delivery_ids', 'wrong_type'],
    [{ delivery_ids: ['a', 7] }, 'delivery_ids[1]', 'wrong_type'],
    [{ delivery_ids: Array(1_001).fill('a') }, 'delivery_ids', 'too_long'],
    [{ delivery_ids: ['a'], force: true }, 'force', 'unknown_field'],
    [[], 'body', 'wrong_type'],
    ['null', 'body', 'wrong_type'],
  ])('of %j is refused at %s', async (body, field, code) => {
    const it = await world();
    const answer = await batch(it, body);
    expectProblem(answer, 422, 'invalid-parameters');
    expect(answer.body.title).toBe('Invalid Parameters');
    expect(answer.body.errors).toContainEqual({ field, message: expect.any(String), code });
    expect(Object.keys(answer.body.errors[0])).toEqual(['field', 'message', 'code']);
  });

  test('needs a body of JSON, of a size that can be read', async () => {
    const it = await world();
    const path = `/v1/tenants/${it.handle}/retry/batch`;
    expectProblem(await it.zen('POST', path), 422, 'invalid-parameters');
    expectProblem(await it.zen('POST', path, { body: '{"delivery_ids":' }), 422, 'invalid-parameters');
    expectProblem(await it.zen('POST', path, { body: '['.repeat(10_000) }), 422, 'invalid-parameters');
    expectProblem(
      await it.zen('POST', path, { body: `"${'x'.repeat(9_000_000)}"` }),
      422,
      'invalid-parameters',
    );
    const text = { 'content-type': 'text/plain' };
    expectProblem(await it.zen('POST', path, { body: '{}', headers: text }), 422, 'invalid-parameters');
  });
});

describe('an Idempotency-Key', () => {
  const headers = { 'idempotency-key': 'k' };

  test('answers the first response again, byte for byte, for the same set in another order and spelling', async () => {
    const it = await failures(2);
    const [a, b] = it.seeded.map(({ deliveryId }) => deliveryId) as [string, string];
    const first = await batch(it, { delivery_ids: [a, b] }, headers);
    for (const ids of [
      [b, a],
      [a, a, b],
      [api.uuid(b), a.replace('dlv_', 'del_')],
    ]) {
      const repeat = await batch(it, { delivery_ids: ids }, headers);
      expect([repeat.status, repeat.text]).toEqual([202, first.text]);
    }
    const event = await retry(it, it.first.eventId, { 'idempotency-key': 'e' });
    const again = await retry(it, api.uuid(it.first.eventId), { 'idempotency-key': '"e"' });
    expect(again.text).toBe(event.text);
    expect(await operations(it)).toBe(2);
  });

  test('is one for all routes of a tenant: another event, set or route conflicts', async () => {
    const it = await failures(2);
    const [one, other] = it.seeded as [SeededDelivery, SeededDelivery];
    expect((await retry(it, one.eventId, headers)).status).toBe(202);
    const conflicts = [
      await retry(it, other.eventId, headers),
      await retry(it, 'evt_abc123', headers),
      await batch(it, { delivery_ids: [one.deliveryId] }, headers),
      await batch(it, { delivery_ids: ['del_abc123'] }, headers),
      await it.zen('POST', '/v1/replays', {
        body: {
          source_id: 'a',
          time_range: { since: '2026-01-01T00:00:00Z', until: '2026-01-02T00:00:00Z' },
        },
        headers,
      }),
    ];
    for (const answer of conflicts) {
      expect(answer.status).toBe(409);
      expect(Object.keys(answer.body)).toEqual(['type', 'title', 'status', 'detail', 'idempotency_key']);
      expect(answer.body.idempotency_key).toBe('k');
    }
    expect(await operations(it)).toBe(1);
  });

  test('is another tenant’s own', async () => {
    const [it, theirs] = [await failures(1), await failures(1)];
    expect((await retry(it, it.first.eventId, headers)).status).toBe(202);
    expect((await retry(theirs, theirs.first.eventId, headers)).status).toBe(202);
  });

  test('is free again after 24 hours', async () => {
    const it = await failures(2);
    const [one, other] = it.seeded as [SeededDelivery, SeededDelivery];
    await retry(it, one.eventId, headers);
    const { rows } = await api.database.pool.query(
      `update idempotency_keys set expires_at = expires_at - interval '24 hours' where tenant_id = $1
       returning expires_at between now() - interval '1 minute' and now() as over`,
      [it.tenant],
    );
    expect(rows).toEqual([{ over: true }]);
    expect((await retry(it, other.eventId, headers)).body.delivery_id).toBe(other.deliveryId);
  });

  test('is not used up by a refused request', async () => {
    const it = await failures(1);
    expect((await retry(it, 'evt_abc123', headers)).status).toBe(404);
    expect((await batch(it, { delivery_ids: ['del_abc123'] }, headers)).status).toBe(404);
    expect((await batch(it, { delivery_ids: [] }, headers)).status).toBe(422);
    expect((await batch(it, { delivery_ids: [it.first.deliveryId] }, headers)).status).toBe(202);
  });

  test('makes one operation of many requests at once', async () => {
    const it = await failures(3);
    const ids = it.seeded.map(({ deliveryId }) => deliveryId);
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        batch(it, { delivery_ids: n % 2 ? ids : [...ids].reverse() }, headers),
      ),
    );
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(await operations(it)).toBe(1);
  });

  test.each(['', 'a b', 'x'.repeat(256), '"open'])('of %j is refused', async (key) => {
    const it = await failures(1);
    const answer = await retry(it, it.first.eventId, { 'idempotency-key': key });
    expectProblem(answer, 422, 'invalid-parameters');
    expect(answer.body.errors[0].field).toBe('Idempotency-Key');
  });
});

describe('before a route is called', () => {
  test('the order of the checks is credential, tenant, scope, plan, body, idempotency, target', async () => {
    const it = await failures(1);
    await api.call('PATCH', `/api/v1/tenants/${it.handle}`, { key: api.adminKey, body: { plan: 'free' } });
    const reader = await api.newKey(it.tenant, ['read:deliveries']);
    const send = (handle: string, key: string | undefined, body: unknown, headers = {}) =>
      it.zen('POST', `/v1/tenants/${handle}/retry/batch`, { key, body, headers });
    expect((await send('nobody', undefined, '{')).status).toBe(401);
    expect((await send('nobody', reader, '{')).status).toBe(404);
    expect((await send(it.handle, reader, '{')).body).toHaveProperty('required_scope');
    expect((await send(it.handle, it.key, '{')).body).toHaveProperty('required_plan');
    await api.call('PATCH', `/api/v1/tenants/${it.handle}`, { key: api.adminKey, body: { plan: 'pro' } });
    await retry(it, it.first.eventId, { 'idempotency-key': 'used' });
    const used = { 'idempotency-key': 'used' };
    expect((await send(it.handle, it.key, { delivery_ids: [] }, used)).status).toBe(422);
    expect((await send(it.handle, it.key, { delivery_ids: ['del_abc123'] }, used)).status).toBe(409);
    expect((await send(it.handle, it.key, { delivery_ids: ['del_abc123'] })).status).toBe(404);
  });

  test.each([
    [undefined, undefined],
    ['rdk_nobody', undefined],
    ['a.b.c', undefined],
    [undefined, 'zen_key_nobody'],
  ])('the credential %s, %s is a 401 that tells nothing', async (key, apiKey) => {
    const it = await world();
    const headers: Record<string, string> = apiKey === undefined ? {} : { 'x-api-key': apiKey };
    const answer = await it.zen('GET', `/v1/tenants/${it.handle}/deliveries`, { key, headers });
    expectProblem(answer, 401, 'authentication');
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(answer.text).not.toContain('nobody');
  });

  test('expired and revoked keys are 401', async () => {
    const it = await world();
    const expired = await api.newKey(it.tenant, ['read:deliveries'], new Date(Date.now() - 1_000));
    const listed = await api.call('GET', '/api/v1/keys', { key: it.key });
    const path = `/v1/tenants/${it.handle}/deliveries`;
    expectProblem(await it.zen('GET', path, { key: expired }), 401, 'authentication');
    const other = await api.newKey(it.tenant, ['write:keys']);
    for (const { id } of listed.body.items) await api.call('DELETE', `/api/v1/keys/${id}`, { key: other });
    expectProblem(await it.zen('GET', path), 401, 'authentication');
  });

  test('wrong methods and unknown routes are 404', async () => {
    const it = await failures(1);
    const wrong = await it.zen('GET', `/v1/tenants/${it.handle}/retry/batch`);
    expectProblem(wrong, 404, 'not-found');
    expect(wrong.headers.get('allow')).toBe('POST');
    for (const path of ['/v1', '/v1/', '/v1/tenants', `/v1/tenants/${it.handle}/deliveries/`, '/v1/nothing'])
      expectProblem(await it.zen('POST', path, { body: {} }), 404, 'not-found');
    for (const path of ['/v1/%', '/v1/tenants/%/deliveries', `/v1/tenants/${it.handle}/deliveries/%E0%A4%A`])
      expectProblem(await it.zen('GET', path), 404, 'not-found');
  });

  test('a tenant makes 200 requests at once and 100 a minute; then 429 with Retry-After', async () => {
    const [it, theirs] = [await world(), await world()];
    const path = `/v1/tenants/${it.handle}/deliveries`;
    const answers: ZenAnswer[] = [];
    // A machine that is busy may ask so slowly that more of them have their turn.
    await eventually('one is refused', async () => {
      answers.push(...(await Promise.all(Array.from({ length: 50 }, () => it.zen('GET', path)))));
      return answers.some(({ status }) => status !== 200);
    });
    const allowed = answers.filter(({ status }) => status === 200);
    expect(allowed.length).toBeGreaterThanOrEqual(200);
    const refused = answers.find(({ status }) => status !== 200) as ZenAnswer;
    expectProblem(refused, 429, 'rate-limited');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('ratelimit-policy')).toBe('"default";q=100;w=60');
    expect((await theirs.zen('GET', `/v1/tenants/${theirs.handle}/deliveries`)).status).toBe(200);
  });
});
