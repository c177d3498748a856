import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { EXECUTION_STATES, isOpen } from '../../../src/domain/sending/execution-state.ts';
import { type Id, showId } from '../../../src/domain/tenancy/typed-id.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { FILE_STATUSES } from '../../../src/surfaces/stedi/file-status.ts';
import { eventually } from '../../support/eventually.ts';
import { patient } from '../../support/patience.ts';
import { sideBySide } from '../../support/side-by-side.ts';
import { anyId, NO_ID } from '../../support/store/any-id.ts';
import type { SeededRun } from '../../support/surfaces/seed-file.ts';
import { useStediWorld } from '../../support/surfaces/stedi-world.ts';

const MINUTE = 60_000;
const START = '2020-01-01T00:00:00Z';
const FAILED: SeededRun = { state: 'failed', attempts: [{ outcome: 'retryable', httpStatus: 503 }] };

const world = useStediWorld();
let plain: string;

beforeAll(async () => {
  plain = await world.endpoint({ handle: 'plain_1' });
});
afterEach(() => world.empty());

async function one(run: SeededRun, change: object = {}): Promise<Id<'execution'>> {
  return (await world.file(plain, [run], change)).executionIds[0] ?? NO_ID;
}

async function poll(query: Record<string, string>, authorization?: string) {
  return world.call('GET', `/polling/executions?${new URLSearchParams(query)}`, {
    ...(authorization ? { authorization } : {}),
  });
}

async function list(query: Record<string, string> = {}) {
  return world.call('GET', `/executions?${new URLSearchParams(query)}`);
}

const idsOf = (answer: { body: { items: { executionId: string }[] } }) =>
  answer.body.items.map(({ executionId }) => executionId);

test('a list that takes longer than a call may is to be asked for again: 503 with Retry-After', async () => {
  const id = await one({ ...FAILED, endedAgoMs: 5 * MINUTE });
  await list();
  await world.rows('update listed_tenants set complete_at = null');
  await withTransaction(world.api.database.pool, async (tx) => {
    // It idles for as long as the calls wait.
    await tx.query('set local idle_in_transaction_session_timeout = 0');
    // As another call does that takes in a page of it.
    await tx.query('select from listed_tenants for update');
    for (const { status, headers, body } of await Promise.all([list(), poll({ startDateTime: START })])) {
      expect({ status, after: headers.get('retry-after'), code: body.code }).toEqual({
        status: 503,
        after: '1',
        code: 'TEMPORARILY_UNAVAILABLE',
      });
      expect(body.message).toMatch(/send the request again/);
    }
  });
  expect(idsOf(await list())).toEqual([id]);
});

