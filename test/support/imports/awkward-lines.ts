import type { ImportFormat } from '../../../src/domain/imports/import-record.ts';

/** A line of an awkward file, and its fate: `accepted`, or the reason of another one, with the member at fault. */
export type AwkwardLine = [line: string | Buffer, fate: string];

const TWO_MIB = 'x'.repeat(2 * 1024 * 1024);
const json = JSON.stringify;

/** What is awkward in the same way whatever the format is. */
const ALIKE: AwkwardLine[] = [
  ['', 'blank'],
  ['   ', 'blank'],
  ['{"id":"broken",', 'not_json'],
  ["{'id':'broken'}", 'not_json'],
  ['[]', 'not_an_object'],
  ['"text"', 'not_an_object'],
  [`{"a":${'['.repeat(300)}${']'.repeat(300)}}`, 'nested_too_deep'],
  [`{"a":[${'1,'.repeat(61_000)}1]}`, 'too_many_members'],
  [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 'not_utf8'],
  [`{"a":"${TWO_MIB}${TWO_MIB}"}`, 'line_too_long'],
];

interface Maker {
  /** The first member that it misses. */
  first: string;
  /** A line that is as it should be. */
  good(n: number): Record<string, unknown>;
  own: AwkwardLine[];
}

const without = (of: Record<string, unknown>, ...names: string[]) =>
  Object.fromEntries(Object.entries(of).filter(([name]) => !names.includes(name)));

const ndjson: Maker['good'] = (n) => ({ id: `n-${n}`, type: 'a.b', endpoint: 'theirs', payload: { n } });
const svix: Maker['good'] = (n) => ({
  id: `atmpt_${n}`,
  msgId: `msg_${n}`,
  endpointId: 'theirs',
  url: 'https://hooks.example/?key=hidden',
  status: 2,
  statusText: 'fail',
  responseStatusCode: 503,
  responseDurationMs: 5,
  response: 'down',
  timestamp: `2026-11-03T02:00:${String(n % 60).padStart(2, '0')}Z`,
  triggerType: 0,
  msg: { id: `msg_${n}`, eventType: 'a.b', payload: { n }, timestamp: '2026-11-03T01:59:00Z' },
});
const hookdeck: Maker['good'] = (n) => ({
  id: `evt_${n}`,
  destination_id: 'theirs',
  attempts: 1,
  status: 'FAILED',
  response_status: 500,
  last_attempt_at: '2026-11-03T02:00:00Z',
  created_at: '2026-11-03T01:59:00Z',
  updated_at: '2026-11-03T02:00:01Z',
  data: { path: '/', body: { n }, headers: { authorization: 'Bearer hidden' } },
});
const convoy: Maker['good'] = (n) => ({
  uid: `dlv-${n}`,
  endpoint_id: 'theirs',
  event_type: 'a.b',
  status: 'Failure',
  headers: { authorization: ['Bearer hidden'] },
  metadata: { data: { n }, num_trials: 2 },
  created_at: '2026-11-03T02:00:00Z',
  updated_at: '2026-11-03T02:01:00Z',
});
const sqs: Maker['good'] = (n) => ({
  MessageId: `5fea7756-0ea4-451a-a703-${String(n).padStart(12, '0')}`,
  ReceiptHandle: 'hidden',
  Body: json({ n }),
  MessageAttributes: { eventType: { StringValue: 'a.b', DataType: 'String' } },
});
const stripe: Maker['good'] = (n) => ({
  id: `evt_${n}`,
  object: 'event',
  type: 'a.b',
  created: 1_793_584_800 + n,
  data: { object: { n } },
  pending_webhooks: 1,
});

