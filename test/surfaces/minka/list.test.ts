import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Pool } from '../../../src/store/db/pool.ts';
import { listBridgeEvents } from '../../../src/surfaces/minka/store/bridge-events.ts';
import { useApi } from '../../support/api/use-api.ts';
import { seedFailedDeliveries } from '../../support/engine/failed-deliveries.ts';
import { patient } from '../../support/patience.ts';
import {
  ask,
  isVerified,
  newTestSigner,
  type RawAnswer,
  tokenOf,
} from '../../support/surfaces/minka-client.ts';
import { createMinkaScene, type MinkaScene } from '../../support/surfaces/minka-scene.ts';

const api = useApi();
let scene: MinkaScene;
/** Ids (uuids), oldest first. */
let ids: Record<'failed' | 'delivered' | 'pending' | 'cancelled' | 'ignored' | 'unknown' | 'retried', string>;

const PATH = '/v2/bridges/mint-bridge/events';

beforeAll(async () => {
  scene = await createMinkaScene(api, { ...api.tenant, key: api.key });
  ids = await seedEveryStatus();
});

async function seedEveryStatus(): Promise<typeof ids> {
  const [failed, retried] = await seedFailedDeliveries(api, 2);
  const fresh = async () => {
    const { body } = await api.call('POST', '/api/v1/events', { body: { type: 'a', payload: 1 } });
    const event = await api.call('GET', `/api/v1/events/${body.eventId}`);
    return api.uuid(event.body.deliveries[0].id);
  };
  const ended = async (state: string, change: string, fold = state) => {
    const id = await fresh();
    const set = async (text: string) =>
      api.database.pool.query(`update executions set ${text} where delivery_id = $1`, [id]);
    if (state !== 'ignored' && state !== 'cancelled') await set(`state = 'sending', lease_token = uuidv7()`);
    await set(`state = '${state}', lease_token = null, ${change}`);
    await api.database.pool.query(
      `update deliveries set state = $2, attempts = $3, last_attempt_at = case when $3 > 0 then now() end where id = $1`,
      [id, fold, change.includes('attempts = 1') ? 1 : 0],
    );
    return id;
  };
  const uuid = (seeded: { deliveryId: string } | undefined) => api.uuid(seeded?.deliveryId ?? '');
  const made = {
    failed: uuid(failed),
    retried: uuid(retried),
    pending: await fresh(),
    delivered: await ended('delivered', 'attempts = 1, finished_at = now()'),
    cancelled: await ended('cancelled', `reason = 'operation_cancelled', finished_at = now()`),
    ignored: await ended('ignored', `reason = 'endpoint_disabled', finished_at = now()`),
    unknown: await ended('unknown', 'attempts = 1'),
  };
  await api.call('POST', '/api/v1/retries', { body: { select: { deliveryIds: [made.retried] } } });
  return made;
}

function list(query = '', path = PATH): Promise<RawAnswer> {
  return ask(api.url, 'GET', `${path}${query && `?${query}`}`, {
    headers: { authorization: `Bearer ${tokenOf(scene.signer)}`, 'x-ledger': 'acme' },
  });
}

const handlesIn = ({ body }: RawAnswer): string[] =>
  body.data.map(({ data }: { data: { handle: string } }) => data.handle);

async function listed(query: string): Promise<string[]> {
  const answer = await list(query);
  if (answer.status !== 200) throw new Error(answer.text);
  return handlesIn(answer);
}

