import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PREPARATION_FAULTS } from '../../../src/domain/endpoints/preparation.ts';
import { type Id, showId } from '../../../src/domain/tenancy/typed-id.ts';
import { freezeNext } from '../../../src/operations/freeze-selection.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { FILE_FAULT_CODES, type FileFaultCode } from '../../../src/surfaces/stedi/file-fault.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import type { SeededRun } from '../../support/surfaces/seed-file.ts';
import { useStediWorld } from '../../support/surfaces/stedi-world.ts';

const world = useStediWorld();
let inbound: string;
let outbound: string;
let plain: string;

const FAILED: SeededRun = { state: 'failed', attempts: [{ outcome: 'retryable', httpStatus: 503 }] };
const IGNORED: SeededRun = { state: 'ignored' };
const DELIVERED: SeededRun = { state: 'delivered', attempts: [{ outcome: 'delivered', httpStatus: 200 }] };
const PARTLY: SeededRun = { state: 'delivered', attempts: [{ outcome: 'delivered', httpStatus: 207 }] };
const OPEN: SeededRun = { state: 'scheduled', attempts: [{ outcome: 'retryable', httpStatus: 503 }] };

beforeAll(async () => {
  const partner = { senderProfile: 'us', partnerProfile: 'them' };
  inbound = await world.endpoint({ handle: 'in_1', partner: { ...partner, direction: 'INBOUND' } });
  outbound = await world.endpoint({ handle: 'out_1', partner: { ...partner, direction: 'OUTBOUND' } });
  plain = await world.endpoint({ handle: 'plain_1' });
});
afterEach(() => world.empty());

/** Posts the condition, which must be answered as printed, lets the workflow's part select, and returns the parents. */
async function retried(condition: unknown): Promise<Set<string>> {
  const answer = await world.retry(condition);
  expect(answer).toMatchObject({ status: 200, text: '' });
  await select();
  return new Set((await world.children()).keys());
}

async function select(): Promise<void> {
  for (const { id } of await world.rows('select id from operations where selected_at is null'))
    while (await freezeNext(world.api.database.pool, id));
}

async function one(runs: SeededRun[], endpointId = plain): Promise<Id<'execution'>> {
  return (await world.file(endpointId, runs)).executionIds.at(-1) ?? NO_ID;
}

describe('Queue file executions to be retried. POST /executions/retry', () => {
  test.each(['/executions/retry', '/2023-08-01/executions/retry'])(
    'RetryExecutions 200 response: "The endpoint returns an empty response upon success" at %s',
    async (path) => {
      const id = await one([FAILED]);
      const answer = await world.call('POST', path, { body: { condition: { executionIds: [id] } } });
      expect(answer.status).toBe(200);
      expect(answer.text).toBe('');
      expect(answer.headers.get('content-length')).toBe('0');
      expect(answer.headers.get('content-type')).toBeNull();
      expect([...(await world.children()).keys()]).toEqual([id]);
    },
  );

  test('"queues file executions that match the criteria specified in condition for retry"', async () => {
    const [failed, ignored] = [await one([FAILED]), await one([IGNORED])];
    for (const run of [DELIVERED, PARTLY, OPEN]) await one([run]);
    expect(await retried({})).toEqual(new Set([failed, ignored]));
    const children = await world.rows(
      `select state, target_version, match_filter from executions where operation_id is not null`,
    );
    expect(children).toEqual([
      { state: 'queued', target_version: null, match_filter: true },
      { state: 'queued', target_version: null, match_filter: true },
    ]);
  });

  test('"This includes child executions generated from past retry attempts - all matching executions will be queued"', async () => {
    const first = await world.file(plain, [FAILED, FAILED, FAILED]);
    const second = await world.file(plain, [FAILED, IGNORED]);
    expect(await retried({})).toEqual(new Set([first.executionIds[2], second.executionIds[1]]));
  });
});