const MAKERS: Record<ImportFormat, Maker> = {
  ndjson: {
    first: 'id',
    good: ndjson,
    own: [
      [json(without(ndjson(10), 'id')), 'missing id'],
      [json(without(ndjson(10), 'type')), 'missing type'],
      [json(without(ndjson(10), 'payload')), 'missing payload'],
      [json(without(ndjson(10), 'endpoint')), 'missing endpoint'],
      [json({ ...ndjson(10), id: 7 }), 'wrong_member id'],
      [json({ ...ndjson(10), type: 'operation.closed' }), 'wrong_member type'],
      [json({ ...ndjson(10), endpoint: 'nobody' }), 'unmapped'],
      [json({ ...ndjson(10), payload: TWO_MIB }), 'payload_too_large payload'],
      [json({ ...ndjson(10), note: 'x'.repeat(17_000) }), 'members_too_large'],
      [json({ ...ndjson(10), occurredAt: '2026-11-03T02:00:00' }), 'wrong_member occurredAt'],
      [json({ ...ndjson(10), occurredAt: '2999-01-01T00:00:00Z' }), 'wrong_member occurredAt'],
      [json({ ...ndjson(10), attempts: [{ at: '2026-11-03T02:00:00Z' }] }), 'missing attempts.0.status'],
      [
        json({ ...ndjson(10), attempts: [{ at: '2026-11-03T02:00:00Z', error: 'gremlins' }] }),
        'wrong_member attempts.0.error',
      ],
      [
        json({ ...ndjson(10), state: 'failed', attempts: [{ at: '2026-11-03T02:00:00Z', status: 200 }] }),
        'wrong_member state',
      ],
      // Out of order, in foreign zones, with a leap of a day between them.
      [
        json({
          ...ndjson(11),
          attempts: [
            { at: '2026-11-03T11:30:00+09:00', status: 503 },
            { at: '2026-11-02T15:59:00-10:00', error: 'timeout' },
          ],
        }),
        'accepted',
      ],
      [json(ndjson(11)), 'known'],
      [json({ ...ndjson(12), id: 'ids with spaces, and commas' }), 'accepted'],
    ],
  },
  svix: {
    first: 'id',
    good: svix,
    own: [
      [json(without(svix(10), 'endpointId')), 'missing endpointId'],
      [json(without(svix(10), 'timestamp')), 'missing timestamp'],
      [
        json({ ...svix(10), msg: without(svix(10).msg as Record<string, unknown>, 'payload') }),
        'missing msg.payload',
      ],
      [json({ ...svix(10), msg: { ...(svix(10).msg as object), id: 'msg_other' } }), 'wrong_member msg.id'],
      [json({ ...svix(10), status: 1 }), 'not_ended'],
      [json({ ...svix(10), status: 9 }), 'wrong_member status'],
      [
        json({ ...svix(10), msg: { ...(svix(10).msg as object), payload: TWO_MIB } }),
        'payload_too_large msg.payload',
      ],
      [json(without(svix(11), 'msg')), 'event_unknown'],
      [
        json({ id: 'msg_12', eventType: 'a.b', payload: { n: 12 }, timestamp: '2026-11-03T02:00:00Z' }),
        'accepted',
      ],
      // The newest attempt first, as lists of Svix have them.
      [
        json({ ...without(svix(12), 'msg'), id: 'atmpt_12b', timestamp: '2026-11-03T02:09:00+00:00' }),
        'accepted',
      ],
      [
        json({ ...without(svix(12), 'msg'), id: 'atmpt_12a', timestamp: '2026-11-03T04:01:00+02:00' }),
        'accepted',
      ],
      [
        json({ ...without(svix(12), 'msg'), id: 'atmpt_12a', timestamp: '2026-11-03T04:01:00+02:00' }),
        'known',
      ],
    ],
  },
  hookdeck: {
    first: 'status',
    good: hookdeck,
    own: [
      [json(without(hookdeck(10), 'destination_id')), 'missing destination_id'],
      [json(without(hookdeck(10), 'data')), 'missing data.body'],
      [json({ ...hookdeck(10), status: 'QUEUED' }), 'not_ended'],
      [json({ ...hookdeck(10), status: 'LOST' }), 'wrong_member status'],
      [json({ ...hookdeck(10), data: { body: TWO_MIB } }), 'payload_too_large data.body'],
      [json({ ...hookdeck(10), data: { body: 'a=1&b=2' } }), 'payload_not_json data.body'],
      [
        json({ ...hookdeck(11), last_attempt_at: '2026-11-03T07:30:00+05:30', error_code: 'TIMEOUT' }),
        'accepted',
      ],
      // The same moment in another zone.
      [json(hookdeck(11)), 'known'],
    ],
  },
  convoy: {
    first: 'status',
    good: convoy,
    own: [
      [json(without(convoy(10), 'uid')), 'missing uid'],
      [json(without(convoy(10), 'endpoint_id')), 'missing endpoint_metadata.uid'],
      [json(without(convoy(10), 'metadata')), 'missing metadata.data'],
      [json({ ...convoy(10), status: 'Retry' }), 'not_ended'],
      [json({ ...convoy(10), metadata: { data: TWO_MIB } }), 'payload_too_large metadata.data'],
      [json({ ...convoy(10), metadata: { raw: 'not json' } }), 'payload_not_json metadata.raw'],
      [json({ ...convoy(11), created_at: '2026-11-03T03:00:00.123456+01:00' }), 'accepted'],
      [json(convoy(11)), 'known'],
    ],
  },
  sqs: {
    first: 'MessageAttributes.eventType',
    good: sqs,
    own: [
      [json(without(sqs(10), 'MessageId')), 'missing MessageId'],
      [json(without(sqs(10), 'Body')), 'missing Body'],
      [json(without(sqs(10), 'MessageAttributes')), 'missing MessageAttributes.eventType'],
      [json({ ...sqs(10), Body: 'plain text' }), 'payload_not_json Body'],
      [json({ ...sqs(10), Body: '"\ud800"' }), 'payload_not_json Body'],
      [json({ ...sqs(10), Body: json(TWO_MIB) }), 'payload_too_large Body'],
      [
        json({ ...sqs(10), Attributes: { SentTimestamp: 'yesterday' } }),
        'wrong_member Attributes.SentTimestamp',
      ],
      [json({ ...sqs(11), Attributes: { SentTimestamp: '1793584800000' } }), 'accepted'],
      [json(sqs(11)), 'known'],
    ],
  },
  stripe: {
    first: 'created',
    good: stripe,
    own: [
      [json(without(stripe(10), 'id')), 'missing id'],
      [json(without(stripe(10), 'created')), 'missing created'],
      [json(without(stripe(10), 'data')), 'missing data'],
      [json({ ...stripe(10), object: 'charge' }), 'wrong_member object'],
      [json({ ...stripe(10), pending_webhooks: 0 }), 'was_delivered'],
      [json({ ...stripe(10), data: { object: TWO_MIB } }), 'payload_too_large'],
      [json(stripe(11)), 'accepted'],
      [json(stripe(11)), 'known'],
    ],
  },
};

/** The name that stands for the endpoint in the lines of a format. */
export function mappedName(format: ImportFormat): string {
  return format === 'sqs' || format === 'stripe' ? '*' : 'theirs';
}

/** A line that is as it should be. */
export function goodLine(format: ImportFormat, n: number): Record<string, unknown> {
  return MAKERS[format].good(n);
}

/** An awkward file of a format: a byte order mark, both kinds of line ends, none at the end, and each line's fate. */
export function awkwardFile(format: ImportFormat): { bytes: Buffer; fates: string[] } {
  const { first, good, own } = MAKERS[format];
  const lines: AwkwardLine[] = [
    [json(good(1)), 'accepted'],
    [json(good(2)), 'accepted'],
    [json(good(1)), 'known'],
    ['{}', `missing ${first}`],
    ...ALIKE,
    ...own,
    [json(good(3)), 'accepted'],
  ];
  const parts = lines.flatMap(([line, _], n) => [
    Buffer.from(line),
    Buffer.from(n === lines.length - 1 ? '' : n % 2 === 0 ? '\r\n' : '\n'),
  ]);
  return {
    bytes: Buffer.concat([Buffer.from('\uFEFF'), ...parts]),
    fates: lines.map(([, fate]) => fate),
  };
}