describe('Poll: GET /polling/executions', () => {
  test.each(['/polling/executions', '/2023-08-01/polling/executions'])(
    'oldest to newest by processedAt, whatever became of it, at %s',
    async (path) => {
      const ages = [5, 1, 4, 2, 3].map((n) => n * MINUTE);
      const ids = await Promise.all(ages.map((endedAgoMs) => one({ state: 'ignored', endedAgoMs })));
      for (const state of EXECUTION_STATES.filter(isOpen)) if (state !== 'sending') await one({ state });
      const { status, body } = await world.call('GET', `${path}?startDateTime=${START}`);
      expect(status).toBe(200);
      expect(idsOf({ body })).toEqual([ids[0], ids[2], ids[4], ids[3], ids[1]]);
      const times = body.items.map((item: { processedAt: string }) => item.processedAt);
      expect(times).toEqual([...times].sort());
    },
  );

  test('pageSize 100 (max 500), pageToken; nextPageToken is always returned, even with empty items', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.push(await one({ ...FAILED, endedAgoMs: (10 - n) * MINUTE }));
    const seen: string[] = [];
    let query: Record<string, string> = { startDateTime: START, pageSize: '2' };
    for (const count of [2, 2, 1, 0, 0]) {
      const page = await poll(query);
      expect(page.body.items).toHaveLength(count);
      expect(page.body.nextPageToken).toMatch(/^[\w-]{1,1024}$/);
      seen.push(...idsOf(page));
      query = { pageToken: page.body.nextPageToken, pageSize: '2' };
    }
    expect(seen).toEqual(ids);
    const late = await one({ ...FAILED, endedAgoMs: 1 * MINUTE });
    expect(idsOf(await poll(query))).toEqual([late]);
    expect((await poll({ startDateTime: START, pageSize: '500' })).status).toBe(200);
  });

  test('a page has 100 executions where nothing else is asked for', async () => {
    await Promise.all(Array.from({ length: 101 }, () => one({ state: 'ignored' })));
    const page = await poll({ startDateTime: START });
    expect(page.body.items).toHaveLength(100);
    expect((await poll({ pageToken: page.body.nextPageToken })).body.items).toHaveLength(1);
  });

  test('"You can monitor the status of retries using the Poll Executions endpoint or through the Stedi portal", where the native API shows "all of a file\'s retry attempts"', async () => {
    const { deliveryId, executionIds } = await world.file(plain, [
      { ...FAILED, endedAgoMs: 3 * MINUTE },
      { state: 'delivered', attempts: [{ outcome: 'delivered', httpStatus: 200 }], endedAgoMs: 2 * MINUTE },
    ]);
    const [parent, child] = executionIds;
    const { body } = await poll({ startDateTime: START });
    expect(body.items).toMatchObject([
      { executionId: parent, status: 'RETRIED', childExecutionId: child },
      { executionId: child, status: 'COMPLETED', parentExecutionId: parent },
    ]);
    const delivery = await world.api.call('GET', `/api/v1/deliveries/${showId('delivery', deliveryId)}`);
    expect(delivery.body.executions.map((each: { id: string }) => world.api.uuid(each.id))).toEqual(
      executionIds,
    );
  });

  test('is exclusive of startDateTime, to the millisecond that is shown', async () => {
    const id = await one(FAILED);
    await world.rows(`update executions set finished_at = '2024-05-01T10:00:00.123456Z' where id = $1`, [id]);
    expect(idsOf(await poll({ startDateTime: '2024-05-01T10:00:00.123456Z' }))).toEqual([]);
    expect(idsOf(await poll({ startDateTime: '2024-05-01T12:00:00.123456+02:00' }))).toEqual([]);
    expect(idsOf(await poll({ startDateTime: '2024-05-01T10:00:00.123Z' }))).toEqual([]);
    expect(idsOf(await poll({ startDateTime: '2024-05-01T10:00:00.122999Z' }))).toEqual([id]);
    expect(idsOf(await poll({ startDateTime: '0001-01-01T00:00:00Z' }))).toEqual([id]);
  });

  test('executions that ended within the same microsecond are told apart by their ids, over pages', async () => {
    const ids = await Promise.all(Array.from({ length: 7 }, () => one(FAILED)));
    await world.rows(`update executions set finished_at = '2024-05-01T10:00:00.123456Z'`);
    const seen: string[] = [];
    let query: Record<string, string> = { startDateTime: START };
    for (let n = 0; n < 4; n++) {
      const page = await poll({ ...query, pageSize: '2' });
      seen.push(...idsOf(page));
      query = { pageToken: page.body.nextPageToken };
    }
    expect(seen).toEqual([...ids].sort());
  });

  test('the last 15 seconds are excluded', async () => {
    const old = await one({ ...FAILED, endedAgoMs: 17_000 });
    await eventually('a poll ends within 15 seconds of what it must not show', async () => {
      const young = await one({ ...FAILED, endedAgoMs: 0 });
      const shown = idsOf(await poll({ startDateTime: START }));
      const [{ tells }] = await world.rows(
        `select finished_at > clock_timestamp() - interval '15 seconds' as tells from executions where id = $1`,
        [young],
      );
      if (!tells) return false;
      expect(shown).toContain(old);
      expect(shown).not.toContain(young);
      return true;
    });
  });

  test('tokens are opaque and do not expire: an old one goes on where it ended, and moves nothing', async () => {
    const ids = [
      await one({ ...FAILED, endedAgoMs: 9 * MINUTE }),
      await one({ ...FAILED, endedAgoMs: 8 * MINUTE }),
    ];
    const { body } = await poll({ startDateTime: START, pageSize: '1' });
    for (let n = 0; n < 3; n++)
      expect(idsOf(await poll({ pageToken: body.nextPageToken }))).toEqual([ids[1]]);
    await world.rows(`update executions set finished_at = finished_at - interval '3 years'`);
    expect((await poll({ pageToken: body.nextPageToken })).status).toBe(200);
  });

  test('a token is of one tenant: the next one gets nothing by it', async () => {
    await one(FAILED);
    const { body } = await poll({ startDateTime: START });
    const stranger = await world.api.newTenant();
    expect((await poll({ pageToken: body.nextPageToken }, stranger.key)).status).toBe(400);
    expect((await poll({ startDateTime: START }, stranger.key)).body.items).toEqual([]);
  });

  test('one of pageToken and startDateTime is required; with both the token wins', async () => {
    const ids = [
      await one({ ...FAILED, endedAgoMs: 9 * MINUTE }),
      await one({ ...FAILED, endedAgoMs: 8 * MINUTE }),
    ];
    const { body } = await poll({ startDateTime: START, pageSize: '1' });
    expect(idsOf(await poll({ startDateTime: START, pageToken: body.nextPageToken }))).toEqual([ids[1]]);
    const neither = await poll({});
    expect(neither).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
    expect(neither.body.message).toContain('startDateTime');
  });

  test('startDateTime must be at least one minute in the past', async () => {
    const at = (agoMs: number) => ({ startDateTime: new Date(Date.now() - agoMs).toISOString() });
    await eventually('a poll is answered before its start is a minute old', async () => {
      const asked = Date.now();
      const { status } = await poll(at(55_000));
      if (Date.now() - asked >= 5_000) return false;
      expect(status).toBe(400);
      return true;
    });
    expect((await poll(at(-MINUTE))).status).toBe(400);
    expect((await poll(at(65_000))).status).toBe(200);
  });

  test.each([
    'pageSize=0',
    'pageSize=501',
    'pageSize=ten',
    'pageSize=1.5',
    'pageSize=1&pageSize=2',
    'pageToken=',
    `pageToken=${'x'.repeat(1_025)}`,
    'pageToken=nonsense',
    'pageToken=%00',
    'pageToken=a&pageToken=b',
    'startDateTime=yesterday',
    'startDateTime=2020-01-01',
    'startDateTime=99999-01-01T00:00:00Z',
    'startDateTime=%00',
    'status=FAILED',
  ])('refuses %s', async (query) => {
    const start = query.startsWith('startDateTime') ? '' : `&startDateTime=${START}`;
    const answer = await world.call('GET', `/polling/executions?${query}${start}`);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.body)).toEqual(['message', 'code']);
  });

  test('no execution is ever missed or repeated by a poller while others write', async () => {
    const count = 400;
    const ids = await Promise.all(Array.from({ length: count }, () => one({ state: 'queued' })));
    const begin = Date.now();
    const seen: string[] = [];
    let writing = true;
    const polling = (async () => {
      let query: Record<string, string> = { startDateTime: new Date(begin - 61_000).toISOString() };
      while (writing || seen.length < count) {
        const page = await poll({ ...query, pageSize: '7' });
        seen.push(...idsOf(page));
        query = { pageToken: page.body.nextPageToken };
        if (Date.now() > begin + patient(60_000)) break;
        if (page.body.items.length === 0) await delay(50);
      }
    })();
    // Each ends its executions at the time it began, and commits when the poller may long be past that.
    await sideBySide(world.api.database.url, 12, ids, async (db, id, n) => {
      await db.query('begin');
      await db.query('select now(), pg_sleep($1)', [(n % 10) / 50]);
      await db.query(
        `update executions set state = 'ignored', reason = 'endpoint_disabled', finished_at = now() where id = $1`,
        [id],
      );
      await db.query('select pg_sleep($1)', [(n % 7) / 50]);
      await db.query('commit');
    });
    writing = false;
    await polling;
    expect(seen).toHaveLength(count);
    expect(new Set(seen)).toEqual(new Set(ids));
  });
});

