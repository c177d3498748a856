import { describe, expect, test } from '@jest/globals';
import {
  type AttemptIdentity,
  decideLines,
  type KnownBefore,
  type LineToDecide,
} from '../../../src/domain/imports/decide-lines.ts';
import type { EventRecord, ForeignAttempt, ForeignState } from '../../../src/domain/imports/import-record.ts';
import { isWebhookId } from '../../../src/domain/imports/webhook-id.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';

const NOTHING: KnownBefore = { events: [], deliveries: [], webhookIds: [] };
const id = <Of extends string>(text: string) => text as unknown as Id<never> & Of;

function attempt(key: string, at: string, outcome: ForeignAttempt['outcome'] = 'permanent'): ForeignAttempt {
  return { key, at: `2026-11-03T02:00:${at}.000Z`, outcome, durationMs: 1 };
}

let line = 0;
function toDecide(
  externalId: string,
  attempts: ForeignAttempt[] = [],
  {
    type = 'a',
    endpoint = 'E',
    state = 'failed' as ForeignState,
    kind = 'event' as 'event' | 'attempts',
    mayHaveArrived = attempts.some(({ outcome }) => outcome === 'ambiguous'),
  } = {},
): LineToDecide {
  line += 1;
  const delivery = {
    endpoint,
    state,
    attempts,
    mayHaveArrived,
  };
  const record =
    kind === 'attempts'
      ? { kind, externalId, delivery }
      : ({ kind, externalId, type, body: '{}', delivery } as EventRecord);
  return {
    line,
    record,
    endpointId: id(endpoint),
    ids: { event: id(`v${line}`), delivery: id(`d${line}`), execution: id(`e${line}`) },
  };
}

const attemptIdOf = ({ eventId, endpointId, key }: AttemptIdentity) =>
  id<'attempt'>(`${eventId}/${endpointId}/${key}`);
const decide = (lines: LineToDecide[], known: Partial<KnownBefore> = {}, keepIds = false) =>
  decideLines(lines, { ...NOTHING, ...known }, { keepIds, idMember: 'uid', attemptIdOf });
const fates = (lines: LineToDecide[], known: Partial<KnownBefore> = {}, keepIds = false) =>
  decide(lines, known, keepIds).fates.map((fate) => ('reason' in fate ? fate.reason : fate.result));

