import { describe, expect, test } from '@jest/globals';
import { OPENS_MS } from '../../../src/domain/sending/pacing.ts';
import {
  anyOf,
  type EndpointFacts,
  endpointWaits,
  type OwnerFacts,
  type WaitFacts,
  waitingFor,
} from '../../../src/domain/sending/waiting-for.ts';

const NOW = 1_000_000;
const NEVER = Number.NEGATIVE_INFINITY;

const open: EndpointFacts = {
  state: 'enabled',
  arrivalMs: NEVER,
  slotsInUse: 0,
  floorUntilMs: NEVER,
  retryAfterUntilMs: NEVER,
  openings: 0,
  trialUntilMs: NEVER,
};
const running: OwnerFacts = { control: 'run', state: 'running', arrivalMs: NEVER, slotsInUse: 0 };

function waits(
  endpoint: Partial<EndpointFacts>,
  rest: Partial<Omit<WaitFacts, 'endpoint' | 'operation'>> = {},
  operation?: Partial<OwnerFacts>,
) {
  return waitingFor({
    nowMs: NOW,
    lane: 'bulk',
    dueAtMs: NOW - 1,
    giveUpAtMs: NOW + 86_400_000,
    blocked: false,
    waitsUntilMs: NEVER,
    ...rest,
    endpoint: { ...open, ...endpoint },
    ...(operation ? { operation: { ...running, ...operation } } : {}),
  });
}