describe('List: GET /executions', () => {
  test.each(['/executions', '/2023-08-01/executions'])(
    'newest first, open ones before them, at %s',
    async (path) => {
      const ids: string[] = [];
      for (const minutes of [9, 8, 7]) ids.push(await one({ ...FAILED, endedAgoMs: minutes * MINUTE }));
      const open = await one({ state: 'queued' });
      expect(idsOf(await world.call('GET', path))).toEqual([open, ids[2], ids[1], ids[0]]);
    },
  );

  test('pages over it, with the same filter', async () => {
    const ids: string[] = [];
    for (const minutes of [9, 8, 7]) ids.push(await one({ ...FAILED, endedAgoMs: minutes * MINUTE }));
    const open = [await one({ state: 'queued' }), await one({ state: 'queued' })];
    const seen: string[] = [];
    let pageToken: string | undefined;
    do {
      const page = await list({ pageSize: '1', ...(pageToken ? { pageToken } : {}) });
      seen.push(...idsOf(page));
      pageToken = page.body.nextPageToken;
    } while (pageToken !== undefined);
    expect(seen).toEqual([...open.sort().reverse(), ...ids.reverse()]);
    const first = await list({ pageSize: '1' });
    expect((await list({ pageToken: first.body.nextPageToken, status: 'FAILED' })).status).toBe(400);
    expect((await poll({ pageToken: first.body.nextPageToken })).status).toBe(400);
  });

  test('status: each shows exactly what is shown with it', async () => {
    for (const state of EXECUTION_STATES.filter((each) => each !== 'sending')) {
      const attempts = [{ outcome: 'delivered' as const, httpStatus: 200 }];
      await world.file(plain, [{ state, ...(state === 'delivered' ? { attempts } : {}) }]);
      if (isOpen(state)) continue;
      for (const child of ['queued', 'failed', 'delivered', 'cancelled'] as const)
        await world.file(plain, [
          { state, attempts },
          { state: child, ...(child === 'delivered' ? { attempts } : {}) },
        ]);
    }
    await one({ state: 'delivered', attempts: [{ outcome: 'delivered', httpStatus: 207 }] });
    const all = (await list({ pageSize: '500' })).body.items;
    for (const status of FILE_STATUSES) {
      const expected = all.filter((item: { status: string }) => item.status === status);
      if (status !== 'STARTED') expect(expected).not.toEqual([]);
      expect((await list({ status, pageSize: '500' })).body.items).toEqual(expected);
    }
  });

  test('direction, faultCode and partnershipId', async () => {
    const partner = { direction: 'INBOUND', senderProfile: 'us', partnerProfile: 'them' };
    const inbound = await world.endpoint({ handle: `in_${Date.now()}`, partner });
    const [a] = (await world.file(inbound, [{ state: 'failed', reason: 'guide_missing' }])).executionIds;
    const b = await one(FAILED);
    const c = await one({ state: 'ignored' });
    expect(idsOf(await list({ direction: 'INBOUND' }))).toEqual([a]);
    expect(new Set(idsOf(await list({ direction: 'UNKNOWN' })))).toEqual(new Set([b, c]));
    expect(idsOf(await list({ direction: 'OUTBOUND' }))).toEqual([]);
    expect(idsOf(await list({ faultCode: 'FAILED_TO_FIND_GUIDE' }))).toEqual([a]);
    expect(idsOf(await list({ faultCode: 'DELIVERY_FAILURE' }))).toEqual([b]);
    expect(new Set(idsOf(await list({ partnershipId: 'plain_1' })))).toEqual(new Set([b, c]));
    for (const partnershipId of ['nobody', '\0', 'a b'])
      expect(idsOf(await list({ partnershipId }))).toEqual([]);
  });

  test('from (≥), to (≤), on processedAt', async () => {
    const id = await one(FAILED);
    await one({ state: 'queued' });
    await world.rows(`update executions set finished_at = '2024-05-01T10:00:00.123456Z' where id = $1`, [id]);
    const at = '2024-05-01T10:00:00.123456Z';
    expect(idsOf(await list({ from: at, to: at }))).toEqual([id]);
    const shown = '2024-05-01T10:00:00.123Z';
    expect(idsOf(await list({ from: shown, to: shown }))).toEqual([id]);
    expect(idsOf(await list({ from: '2024-05-01T10:00:00.124Z' }))).toEqual([]);
    expect(idsOf(await list({ to: '2024-05-01T10:00:00.122999Z' }))).toEqual([]);
    expect((await list({ from: '2024-05-02T00:00:00Z', to: '2024-05-01T00:00:00Z' })).status).toBe(400);
  });

  test('displayName (min 3, partial): a part of source.name, whatever its case, and no pattern', async () => {
    const id = await one(FAILED, { externalId: 'INV-2026_7', source: 'billing' });
    const typed = await one(FAILED, { type: 'claim.sent' });
    expect(idsOf(await list({ displayName: 'inv-2026' }))).toEqual([id]);
    expect(idsOf(await list({ displayName: 'aim.se' }))).toEqual([typed]);
    for (const displayName of ['%%%', 'inv%7', '...', 'billing'])
      expect(idsOf(await list({ displayName }))).toEqual([]);
    expect((await list({ displayName: 'in' })).status).toBe(400);
    expect((await list({ displayName: 'inv\0' })).status).toBe(400);
  });

  test.each([
    'status=DONE',
    'direction=UP',
    'faultCode=NONE',
    'pageSize=0',
    'pageToken=x',
    'nothing=1',
    'from=now',
    'status=FAILED&status=IGNORED',
  ])('refuses %s', async (query) => {
    expect((await world.call('GET', `/executions?${query}`)).status).toBe(400);
  });
});