describe('GET /v2/bridges/{handle}/events', () => {
  test('answers { hash, meta: { proofs, moment }, data: [ … ], page: { index: 0, limit: 10 } }, newest first', async () => {
    const answer = await list();
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    api.check.assert('GET', PATH, answer);
    expect(Object.keys(answer.body)).toEqual(['hash', 'meta', 'data', 'page']);
    expect(Object.keys(answer.body.meta)).toEqual(['proofs', 'moment']);
    expect(answer.body.page).toEqual({ index: 0, limit: 10 });
    expect(handlesIn(answer)).toEqual([
      ids.unknown,
      ids.ignored,
      ids.cancelled,
      ids.delivered,
      ids.pending,
      ...[ids.failed, ids.retried].sort().reverse(),
    ]);
  });

  test('each event is { hash, meta: { proofs, moment, status, replay }, data: { handle, bridge, record, linked } }', async () => {
    const { body } = await list(`data.handle.$eq=${ids.failed}`);
    const [event] = body.data;
    expect(Object.keys(event)).toEqual(['hash', 'meta', 'data']);
    expect(Object.keys(event.meta)).toEqual(['proofs', 'moment', 'status', 'replay']);
    expect(Object.keys(event.data)).toEqual(['handle', 'bridge', 'record', 'linked']);
    const { rows } = await api.database.pool.query(
      'select event_id, accepted_at, state_changed_at from deliveries where id = $1',
      [ids.failed],
    );
    expect(event.data).toEqual({
      handle: ids.failed,
      bridge: 'mint-bridge',
      record: 'intent',
      linked: rows[0].event_id,
    });
    expect(event.meta).toMatchObject({
      status: 'failed',
      replay: 1,
      moment: rows[0].accepted_at.toISOString(),
    });
    expect(event.meta.proofs[0].custom).toEqual({
      moment: rows[0].state_changed_at.toISOString(),
      status: 'failed',
    });
  });

  test('the list and each event in it are signed by the installation', async () => {
    const { body } = await list();
    const system = (await api.call('GET', '/api/v1/signers/system')).body.public;
    for (const envelope of [body, ...body.data]) {
      expect(isVerified(envelope)).toBe(true);
      expect(envelope.meta.proofs[0]).toMatchObject({ signer: 'system', public: system });
    }
    body.data[0].meta.status = 'delivered';
    expect(isVerified(body)).toBe(false);
  });

  test('the proof of an event is the same until its state changes', async () => {
    const proofs = async () => (await list(`data.handle.$eq=${ids.failed}`)).body.data[0].meta.proofs;
    expect(await proofs()).toEqual(await proofs());
  });

  test('meta.status is pending, delivered, failed or cancelled', async () => {
    const { body } = await list();
    const statuses = Object.fromEntries(
      body.data.map(({ data, meta }: { data: { handle: string }; meta: { status: string } }) => [
        Object.entries(ids).find(([, id]) => id === data.handle)?.[0],
        meta.status,
      ]),
    );
    expect(statuses).toEqual({
      failed: 'failed',
      // It has failed before and is on its way again.
      retried: 'pending',
      pending: 'pending',
      unknown: 'pending',
      delivered: 'delivered',
      cancelled: 'cancelled',
      ignored: 'cancelled',
    });
  });

  test('an empty list is signed like any other', async () => {
    const answer = await list('data.bridge.$eq=nothing');
    expect(answer.body.data).toEqual([]);
    expect(isVerified(answer.body)).toBe(true);
  });

  test('shows no event of another bridge or another tenant', async () => {
    await api.call('POST', '/api/v1/endpoints', {
      body: { handle: 'empty', url: 'https://hooks.example/2' },
    });
    expect((await list('', '/v2/bridges/empty/events')).body.data).toEqual([]);
    const { tenant, key } = await api.newTenant();
    const theirs = await createMinkaScene(api, { ...tenant, key });
    const answer = await ask(api.url, 'GET', PATH, {
      headers: { authorization: `Bearer ${tokenOf(theirs.signer, { aud: tenant.handle })}` },
    });
    expect(answer.body.data).toEqual([]);
    const foreign = await ask(api.url, 'GET', `/v2/bridges/${theirs.bridge.luid}/events`, {
      headers: { authorization: `Bearer ${tokenOf(scene.signer)}` },
    });
    expect(foreign.body.data).toEqual({ reason: 'record.not-found', detail: 'Bridge not found' });
  });
});

describe('pages', () => {
  test('are named by page.index and page.limit', async () => {
    const all = await listed('page.limit=100');
    const paged = [];
    for (let index = 0; index < 4; index += 1) {
      const { body } = await list(`page.index=${index}&page.limit=2`);
      expect(body.page).toEqual({ index, limit: 2 });
      paged.push(...body.data.map(({ data }: { data: { handle: string } }) => data.handle));
    }
    expect(paged).toEqual(all);
    expect(await listed('page.index=999999&page.limit=100')).toEqual([]);
  });

  test.each([
    'page.index=-1',
    'page.index=x',
    'page.index=1e3',
    'page.limit=0',
    'page.limit=101',
    'page.limit=',
    'page.index=1&page.index=2',
  ])('%s is record.schema-invalid', async (query) => {
    const answer = await list(query);
    expect(answer).toMatchObject({ status: 422, body: { data: { reason: 'record.schema-invalid' } } });
    expect(answer.body.data.custom.errors[0].instancePath).toBe(`/${query.split('=')[0]}`);
    api.check.assert('GET', PATH, answer);
  });
});