describe('How retries work', () => {
  test('"only retries each execution ID once": by its id, by conditions, and by many at the same moment', async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, () => one([FAILED])));
    const answers = await Promise.all([
      ...Array.from({ length: 6 }, () => world.retry({ executionIds: ids })),
      ...Array.from({ length: 4 }, () => world.retry({ status: 'FAILED' })),
    ]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    await select();
    const made = await world.rows('select parent_id from executions where operation_id is not null');
    expect(made.map((row) => row.parent_id).sort()).toEqual(ids.sort());
  });

  test('"creates a child execution with a new ID and links it to the original (parent) execution"', async () => {
    const id = await one([FAILED]);
    await retried({ executionIds: [id] });
    const parent = await world.call('GET', `/executions/${id}`);
    expect(parent.body).toMatchObject({ executionId: id, status: 'RETRYING', retryable: false });
    const child = await world.call('GET', `/executions/${parent.body.childExecutionId}`);
    expect(child.body).toMatchObject({ status: 'IN_PROGRESS', parentExecutionId: id, retryable: false });
    expect(child.body.executionId).not.toBe(id);
    expect(child.body).not.toHaveProperty('childExecutionId');
    expect(parent.body).not.toHaveProperty('parentExecutionId');
  });

  test('"To retry a file multiple times, you\'ll need to either pass the execution ID of the latest retry attempt ..."', async () => {
    const { executionIds } = await world.file(plain, [FAILED, FAILED]);
    expect(await retried({ executionIds: [executionIds[0]] })).toEqual(new Set());
    expect(await retried({ executionIds: [executionIds[1]] })).toEqual(new Set([executionIds[1]]));
  });

  test('"... or specify a matching condition": FAILED catches "the latest child execution in existing retry chains"', async () => {
    const { executionIds } = await world.file(plain, [FAILED, IGNORED, FAILED]);
    const ended = await world.file(plain, [FAILED, DELIVERED]);
    const ignored = await world.file(plain, [FAILED, IGNORED]);
    expect(await retried({ status: 'FAILED' })).toEqual(new Set([executionIds[2]]));
    expect(await retried({ executionIds: ended.executionIds })).toEqual(new Set([executionIds[2]]));
    expect(await retried({ status: 'IGNORED' })).toEqual(new Set([executionIds[2], ignored.executionIds[1]]));
  });

  test('the native API says why an id was not retried, which uses up nothing', async () => {
    const { executionIds } = await world.file(plain, [FAILED, FAILED]);
    const delivered = await one([DELIVERED]);
    const open = await one([OPEN]);
    const expired = await world.file(plain, [FAILED], { payloadKept: false });
    const unasked = await one([IGNORED]);
    await world.retry({
      status: 'FAILED',
      executionIds: [executionIds[0], delivered, open, expired.executionIds[0], unasked, crypto.randomUUID()],
    });
    const { body } = await world.api.call('GET', '/api/v1/retries');
    expect(body.items).toMatchObject([{ surface: 'stedi', counts: { expected: 5, excluded: 5 } }]);
    const items = await world.api.call('GET', `/api/v1/retries/${body.items[0].id}/items`);
    expect(items.body.items.map((item: { reason: string }) => item.reason).sort()).toEqual([
      'already_delivered',
      'already_retried',
      'not_retryable',
      'not_retryable',
      'payload_expired',
    ]);
    expect(await world.children()).toEqual(new Map());
  });

  test('an execution that is queued or scheduled elsewhere is left to that', async () => {
    const id = await one([FAILED, { state: 'queued' }]);
    expect(await retried({})).toEqual(new Set());
    expect(await retried({ executionIds: [id] })).toEqual(new Set());
    expect(await world.rows(`select from executions where state = 'superseded'`)).toEqual([]);
  });
});