describe('GET /executions/{id}', () => {
  test('shows the summary, artifacts and a delivery report for each attempt', async () => {
    const { eventId, executionIds } = await world.file(
      plain,
      [{ state: 'failed', attempts: [{ outcome: 'retryable', httpStatus: 503 }, { outcome: 'ambiguous' }] }],
      { externalId: 'inv-7', source: 'billing' },
    );
    const [executionId] = executionIds;
    for (const prefix of ['', '/2023-08-01']) {
      const { body } = await world.call('GET', `${prefix}/executions/${executionId}`);
      expect(body).toEqual({
        createdAt: expect.any(String),
        updatedAt: expect.any(String),
        processedAt: expect.any(String),
        executionId,
        status: 'FAILED',
        direction: 'UNKNOWN',
        faultCount: 2,
        faultCode: 'DELIVERY_FAILURE',
        faultMessage: 'The file was not delivered: every attempt failed.',
        retryable: true,
        partnershipId: 'plain_1',
        connectionType: 'HTTP',
        connectionId: plain,
        source: { dirname: 'billing', name: 'inv-7' },
        artifacts: [
          {
            artifactType: 'application/json',
            usage: 'input',
            url: `/api/v1/events/${showId('event', eventId)}?include=payload`,
            sizeBytes: 7,
            model: 'EVENT',
          },
        ],
        deliveryReports: [
          {
            id: expect.any(String),
            createdAt: expect.any(String),
            executionId,
            attempt: 1,
            status: 'FAILED',
            message: 'The endpoint answered 503.',
          },
          {
            id: expect.any(String),
            createdAt: expect.any(String),
            executionId,
            attempt: 2,
            status: 'FAILED',
            message: 'There was no answer: timeout.',
          },
        ],
      });
    }
    const artifact = await world.api.call(
      'GET',
      `/api/v1/events/${showId('event', eventId)}?include=payload`,
    );
    expect(artifact.body.payload).toEqual({ n: 1 });
  });

  test('a receiver that answers 207 makes PARTIALLY_COMPLETED', async () => {
    const id = await one({ state: 'delivered', attempts: [{ outcome: 'delivered', httpStatus: 207 }] });
    const { body } = await world.call('GET', `/executions/${showId('execution', id)}`);
    expect(body).toMatchObject({
      status: 'PARTIALLY_COMPLETED',
      faultCount: 0,
      retryable: false,
      deliveryReports: [{ status: 'DELIVERED' }],
    });
    expect(body).not.toHaveProperty('faultCode');
  });

  test('a retried parent is RETRYING while its child is open, then RETRIED; FAILED is the newest of its chain', async () => {
    const { executionIds } = await world.file(plain, [FAILED, FAILED, { state: 'queued' }]);
    const status = async (n: number) => (await world.call('GET', `/executions/${executionIds[n]}`)).body;
    expect(await status(0)).toMatchObject({
      status: 'RETRIED',
      childExecutionId: executionIds[1],
      retryable: false,
    });
    const before = await status(1);
    expect(before).toMatchObject({
      status: 'RETRYING',
      parentExecutionId: executionIds[0],
      retryable: false,
    });
    expect(await status(2)).toMatchObject({ status: 'IN_PROGRESS', parentExecutionId: executionIds[1] });
    await world.rows(`update executions set state = 'failed', finished_at = now() where id = $1`, [
      executionIds[2],
    ]);
    const after = await status(1);
    expect(after).toMatchObject({ status: 'RETRIED', processedAt: before.processedAt });
    expect(Date.parse(after.updatedAt)).toBeGreaterThan(Date.parse(before.updatedAt));
    expect(await status(2)).toMatchObject({ status: 'FAILED', retryable: true });
    expect((await list({ status: 'FAILED' })).body.items).toHaveLength(1);
  });

  test('one that gave its slot back is its parent’s child no more', async () => {
    const { executionIds } = await world.file(plain, [FAILED, { state: 'cancelled' }]);
    const { body: parent } = await world.call('GET', `/executions/${executionIds[0]}`);
    expect(parent).not.toHaveProperty('childExecutionId');
    expect(parent).toMatchObject({ status: 'FAILED', retryable: true });
    const { body } = await world.call('GET', `/executions/${executionIds[1]}`);
    expect(body).toMatchObject({ status: 'IGNORED', retryable: false });
    expect(body).not.toHaveProperty('parentExecutionId');
  });

  test('ids that are unknown, of another tenant, or none are not there', async () => {
    const id = await one(FAILED);
    const stranger = await world.api.newTenant();
    for (const [path, authorization] of [
      [`/executions/${id}`, stranger.key],
      [`/executions/${id}/faults`, stranger.key],
      [`/executions/${crypto.randomUUID()}`, world.api.key],
      ['/executions/nothing', world.api.key],
      ['/executions/%00', world.api.key],
      [`/executions/${showId('event', anyId(id))}`, world.api.key],
      [`/executions/nothing/faults`, world.api.key],
    ] as const) {
      const answer = await world.call('GET', path, { authorization });
      expect(answer).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    }
  });
});

