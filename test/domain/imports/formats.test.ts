import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { FORMATS } from '../../../src/domain/imports/formats/formats.ts';
import {
  IMPORT_FORMATS,
  type ImportFormat,
  type ImportRecord,
} from '../../../src/domain/imports/import-record.ts';
import { goodLine } from '../../support/imports/awkward-lines.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');
const PUBLISHED = JSON.parse(await readFile('test/fixtures/import/published-members.json', 'utf8'));

async function sample(format: ImportFormat): Promise<Record<string, unknown>[]> {
  const text = await readFile(`docs/import/samples/${format}.ndjson`, 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

function read(format: ImportFormat, value: Record<string, unknown>, eventType?: string): ImportRecord {
  const { source } = FORMATS[format];
  return FORMATS[format].read(
    { value, text: JSON.stringify(value) },
    { nowMs: NOW, ...(source ? { source } : {}), ...(eventType ? { eventType } : {}) },
  );
}

async function readSample(format: ImportFormat, eventType?: string): Promise<ImportRecord[]> {
  return (await sample(format)).map((value) => read(format, value, eventType));
}

const outcomes = (record: ImportRecord | undefined) =>
  record && 'delivery' in record
    ? record.delivery?.attempts.map(({ outcome, faultCode }) => [outcome, faultCode])
    : [];
const arrived = (record: ImportRecord) =>
  record.kind !== 'refused' ? record.delivery?.mayHaveArrived : undefined;

describe('the samples of the documentation are read', () => {
  test('ndjson', async () => {
    const [first, second, third] = await readSample('ndjson');
    expect(first).toMatchObject({
      kind: 'event',
      externalId: 'inv-2026-000123',
      type: 'invoice.paid',
      source: 'billing',
      key: 'account-42',
      occurredAt: '2026-11-02T22:58:10.000Z',
      body: '{"invoice":"inv-2026-000123","amount":100,"currency":"EUR"}',
      members: '{"shop":"north"}',
      delivery: { endpoint: 'warehouse', state: 'failed', mayHaveArrived: true },
    });
    expect(outcomes(first)).toEqual([
      ['ambiguous', 'timeout'],
      ['ambiguous', 'http_5xx'],
    ]);
    expect(outcomes(second)).toEqual([['permanent', 'http_4xx']]);
    expect([arrived(second as ImportRecord), arrived(third as ImportRecord)]).toEqual([false, false]);
  });

  test('svix', async () => {
    const records = await readSample('svix');
    expect(records.map(({ kind }) => kind)).toEqual([
      'event',
      'event',
      'attempts',
      'attempts',
      'event',
      'event',
    ]);
    expect(records[0]).toMatchObject({
      externalId: 'msg_2fD8kQ1bN7pYx0cRz3uVw5L1',
      type: 'order.created',
      source: 'svix',
      body: '{"order":1,"total":"12.90"}',
      members: '{"msg":{"channels":null,"eventId":"order-1","tags":["eu"]}}',
      delivery: { endpoint: 'ep_2fD8kQ1bN7pYx0cRz3uVw5LaBcD' },
    });
    expect(records[1]).not.toHaveProperty('delivery');
    expect(records[1]).toMatchObject({ members: '{"channels":null,"eventId":"order-2","tags":["eu"]}' });
    expect(records.map(outcomes).slice(2)).toEqual([
      [['ambiguous', 'no_answer']],
      [['permanent', 'http_4xx']],
      [['ambiguous', 'http_5xx']],
      [['delivered', undefined]],
    ]);
    expect(records[5]).toMatchObject({ delivery: { state: 'delivered' } });
  });

  test('hookdeck, whose events have no type', async () => {
    expect(await readSample('hookdeck')).toEqual(
      Array(4).fill({ kind: 'refused', reason: 'missing', member: 'type' }),
    );
    const records = await readSample('hookdeck', 'order.created');
    expect(records.map(outcomes)).toEqual([
      [['ambiguous', 'http_5xx']],
      [['ambiguous', 'timeout']],
      [['unsent', 'connection_refused']],
      [['permanent', 'http_4xx']],
    ]);
    expect(records.map(arrived)).toEqual([true, true, false, false]);
    expect(records[0]).toMatchObject({ externalId: 'evt_hk01', body: '{"order":1}' });
  });

  test('convoy', async () => {
    const records = await readSample('convoy');
    expect(records[0]).toMatchObject({
      type: 'payment.failed',
      source: 'convoy',
      body: '{"payment": 1, "amount": 1290}',
      delivery: { endpoint: '01HENDPOINT', state: 'failed', attempts: [] },
    });
    expect(records[1]).toMatchObject({ body: '{"payment":2,"amount":1290}' });
    expect(records.map(arrived)).toEqual([true, true, false]);
    // Its endpoint was switched off: before it was ever sent, or after some attempts.
    const discarded = (num_trials?: number) =>
      read('convoy', {
        ...goodLine('convoy', 1),
        status: 'Discarded',
        metadata: { data: {}, ...(num_trials === undefined ? {} : { num_trials }) },
      });
    expect([discarded(0), discarded(3), discarded()].map(arrived)).toEqual([false, true, true]);
  });

  test('sqs, whose type may be that of the import', async () => {
    const [first, second] = await readSample('sqs', 'order.unknown');
    expect(first).toMatchObject({
      type: 'order.paid',
      body: '{"order": 1, "state": "paid"}',
      occurredAt: '2026-11-02T02:00:00.000Z',
      delivery: { endpoint: '*', attempts: [], mayHaveArrived: true },
    });
    expect(second).toMatchObject({ type: 'order.unknown' });
  });

  test('stripe, whose events are sent whole', async () => {
    const [first, , third] = await readSample('stripe');
    const [line] = await sample('stripe');
    expect(first).toMatchObject({ body: JSON.stringify(line), type: 'invoice.payment_failed' });
    expect(first).not.toHaveProperty('members');
    expect(third).toEqual({ kind: 'refused', reason: 'was_delivered' });
  });
});

describe('the samples have the members that their makers publish', () => {
  /** The types of a line, and where further ones stand in it. */
  const TYPES: Partial<Record<ImportFormat, (line: Record<string, unknown>) => [string, unknown][]>> = {
    svix: (line) =>
      'msgId' in line
        ? [
            ['MessageAttemptOut', line],
            ...('msg' in line ? ([['MessageOut', line.msg]] as [string, unknown][]) : []),
          ]
        : [['MessageOut', line]],
    hookdeck: (line) => [
      ['Event', line],
      ['ShortEventData', line.data],
    ],
    convoy: (line) => [
      ['EventDeliveryResponse', line],
      ['Metadata', line.metadata],
      ['Event', line.event_metadata],
    ],
    sqs: (line) => [['Message', line]],
    stripe: (line) => [['Event', line]],
  };

  test.each(Object.entries(TYPES))('%s', async (format, typesOf) => {
    for (const line of await sample(format as ImportFormat))
      for (const [name, value] of typesOf(line)) {
        const { required, optional } = PUBLISHED[format].types[name];
        const members = Object.keys(value as object);
        expect(members.filter((each) => ![...required, ...optional].includes(each))).toEqual([]);
        expect(required.filter((each: string) => !members.includes(each))).toEqual([]);
      }
  });

  test('and every word that they publish for a state or a fault is read', () => {
    for (const code of PUBLISHED.hookdeck.words.AttemptErrorCodes) {
      const line = { ...goodLine('hookdeck', 1), response_status: null, error_code: code };
      expect(read('hookdeck', line, 'a')).toMatchObject({ kind: 'event' });
    }
    const states = [
      ...PUBLISHED.hookdeck.words.EventStatus.map((status: string) => ['hookdeck', { status }]),
      ...PUBLISHED.convoy.words.EventDeliveryStatus.map((status: string) => ['convoy', { status }]),
      ...PUBLISHED.svix.words.MessageStatus.map((word: string) => ['svix', { status: Number(word.at(-1)) }]),
    ] as [ImportFormat, object][];
    for (const [format, change] of states) {
      const record = read(format, { ...goodLine(format, 1), ...change }, 'a');
      expect(record.kind === 'refused' ? record.reason : 'read').toMatch(/^(read|not_ended)$/);
    }
  });
});

describe('a member that the format does not know is kept, also within one that it does', () => {
  test.each([
    ['ndjson', { attempts: [{ at: '2026-11-03T02:00:00Z', status: 500, region: 'eu' }] }],
    [
      'svix',
      { msg: { id: 'msg_1', eventType: 'a', payload: {}, timestamp: '2026-11-03T02:00:00Z', region: 'eu' } },
    ],
    ['hookdeck', { data: { body: {}, path: '/', region: 'eu' } }],
    ['convoy', { metadata: { data: {}, num_trials: 1, region: 'eu' } }],
  ] as [ImportFormat, object][])('%s', (format, members) => {
    const [name] = Object.keys(members);
    const record = read(format, { ...goodLine(format, 1), ...members }, 'a');
    const kept = { region: 'eu' };
    expect(record).toMatchObject({
      members: JSON.stringify({ [name as string]: format === 'ndjson' ? [kept] : kept }),
    });
  });

  test('each at its place in a list', () => {
    const attempts = [
      { at: '2026-11-03T02:00:00Z', status: 500 },
      { at: '2026-11-03T02:01:00Z', status: 500, n: 2 },
    ];
    expect(read('ndjson', { ...goodLine('ndjson', 1), attempts })).toMatchObject({
      members: '{"attempts":[{},{"n":2}]}',
    });
  });
});

describe('nothing of a line is kept that could be a secret', () => {
  test.each(IMPORT_FORMATS.map((format) => [format]))('%s', (format) => {
    const record = read(
      format,
      {
        ...goodLine(format, 1),
        headers: { authorization: 'hidden' },
        Cookie: 'hidden',
        meta: { apiKey: 'hidden', deep: [{ webhook_secret: 'hidden' }], shown: 1 },
      },
      'a',
    );
    // The whole event of Stripe is its payload, which is sent as it is.
    if (format !== 'stripe') expect(JSON.stringify(record)).not.toContain('hidden');
  });

  test.each([
    ...[
      'auth',
      'basicAuth',
      'smtp_auth',
      'pass',
      'userPass',
      'pwd',
      'bearer',
      'jwt',
      'private_key',
      'privateKey',
    ],
    ...[
      'signing_key',
      'signing-key',
      'accessKey',
      'access_key_id',
      'password',
      'passphrase',
      'Authorization',
      'pin',
    ],
  ])('named %s', (name) => {
    const record = read('ndjson', {
      ...goodLine('ndjson', 1),
      meta: { [name]: 'hidden', n: 1 },
      [name]: { x: 'hidden' },
    });
    expect(record).toMatchObject({ members: '{"meta":{"n":1}}' });
  });

  test.each(['author', 'authority', 'passenger', 'compass', 'shipping', 'donkey'])('%s is none', (name) => {
    expect(read('ndjson', { ...goodLine('ndjson', 1), [name]: 1 })).toMatchObject({
      members: `{"${name}":1}`,
    });
  });
});
