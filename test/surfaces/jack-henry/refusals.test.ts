import { request as httpRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { SignJWT } from 'jose';
import { TENANT_SCOPES } from '../../../src/domain/tenancy/scope.ts';
import { startTestApi } from '../../support/api/test-api.ts';
import { useApi } from '../../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../../support/engine/failed-deliveries.ts';
import {
  BASE,
  type JackHenry,
  type JackHenryRequest,
  jackHenryAt,
} from '../../support/surfaces/jack-henry.ts';

const NOBODY = '12345678-1234-1234-1234-123456789012';
const PLATFORM = '00000000-0000-7000-8000-000000000000';

const api = useApi();
let client: JackHenry;
let ours: Things;
let theirs: Things;

/** The things of an institution. */
type Things = { institution: string; key: string; subscription: string; event: string };

beforeAll(async () => {
  client = jackHenryAt(api.url, api.key);
  ours = await furnish(api.tenant.id, api.key);
  const other = await api.newTenant();
  theirs = await furnish(other.tenant.id, other.key);
});

async function furnish(institution: string, key: string): Promise<Things> {
  const subscription = api.uuid(await seedEndpoint(api, key));
  const [seeded] = await seedFailedDeliveries(api, 1, key);
  return { institution, key, subscription, event: api.uuid(seeded?.eventId ?? '') };
}

type Named = { name: string; path: (of: Things) => string; body?: unknown; method?: string; scope: string };

const RETRIES: Named[] = [
  {
    name: 'Retry Single Subscription Event',
    path: (of) => `/${of.institution}/retries/subscriptions/${of.subscription}/events/${of.event}`,
    scope: 'write:deliveries',
  },
  {
    name: 'Retry Bulk Subscription Events',
    path: (of) => `/${of.institution}/retries/subscriptions/${of.subscription}`,
    scope: 'write:deliveries',
  },
  {
    name: 'Retry Single Raw Event',
    path: (of) => `/${of.institution}/retries/events/${of.event}`,
    scope: 'write:deliveries',
  },
  {
    name: 'Retry Bulk Raw Events',
    path: (of) => `/${of.institution}/retries/events`,
    body: {},
    scope: 'write:deliveries',
  },
];
const ADMIN: Named = {
  name: 'Admin Retry Bulk Raw Events',
  path: () => '/retries/events',
  body: {},
  scope: 'admin',
};
const OTHERS: Named[] = [
  {
    name: 'List events',
    path: (of) => `/${of.institution}/events/${of.subscription}`,
    method: 'GET',
    scope: 'read:deliveries',
  },
  {
    name: 'Search events',
    path: (of) => `/${of.institution}/events/${of.subscription}/search`,
    body: {},
    scope: 'read:deliveries',
  },
  {
    name: 'List subscriptions',
    path: (of) => `/${of.institution}/subscriptions`,
    method: 'GET',
    scope: 'read:endpoints',
  },
  {
    name: 'Make a subscription',
    path: (of) => `/${of.institution}/subscriptions`,
    body: { url: 'https://hooks.example/new' },
    scope: 'write:endpoints',
  },
];
const ALL = [...RETRIES, ADMIN, ...OTHERS];
const titled = (list: Named[]) => list.map((each) => [each.name, each] as const);

function send(of: Named, request: JackHenryRequest & { things?: Things; path?: string } = {}) {
  const { things = ours, path = of.path(things), ...rest } = request;
  return client.call(path, {
    ...(of.method ? { method: of.method } : {}),
    ...(of.body === undefined ? {} : { body: of.body }),
    ...rest,
  });
}

async function operations(): Promise<number> {
  const { rows } = await api.database.pool.query('select count(*)::int as n from operations');
  return rows[0].n;
}

/** Sends a request that must be refused without a byte, and makes sure that nothing is done. */
async function refusedEmpty(status: number, sent: () => ReturnType<typeof send>) {
  const before = await operations();
  const answer = await sent();
  expect({
    status: answer.status,
    text: answer.text,
    type: answer.headers.get('content-type'),
    length: answer.headers.get('content-length'),
  }).toEqual({ status, text: '', type: null, length: '0' });
  expect(await operations()).toBe(before);
  return answer;
}

/** Sends a request that must be refused as a bad one, and returns the details of the refusal. */
async function refused400(
  sent: () => ReturnType<typeof send>,
  type = 'jackhenry/invalid-request',
): Promise<string[]> {
  const before = await operations();
  const answer = await sent();
  expect({ status: answer.status, contentType: answer.headers.get('content-type') }).toEqual({
    status: 400,
    contentType: 'application/problem+json',
  });
  expect(Object.keys(answer.body)).toEqual(['type', 'title', 'details']);
  expect(answer.body.type).toBe(type);
  expect(answer.body.details.length).toBeGreaterThan(0);
  expect(await operations()).toBe(before);
  return answer.body.details;
}

describe.each(titled(ALL))('%s', (_, each) => {
  test('Unauthorized: the client must authenticate itself', async () => {
    for (const key of [undefined, 'rdk_nobody', 'x'.repeat(9_000)]) {
      const answer = await refusedEmpty(401, () => send(each, { key }));
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    }
    const basic = { authorization: `Basic ${Buffer.from('a:b').toString('base64')}` };
    await refusedEmpty(401, () => send(each, { key: undefined, headers: basic }));
    const expired = await api.newKey(ours.institution, TENANT_SCOPES, new Date(Date.now() - 1));
    await refusedEmpty(401, () => send(each, { key: expired }));
    await refusedEmpty(401, () =>
      send(each, { key: undefined, path: each.path({ ...ours, institution: 'x' }), amiss: true }),
    );
  });

  test('Forbidden: the client does not have access rights', async () => {
    const scopes = TENANT_SCOPES.filter((scope) => scope !== each.scope);
    const key = await api.newKey(ours.institution, scopes);
    await refusedEmpty(403, () => send(each, { key }));
  });

  test('unknown parameters are refused', async () => {
    const key = each === ADMIN ? api.adminKey : api.key;
    const path = `${each.path(ours)}?surprise=1`;
    const answer = await send(each, { key, path, amiss: true });
    expect(answer).toMatchObject({
      status: 400,
      body: { details: [expect.stringMatching(/^surprise: This \w+ does not exist\.$/)] },
    });
  });
});

const WITHOUT_404 = ['Retry Bulk Raw Events', 'List events', 'Search events'];

describe.each(titled([...RETRIES, ...OTHERS]))('%s', (name, each) => {
  const status = WITHOUT_404.includes(name) ? 403 : 404;

  test(`an institution that is missing or another's is ${status} without a body`, async () => {
    for (const institution of [theirs.institution, NOBODY, PLATFORM])
      await refusedEmpty(status, () => send(each, { things: { ...ours, institution } }));
    for (const institution of [NOBODY, PLATFORM])
      await refusedEmpty(status, () => send(each, { key: api.adminKey, things: { ...ours, institution } }));
  });

  test('a path id that is no uuid is a bad request', async () => {
    for (const id of ['x', '%00', `ten_${'0'.repeat(26)}`, api.tenant.handle, `${NOBODY}0`, "'--"])
      for (const member of ['institution', 'subscription', 'event'] as const) {
        if (each.path({ ...ours, [member]: 'marker' }) === each.path(ours)) continue;
        const details = await refused400(() =>
          send(each, { things: { ...ours, [member]: id }, amiss: true }),
        );
        expect(details).toEqual([`${member}Id: Expected a uuid.`]);
      }
  });

  test('ids are read in either case', async () => {
    if (name === 'Make a subscription') return;
    const upper = Object.fromEntries(
      Object.entries(ours).map(([member, id]) => [member, id.toUpperCase()]),
    ) as Things;
    expect((await send(each, { things: upper })).status).toBeLessThan(300);
  });
});

describe('NotFound: the resource itself does not exist', () => {
  const [single, bulk, raw] = RETRIES as [Named, Named, Named];

  test.each(titled([single, bulk]))('%s: a subscription', async (_, each) => {
    for (const subscription of [NOBODY, theirs.subscription])
      await refusedEmpty(404, () => send(each, { things: { ...ours, subscription } }));
    const deleted = api.uuid(await seedEndpoint(api));
    await api.call('DELETE', `/api/v1/endpoints/${deleted}`);
    await refusedEmpty(404, () => send(each, { things: { ...ours, subscription: deleted } }));
  });

  test.each(titled([single, raw]))('%s: an event', async (_, each) => {
    for (const event of [NOBODY, theirs.event])
      await refusedEmpty(404, () => send(each, { things: { ...ours, event } }));
  });
});

describe('BadRequest: The server could not understand the request due to an invalid request', () => {
  const bodies: [string, unknown][] = [
    ['null', 'null'],
    ['an array', []],
    ['a string', '"x"'],
    ['a number', '1'],
    ['an unknown member', { surprise: 1 }],
    ['a misspelt member', { eventIds: [] }],
    ['another member of this name', '{"__proto__":{"eventId":[]}}'],
    ['no JSON', '{"eventId":'],
    ['no UTF-8', new Uint8Array([0x22, 0xff, 0x22])],
    ['JSON too deep', `${'['.repeat(5_000)}${']'.repeat(5_000)}`],
  ];

  test.each(
    RETRIES.concat(ADMIN).flatMap((each) =>
      bodies.map(([what, body]) => [each.name, what, each, body] as const),
    ),
  )('%s: the body is %s', async (_name, _what, each, body) => {
    const key = each === ADMIN ? api.adminKey : api.key;
    await refused400(() => send(each, { key, body, amiss: true }));
  });

  const wrong: [string, unknown, string[]][] = [
    ['eventId', 'x', ['eventId']],
    ['eventId', [1], ['eventId/0']],
    ['eventId', [['x']], ['eventId/0']],
    ['eventId', null, ['eventId']],
    ['eventNum', [1001], ['eventNum/0']],
    ['eventNum', '1001', ['eventNum']],
    ['fromTime', '2024-01-01T00:00:00', ['fromTime']],
    ['fromTime', '2024-01-01', ['fromTime']],
    ['fromTime', '2024-02-30T00:00:00Z', ['fromTime']],
    ['fromTime', 1_704_067_200, ['fromTime']],
    ['toTime', 'now', ['toTime']],
    ['toTime', null, ['toTime']],
  ];
  const ofSubscription: [string, unknown, string[]][] = [
    ['dispatchBatchId', 'batch-001', ['dispatchBatchId']],
    ['dispatchStatus', ['delivered'], ['dispatchStatus/0']],
    ['dispatchStatus', ['Failed'], ['dispatchStatus/0']],
    ['dispatchStatus', 'failed', ['dispatchStatus']],
    ['bypassSubscriptionFilter', 'true', ['bypassSubscriptionFilter']],
    ['bypassSubscriptionFilter', null, ['bypassSubscriptionFilter']],
    ['ingestionBatchId', ['b'], ['ingestionBatchId']],
    ['replayMatchedSubscriptions', true, ['replayMatchedSubscriptions']],
  ];
  const ofRaw: [string, unknown, string[]][] = [
    ['ingestionBatchId', 'b', ['ingestionBatchId']],
    ['eventSource', ['core'], ['eventSource']],
    ['eventSource', null, ['eventSource']],
    ['replayMatchedSubscriptions', 1, ['replayMatchedSubscriptions']],
    ['dispatchStatus', ['failed'], ['dispatchStatus']],
  ];
  const [single, bulk, raw, bulkRaw] = RETRIES as [Named, Named, Named, Named];

  test.each([
    ...[...wrong, ...ofSubscription].map((each) => [bulk.name, ...each, bulk] as const),
    ...[...wrong, ...ofRaw].map((each) => [bulkRaw.name, ...each, bulkRaw] as const),
    ...[...wrong, ...ofRaw].map((each) => [ADMIN.name, ...each, ADMIN] as const),
    [ADMIN.name, 'institutionIds', 'x', ['institutionIds'], ADMIN] as const,
    [ADMIN.name, 'institutionIds', [1], ['institutionIds/0'], ADMIN] as const,
    [bulkRaw.name, 'institutionIds', [], ['institutionIds'], bulkRaw] as const,
    [single.name, 'bypassSubscriptionFilter', 0, ['bypassSubscriptionFilter'], single] as const,
    [single.name, 'replayMatchedSubscriptions', true, ['replayMatchedSubscriptions'], single] as const,
    [raw.name, 'replayMatchedSubscriptions', 'yes', ['replayMatchedSubscriptions'], raw] as const,
  ])('%s: %s is %j', async (_name, member, value, named, each) => {
    const key = each === ADMIN ? api.adminKey : api.key;
    const details = await refused400(() => send(each, { key, body: { [member]: value }, amiss: true }));
    expect(details.map((detail) => detail.split(': ')[0])).toEqual(named);
  });

  test.each([
    '0m',
    '30',
    'm',
    '30x',
    '30M',
    '-1m',
    '1.5h',
    ' 30m',
    '30m ',
    '30 m',
    '1h30m',
    '',
    '٣m',
    '30m\n',
  ])('pendingLongerThan supports formats like "30m", "2h", "1d", and not %j', async (pendingLongerThan) => {
    const body = { dispatchStatus: ['pending'], pendingLongerThan };
    expect(await refused400(() => send(bulk, { body }))).toEqual([
      'pendingLongerThan: Expected a duration such as 30m, 2h or 1d.',
    ]);
  });

  test.each([{}, { dispatchStatus: ['failed'] }, { dispatchStatus: [] }, { eventId: [] }])(
    "pendingLongerThan Requires dispatchStatus to include 'pending', otherwise returns a 400 error: %j",
    async (body) => {
      const sent = { ...body, pendingLongerThan: '30m' };
      expect(await refused400(() => send(bulk, { body: sent }))).toEqual([
        "pendingLongerThan: Requires dispatchStatus to include 'pending'.",
      ]);
    },
  );

  test.each(titled([bulk, bulkRaw, ADMIN]))('%s: a range that is reversed', async (_, each) => {
    const key = each === ADMIN ? api.adminKey : api.key;
    const body = { fromTime: '2024-01-31T00:00:00Z', toTime: '2024-01-01T00:00:00Z' };
    expect(await refused400(() => send(each, { key, body }))).toEqual([
      'toTime: Expected a time that is not before fromTime.',
    ]);
  });

  test.each(titled([bulkRaw, ADMIN]))('%s: the body is required, and `{}` means all', async (_, each) => {
    const key = each === ADMIN ? api.adminKey : api.key;
    await refused400(() => send(each, { key, body: undefined, amiss: true }));
    await refused400(() => send(each, { key, body: '', amiss: true }));
    expect((await send(each, { key, body: {} })).status).toBe(200);
  });

  test.each(titled([single, bulk, raw]))('%s: absent, empty and `{}` are the same', async (_, each) => {
    const sent: JackHenryRequest[] = [{}, { body: '', amiss: true }, { body: '{}', amiss: true }];
    const answers = [];
    const headers = { 'idempotency-key': `empty-${each.name.replaceAll(' ', '-')}` };
    for (const request of sent) answers.push(await send(each, { ...request, headers }));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.map(({ status }) => status)).toEqual(Array(3).fill(each === bulk ? 202 : 200));
  });

  test('never repeats a value', async () => {
    const secret = 'customer-4711';
    const body = { eventId: secret, dispatchStatus: [secret], fromTime: secret };
    expect((await refused400(() => send(bulk, { body, amiss: true }))).join()).not.toContain(secret);
  });
});