describe('filters path.$op=value', () => {
  type Names = (keyof typeof ids)[];
  const cases: [string, Names][] = [
    ['meta.status.$eq=pending', ['pending', 'unknown', 'retried']],
    ['meta.status=pending', ['pending', 'unknown', 'retried']],
    ['meta.status.%24eq=failed', ['failed']],
    ['meta.status.$ne=pending', ['failed', 'delivered', 'cancelled', 'ignored']],
    ['meta.status.$in=failed,delivered', ['failed', 'delivered']],
    ['meta.status.$in=failed&meta.status.$in=delivered', ['failed', 'delivered']],
    ['meta.status.$in=', []],
    ['meta.status.$nin=failed,delivered,cancelled', ['pending', 'unknown', 'retried']],
    ['meta.status.$eq=nonsense', []],
    ['meta.status.$regex=^(fai|del)', ['failed', 'delivered']],
    ['meta.status.$gt=delivered&meta.status.$lte=failed', ['failed']],
    ['meta.replay.$gte=1', ['failed', 'retried', 'delivered', 'unknown']],
    ['meta.replay.$gt=0&meta.status.$eq=pending', ['retried', 'unknown']],
    ['meta.replay.$lt=1', ['pending', 'cancelled', 'ignored']],
    ['meta.replay.$eq=0', ['pending', 'cancelled', 'ignored']],
    ['meta.replay.$in=7,8', []],
    ['meta.replay.$gt=-1&meta.replay.$lte=0', ['pending', 'cancelled', 'ignored']],
    ['meta.moment.$gt=2126-01-01T00:00:00Z', []],
    ['meta.moment.$lt=1999-01-01T00:00:00%2B14:00', []],
    ['meta.moment.$lt=1999-01-01T00:00:00%2B23:59', []],
    ['meta.moment.$lt=0001-01-01t00:00:00z', []],
    ['data.record.$eq=intent&meta.status.$eq=delivered', ['delivered']],
    ['data.record.$ne=intent', []],
    ['data.bridge.$regex=^mint-.*$&meta.status=failed', ['failed']],
    ['data.bridge.$nin=mint-bridge', []],
    ['data.handle.$eq=no-uuid', []],
    ['data.handle.$ne=no-uuid&meta.status=failed', ['failed']],
    ['data.handle.$in=a,b', []],
  ];
  test.each(cases)('%s', async (query, names) => {
    expect((await listed(query)).sort()).toEqual(names.map((name) => ids[name]).sort());
  });

  test('by what is shown: handle, linked, moment', async () => {
    const { body } = await list(`data.handle.$eq=${ids.delivered}`);
    const [{ data, meta }] = body.data;
    for (const query of [
      `data.linked.$eq=${data.linked}`,
      `data.handle.$in=${ids.delivered},x`,
      `meta.moment.$eq=${meta.moment}`,
      `data.handle.$regex=^${ids.delivered.slice(0, 8)}&data.handle.$gte=${ids.delivered}&data.handle.$lte=${ids.delivered}`,
    ])
      expect(await listed(query)).toEqual([ids.delivered]);
    expect(await listed(`data.handle.$nin=${Object.values(ids).join(',')}`)).toEqual([]);
    expect(await listed(`data.linked.$ne=${data.linked}`)).toHaveLength(6);
  });

  test.each([
    ['surprise=1', 'additionalProperties', ''],
    ['meta.status.$like=x', 'additionalProperties', ''],
    ['meta.status.$or=x', 'additionalProperties', ''],
    ['hash.$eq=x', 'additionalProperties', ''],
    ['meta.replay.$regex=1', 'additionalProperties', ''],
    ['__proto__.$eq=1', 'additionalProperties', ''],
    ['meta.replay.$gt=many', 'pattern', '/meta.replay.$gt'],
    ['meta.replay.$eq=99999999999', 'pattern', '/meta.replay.$eq'],
    ['meta.replay.$in=1,x', 'pattern', '/meta.replay.$in/1'],
    ['meta.moment.$gt=yesterday', 'format', '/meta.moment.$gt'],
    ['meta.moment.$gt=2026-13-01T00:00:00Z', 'format', '/meta.moment.$gt'],
    ['meta.moment.$gt=0000-01-01T00:00:00Z', 'format', '/meta.moment.$gt'],
    ['meta.moment.$gt=2026-01-01T00:00:00%2B24:00', 'format', '/meta.moment.$gt'],
    ['meta.status.$eq=a%00b', 'pattern', '/meta.status.$eq'],
    ['meta.status.$eq=a&meta.status.$eq=b', 'type', '/meta.status.$eq'],
    [`meta.status.$eq=${'x'.repeat(300)}`, 'maxLength', '/meta.status.$eq'],
    [`meta.status.$in=${'x,'.repeat(200)}`, 'maxItems', '/meta.status.$in'],
  ])('%s is record.schema-invalid', async (query, keyword, instancePath) => {
    const answer = await list(query);
    expect(answer).toMatchObject({ status: 422, body: { data: { reason: 'record.schema-invalid' } } });
    expect(answer.body.data.custom.errors[0].instancePath).toBe(instancePath);
    expect(answer.body.data.custom.errors.map((error: { keyword: string }) => error.keyword)).toContain(
      keyword,
    );
    expect(isVerified(answer.body)).toBe(true);
  });

  test.each([
    '(',
    '[',
    '*',
    'a{2,1}',
    '(a)\\1',
    '(?=x)',
    '(?<!x)',
    '***:x',
    '\\',
    'x'.repeat(201),
    '(?i)a',
    '[[:nonsense:]]',
    'a**',
    '[b-a]',
    '',
  ])('the pattern %s is refused, or matches nothing, and is no 5xx', async (pattern) => {
    const answer = await list(`meta.status.$regex=${encodeURIComponent(pattern)}`);
    expect([200, 422]).toContain(answer.status);
    if (answer.status === 422)
      expect(answer.body.data.custom.errors[0].instancePath).toBe('/meta.status.$regex');
  });

  test.each(['(a*)*b', '(x+x+)+y', '((((a{1,250}){1,250}){1,250}){1,250})', `(${'(.*)'.repeat(40)})z`])(
    'the hostile pattern %s ends soon',
    async (pattern) => {
      const since = performance.now();
      const answer = await list(`data.handle.$regex=${encodeURIComponent(pattern)}`);
      expect([200, 422]).toContain(answer.status);
      expect(performance.now() - since).toBeLessThan(patient(3_000));
    },
  );
});

