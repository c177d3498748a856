import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { useApi } from '../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../support/engine/failed-deliveries.ts';

/** A setting that could never match, send or hold anything is refused at once, with its place and what is possible. */

const api = useApi();
const url = 'https://hooks.example/in';

const make = (body: object) => api.call('POST', '/api/v1/endpoints', { body: { url, ...body } });

describe('an endpoint', () => {
  test.each([
    [{ eventTypes: ['a', '*.paid'] }, '#/eventTypes/1', 'never_matches'],
    [{ eventTypes: ['a.*.c'] }, '#/eventTypes/0', 'never_matches'],
    [{ eventTypes: [' '] }, '#/eventTypes/0', 'never_matches'],
    [{ eventTypes: [] }, '#/eventTypes', 'too_short'],
    [{ filter: { 'data.amount': { $gt: 5, $lt: 3 } } }, '#/filter/data.amount', 'never_matches'],
    [{ filter: { a: { $in: [] } } }, '#/filter/a', 'never_matches'],
    [{ retry: { initialMs: 60_000, capMs: 1_000 } }, '#/retry/capMs', 'out_of_range'],
    [{ retry: { capMs: 1_000 } }, '#/retry/capMs', 'out_of_range'],
    [{ maxConcurrency: 0 }, '#/maxConcurrency', 'out_of_range'],
    [{ ratePerSecond: 0 }, '#/ratePerSecond', 'out_of_range'],
    [{ onAmbiguous: 'probe' }, '#/probe', 'required'],
    [{ probe: { urlTemplate: `${url}/x`, processedField: 'p' } }, '#/probe/urlTemplate', 'wrong_format'],
    [
      { probe: { urlTemplate: `${url}/x#{deliveryId}`, processedField: 'p' } },
      '#/probe/urlTemplate',
      'wrong_format',
    ],
    [
      { probe: { urlTemplate: `${url}/{deliveryId}`, processedField: 'a..b' } },
      '#/probe/processedField',
      'wrong_format',
    ],
    [{ partner: { direction: 'INBOUND', guides: [] } }, '#/partner/guides', 'too_short'],
    [{ partner: { direction: 'INBOUND', guides: ['*.x'] } }, '#/partner/guides/0', 'never_matches'],
    [{ partner: { direction: 'INBOUND', keyPath: '.id' } }, '#/partner/keyPath', 'wrong_format'],
  ])('is refused with %j, made or changed', async (config, pointer, code) => {
    const refused = { status: 400, body: { code: 'invalid_request', errors: [{ pointer, code }] } };
    expect(await make(config)).toMatchObject(refused);
    const { body: made } = await make({});
    expect(await api.call('PATCH', `/api/v1/endpoints/${made.id}`, { body: config })).toMatchObject(refused);
    expect((await api.call('GET', `/api/v1/endpoints/${made.id}`)).body.version).toBe(1);
  });

  test.each([
    'http:///hooks.example/x',
    'http:\\\\hooks.example',
    'http:hooks.example',
    'https:/hooks.example/',
    'https://hooks.example\\x',
    'https://hooks.example:0/',
    ' https://hooks.example/',
    'https://hooks.example/ ',
    'https://hooks.example/a b',
    'https://hooks.example/\u00a0',
    'https:// hooks.example/',
  ])('is refused at %j', async (bad) => {
    const errors = [{ pointer: '#/url', code: 'url_invalid' }];
    expect(await make({ url: bad })).toMatchObject({ status: 400, body: { errors } });
    const template = bad.includes('#') ? bad : `${bad}{deliveryId}`;
    const probe = await make({ probe: { urlTemplate: template, processedField: 'p' } });
    expect(probe).toMatchObject({ status: 400, body: { errors: [{ pointer: '#/probe/urlTemplate' }] } });
  });

  test.each(['HTTPS://hooks.example', 'https://hooks.example:8443/a?b=c%20d', 'https://hücks.example/ü'])(
    'is taken at %j',
    async (good) => expect((await make({ url: good })).status).toBe(201),
  );

  test('that names `*` gets every event', async () => {
    const { key } = await api.newTenant();
    await seedEndpoint(api, key, { eventTypes: ['*'] });
    const sent = await api.call('POST', '/api/v1/events', { key, body: { type: 'any.thing', payload: 1 } });
    expect(sent.body).toMatchObject({ deliveries: 1 });
  });
});