describe('before a route is found or a body is read', () => {
  const [, bulk, , bulkRaw] = RETRIES as [Named, Named, Named, Named];

  test('another media type, a coded body and one that is too large are bad requests', async () => {
    const text = { 'content-type': 'text/plain' };
    await refused400(() => send(bulk, { body: '{}', headers: text, amiss: true }));
    const gzip = { 'content-encoding': 'gzip' };
    await refused400(() => send(bulk, { body: gzipSync('{}'), headers: gzip, amiss: true }));
    const large = `{"eventSource":"${'x'.repeat(9 * 1024 * 1024)}"}`;
    await refused400(() => send(bulkRaw, { body: large, amiss: true }));
  });

  test.each(['', '/', '/x', `/${NOBODY}`, `/${NOBODY}/retries`, '/retries/events/', '/RETRIES/events'])(
    'an unknown path is 404 without a body: %j',
    async (path) => {
      await refusedEmpty(404, () => client.call(path, { body: {}, amiss: true }));
      await refusedEmpty(404, () => client.call(path, { method: 'GET', key: undefined }));
    },
  );

  test('a method that a path does not have is 404 without a body, and the others are named', async () => {
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
      const answer = await refusedEmpty(404, () => client.call(bulkRaw.path(ours), { method }));
      expect(answer.headers.get('allow')).toBe('POST');
    }
  });

  test('a path that is not encoded correctly is a bad request', async () => {
    const status = await new Promise((resolve, reject) => {
      const path = `${BASE}/%ff/retries/events`;
      httpRequest(`${api.url}/`, { path, method: 'POST' }, (response) => {
        response.resume();
        resolve([response.statusCode, response.headers['content-type']]);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toEqual([400, 'application/problem+json']);
  });

  test('too many requests are bad requests that say when to come back', async () => {
    const other = await startTestApi({ rateLimit: { requests: 1, windowSeconds: 86_400 } });
    try {
      const path = `/${other.tenant.id}/retries/events`;
      const few = jackHenryAt(other.url, other.key);
      expect((await few.call(path, { body: {} })).status).toBe(200);
      const answer = await few.call(path, { body: {} });
      expect(answer).toMatchObject({ status: 400, body: { type: 'jackhenry/too-many-requests' } });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    } finally {
      await other.close();
    }
  });
});

describe('UnexpectedError: An unexpected internal server error occurred while processing the request', () => {
  const PRINTED_500 =
    '{"type":"general/internal-server-error","title":"Internal server error","details":["Unexpected internal server error"]}';

  test('is the one that is printed, and tells nothing', async () => {
    const other = await startTestApi();
    try {
      await other.database.pool.query('alter table operations rename column ticket to secret_column');
      const answer = await jackHenryAt(other.url, other.key).call(`/${other.tenant.id}/retries/events`, {
        body: {},
      });
      expect(answer).toMatchObject({ status: 500, text: PRINTED_500 });
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
    } finally {
      await other.close();
    }
  });

  test('is also the answer while Postgres is away', async () => {
    const other = await startTestApi();
    try {
      await other.database.pool.end();
      const answer = await jackHenryAt(other.url, other.key).call(`/${other.tenant.id}/retries/events`, {
        body: {},
      });
      expect(answer).toMatchObject({ status: 500, text: PRINTED_500 });
      expect(answer.headers.get('retry-after')).toBe('2');
    } finally {
      await other.close();
    }
  });
});

describe('an event whose payload has expired', () => {
  async function expired(key = api.key): Promise<string> {
    const [seeded] = await seedFailedDeliveries(api, 1, key);
    const id = api.uuid(seeded?.eventId ?? '');
    await api.database.pool.query('delete from payloads where event_id = $1', [id]);
    return id;
  }

  test('is jackhenry/operation-failed where it is the one that is to be retried', async () => {
    const event = await expired();
    const [single, , raw] = RETRIES as [Named, Named, Named];
    for (const each of [single, raw])
      expect(
        await refused400(() => send(each, { things: { ...ours, event } }), 'jackhenry/operation-failed'),
      ).toEqual(['The payload of this event is not kept any more: there is nothing to send.']);
  });

  test('is excluded where it is one of several', async () => {
    const event = await expired();
    const [, bulk, , bulkRaw] = RETRIES as [Named, Named, Named, Named];
    for (const each of [bulk, bulkRaw])
      for (const more of each === bulk ? [{}] : [{}, { replayMatchedSubscriptions: true }]) {
        const { body } = await send(each, { body: { eventId: [event], ...more } });
        const { rows } = await api.database.pool.query(
          'select distinct reason from exclusions where operation_id = $1',
          [body.retryId],
        );
        expect(rows).toEqual([{ reason: 'payload_expired' }]);
      }
  });

  test('is not meant by one that repeats another: it never had a payload, and nothing is done', async () => {
    const body = ['first', 'again'].map(() => ({ id: 'once', type: 'a', payload: {} }));
    const accepted = await api.call('POST', '/api/v1/events', { body });
    const event = api.uuid(accepted.body[1].eventId);
    const [, , raw] = RETRIES as [Named, Named, Named];
    const answer = await send(raw, { things: { ...ours, event } });
    const shown = await api.call('GET', `/api/v1/retries/${answer.body.retryId}`);
    expect(shown.body.counts.expected).toBe(shown.body.counts.excluded);
  });
});

describe('retryId: Unique identifier for tracking this retry operation', () => {
  test.each(titled(RETRIES))('%s: is the uuid of the operation', async (_, each) => {
    const { body } = await send(each);
    const shown = await api.call('GET', `/api/v1/retries/${body.retryId}`);
    expect(shown).toMatchObject({ status: 200, body: { surface: 'jack-henry' } });
    expect(api.uuid(shown.body.id)).toBe(body.retryId);
    expect((await send(each)).body.retryId).not.toBe(body.retryId);
    const foreign = await api.call('GET', `/api/v1/retries/${body.retryId}`, { key: theirs.key });
    expect(foreign.status).toBe(404);
  });
});

describe('an Idempotency-Key', () => {
  const [, bulk, , bulkRaw] = RETRIES as [Named, Named, Named, Named];

  test('makes repeating a request safe, however often it is sent at once', async () => {
    const headers = { 'idempotency-key': 'same' };
    const before = await operations();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => send(bulkRaw, { body: { eventSource: 'core' }, headers })),
    );
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.filter(({ headers: sent }) => sent.get('idempotency-replayed') === 'true')).toHaveLength(
      4,
    );
    expect(await operations()).toBe(before + 1);
  });

  test('is refused for another body or path, and where it is none', async () => {
    const headers = { 'idempotency-key': 'another' };
    await send(bulk, { body: {}, headers });
    const other = { ...ours, subscription: api.uuid(await seedEndpoint(api)) };
    const type = 'jackhenry/idempotency-key-reused';
    await refused400(() => send(bulk, { body: { eventId: [] }, headers }), type);
    await refused400(() => send(bulk, { body: {}, headers, things: other }), type);
    await refused400(() => send(bulk, { headers: { 'idempotency-key': 'a b' } }));
  });

  test('of one institution is not that of another, and none of the admin call', async () => {
    const headers = { 'idempotency-key': 'shared' };
    const ids = new Set([
      (await send(bulkRaw, { headers })).body.retryId,
      (await send(bulkRaw, { headers, key: theirs.key, things: theirs })).body.retryId,
      (await send(ADMIN, { headers, key: api.adminKey })).body.retryId,
    ]);
    expect(ids.size).toBe(3);
  });
});