describe('lines of one event', () => {
  test('make it once, with a delivery for each endpoint', () => {
    const {
      events,
      deliveries,
      fates: told,
    } = decide([toDecide('x'), toDecide('x', [], { endpoint: 'F' }), toDecide('x')]);
    expect([events.length, deliveries.length]).toEqual([1, 2]);
    expect(new Set(deliveries.map(({ eventId }) => eventId))).toEqual(new Set([events[0]?.eventId]));
    expect(told.map((fate) => ('reason' in fate ? fate.reason : fate.result))).toEqual([
      'accepted',
      'accepted',
      'known',
    ]);
  });

  test('of another type or source are of another event', () => {
    expect(decide([toDecide('x'), toDecide('x', [], { type: 'b' })]).events).toHaveLength(2);
  });

  test('add their attempts to it, each once and in the order of their times', () => {
    const { deliveries } = decide([
      toDecide('x', [attempt('3', '30', 'ambiguous')]),
      toDecide('x', [attempt('1', '10')]),
      toDecide('x', [attempt('3', '30', 'ambiguous'), attempt('2', '20')]),
    ]);
    expect(deliveries).toMatchObject([
      { state: 'failed', mayHaveArrived: true, attempts: [{ key: '1' }, { key: '2' }, { key: '3' }] },
    ]);
  });

  test.each([
    ['first', [0, 1]],
    ['last', [1, 0]],
  ])('that was delivered there make it delivered, where that line comes %s', (_, order) => {
    const lines = [
      toDecide('x', [attempt('ok', '30', 'delivered')], { state: 'delivered' }),
      toDecide('x', [attempt('no', '10')]),
    ];
    expect(decide(order.map((n) => lines[n] as LineToDecide)).deliveries).toMatchObject([
      { state: 'delivered', attempts: [{ key: 'no' }, { key: 'ok' }] },
    ]);
  });

  test('that have the ids of each other’s attempts keep them apart by their types', () => {
    const { deliveries } = decide([
      toDecide('x', [attempt('1', '10')]),
      toDecide('x', [attempt('1', '10')], { type: 'b' }),
    ]);
    const ids = deliveries.flatMap(({ attempts }) => attempts.map((each) => each.id));
    expect(new Set(ids).size).toBe(2);
  });

  test('that bring an attempt alone and with its event bring the same one', () => {
    const bare = toDecide('x', [attempt('1', '10')], { kind: 'attempts' });
    expect(fates([toDecide('x', [attempt('1', '10')]), bare])).toEqual(['accepted', 'known']);
  });

  test('may make it doubtful that it has not arrived, without any attempt', () => {
    const sure = toDecide('x', [attempt('1', '10')]);
    const unsure = toDecide('x', [attempt('1', '10')], { mayHaveArrived: true });
    const { deliveries, fates: told } = decide([sure, unsure, unsure]);
    expect(deliveries).toMatchObject([{ mayHaveArrived: true, attempts: [{ key: '1' }] }]);
    expect(told.map(({ result }) => result)).toEqual(['accepted', 'accepted', 'duplicate']);
    // Nobody asks whether what was delivered may have arrived.
    const delivered = toDecide('x', [attempt('ok', '30', 'delivered')], { state: 'delivered' });
    expect(fates([delivered, unsure, toDecide('x', [], { mayHaveArrived: true })])).toEqual([
      'accepted',
      'accepted',
      'known',
    ]);
  });

  test('that say of a failed attempt that it has delivered leave it failed, and doubtful', () => {
    const lines = [
      toDecide('x', [attempt('1', '10')]),
      toDecide('x', [attempt('1', '10', 'delivered')], { state: 'delivered' }),
    ];
    expect(decide(lines).deliveries).toMatchObject([
      { state: 'failed', mayHaveArrived: true, attempts: [{ outcome: 'permanent' }] },
    ]);
  });

  test('add attempts up to a number, and none of a line that would exceed it', () => {
    const of = (from: number, count: number) =>
      toDecide(
        'x',
        Array.from({ length: count }, (_, n) => attempt(`${from + n}`, '10')),
      );
    const { deliveries, fates: told } = decide([of(0, 100), of(100, 99), of(199, 2), of(199, 1), of(0, 100)]);
    expect(told.map((fate) => ('reason' in fate ? fate.reason : fate.result))).toEqual([
      'accepted',
      'accepted',
      'too_many_attempts',
      'accepted',
      'known',
    ]);
    expect(deliveries[0]?.attempts).toHaveLength(200);
  });

  test('that bring attempts alone need it before them, and only one that has their id', () => {
    const alone = toDecide('x', [attempt('1', '10')], { kind: 'attempts' });
    expect(fates([alone])).toEqual(['event_unknown']);
    expect(fates([toDecide('x'), alone])).toEqual(['accepted', 'accepted']);
    expect(fates([toDecide('x'), toDecide('x', [], { type: 'b' }), alone]).at(-1)).toBe('event_unknown');
  });
});