describe('Authorization RequiredHeader: "A Stedi API Key for authentication."', () => {
  const body = { condition: {} };

  test('the key alone, or after the word Key as older clients write it', async () => {
    for (const authorization of [world.api.key, `Key ${world.api.key}`, `key  ${world.api.key}`])
      expect((await world.call('POST', '/executions/retry', { authorization, body })).status).toBe(200);
  });

  test.each([undefined, '', 'Key ', 'Bearer', 'rdk_unknown', 'Key rdk_unknown', 'Basic eDp5'])(
    'nothing else: %s',
    async (authorization) => {
      const answer = await world.api.call('POST', '/executions/retry', {
        key: undefined,
        body,
        ...(authorization === undefined ? {} : { headers: { authorization } }),
      });
      expect(answer.status).toBe(401);
      expect(Object.keys(answer.body)).toEqual(['message', 'code']);
      expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(answer.headers.get('www-authenticate')).toBe('Key realm="redrive"');
    },
  );

  test('a bearer, an expired and a revoked key, a key without the scope, and a key of the installation', async () => {
    const { api } = world;
    const statusOf = async (authorization: string) =>
      (await world.call('POST', '/executions/retry', { authorization, body })).status;
    expect(await statusOf(`Bearer ${api.key}`)).toBe(401);
    expect(await statusOf(await api.newKey(world.tenantId, ['write:deliveries'], new Date(0)))).toBe(401);
    const reader = await api.newKey(world.tenantId, ['read:deliveries']);
    const refused = await world.call('POST', '/executions/retry', { authorization: reader, body });
    expect(refused).toMatchObject({ status: 403, body: { code: 'INSUFFICIENT_SCOPE' } });
    expect(refused.body.message).toContain('write:deliveries');
    expect(await statusOf(api.adminKey)).toBe(403);
    const writer = await api.newKey(world.tenantId, ['write:deliveries']);
    expect(await statusOf(writer)).toBe(200);
    for (const path of ['/executions', '/polling/executions?startDateTime=2020-01-01T00:00:00Z'])
      expect((await world.call('GET', path, { authorization: writer })).status).toBe(403);
  });
});