test.each(['a.*', '*', 'a*b', ' ', ' a', 'a ', '\u2003'])(
  'an event of the type %j is refused',
  async (type) => {
    const refused = await api.call('POST', '/api/v1/events', {
      body: [
        { type: 'a', payload: 1 },
        { type, payload: 1 },
      ],
    });
    expect(refused).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '#/1/type', code: 'wrong_format' }] },
    });
  },
);

test('a payload may nest to the limit that the errors name, and no deeper', async () => {
  const send = (levels: number) =>
    api.call('POST', '/api/v1/events', {
      body: `{"type":"a","payload":${'['.repeat(levels)}${']'.repeat(levels)}}`,
      headers: { 'content-type': 'application/json' },
    });
  expect((await send(255)).status).toBe(202);
  const refused = await send(256);
  expect(refused).toMatchObject({ status: 400, body: { code: 'nested_too_deep' } });
  expect(refused.body.detail).toMatch(/deeper than 256 levels at character \d+/);
});

describe('a retry', () => {
  let deliveryIds: string[];
  let executionIds: string[];
  beforeAll(async () => {
    await seedEndpoint(api);
    const seeded = await seedFailedDeliveries(api, 2);
    deliveryIds = seeded.map(({ deliveryId }) => deliveryId);
    executionIds = seeded.map(({ executionId }) => executionId);
  });
  const retry = (body: object) =>
    api.call('POST', '/api/v1/retries', { body, headers: { 'idempotency-key': randomUUID() } });

  test.each([
    [
      { ratePerSecond: 5, ramp: { startPerSecond: 5, everySeconds: 1 } },
      'ramp/startPerSecond',
      'out_of_range',
    ],
    [
      { ratePerSecond: 5, ramp: { startPerSecond: 9, everySeconds: 1 } },
      'ramp/startPerSecond',
      'out_of_range',
    ],
    [{ haltAtFailurePercent: 100 }, 'haltAtFailurePercent', 'out_of_range'],
    [{ canary: { count: 1, maxFailurePercent: 100 } }, 'canary/maxFailurePercent', 'out_of_range'],
    [{ canary: { count: 0, maxFailurePercent: 1 } }, 'canary/count', 'out_of_range'],
  ])('is refused with the options %j', async (options, path, code) => {
    const refused = await retry({ select: { filter: {} }, options });
    expect(refused).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: `#/options/${path}`, code }] },
    });
  });

  test('is refused where all that is named would be its canary', async () => {
    const options = { canary: { count: 2, maxFailurePercent: 10 } };
    const errors = [{ pointer: '#/options/canary/count', code: 'never_matches' }];
    for (const select of [{ deliveryIds }, { executionIds }])
      expect(await retry({ select, options })).toMatchObject({ status: 400, body: { errors } });
    expect(
      (await retry({ select: { deliveryIds }, options: { canary: { count: 1, maxFailurePercent: 10 } } }))
        .status,
    ).toBe(202);
  });

  test('is refused where it selects only what it leaves alone', async () => {
    const select = { filter: { state: ['delivered'] } };
    const errors = [{ pointer: '#/select/filter/state', code: 'never_matches' }];
    expect(await retry({ select })).toMatchObject({ status: 400, body: { errors } });
    expect((await retry({ select, mode: 'replay' })).status).toBe(202);
    expect((await retry({ select: { filter: { state: ['delivered', 'failed'] } } })).status).toBe(202);
  });
});

test.each([['a b'], ['system'], ['ü'], [{ $in: ['mint', 'x y'] }]])(
  'an access rule for the signer %j, whom nobody can be, is refused',
  async (signer) => {
    for (const rule of [{ signer }, { bearer: signer }]) {
      const refused = await api.call('POST', '/api/v1/access-rules', {
        body: { action: 'retry-event', ...rule },
      });
      expect(refused).toMatchObject({ status: 400, body: { errors: [{ code: 'never_matches' }] } });
    }
  },
);