describe('what is known from before', () => {
  const event = {
    eventId: id<'event'>('v0'),
    externalId: 'x',
    type: 'a',
    imported: true,
    payloadKept: true,
  };
  const delivery = {
    deliveryId: id<'delivery'>('d0'),
    eventId: id<'event'>('v0'),
    endpointId: id<'endpoint'>('E'),
    state: 'failed',
    untouched: id<'execution'>('e0'),
    mayHaveArrived: false,
    attemptIds: [id<'attempt'>('v0/E/1')],
  };

  test('is a duplicate, or gets the attempts that are new', () => {
    const known = { events: [event], deliveries: [delivery] };
    expect(fates([toDecide('x', [attempt('1', '10')])], known)).toEqual(['known']);
    expect(decide([toDecide('x', [attempt('1', '10'), attempt('2', '20')])], known)).toMatchObject({
      events: [],
      deliveries: [],
      added: [{ deliveryId: 'd0', executionId: 'e0', delivered: false, attempts: [{ key: '2' }] }],
    });
  });

  test('gets doubt that is new, with or without an attempt', () => {
    const known = { events: [event], deliveries: [delivery] };
    const doubt = toDecide('x', [attempt('1', '10')], { mayHaveArrived: true });
    expect(decide([doubt], known).added).toMatchObject([{ mayHaveArrived: true, attempts: [] }]);
    const more = toDecide('x', [attempt('2', '20')], { mayHaveArrived: true });
    expect(decide([more], known).added).toMatchObject([{ mayHaveArrived: true, attempts: [{ key: '2' }] }]);
    expect(fates([doubt, doubt], known)).toEqual(['accepted', 'known']);
    const doubted = { ...known, deliveries: [{ ...delivery, mayHaveArrived: true }] };
    expect(fates([doubt], doubted)).toEqual(['known']);
    const arrived = { ...known, deliveries: [{ ...delivery, state: 'delivered' }] };
    expect(fates([doubt], arrived)).toEqual(['known']);
    const { untouched: _, ...touched } = delivery;
    expect(fates([doubt], { ...known, deliveries: [touched] })).toEqual(['sent_since']);
  });

  test('is refused where its payload is gone, unless it was delivered', () => {
    const gone = [{ ...event, payloadKept: false }];
    const known = { events: gone, deliveries: [delivery] };
    const again = toDecide('x', [attempt('1', '10')]);
    expect(fates([again, toDecide('x', [], { endpoint: 'F' })], known)).toEqual(
      Array(2).fill('payload_gone'),
    );
    expect(fates([toDecide('x', [attempt('2', '20')], { kind: 'attempts' })], known)).toEqual([
      'payload_gone',
    ]);
    expect(fates([again], { events: gone, deliveries: [{ ...delivery, state: 'delivered' }] })).toEqual([
      'known',
    ]);
    const delivered = toDecide('x', [attempt('3', '30', 'delivered')], { state: 'delivered' });
    expect(decide([delivered], known).added).toMatchObject([{ delivered: true }]);
  });

  test('has a delivery for a further endpoint', () => {
    expect(decide([toDecide('x', [], { endpoint: 'F' })], { events: [event] })).toMatchObject({
      events: [],
      deliveries: [{ eventId: 'v0', endpointId: 'F' }],
    });
  });

  test('is left alone where Redrive has taken it up, or was sent it itself', () => {
    const { untouched: _, ...touched } = delivery;
    const more = [attempt('2', '20', 'delivered')];
    const taken = { events: [event], deliveries: [touched] };
    expect(fates([toDecide('x', more, { state: 'delivered' })], taken)).toEqual(['sent_since']);
    expect(fates([toDecide('x', more)], { events: [{ ...event, imported: false }] })).toEqual([
      'event_exists',
    ]);
  });
});

describe('an id that is kept', () => {
  test('is sent, once at each endpoint', () => {
    const lines = [toDecide('x'), toDecide('x', [], { type: 'b' }), toDecide('x', [], { endpoint: 'F' })];
    expect(decide(lines, {}, true).deliveries.map(({ webhookId }) => webhookId)).toEqual(['x', 'x']);
    expect(fates(lines, {}, true)).toEqual(['accepted', 'id_taken', 'accepted']);
    expect(fates([toDecide('y')], { webhookIds: ['E/y'] }, true)).toEqual(['id_taken']);
  });

  test.each([
    ['msg_2fD8kQ1bN7pYx0cRz3uVw5L1', true],
    ['5fea7756-0ea4-451a-a703-a558b933e274', true],
    ['inv.7', false],
    ['a b', false],
    ['ü', false],
    ['', false],
    ['x'.repeat(256), false],
    ['dlv_01k9z3e5hbe7r9qk2m4n6p8r0s', false],
  ])('%s can be one: %s', (text, can) => {
    expect(isWebhookId(text)).toBe(can);
    if (!can && text !== '')
      expect(decide([toDecide(text)], {}, true).fates).toMatchObject([
        { reason: 'wrong_member', member: 'uid' },
      ]);
  });
});