describe('condition ObjectRequired: "Stedi will retry all executions matching the given criteria"', () => {
  test('executionIds, "Array of Strings": bare uuids, and TypeIDs too; repeats count once', async () => {
    const ids = await Promise.all([one([FAILED]), one([FAILED]), one([IGNORED])]);
    await one([FAILED]);
    const spelled = [ids[0], showId('execution', ids[1] ?? NO_ID), (ids[2] ?? NO_ID).toUpperCase(), ids[0]];
    expect(await retried({ executionIds: spelled })).toEqual(new Set(ids));
  });

  test('executionIds, "Max items: 1000"', async () => {
    const id = await one([FAILED]);
    const others = Array.from({ length: 999 }, () => crypto.randomUUID());
    expect((await world.retry({ executionIds: [...others, id, crypto.randomUUID()] })).status).toBe(400);
    expect(await world.children()).toEqual(new Map());
    expect(await retried({ executionIds: [...others, id] })).toEqual(new Set([id]));
  });

  test('executionIds that are unknown, foreign, or no ids at all match nothing, and so does an empty list', async () => {
    const stranger = await world.api.newTenant();
    const foreign = await one([FAILED]);
    await one([FAILED]);
    for (const executionIds of [[], [crypto.randomUUID()], ['x', '', 'exe_1', '\0', '💥'.repeat(1_000)]])
      expect(await retried({ executionIds })).toEqual(new Set());
    const answer = await world.retry({ executionIds: [foreign] }, { authorization: stranger.key });
    expect(answer).toMatchObject({ status: 200, text: '' });
    expect(await world.children()).toEqual(new Map());
  });

  test.each([
    ['INBOUND', 'in_1'],
    ['OUTBOUND', 'out_1'],
    ['UNKNOWN', 'plain_1'],
  ] as const)('direction %s: of the partner of the endpoint', async (direction, handle) => {
    const files = {
      in_1: await one([FAILED], inbound),
      out_1: await one([FAILED], outbound),
      plain_1: await one([FAILED]),
    };
    expect(await retried({ direction })).toEqual(new Set([files[handle]]));
  });

  test.each(FILE_FAULT_CODES.map((code) => [code] as const))(
    'faultCode %s',
    async (faultCode: FileFaultCode) => {
      const byCode = new Map<string, string[]>();
      const reasons = {
        DELIVERY_FAILURE: ['exhausted', 'permanent', 'gone', 'gave_up', 'resolved'],
        FAILED_TO_EXTRACT_BUSINESS_IDENTIFIERS: ['business_identifier_missing'],
        FAILED_TO_FIND_GUIDE: ['guide_missing'],
        FAILED_TO_FIND_LOCAL_PROFILE: ['sender_profile_missing'],
        FAILED_TO_FIND_PARTNER_PROFILE: ['partner_profile_missing'],
      };
      for (const [code, all] of Object.entries(reasons))
        byCode.set(code, await Promise.all(all.map((reason) => one([{ state: 'failed', reason }]))));
      await one([IGNORED]);
      expect(await retried({ faultCode })).toEqual(new Set(byCode.get(faultCode)));
    },
  );

  test('partnershipId: the handle of the endpoint, also of one that is deleted; another matches nothing', async () => {
    const gone = await world.endpoint({ handle: 'reused_1' });
    const old = await one([FAILED], gone);
    await world.api.call('DELETE', `/api/v1/endpoints/${showId('endpoint', gone)}`);
    const young = await one([FAILED], await world.endpoint({ handle: 'reused_1' }));
    await one([FAILED]);
    for (const partnershipId of ['nobody', 'reused', '', 'a b', '\0', 'x'.repeat(1_000)])
      expect(await retried({ partnershipId })).toEqual(new Set());
    // Both are selected; to the deleted one nothing can be sent, and its execution keeps its slot for a child.
    expect(await retried({ partnershipId: 'reused_1' })).toEqual(new Set([young]));
    expect(
      await world.rows(
        `select x.reason from exclusions x join executions e on e.delivery_id = x.delivery_id where e.id = $1`,
        [old],
      ),
    ).toEqual([{ reason: 'endpoint_deleted' }]);
  });

  test('status: "You can only retry executions with a FAILED or IGNORED status"', async () => {
    const failed = await one([FAILED]);
    const ignored = [
      await one([IGNORED]),
      await one([{ state: 'cancelled' }]),
      await one([{ state: 'cancelled', attempts: [{ outcome: 'retryable', httpStatus: 500 }] }]),
    ];
    const others = [await one([DELIVERED]), await one([PARTLY]), await one([OPEN])];
    for (const status of ['COMPLETED', 'PARTIALLY_COMPLETED', 'IN_PROGRESS']) {
      expect(await retried({ status })).toEqual(new Set());
      expect(await retried({ status, executionIds: [failed, ...others] })).toEqual(new Set());
    }
    expect(await world.rows('select from operations')).toEqual([]);
    expect(await retried({ status: 'FAILED' })).toEqual(new Set([failed]));
    expect(await retried({ status: 'IGNORED' })).toEqual(new Set([failed, ...ignored]));
  });

  test.each(['RETRYING', 'RETRIED', 'STARTED', 'failed', 'DELIVERED', 1, null, ['FAILED']])(
    'status: a value that is not printed, such as %s, is refused',
    async (status) => {
      const answer = await world.retry({ status });
      expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
      expect(answer.body.message).toContain('condition.status');
    },
  );

  test('an execution that was cancelled before its first attempt and gave its slot back matches no condition; its parent does', async () => {
    const { executionIds } = await world.file(plain, [FAILED, { state: 'cancelled' }]);
    expect(await retried({ executionIds: [executionIds[1]] })).toEqual(new Set());
    expect(await retried({ status: 'IGNORED' })).toEqual(new Set());
    expect((await world.call('GET', `/executions/${executionIds[1]}`)).body).toMatchObject({
      status: 'IGNORED',
      retryable: false,
    });
    expect((await world.call('GET', `/executions/${executionIds[0]}`)).body).toMatchObject({
      status: 'FAILED',
      retryable: true,
    });
    expect(await retried({ executionIds: [executionIds[0]] })).toEqual(new Set([executionIds[0]]));
  });

  test('an execution that was taken over by a retry that was cancelled unsent ends its chain again, as ignored', async () => {
    const id = await one([OPEN]);
    const { rows } = await world.api.database.pool.query('select delivery_id from executions where id = $1', [
      id,
    ]);
    await world.rows(
      `update executions set state = 'cancelled', reason = 'x', finished_at = now() where id = $1`,
      [id],
    );
    await world.rows(`update deliveries set state = folded_state(id) where id = $1`, [rows[0].delivery_id]);
    expect(await retried({ status: 'IGNORED' })).toEqual(new Set([id]));
    const [operation] = await world.rows('select id from operations');
    await world.rows(`update operations set control = 'cancel', state = 'closing' where id = $1`, [
      operation.id,
    ]);
    await withTransaction(world.api.database.pool, (db) => cancelUnsent(db, operation.id, 10));
    expect((await world.call('GET', `/executions/${id}`)).body).toMatchObject({
      status: 'IGNORED',
      retryable: true,
    });
  });

  test('from: "processed after this timestamp"; to: "processed before this timestamp": neither is included', async () => {
    const [early, late] = [await one([FAILED]), await one([FAILED])];
    await world.rows(`update executions set finished_at = '2023-08-28T00:00:00Z' where id = $1`, [early]);
    await world.rows(`update executions set finished_at = '2023-08-28T01:00:00.000001Z' where id = $1`, [
      late,
    ]);
    const at = async (from?: string, to?: string) => {
      const before = new Set((await world.children()).keys());
      const found = await retried({ ...(from ? { from } : {}), ...(to ? { to } : {}) });
      await world.rows('delete from executions where operation_id is not null');
      return [...found].filter((id) => !before.has(id));
    };
    expect(await at('2023-08-28T00:00:00Z')).toEqual([late]);
    expect(await at('2023-08-27T23:59:59.999Z', '2023-08-28T00:00:00.001Z')).toEqual([early]);
    expect(await at('2023-08-28T00:00:00Z', '2023-08-28T01:00:00Z')).toEqual([]);
    expect(await at(undefined, '2023-08-28T00:00:00Z')).toEqual([]);
    expect(await at(undefined, '2023-08-28T01:00:00.000001Z')).toEqual([early]);
    expect(await at('2023-08-28T01:00:00Z')).toEqual([]);
    expect(await at('2023-08-28T00:59:59.999Z')).toEqual([late]);
    expect(await at('2023-08-28T02:00:00+02:00', '2023-08-28T00:00:00Z')).toEqual([]);
    expect((await at('0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z')).sort()).toEqual([early, late].sort());
    expect((await at('2023-08-27T20:00:00-04:00')).sort()).toEqual([late]);
  });

  test.each([
    { from: '2023-08-29T00:00:00Z', to: '2023-08-28T00:00:00Z' },
    { from: '2023-08-28' },
    { from: '2023-08-28T00:00:00' },
    { to: 1_693_180_800 },
    { to: '2023-02-30T00:00:00Z' },
    { from: '0000-01-01T00:00:00Z' },
    { from: null },
  ])('from and to, "Format: date-time": %j is refused', async (condition) => {
    expect((await world.retry(condition)).status).toBe(400);
  });

  test('members join by AND, all of them together', async () => {
    const make = (reason: string, endpointId: string) => one([{ state: 'failed', reason }], endpointId);
    const right = await make('guide_missing', outbound);
    const [otherFault, otherWay, unnamed] = [
      await make('exhausted', outbound),
      await make('guide_missing', inbound),
      await make('guide_missing', outbound),
    ];
    const old = await one([{ state: 'failed', reason: 'guide_missing', endedAgoMs: 7_200_000 }], outbound);
    const all = {
      executionIds: [right, otherFault, otherWay, old],
      direction: 'OUTBOUND',
      faultCode: 'FAILED_TO_FIND_GUIDE',
      partnershipId: 'out_1',
      status: 'FAILED',
      from: new Date(Date.now() - 5_400_000).toISOString(),
      to: new Date(Date.now() - 1_800_000).toISOString(),
    };
    expect(await retried({ ...all, direction: 'INBOUND' })).toEqual(new Set());
    expect(await retried({ ...all, status: 'IGNORED' })).toEqual(new Set());
    expect(await retried(all)).toEqual(new Set([right]));
    const { executionIds, ...others } = all;
    expect(await retried(others)).toEqual(new Set([right, unnamed]));
    expect(executionIds).toHaveLength(4);
  });

  test('a fault belongs to a failed execution: with status IGNORED nothing matches', async () => {
    await one([{ state: 'failed', reason: PREPARATION_FAULTS[0] }]);
    await one([IGNORED]);
    expect(await retried({ status: 'IGNORED', faultCode: 'FAILED_TO_FIND_LOCAL_PROFILE' })).toEqual(
      new Set(),
    );
  });

  test('a delivered file is not sent again, whatever its newest execution', async () => {
    const replayed = await world.file(plain, [DELIVERED, FAILED]);
    expect(await retried({})).toEqual(new Set());
    expect(await retried({ executionIds: replayed.executionIds })).toEqual(new Set());
    expect((await world.call('GET', `/executions/${replayed.executionIds[1]}`)).body).toMatchObject({
      status: 'FAILED',
      retryable: false,
    });
  });

  test('another tenant is never touched', async () => {
    const stranger = await world.api.newTenant();
    const theirs = await one([FAILED]);
    const answer = await world.retry({}, { authorization: stranger.key });
    expect(answer.status).toBe(200);
    await select();
    expect(await world.children()).toEqual(new Map());
    expect(await retried({})).toEqual(new Set([theirs]));
  });
});

