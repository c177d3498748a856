import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { PROBLEMS } from '../../../src/api/problems/problem-table.ts';
import { showId } from '../../../src/domain/tenancy/typed-id.ts';
import { rowCounts } from '../../support/api/api-world.ts';
import { useApi } from '../../support/api/use-api.ts';
import { useFailures } from '../../support/api/use-failures.ts';
import { seedEndpoint, seedFailedDeliveries } from '../../support/engine/failed-deliveries.ts';
import { anyId } from '../../support/store/any-id.ts';

const api = useApi();
const failures = useFailures(api, 7);
const { fresh, post } = failures;

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
            endpointIds: ['end_01k9z3e5hbe7r9qk2m4n6p8r0s', failures.endpointId, theirs],
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
          filter: {
            endpointIds: [failures.endpointId],
            dispatchBatchIds: [own.id, event.body.dispatchBatchId],
          },
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