describe('GET /executions/{id}/faults', () => {
  test.each(['exhausted', 'imported'])(
    'items: a fault of each attempt, of one that is %s',
    async (reason) => {
      const executionId = await one({
        state: 'failed',
        reason,
        attempts: [{ outcome: 'retryable', httpStatus: 503 }, { outcome: 'ambiguous' }],
      });
      const { body } = await world.call('GET', `/2023-08-01/executions/${executionId}/faults`);
      const { body: shown } = await world.call('GET', `/executions/${executionId}`);
      expect(body.items).toEqual(
        shown.deliveryReports.map((report: { id: string; createdAt: string; message: string }) => ({
          id: report.id,
          createdAt: report.createdAt,
          executionId,
          faultCode: 'DELIVERY_FAILURE',
          faultMessage: report.message,
        })),
      );
      expect(shown.faultCount).toBe(body.items.length);
    },
  );

  test.each([
    ['sender_profile_missing', 'FAILED_TO_FIND_LOCAL_PROFILE'],
    ['partner_profile_missing', 'FAILED_TO_FIND_PARTNER_PROFILE'],
    ['guide_missing', 'FAILED_TO_FIND_GUIDE'],
    ['business_identifier_missing', 'FAILED_TO_EXTRACT_BUSINESS_IDENTIFIERS'],
    ['gave_up', 'DELIVERY_FAILURE'],
    ['imported', 'DELIVERY_FAILURE'],
  ])('%s without an attempt is one %s', async (reason, faultCode) => {
    const executionId = await one({ state: 'failed', reason });
    const { body } = await world.call('GET', `/executions/${executionId}/faults`);
    expect(body.items).toEqual([
      {
        id: executionId,
        createdAt: expect.any(String),
        executionId,
        faultCode,
        faultMessage: expect.stringMatching(/^The .*\.$/),
      },
    ]);
    expect((await world.call('GET', `/executions/${executionId}`)).body).toMatchObject({
      faultCode,
      faultCount: 1,
    });
  });

  test('items: none for an execution that did not fail', async () => {
    for (const state of ['ignored', 'queued', 'cancelled'] as const)
      expect((await world.call('GET', `/executions/${await one({ state })}/faults`)).body).toEqual({
        items: [],
      });
  });
});