describe('an item', () => {
  test('waits for nothing where nothing holds it back', () => {
    expect(waits({})).toEqual([]);
    expect(waits({}, {}, {})).toEqual([]);
    expect(waits({ ratePerSecond: 5, arrivalMs: NOW - 1, maxConcurrency: 4, slotsInUse: 2 })).toEqual([]);
  });

  test.each<[string, Partial<EndpointFacts>, unknown[]]>([
    [
      'a Retry-After',
      { floorUntilMs: NOW + 9, retryAfterUntilMs: NOW + 9 },
      [{ what: 'retry_after', untilMs: NOW + 9 }],
    ],
    [
      'an open circuit',
      { floorUntilMs: NOW + 9, openings: 1, window: 1 },
      [{ what: 'circuit', untilMs: NOW + 9 }],
    ],
    [
      'both',
      { floorUntilMs: NOW + 9, retryAfterUntilMs: NOW + 9, openings: 2 },
      [
        { what: 'circuit', untilMs: NOW + 9 },
        { what: 'retry_after', untilMs: NOW + 9 },
      ],
    ],
    [
      'the trial of another',
      { openings: 1, floorUntilMs: NOW - 1, trialUntilMs: NOW + 5 },
      [{ what: 'circuit', untilMs: NOW + 5 }],
    ],
    ['a floor that nothing explains', { floorUntilMs: NOW + 9 }, [{ what: 'retry_after', untilMs: NOW + 9 }]],
    ['a window', { window: 2.7, slotsInUse: 1, maxConcurrency: 8 }, [{ what: 'window' }]],
    ['a limit', { window: 9, slotsInUse: 3, maxConcurrency: 4 }, [{ what: 'concurrency' }]],
    [
      'a rate',
      { ratePerSecond: 1, arrivalMs: NOW + 700 },
      [{ what: 'rate', untilMs: NOW + 700 - OPENS_MS.bulk }],
    ],
  ])('waits at its endpoint for %s', (_, endpoint, expected) => expect(waits(endpoint)).toEqual(expected));

  test('of the live lane goes through where one of the bulk lane has to wait', () => {
    const narrow = { maxConcurrency: 4, slotsInUse: 3 };
    expect(waits(narrow)).toEqual([{ what: 'concurrency' }]);
    expect(waits(narrow, { lane: 'live' })).toEqual([]);
  });

  test.each<[string, Partial<OwnerFacts>, unknown[]]>([
    [
      'paused',
      { control: 'pause', state: 'paused', expiresAtMs: NOW + 5 },
      [{ what: 'pause', untilMs: NOW + 5 }],
    ],
    [
      'halted',
      { control: 'pause', state: 'halted', expiresAtMs: NOW + 5 },
      [{ what: 'halt', untilMs: NOW + 5 }],
    ],
    ['cancelled', { control: 'cancel', state: 'closing' }, [{ what: 'end' }]],
    [
      'at its rate',
      { ratePerSecond: 2, arrivalMs: NOW + 300 },
      [{ what: 'rate', untilMs: NOW + 300 - OPENS_MS.bulk }],
    ],
    ['at its limit', { maxConcurrency: 4, slotsInUse: 4 }, [{ what: 'concurrency' }]],
    ['below its limit', { maxConcurrency: 4, slotsInUse: 3 }, []],
    [
      'trying',
      { canary: { state: 'testing', room: 0, judgedAtMs: NOW + 60 } },
      [{ what: 'canary', untilMs: NOW + 60 }],
    ],
    ['still to try', { canary: { state: 'testing', room: 1, judgedAtMs: NOW + 60 } }, []],
    ['held', { canary: { state: 'held', room: 0, judgedAtMs: NOW - 60 } }, [{ what: 'canary' }]],
  ])('waits by the state of its operation, which is %s', (_, operation, expected) =>
    expect(waits({}, {}, operation)).toEqual(expected),
  );

  test('waits for its time, or for the delivery of its key before it', () => {
    expect(waits({}, { dueAtMs: NOW + 8 })).toEqual([{ what: 'due', untilMs: NOW + 8 }]);
    expect(waits({}, { blocked: true })).toEqual([{ what: 'order' }]);
    expect(waits({}, { blocked: true, dueAtMs: NOW + 60, putOffFromMs: NOW - 8 })).toEqual([
      { what: 'order', untilMs: NOW + 60 },
    ]);
    expect(waits({}, { dueAtMs: NOW + 60, putOffFromMs: NOW + 8 })).toEqual([
      { what: 'order', untilMs: NOW + 60 },
      { what: 'due', untilMs: NOW + 8 },
    ]);
  });

  test('waits at an endpoint that was disabled until its patience or its time ends, whichever is first', () => {
    const disabled = { state: 'disabled' as const };
    expect(waits(disabled, { waitsUntilMs: NOW + 9 }, {})).toEqual([
      { what: 'endpoint_disabled', untilMs: NOW + 9 },
    ]);
    expect(waits(disabled, { waitsUntilMs: NOW + 9, giveUpAtMs: NOW + 4 }, {})).toEqual([
      { what: 'endpoint_disabled', untilMs: NOW + 4 },
    ]);
    expect(waits(disabled)).toEqual([{ what: 'end' }]);
    expect(waits({ state: 'deleted' }, {}, {})).toEqual([{ what: 'end' }]);
    expect(waits({}, { giveUpAtMs: NOW })).toEqual([{ what: 'end' }]);
  });

  test('waits for the end of a freeze window, where that is known', () => {
    expect(waits({}, { heldUntilMs: NOW + 9 }, {})).toEqual([{ what: 'freeze_window', untilMs: NOW + 9 }]);
    expect(waits({}, { heldUntilMs: Number.POSITIVE_INFINITY }, {})).toEqual([{ what: 'freeze_window' }]);
    expect(waits({}, { heldUntilMs: NOW }, {})).toEqual([]);
  });

  test('names one wait where its endpoint and its operation both hold it: the longer one', () => {
    const rate = (arrivalMs: number) => ({ ratePerSecond: 1, arrivalMs });
    const longer = [{ what: 'rate', untilMs: NOW + 700 - OPENS_MS.bulk }];
    expect(waits(rate(NOW + 300), {}, rate(NOW + 700))).toEqual(longer);
    expect(waits(rate(NOW + 700), {}, rate(NOW + 300))).toEqual(longer);
  });
});

test('an endpoint names the waits of everything that is for it', () => {
  expect(endpointWaits({ ...open, floorUntilMs: NOW + 1 }, NOW)).toEqual([
    { what: 'retry_after', untilMs: NOW + 1 },
  ]);
  expect(endpointWaits({ ...open, state: 'disabled' }, NOW)).toEqual([{ what: 'endpoint_disabled' }]);
  expect(endpointWaits({ ...open, state: 'deleted' }, NOW)).toEqual([{ what: 'end' }]);
});

test('several items together name each reason once, with its first end', () => {
  expect(
    anyOf([
      [{ what: 'due', untilMs: 9 }, { what: 'circuit' }],
      [],
      [
        { what: 'due', untilMs: 4 },
        { what: 'pause', untilMs: 1 },
      ],
      [{ what: 'circuit', untilMs: 7 }],
    ]),
  ).toEqual([
    { what: 'pause', untilMs: 1 },
    { what: 'circuit', untilMs: 7 },
    { what: 'due', untilMs: 4 },
  ]);
});