describe('a request that is not as it must be is refused, and nothing is done', () => {
  test.each([
    ['no body', undefined],
    ['no condition', {}],
    ['a condition that is null', { condition: null }],
    ['a condition that is a list', { condition: [] }],
    ['a member that does not exist', { condition: { stat: 'FAILED' } }],
    ['a member beside the condition', { condition: {}, dryRun: true }],
    ['an id that is no text', { condition: { executionIds: [1] } }],
    ['ids that are no list', { condition: { executionIds: 'x' } }],
    ['ids that are null', { condition: { executionIds: null } }],
    ['an unknown direction', { condition: { direction: 'UP' } }],
    ['an unknown fault', { condition: { faultCode: 'PREVIOUSLY_RETRIED' } }],
    ['a partnership that is no text', { condition: { partnershipId: {} } }],
    ['a list', []],
    ['malformed JSON', '{"condition":'],
    ['deep JSON', `{"condition":${'['.repeat(10_000)}${']'.repeat(10_000)}}`],
    ['too much', `{"condition":{"partnershipId":"${'x'.repeat(9 * 1024 * 1024)}"}}`],
  ])('%s', async (_, body) => {
    await one([FAILED]);
    const answer = await world.call('POST', '/executions/retry', body === undefined ? {} : { body });
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.body)).toEqual(['message', 'code']);
    expect(await world.rows('select from operations')).toEqual([]);
  });

  test('any other condition: never a 5xx', async () => {
    const strange = fc.oneof(
      fc.constantFrom(
        '\0',
        '',
        '\ud800',
        'FAILED',
        '2023-08-28T00:00:00Z',
        '9999-12-31T23:59:59+14:00',
        null,
        1e308,
        -0,
      ),
      fc.string({ unit: 'binary' }),
      fc.jsonValue({ maxDepth: 2 }),
      fc.array(fc.string(), { maxLength: 3 }),
    );
    const names = [
      'executionIds',
      'direction',
      'faultCode',
      'partnershipId',
      'status',
      'from',
      'to',
      'x',
      '__proto__',
    ];
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...names), strange), async (condition) => {
        expect([200, 400]).toContain((await world.retry(condition)).status);
      }),
      { numRuns: 150 },
    );
  });

  test('another media type', async () => {
    const answer = await world.call('POST', '/executions/retry', {
      body: 'condition=',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'UNSUPPORTED_MEDIA_TYPE' } });
  });

  test('a query', async () => {
    const body = { condition: {} };
    expect((await world.call('POST', '/executions/retry?status=FAILED', { body })).status).toBe(400);
  });
});

describe('Idempotency-Key, where a client sends one', () => {
  const headers = { 'idempotency-key': 'k-1' };

  test('a repeat does nothing again, at either path; another body is a mismatch', async () => {
    const [first] = [await one([FAILED])];
    const condition = { status: 'FAILED' };
    expect((await world.retry(condition, { headers })).status).toBe(200);
    await select();
    await one([FAILED]);
    const again = await world.call('POST', '/executions/retry', { body: { condition }, headers });
    expect(again).toMatchObject({ status: 200, text: '' });
    await select();
    expect([...(await world.children()).keys()]).toEqual([first]);
    const other = await world.retry({ status: 'IGNORED' }, { headers });
    expect(other).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
    expect((await world.retry({}, { headers: { 'idempotency-key': 'ü' } })).status).toBe(400);
  });
});