test.each(['XX000', '53200', '54001', '54000', '2201B'])(
  'a pattern that Postgres gives up with %s is refused, and without a pattern that is our failure',
  async (code) => {
    const query = async (text: string) => {
      if (text.includes('from deliveries')) throw Object.assign(new Error('no'), { code });
      return { rows: [] };
    };
    const client = { query, on() {}, off() {}, release() {} };
    const pool = { connect: async () => client } as unknown as Pool;
    const asking = (comparison: '$regex' | '$eq') =>
      listBridgeEvents(
        pool,
        api.tenant.id as never,
        { id: api.tenant.id, handle: 'mint-bridge' } as never,
        [{ field: 'data.handle', comparison, values: ['x'] }],
        { offset: 0, limit: 1 },
      );
    expect(await asking('$regex')).toEqual({ ok: false, code: 'regex_invalid' });
    await expect(asking('$eq')).rejects.toMatchObject({ code });
  },
);

test(
  'slow lists of one ledger hold one connection, and what waits for too long is told so',
  async () => {
    const client = await api.database.pool.connect();
    try {
      // As slow as the slowest pattern.
      await client.query('begin; lock table deliveries in access exclusive mode');
      const lists = Array.from({ length: 12 }, () => list('data.handle.$regex=a'));
      let most = 0;
      let pending = true;
      const all = Promise.all(lists).finally(() => {
        pending = false;
      });
      while (pending) {
        const { rows } = await client.query(
          // Tables of other databases may have the same number.
          `select count(*)::int as waiting from pg_locks l join pg_database d on d.oid = l.database
           where d.datname = current_database() and l.relation = 'deliveries'::regclass and not l.granted`,
        );
        most = Math.max(most, rows[0].waiting);
        expect(await api.call('GET', '/api/v1/endpoints')).toMatchObject({ status: 200 });
      }
      expect(most).toBe(1);
      const told = (await all).map(({ status, body }) => `${status} ${body.data.reason}`);
      expect(new Set(told)).toEqual(new Set(['422 record.schema-invalid', '429 api.rate-limit-exceeded']));
    } finally {
      await client.query('rollback');
      client.release();
    }
  },
  patient(30_000),
);

describe('a list needs', () => {
  test('the action query-event on record bridge', async () => {
    const { tenant, key } = await api.newTenant();
    const its = await createMinkaScene(api, { ...tenant, key });
    const reader = newTestSigner('reader');
    await its.register(reader);
    const { body } = await api.call('GET', '/api/v1/access-rules', { key });
    await api.call('DELETE', `/api/v1/access-rules/${body.items[0].id}`, { key });
    const ask403 = async () =>
      (
        await ask(api.url, 'GET', PATH, {
          headers: { authorization: `Bearer ${tokenOf(reader, { aud: tenant.handle })}` },
        })
      ).status;
    expect(await ask403()).toBe(403);
    await its.allow({ action: 'retry-event', record: 'bridge', bearer: 'reader' });
    expect(await ask403()).toBe(403);
    await its.allow({ action: 'query-event', record: 'bridge', bearer: 'reader' });
    expect(await ask403()).toBe(200);
  });
});
