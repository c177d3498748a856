import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { useApi } from '../support/api/use-api.ts';

const api = useApi();

async function storedBody(eventId: string): Promise<string> {
  const { rows } = await api.database.pool.query('select body from payloads where event_id = $1', [
    api.uuid(eventId),
  ]);
  return rows[0]?.body;
}

describe('accepting events', () => {
  test('an event makes a queued delivery for each endpoint that wants it', async () => {
    const { key, tenant } = await api.newTenant();
    await api.call('POST', '/api/v1/endpoints', {
      key,
      body: {
        url: 'https://hooks.example/a',
        eventTypes: ['invoice.*'],
        filter: { 'data.amount': { $gte: 100 } },
      },
    });
    const pokes = api.poked.liveLane;
    const accepted = await api.call('POST', '/api/v1/events', {
      key,
      body: [
        { type: 'invoice.paid', payload: { data: { amount: 100 } } },
        { type: 'invoice.paid', payload: { data: { amount: 99 } } },
        { type: 'order.paid', payload: { data: { amount: 100 } } },
      ],
    });
    expect(accepted.status).toBe(202);
    expect(accepted.body.map(({ deliveries }: { deliveries: number }) => deliveries)).toEqual([1, 0, 0]);
    expect(accepted.body.map(({ number }: { number: number }) => number)).toEqual([1, 2, 3]);
    expect(api.poked.liveLane).toBe(pokes + 1);
    const { rows } = await api.database.pool.query(
      `select d.state, d.accepted_at = v.accepted_at and e.due_at = v.accepted_at as same, e.state as execution,
        e.give_up_at - v.accepted_at = interval '24 hours' as day, d.payload_bytes
       from deliveries d join events v on v.id = d.event_id join executions e on e.delivery_id = d.id
       where d.tenant_id = $1`,
      [tenant.id],
    );
    expect(rows).toEqual([
      { state: 'pending', same: true, execution: 'queued', day: true, payload_bytes: 23 },
    ]);
  });

  test('one object is answered with one object', async () => {
    const accepted = await api.call('POST', '/api/v1/events', { body: { type: 'a', payload: null } });
    expect(accepted.body).toMatchObject({ deliveries: 0 });
  });

  test('a payload is kept byte for byte', async () => {
    const written = [
      '{ "b":1,\n\t"a":[ 1.50, 12345678901234567890, "\\u00e9\\/", "é😀" ], "b" : {} }',
      '-0',
      'null',
      '"\\ud800"',
      '{"payload":{"payload":1}}',
    ];
    const text = `[${written.map((payload) => ` { "payload":0, "type":"a" ,"p\\u0061yload" : ${payload} } `).join(',')}]`;
    const accepted = await api.call('POST', '/api/v1/events', { body: text });
    expect(accepted.status).toBe(202);
    const stored = await Promise.all(
      accepted.body.map(({ eventId }: { eventId: string }) => storedBody(eventId)),
    );
    expect(stored).toEqual(written);
    const shown = await api.call('GET', `/api/v1/events/${accepted.body[0].eventId}?include=payload`);
    expect(shown.text).toContain(`"payload":${written[0]}}`);
    expect(shown.body.payloadBytes).toBe(Buffer.byteLength(written[0] ?? ''));
  });

  test('any JSON survives the way into the database', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.json(), { minLength: 1, maxLength: 10 }), async (payloads) => {
        const text = `[${payloads.map((payload) => `{"type":"a","payload":${payload}}`).join(',')}]`;
        const accepted = await api.call('POST', '/api/v1/events', { body: text });
        const stored = await Promise.all(
          accepted.body.map(({ eventId }: { eventId: string }) => storedBody(eventId)),
        );
        expect(stored).toEqual(payloads);
      }),
      { numRuns: 30 },
    );
  });

  test('a repeated id is kept as a suppressed duplicate that points to the first', async () => {
    const { key } = await api.newTenant();
    await api.call('POST', '/api/v1/endpoints', { key, body: { url: 'https://hooks.example/b' } });
    const first = await api.call('POST', '/api/v1/events', {
      key,
      body: { id: 'x1', type: 'a', payload: 1 },
    });
    const again = await api.call('POST', '/api/v1/events', {
      key,
      body: [
        { id: 'x1', type: 'a', payload: 2 },
        { id: 'x2', type: 'a', payload: 3 },
        { id: 'x2', type: 'a', payload: 4 },
      ],
    });
    const [repeat, fresh, within] = again.body;
    expect(repeat).toMatchObject({ duplicateOf: first.body.eventId, deliveries: 0, number: 2 });
    expect(fresh).toMatchObject({ deliveries: 1, number: 3 });
    expect(within).toMatchObject({ duplicateOf: fresh.eventId, deliveries: 0, number: 4 });
    const shown = await api.call('GET', `/api/v1/events/${repeat.eventId}?include=payload`, { key });
    expect(shown.body).toMatchObject({
      duplicateOf: first.body.eventId,
      payloadKept: false,
      payloadBytes: 1,
    });
    expect(shown.body).not.toHaveProperty('payload');
    expect(shown.body.deliveries).toMatchObject([{ state: 'ignored' }]);
    const delivery = await api.call('GET', `/api/v1/deliveries/${shown.body.deliveries[0].id}`, { key });
    expect(delivery.body.executions).toMatchObject([{ state: 'ignored', reason: 'suppressed_duplicate' }]);
  });

  test('concurrent repeats of one id leave one first, and numbers without gaps', async () => {
    const { key } = await api.newTenant();
    await api.call('POST', '/api/v1/endpoints', { key, body: { url: 'https://hooks.example/c' } });
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        api.call('POST', '/api/v1/events', { key, body: { id: 'same', type: 'a', payload: 1 } }),
      ),
    );
    const firsts = answers.filter(({ body }) => body.duplicateOf === undefined);
    expect(firsts.length).toBe(1);
    expect(firsts[0]?.body.deliveries).toBe(1);
    expect(new Set(answers.flatMap(({ body }) => body.duplicateOf ?? []))).toEqual(
      new Set([firsts[0]?.body.eventId]),
    );
    const numbers = answers.map(({ body }) => body.number).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
  });

  test('an event for a disabled endpoint is kept there as ignored, one for a deleted endpoint is not', async () => {
    const { key } = await api.newTenant();
    const ids: string[] = [];
    for (const path of ['on', 'off', 'gone'])
      ids.push(
        (await api.call('POST', '/api/v1/endpoints', { key, body: { url: `https://hooks.example/${path}` } }))
          .body.id,
      );
    const [on, off, gone] = ids;
    await api.call('POST', `/api/v1/endpoints/${off}/disable`, { key });
    await api.call('DELETE', `/api/v1/endpoints/${gone}`, { key });
    const accepted = await api.call('POST', '/api/v1/events', { key, body: { type: 'a', payload: 1 } });
    expect(accepted.body.deliveries).toBe(1);
    const event = await api.call('GET', `/api/v1/events/${accepted.body.eventId}`, { key });
    expect(event.body.deliveries).toMatchObject([
      { endpointId: on, state: 'pending' },
      { endpointId: off, state: 'ignored' },
    ]);
    const delivery = await api.call('GET', `/api/v1/deliveries/${event.body.deliveries[1].id}`, { key });
    expect(delivery.body.executions).toMatchObject([{ state: 'ignored', reason: 'endpoint_disabled' }]);
  });

  test('a thousand events are one call, and one too many is none', async () => {
    const { key, tenant } = await api.newTenant();
    const events = (count: number) => Array.from({ length: count }, () => ({ type: 'a', payload: 1 }));
    expect((await api.call('POST', '/api/v1/events', { key, body: events(1_000) })).body.length).toBe(1_000);
    const refused = await api.call('POST', '/api/v1/events', { key, body: events(1_001) });
    expect(refused).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', errors: [{ pointer: '#', code: 'too_long' }] },
    });
    const { rows } = await api.database.pool.query(
      'select count(*) as events from events where tenant_id = $1',
      [tenant.id],
    );
    expect(rows[0].events).toBe(1_000);
  });

  test('a payload over 1 MiB refuses the whole call and names the event', async () => {
    const { key, tenant } = await api.newTenant();
    const large = `"${'é'.repeat(512 * 1024)}"`;
    const fits = `"${'é'.repeat(512 * 1024 - 1)}"`;
    const refused = await api.call('POST', '/api/v1/events', {
      key,
      body: `[{"type":"a","payload":${fits}},{"type":"a","payload":${large}}]`,
    });
    expect(refused).toMatchObject({
      status: 413,
      body: { code: 'payload_too_large', errors: [{ pointer: '#/1/payload', code: 'too_long' }] },
    });
    const accepted = await api.call('POST', '/api/v1/events', {
      key,
      body: `{"type":"a","payload":${fits}}`,
    });
    expect(accepted.status).toBe(202);
    const { rows } = await api.database.pool.query(
      'select count(*) as events from events where tenant_id = $1',
      [tenant.id],
    );
    expect(rows[0].events).toBe(1);
  });

  test('an event that matches nothing is accepted all the same', async () => {
    const { key } = await api.newTenant();
    const accepted = await api.call('POST', '/api/v1/events', {
      key,
      body: {
        id: 'order-1',
        type: 'order.paid',
        source: 'shop',
        key: 'account-1',
        occurredAt: '2026-11-03T03:00:00+01:00',
        ingestionBatchId: 'b-1',
        payload: [],
      },
    });
    const shown = await api.call('GET', `/api/v1/events/${accepted.body.eventId}`, { key });
    expect(shown.body).toMatchObject({
      externalId: 'order-1',
      type: 'order.paid',
      source: 'shop',
      key: 'account-1',
      occurredAt: '2026-11-03T02:00:00.000Z',
      ingestionBatchId: 'b-1',
      payloadKept: true,
      deliveries: [],
    });
  });

  test('calls that come together stay apart: consecutive numbers, a batch each', async () => {
    const { key } = await api.newTenant();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        api.call('POST', '/api/v1/events', { key, body: Array(1 + (n % 7)).fill({ type: 'a', payload: n }) }),
      ),
    );
    const numbers: number[][] = answers.map(({ body }) =>
      body.map((event: { number: number }) => event.number),
    );
    for (const call of numbers) expect(call).toEqual(call.map((_, n) => (call[0] ?? 0) + n));
    expect(new Set(numbers.flat()).size).toBe(numbers.flat().length);
    expect(Math.max(...numbers.flat())).toBe(numbers.flat().length);
    const batches = await Promise.all(
      answers.map(
        async ({ body }) =>
          (await api.call('GET', `/api/v1/events/${body[0].eventId}`, { key })).body.dispatchBatchId,
      ),
    );
    expect(new Set(batches).size).toBe(40);
  });

  test('a call that cannot be written fails alone, and those at the same moment succeed', async () => {
    const { key, tenant } = await api.newTenant();
    await api.database.pool.query(
      `create function refuse_poison() returns trigger language plpgsql as $$ begin raise exception 'poison'; end $$;
       create trigger poison before insert on events for each row when (new.type = 'poison') execute function refuse_poison()`,
    );
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        api.call('POST', '/api/v1/events', { key, body: { type: n % 4 === 2 ? 'poison' : 'a', payload: n } }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([
      202, 202, 500, 202, 202, 202, 500, 202, 202, 202, 500, 202,
    ]);
    const { rows } = await api.database.pool.query(
      'select count(*) as events from events where tenant_id = $1',
      [tenant.id],
    );
    expect(rows[0].events).toBe(9);
  });

  test.each<[unknown, string, string]>([
    [{ type: 'a' }, '#/payload', 'required'],
    [{ payload: 1 }, '#/type', 'required'],
    [{ type: '', payload: 1 }, '#/type', 'too_short'],
    [{ type: 'x'.repeat(256), payload: 1 }, '#/type', 'too_long'],
    [{ type: 'a\u0000b', payload: 1 }, '#/type', 'wrong_format'],
    [{ type: '\ud800', payload: 1 }, '#/type', 'wrong_format'],
    [{ type: 'a', payload: 1, occurredAt: '2026-11-03' }, '#/occurredAt', 'wrong_format'],
    [{ type: 'a', payload: 1, Id: 'x' }, '#/Id', 'unknown_field'],
    [
      [
        { type: 'a', payload: 1 },
        { type: 1, payload: 1 },
      ],
      '#/1/type',
      'wrong_type',
    ],
    [[{ type: 'a', payload: 1 }, 'x'], '#/1', 'wrong_type'],
    [[], '#', 'too_short'],
  ])('%j is refused', async (body, pointer, code) => {
    const refused = await api.call('POST', '/api/v1/events', { body });
    expect(refused).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', errors: [{ pointer, code }] },
    });
  });
});
