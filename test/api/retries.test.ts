import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { PROBLEMS } from '../../src/api/problems/problem-table.ts';
import { showId } from '../../src/domain/tenancy/typed-id.ts';
import { rowCounts } from '../support/api/api-world.ts';
import { startTestApi } from '../support/api/test-api.ts';
import { useApi } from '../support/api/use-api.ts';
import {
  type SeededDelivery,
  seedEndpoint,
  seedFailedDeliveries,
} from '../support/engine/failed-deliveries.ts';
import { anyId } from '../support/store/any-id.ts';

const api = useApi();
let seeded: SeededDelivery[];
let endpointId: string;

beforeAll(async () => {
  endpointId = await seedEndpoint(api);
  seeded = await seedFailedDeliveries(api, 13);
});

const post = (body: unknown, idempotencyKey?: string) =>
  api.call('POST', '/api/v1/retries', {
    body,
    headers: idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey },
  });

/** One of the deliveries that no other test has retried yet. */
function fresh(): SeededDelivery {
  const next = seeded.shift();
  if (!next) throw new Error('more deliveries must be seeded');
  return next;
}

describe('a retry', () => {
  test('of one delivery says what it became', async () => {
    const { deliveryId, executionId } = fresh();
    const before = api.poked.started.length;
    const answer = await post({
      select: { deliveryIds: [deliveryId] },
      reason: 'it was down',
      ticket: 'OPS-1',
    });
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({
      kind: 'retry',
      target: 'current',
      control: 'run',
      reason: 'it was down',
      ticket: 'OPS-1',
      select: { deliveryIds: [deliveryId] },
      counts: { expected: 1, queued: 1 },
      items: [{ deliveryId, became: 'queued' }],
    });
    expect(answer.body).not.toHaveProperty('idempotencyExpiresAt');
    expect(api.poked.started.length).toBe(before + 1);
    const delivery = await api.call('GET', `/api/v1/deliveries/${deliveryId}`);
    expect(delivery.body.executions).toMatchObject([
      { id: executionId, childId: answer.body.items[0].executionId },
      {
        id: answer.body.items[0].executionId,
        parentId: executionId,
        operationId: answer.body.id,
        state: 'queued',
      },
    ]);
    const again = await post({ select: { deliveryIds: [deliveryId] } });
    expect(again.body.items).toMatchObject([
      {
        became: 'excluded',
        reason: 'coalesced',
        why: 'Another execution of it is open and will be sent.',
        joinedExecutionId: answer.body.items[0].executionId,
      },
    ]);
  });

  test('that cannot send says in the answer and in the ledger why, and names the next call', async () => {
    const { deliveryId } = fresh();
    const { rows } = await api.database.pool.query(
      `insert into executions (tenant_id, delivery_id, endpoint_id, parent_id, state, due_at, give_up_at)
       select tenant_id, delivery_id, endpoint_id, id, 'unknown', now(), now() + interval '1 day'
       from executions where delivery_id = $1 returning id`,
      [api.uuid(deliveryId)],
    );
    const { body } = await post({
      select: { deliveryIds: [deliveryId] },
      options: { takeOverScheduled: true },
    });
    const said = {
      deliveryId,
      reason: 'outcome_unknown',
      why: 'Its last attempt may have arrived, and nothing is sent before that is known.',
      next: expect.stringContaining(`POST /api/v1/deliveries/${deliveryId}/resolve`),
      joinedExecutionId: showId('execution', rows[0].id),
    };
    expect(body.items).toEqual([{ became: 'excluded', ...said }]);
    const ledger = await api.call('GET', `/api/v1/retries/${body.id}/items`);
    expect(ledger.body.items).toMatchObject([{ kind: 'exclusion', ...said }]);
  });

  test('takes ids in both spellings and counts repeats once', async () => {
    const { deliveryId, executionId } = fresh();
    const answer = await post({ select: { deliveryIds: [deliveryId, api.uuid(deliveryId), deliveryId] } });
    expect(answer.body.counts.expected).toBe(1);
    expect(answer.body.select).toEqual({ deliveryIds: [deliveryId] });
    const other = await post({ select: { executionIds: [executionId] } });
    expect(other.body.items).toMatchObject([{ deliveryId, became: 'excluded' }]);
  });

  test('of an event retries its deliveries', async () => {
    const { eventId, deliveryId } = fresh();
    expect((await post({ select: { eventIds: [eventId] } })).body.items).toMatchObject([
      { deliveryId, became: 'queued' },
    ]);
  });

  test('of nothing is accepted and has nothing to do', async () => {
    const answer = await post({ select: { deliveryIds: [] } });
    expect(answer).toMatchObject({ status: 202, body: { counts: { expected: 0 }, items: [] } });
  });

  test('names the ids that are not there, and does nothing', async () => {
    const { deliveryId } = fresh();
    const { key } = await api.newTenant();
    await seedEndpoint(api, key);
    const [theirs] = await seedFailedDeliveries(api, 1, key);
    const before = await rowCounts(api);
    const refused = await post({
      select: { deliveryIds: [deliveryId, theirs?.deliveryId, 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s'] },
    });
    expect(refused).toMatchObject({ status: 404, body: { code: 'unknown_ids' } });
    expect(refused.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
      '#/select/deliveryIds/1',
      '#/select/deliveryIds/2',
    ]);
    const unknown = Array.from({ length: 101 }, () => showId('delivery', anyId(randomUUID())));
    for (const [count, detail] of [
      [100, PROBLEMS.unknown_ids.advice],
      [101, 'Nothing was done: 101 ids name nothing of the tenant; `errors` names the first 100.'],
    ] as const) {
      const many = await post({ select: { deliveryIds: unknown.slice(0, count) } });
      expect(many.body.detail).toBe(detail);
      expect(many.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(
        unknown.slice(0, 100).map((_, index) => `#/select/deliveryIds/${index}`),
      );
    }
    const failures = await post({ select: { failuresOf: 'op_01k9z3e5hbe7r9qk2m4n6p8r0s' } }, 'k-unknown');
    expect(failures).toMatchObject({ status: 404, body: { errors: [{ pointer: '#/select/failuresOf' }] } });
    const remainder = await post({ select: { remainderOf: 'op_01k9z3e5hbe7r9qk2m4n6p8r0s' } }, 'k-unknown');
    expect(remainder).toMatchObject({ status: 404, body: { errors: [{ pointer: '#/select/remainderOf' }] } });
    expect(await rowCounts(api)).toEqual(before);
  });

  test("by filter names the ids of ours that are nobody's, or another tenant's", async () => {
    const { key } = await api.newTenant();
    const theirs = await seedEndpoint(api, key);
    const theirRetry = await api.call('POST', '/api/v1/retries', {
      key,
      body: { select: { deliveryIds: [] } },
    });
    const { body: events } = await api.call('POST', '/api/v1/events', {
      body: { type: 'a.b', source: 's', payload: {} },
    });
    const event = await api.call('GET', `/api/v1/events/${events.eventId ?? events.id}`);
    const { body: own } = await post({ select: { deliveryIds: [] } });
    const before = await rowCounts(api);
    const refused = await post(
      {
        select: {
          filter: {
            endpointIds: ['end_01k9z3e5hbe7r9qk2m4n6p8r0s', endpointId, theirs],
            dispatchBatchIds: [
              own.id,
              event.body.dispatchBatchId,
              theirRetry.body.id,
              '0198b1a2-7c00-7000-8000-000000000000',
            ],
            ingestionBatchIds: ['a-name-of-the-client'],
          },
        },
      },
      'k-nobody',
    );
    expect(refused).toMatchObject({ status: 404, body: { code: 'unknown_ids' } });
    expect(refused.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
      '#/select/filter/dispatchBatchIds/2',
      '#/select/filter/dispatchBatchIds/3',
      '#/select/filter/endpointIds/0',
      '#/select/filter/endpointIds/2',
    ]);
    expect(await rowCounts(api)).toEqual(before);
    const accepted = await post(
      {
        select: {
          filter: { endpointIds: [endpointId], dispatchBatchIds: [own.id, event.body.dispatchBatchId] },
        },
      },
      'k-nobody',
    );
    expect(accepted.status).toBe(202);
  });

  test('of the remainder of another one is shown as it was sent', async () => {
    const { body: first } = await post({ select: { deliveryIds: [] } });
    expect(first).toMatchObject({ nothingSelected: true, remainder: null });
    const answer = await post({ select: { remainderOf: first.id } }, 'k-remainder');
    expect(answer).toMatchObject({
      status: 202,
      body: { select: { remainderOf: first.id }, nothingSelected: false },
    });
  });

  test('by filter shows the filter as it was sent, times in UTC', async () => {
    const filter = {
      state: ['failed'],
      endpointIds: [] as string[],
      from: '2026-01-01T00:00:00.000Z',
      to: '2026-01-01T08:00:00.000Z',
      pendingLongerThanMs: 5,
    };
    const sent = { ...filter, from: '2026-01-01t00:00:00z', to: '2026-01-02T00:00:00+16:00' };
    const answer = await post(
      { select: { filter: sent }, options: { ratePerSecond: 5, notBefore: '2020-01-01T00:00:00Z' } },
      'k-filter',
    );
    expect(answer.body).toMatchObject({
      select: { filter },
      ratePerSecond: 5,
      options: { ratePerSecond: 5 },
    });
    expect(answer.body).not.toHaveProperty('items');
    expect(Date.parse(answer.body.idempotencyExpiresAt) - Date.parse(answer.body.createdAt)).toBe(86_400_000);
  });

  test.each<[object, string, string]>([
    [{}, '#/select', 'required'],
    [{ select: {} }, '#/select', 'exactly_one'],
    [{ select: { deliveryIds: [], eventIds: [] } }, '#/select', 'exactly_one'],
    [{ select: { deliveries: [] } }, '#/select/deliveries', 'unknown_field'],
    [{ select: { deliveryIds: ['x'] } }, '#/select/deliveryIds/0', 'wrong_format'],
    [
      { select: { deliveryIds: ['evt_01k9z3e5hbe7r9qk2m4n6p8r0s'] } },
      '#/select/deliveryIds/0',
      'wrong_format',
    ],
    [{ select: { deliveryIds: Array(1_001).fill('x') } }, '#/select/deliveryIds', 'too_long'],
    [{ select: { filter: { state: ['x'] } } }, '#/select/filter/state/0', 'not_allowed'],
    [{ select: { filter: { states: [] } } }, '#/select/filter/states', 'unknown_field'],
    [
      { select: { filter: { from: '2026-02-01T00:00:00Z', to: '2026-01-01T00:00:00Z' } } },
      '#/select/filter/to',
      'out_of_range',
    ],
    [{ select: { filter: { httpStatus: [1e9] } } }, '#/select/filter/httpStatus/0', 'out_of_range'],
    [{ select: { deliveryIds: [] }, mode: 'again' }, '#/mode', 'not_allowed'],
    [{ select: { deliveryIds: [] }, target: 'best' }, '#/target', 'not_allowed'],
    [{ select: { deliveryIds: [] }, newIdentity: true }, '#/newIdentity', 'not_allowed'],
    [
      {
        select: { deliveryIds: [] },
        mode: 'replay',
        newIdentity: true,
        options: { takeOverScheduled: true },
      },
      '#/options/takeOverScheduled',
      'not_allowed',
    ],
    ...['giveUpAfter', 'canaries'].map((name): [object, string, string] => [
      { select: { deliveryIds: [] }, options: { [name]: 1 } },
      `#/options/${name}`,
      'unknown_field',
    ]),
    [
      { select: { deliveryIds: [] }, options: { ratePerSecond: 0 } },
      '#/options/ratePerSecond',
      'out_of_range',
    ],
    [
      { select: { deliveryIds: [] }, options: { maxConcurrency: 1.5 } },
      '#/options/maxConcurrency',
      'wrong_type',
    ],
    [
      { select: { deliveryIds: [] }, options: { notBefore: '9000-01-01T00:00:00Z' } },
      '#/options/notBefore',
      'out_of_range',
    ],
    [{ select: { deliveryIds: [] }, reason: '' }, '#/reason', 'too_short'],
  ])('%j is refused', async (body, pointer, code) => {
    const before = await rowCounts(api);
    const refused = await post(body, 'k-bad');
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(refused.body.errors).toContainEqual(expect.objectContaining({ pointer, code }));
    expect(await rowCounts(api)).toEqual(before);
  });
});

describe('an idempotency key', () => {
  test('is required where a filter or an operation is selected', async () => {
    for (const select of [
      { filter: {} },
      { failuresOf: 'op_01k9z3e5hbe7r9qk2m4n6p8r0s' },
      { remainderOf: 'op_01k9z3e5hbe7r9qk2m4n6p8r0s' },
    ])
      expect((await post({ select })).body.code).toBe('idempotency_key_required');
  });

  test.each(['', ' ', 'a b', 'ü', '"open', '"a"b"', 'x'.repeat(256), '""'])('cannot be "%s"', async (key) => {
    const answer = await post({ select: { deliveryIds: [] } }, key);
    // fetch takes an empty header for none.
    if (key.trim() === '') expect([202, 400]).toContain(answer.status);
    else expect(answer.body.code).toBe('idempotency_key_invalid');
  });

  test('gets the same answer again, byte for byte, quoted or bare, whatever the order of members', async () => {
    const { deliveryId } = fresh();
    const body = {
      select: { deliveryIds: [deliveryId] },
      reason: 'r',
      options: { giveUpAfterMs: 60_000, ratePerSecond: 2 },
    };
    const first = await post(body, 'k-1');
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    const started = api.poked.started.length;
    const reordered = `{"options":{"ratePerSecond":2.0,"giveUpAfterMs":60000}, "reason":"\\u0072","select":{"deliveryIds":["${deliveryId}"]}}`;
    for (const [again, key] of [
      [body, '"k-1"'],
      [reordered, 'k-1'],
    ] as const) {
      const replay = await post(again, key);
      expect(replay).toMatchObject({ status: 202, text: first.text });
      expect(replay.headers.get('idempotency-replayed')).toBe('true');
    }
    expect(api.poked.started.length).toBe(started);
    const other = await post({ ...body, reason: 'another' }, 'k-1');
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });

  test('belongs to one tenant', async () => {
    const { key } = await api.newTenant();
    const body = { select: { deliveryIds: [] } };
    const ours = await post(body, 'k-shared');
    const theirs = await api.call('POST', '/api/v1/retries', {
      key,
      body,
      headers: { 'idempotency-key': 'k-shared' },
    });
    expect(theirs.body.id).not.toBe(ours.body.id);
  });

  test('is not used up by a request that is refused', async () => {
    const { deliveryId } = fresh();
    expect((await post({ select: { deliveryIds: ['dlv_01k9z3e5hbe7r9qk2m4n6p8r0s'] } }, 'k-2')).status).toBe(
      404,
    );
    expect((await post({ select: { deliveryIds: [deliveryId] } }, 'k-2')).status).toBe(202);
  });
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

describe('an operation', () => {
  test('is listed newest first, by state, page by page', async () => {
    const { key } = await api.newTenant();
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1)
      ids.unshift(
        (await api.call('POST', '/api/v1/retries', { key, body: { select: { deliveryIds: [] } } })).body.id,
      );
    const first = await api.call('GET', '/api/v1/retries?limit=2', { key });
    const second = await api.call('GET', `/api/v1/retries?limit=2&cursor=${first.body.nextCursor}`, { key });
    expect([...first.body.items, ...second.body.items].map(({ id }) => id)).toEqual(ids);
    expect((await api.call('GET', '/api/v1/retries?state=completed', { key })).body.items).toEqual([]);
    expect(
      (await api.call('GET', '/api/v1/retries?state=accepted&state=running', { key })).body.items.length,
    ).toBe(3);
    expect((await api.call('GET', '/api/v1/retries?state=broken', { key })).status).toBe(400);
  });

  test('shows its items in pages and as NDJSON, items before exclusions', async () => {
    const some = [fresh(), fresh(), fresh()];
    const selected = some.map(({ deliveryId }) => deliveryId);
    await post({ select: { deliveryIds: selected.slice(0, 1) } });
    const { body: operation } = await post({ select: { deliveryIds: selected } });
    const path = `/api/v1/retries/${operation.id}/items`;
    const items: { kind: string; deliveryId: string }[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page = await api.call('GET', `${path}?limit=1${cursor && `&cursor=${cursor}`}`);
      items.push(...page.body.items);
      cursor = page.body.nextCursor;
    }
    expect(items.map(({ kind }) => kind)).toEqual(['item', 'item', 'exclusion']);
    expect(new Set(items.map(({ deliveryId }) => deliveryId))).toEqual(new Set(selected));
    const excluded = await api.call('GET', `${path}?state=excluded`);
    expect(excluded.body.items).toMatchObject([
      { kind: 'exclusion', reason: 'coalesced', deliveryId: selected[0] },
    ]);
    expect((await api.call('GET', `${path}?state=delivered`)).body.items).toEqual([]);
    const stream = await api.call('GET', path, { headers: { accept: 'application/x-ndjson' } });
    expect(stream.headers.get('content-type')).toBe('application/x-ndjson');
    expect(
      stream.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(items);
  });

  test('takes control where its state allows, and says so where not', async () => {
    const { deliveryId } = fresh();
    const { body: operation } = await post({ select: { deliveryIds: [deliveryId] } });
    const path = `/api/v1/retries/${operation.id}`;
    const nudged = api.poked.nudged.length;
    expect((await api.call('POST', `${path}/pause`)).body).toMatchObject({
      state: 'paused',
      control: 'pause',
      inFlight: 0,
    });
    expect((await api.call('POST', `${path}/rate`, { body: { ratePerSecond: 7 } })).body).toMatchObject({
      ratePerSecond: 7,
    });
    expect((await api.call('POST', `${path}/rate`, { body: { perSecond: null } })).body).toMatchObject({
      ratePerSecond: null,
    });
    expect((await api.call('POST', `${path}/resume`, { body: {} })).body).toMatchObject({ control: 'run' });
    expect((await api.call('POST', `${path}/resume`)).body).toMatchObject({
      code: 'state_conflict',
      status: 409,
    });
    expect((await api.call('POST', `${path}/cancel`)).body).toMatchObject({ control: 'cancel' });
    expect((await api.call('POST', `${path}/pause`)).body).toMatchObject({ code: 'state_conflict' });
    expect(api.poked.nudged.length).toBeGreaterThan(nudged);
    expect((await api.call('GET', `${path}/report`)).body).toMatchObject({ code: 'state_conflict' });
  });

  test('shows who asked for it, who did what to it, and what it comes to; its report does, too', async () => {
    const [delivery] = await seedFailedDeliveries(api, 1);
    const { body: asked } = await post({
      select: { deliveryIds: [delivery?.deliveryId] },
      reason: 'r',
      ticket: 'T-1',
    });
    const path = `/api/v1/retries/${asked.id}`;
    const other = await api.newKey(api.tenant.id, ['read:deliveries', 'write:deliveries']);
    await api.call('POST', `${path}/pause`, { key: other });
    await api.call('POST', `${path}/rate`, { key: other, body: { perSecond: 3 } });
    await api.call('POST', `${path}/cancel`);
    const keys = await api.call('GET', '/api/v1/keys');
    const [second, first] = keys.body.items.map(({ id }: { id: string }) => id);
    const details = {
      requestedBy: first,
      reason: 'r',
      ticket: 'T-1',
      select: { deliveryIds: [delivery?.deliveryId] },
      controls: [
        { did: 'pause', by: second },
        { did: 'rate', by: second, ratePerSecond: 3 },
        { did: 'cancel', by: first },
      ],
      halts: [],
      endpointCount: 1,
      endpoints: [{ items: 1, others: 1 }],
    };
    expect((await api.call('GET', path)).body).toMatchObject({ ...details, causes: [] });
    expect((await api.call('GET', '/api/v1/retries?limit=1')).body.items).toMatchObject([
      { id: asked.id, requestedBy: first },
    ]);
    await close(asked.id);
    // One that closed before this was kept.
    const { endpointCount, endpoints, ...kept } = details;
    expect((await api.call('GET', `${path}/report`)).body).toMatchObject({
      ...kept,
      endpointCount: null,
      endpoints: null,
      causes: null,
    });
  });

  test('is paced by one name for its rate, or by the earlier one', async () => {
    const { body: operation } = await post({ select: { deliveryIds: [] } });
    const path = `/api/v1/retries/${operation.id}/rate`;
    for (const body of [{}, { ratePerSecond: 1, perSecond: 1 }])
      expect(await api.call('POST', path, { body })).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: '#/ratePerSecond', code: 'required' }] },
      });
    expect((await api.call('POST', path, { body: { perSecond: 2 } })).body.ratePerSecond).toBe(2);
  });

  test('says at the first look when it will have sent what is due, and what that leaves out', async () => {
    const { body: operation } = await post({
      select: { deliveryIds: [fresh().deliveryId] },
      options: { ratePerSecond: 0.25 },
    });
    expect(operation).toMatchObject({ etaSeconds: null, etaLeavesOut: null });
    await api.database.pool.query(`update operations set state = 'running' where id = $1`, [
      api.uuid(operation.id),
    ]);
    expect((await api.call('GET', `/api/v1/retries/${operation.id}`)).body).toMatchObject({
      etaSeconds: 4,
      etaLeavesOut: { scheduled: 0, unknown: 0 },
    });
  });

  test('is followed by events until it has closed', async () => {
    const { body: operation } = await post({ select: { deliveryIds: [fresh().deliveryId] } });
    const path = `/api/v1/retries/${operation.id}`;
    const following = api.call('GET', `${path}/stream`, { headers: { accept: 'text/event-stream' } });
    await api.call('POST', `${path}/pause`);
    await close(operation.id);
    const stream = await following;
    expect(stream.headers.get('content-type')).toBe('text/event-stream');
    const events = stream.text
      .split('\n\n')
      .filter((block) => block.startsWith('event:'))
      .map((block) => ({
        event: /^event: (.*)$/m.exec(block)?.[1],
        data: JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? ''),
      }));
    expect(events.at(-1)).toMatchObject({
      event: 'closed',
      data: { id: operation.id, state: 'cancelled', nextEvent: null },
    });
    expect(events.slice(0, -1).every(({ event }) => event === 'progress')).toBe(true);
    expect(events[0]?.data).not.toHaveProperty('select');
    const report = await api.call('GET', `${path}/report`);
    expect(report.body).toMatchObject({
      operationId: operation.id,
      state: 'cancelled',
      attempts: 0,
      firstAttemptAt: null,
    });
  });

  test('is followed no longer when the follower has gone', async () => {
    const { body: operation } = await post({ select: { deliveryIds: [] } });
    const gone = new AbortController();
    const response = await fetch(`${api.url}/api/v1/retries/${operation.id}/stream`, {
      headers: { authorization: `Bearer ${api.key}` },
      signal: gone.signal,
    });
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toContain('retry:');
    gone.abort();
    await expect(reader?.read()).rejects.toThrow();
  });

  test('is followed no longer when the server shuts down', async () => {
    const shutdown = new AbortController();
    const other = await startTestApi({ shutdown: shutdown.signal });
    try {
      const { body: operation } = await other.call('POST', '/api/v1/retries', {
        body: { select: { deliveryIds: [] } },
      });
      const response = await fetch(`${other.url}/api/v1/retries/${operation.id}/stream`, {
        headers: { authorization: `Bearer ${other.key}` },
      });
      shutdown.abort();
      // Ended, not cut off: reading to the end succeeds.
      expect(await response.text()).toMatch(/^(retry: 2000\n\n)?/);
    } finally {
      await other.close();
    }
  });
});

/** Ends an operation as its workflow would; the content of the report is of no interest here. */
async function close(operationId: string): Promise<void> {
  const report = { counts: {}, mayHaveArrived: 0, exclusions: {}, attempts: 0 };
  await api.database.pool.query(
    `update operations set state = 'closing', control = 'cancel' where id = $1 and state <> 'closing'`,
    [api.uuid(operationId)],
  );
  await api.database.pool.query(
    `update operations o set state = 'cancelled', closed_at = now(), next_event_at = null,
      report = $2::jsonb || jsonb_build_object('counts', to_jsonb(c) - 'operation_id' - 'frozen')
     from operation_counts c where c.operation_id = o.id and o.id = $1`,
    [api.uuid(operationId), JSON.stringify(report)],
  );
}