describe('bearerAuth: OpenIDConnect JWT Token', () => {
  const SECRET = 'a secret of thirty-two bytes, or more';
  const ISSUER = 'https://id.bank.example/';

  /** Registers an issuer for an audience of its own, and returns a signer of its tokens. */
  async function issuer(audience: string, scopes: string[], key: string) {
    const body = { name: 'idp', issuer: ISSUER, audience, algorithm: 'HS256', secret: SECRET, scopes };
    const made = await api.call('POST', '/api/v1/jwt-issuers', { key, body });
    if (made.status !== 201) throw new Error(made.text);
    return (expires = '5m') =>
      new SignJWT({ sub: 'teller' })
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuer(ISSUER)
        .setAudience(audience)
        .setExpirationTime(expires)
        .sign(Buffer.from(SECRET));
  }

  test('of an institution acts for it, for no other, and never across institutions', async () => {
    const owner = await api.newKey(ours.institution, TENANT_SCOPES);
    const sign = await issuer('ours', ['write:deliveries'], owner);
    const key = await sign();
    for (const each of RETRIES) expect((await send(each, { key })).status).toBeLessThan(300);
    await refusedEmpty(404, () => send(RETRIES[0] as Named, { key, things: theirs }));
    await refusedEmpty(403, () => send(OTHERS[0] as Named, { key }));
    await refusedEmpty(403, () => send(ADMIN, { key }));
    for (const bad of [await sign('-5m'), `${key.slice(0, -2)}xx`])
      await refusedEmpty(401, () => send(RETRIES[0] as Named, { key: bad }));
  });

  test('of the installation acts for all of them where it may', async () => {
    const key = await (await issuer('all', ['admin'], api.adminKey))();
    expect((await send(ADMIN, { key })).status).toBe(200);
    for (const things of [ours, theirs])
      expect((await send(RETRIES[0] as Named, { key, things })).status).toBe(200);
    const few = await (await issuer('few', ['write:deliveries'], api.adminKey))();
    await refusedEmpty(403, () => send(ADMIN, { key: few }));
  });
});

test('an administrator of the installation may act for every institution', async () => {
  for (const each of RETRIES)
    for (const things of [ours, theirs])
      expect((await send(each, { key: api.adminKey, things })).status).toBeLessThan(300);
});

test('a request that goes wrong leaves nothing of itself in the log', () => {
  expect(api.log.join()).not.toMatch(/customer-4711|core-banking/);
});
