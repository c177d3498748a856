import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type FreezeWindow,
  freezeWindowFaults,
  frozenTimes,
  WEEKDAYS,
} from '../../../src/domain/policy/freeze-windows.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import type { Span } from '../../../src/domain/time/spans.ts';
import { anyId } from '../../support/store/any-id.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Zones whose clocks change in spring and in autumn, by an hour or by half of one, or never; some ahead by odd minutes. */
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'Asia/Kathmandu',
  'America/Santiago',
];

const window = (change: Partial<FreezeWindow>): FreezeWindow => ({
  zone: 'Europe/Berlin',
  days: [...WEEKDAYS],
  from: '02:30',
  to: '03:30',
  ...change,
});

const utc = (text: string): number => Date.parse(text);
const told = (spans: readonly Span[]): [string, string][] =>
  spans.map(({ fromMs, toMs }) => [
    new Date(fromMs).toISOString().slice(0, 16),
    new Date(toMs).toISOString().slice(0, 16),
  ]);
const spansOf = (windows: FreezeWindow[], from: string, to: string) =>
  told(frozenTimes(windows, utc(from), utc(to))[0]?.spans ?? []);

/** What the clocks of a zone show at each minute of a time, asked of the platform and not of the library. */
function clocksOf(zone: string) {
  const shown = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  return (atMs: number) => {
    const [day = '', clock = ''] = shown.format(atMs).toLowerCase().replace(',', '').split(' ');
    return { day: WEEKDAYS.map(String).indexOf(day), clock };
  };
}

/** Whether the clocks are in a window, told without any arithmetic on times. */
function isWithin({ days, from, to }: FreezeWindow, { day, clock }: { day: number; clock: string }): boolean {
  const on = (n: number) => days.includes(WEEKDAYS[(n + 7) % 7] ?? 'mon');
  if (from < to) return on(day) && clock >= from && clock < to;
  return (on(day) && clock >= from) || (on(day - 1) && clock < to);
}

describe('a freeze window', () => {
  test('lasts from one time on the clocks of its zone to another, on its days', () => {
    expect(
      spansOf(
        [window({ days: ['mon', 'wed'], from: '08:00', to: '17:30' })],
        '2026-07-05T00:00Z',
        '2026-07-12T00:00Z',
      ),
    ).toEqual([
      ['2026-07-06T06:00', '2026-07-06T15:30'],
      ['2026-07-08T06:00', '2026-07-08T15:30'],
    ]);
  });

  test('may pass midnight, and belongs to the day on which it begins', () => {
    expect(
      spansOf(
        [window({ zone: 'UTC', days: ['fri'], from: '22:00', to: '06:00' })],
        '2026-07-01T00:00Z',
        '2026-07-08T00:00Z',
      ),
    ).toEqual([['2026-07-03T22:00', '2026-07-04T06:00']]);
  });

  test('is found where it began before the time that is asked about', () => {
    expect(
      spansOf(
        [window({ zone: 'UTC', from: '22:00', to: '06:00' })],
        '2026-07-01T01:00Z',
        '2026-07-01T23:00Z',
      ),
    ).toEqual([
      ['2026-07-01T01:00', '2026-07-01T06:00'],
      ['2026-07-01T22:00', '2026-07-01T23:00'],
    ]);
  });

  test('is one span with those that it touches', () => {
    const windows = [
      window({ zone: 'UTC', days: ['sat'], from: '20:00', to: '24:00' }),
      window({ zone: 'UTC', days: ['sun'], from: '00:00', to: '24:00' }),
      window({ zone: 'UTC', days: ['mon'], from: '00:00', to: '06:00' }),
    ];
    expect(spansOf(windows, '2026-07-01T00:00Z', '2026-07-08T00:00Z')).toEqual([
      ['2026-07-04T20:00', '2026-07-06T06:00'],
    ]);
  });

  test.each<[string, string, string, [string, string][]]>([
    // From 02:00 clocks go on at 03:00: only its second half is ever shown.
    ['Europe/Berlin', 'is missing in part', '2026-03-29', [['2026-03-29T01:00', '2026-03-29T01:30']]],
    // After 02:59 clocks go back to 02:00: the half before that, then the whole.
    [
      'Europe/Berlin',
      'comes twice in part',
      '2026-10-25',
      [
        ['2026-10-25T00:30', '2026-10-25T01:00'],
        ['2026-10-25T01:30', '2026-10-25T02:30'],
      ],
    ],
    ['America/New_York', 'is missing in part', '2026-03-08', [['2026-03-08T07:00', '2026-03-08T07:30']]],
    // From 02:00 clocks go back to 01:30, and from 02:00 on to 02:30.
    ['Australia/Lord_Howe', 'comes once', '2026-04-05', [['2026-04-04T16:00', '2026-04-04T17:00']]],
    [
      'Australia/Lord_Howe',
      'begins with the change',
      '2026-10-04',
      [['2026-10-03T15:30', '2026-10-03T16:30']],
    ],
  ])('in %s from 02:30 to 03:30 %s on the day of a change (%#)', (zone, _, day, expected) => {
    const noon = utc(`${day}T12:00Z`);
    const found = frozenTimes([window({ zone })], noon - DAY, noon + DAY)[0]?.spans ?? [];
    const weekday = clocksOf(zone);
    const ofDay = found.filter(
      ({ fromMs }) => weekday(fromMs).day === weekday(noon).day && Math.abs(fromMs - noon) < DAY,
    );
    expect(told(ofDay)).toEqual(expected);
  });

  test('of the hour that is missing does not happen on that day', () => {
    const missing = window({ from: '02:00', to: '03:00' });
    expect(spansOf([missing], '2026-03-28T12:00Z', '2026-03-29T12:00Z')).toEqual([]);
    expect(spansOf([missing], '2026-10-24T12:00Z', '2026-10-25T12:00Z')).toEqual([
      ['2026-10-25T00:00', '2026-10-25T02:00'],
    ]);
  });

  const anyClock = fc
    .record({ hour: fc.nat({ max: 23 }), minute: fc.constantFrom(0, 1, 15, 29, 30, 31, 45, 59) })
    .map(({ hour, minute }) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`);
  const anyWindow = fc.record({
    zone: fc.constantFrom(...ZONES),
    days: fc.subarray([...WEEKDAYS], { minLength: 1 }),
    from: fc.oneof(anyClock, fc.constantFrom('01:30', '02:00', '02:30', '23:30', '00:00')),
    to: fc.oneof(anyClock, fc.constantFrom('02:00', '02:30', '03:00', '24:00')),
  });

  test('is what a walk over each minute of a year sees on the clocks of its zone', () => {
    const fromMs = utc('2026-01-01T00:00Z');
    const toMs = utc('2027-01-01T00:00Z');
    fc.assert(
      fc.property(anyWindow, (some) => {
        const clocks = clocksOf(some.zone);
        const walked: Span[] = [];
        for (let atMs = fromMs; atMs < toMs; atMs += MINUTE) {
          if (!isWithin(some, clocks(atMs))) continue;
          const last = walked.at(-1);
          if (last?.toMs === atMs) last.toMs = atMs + MINUTE;
          else walked.push({ fromMs: atMs, toMs: atMs + MINUTE });
        }
        expect(frozenTimes([some], fromMs, toMs)[0]?.spans).toEqual(walked);
      }),
      { numRuns: 12, endOnFailure: true },
    );
  });

  test('is the same whatever the time is that is asked about', () => {
    const fromMs = utc('2026-01-01T00:00Z');
    fc.assert(
      fc.property(
        fc.array(anyWindow, { minLength: 1, maxLength: 4 }),
        fc.nat({ max: 364 * 24 * 60 }),
        fc.integer({ min: 1, max: 20 * 24 * 60 }),
        (windows, minutes, length) => {
          const part = { fromMs: fromMs + minutes * MINUTE, toMs: fromMs + (minutes + length) * MINUTE };
          const whole = frozenTimes(windows, fromMs, fromMs + 400 * DAY)[0]?.spans ?? [];
          const expected = whole
            .map((span) => ({
              fromMs: Math.max(span.fromMs, part.fromMs),
              toMs: Math.min(span.toMs, part.toMs),
            }))
            .filter((span) => span.fromMs < span.toMs);
          expect(frozenTimes(windows, part.fromMs, part.toMs)[0]?.spans).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('the windows of an endpoint', () => {
  const [one, two] = [
    anyId('00000000-0000-4000-8000-000000000001'),
    anyId('00000000-0000-4000-8000-000000000002'),
  ];
  const at = (endpoints?: Id<'endpoint'>[], change: Partial<FreezeWindow> = {}) =>
    window({ zone: 'UTC', ...change, ...(endpoints ? { endpoints } : {}) });

  test('are those that name it and those for all', () => {
    const found = frozenTimes(
      [
        at(undefined, { from: '01:00', to: '02:00' }),
        at([one], { from: '02:00', to: '04:00' }),
        at([two, one]),
      ],
      utc('2026-07-01T00:00Z'),
      utc('2026-07-02T00:00Z'),
    );
    expect(found.map(({ endpointId, spans }) => ({ endpointId, spans: told(spans) }))).toEqual([
      { endpointId: undefined, spans: [['2026-07-01T01:00', '2026-07-01T02:00']] },
      { endpointId: one, spans: [['2026-07-01T01:00', '2026-07-01T04:00']] },
      {
        endpointId: two,
        spans: [
          ['2026-07-01T01:00', '2026-07-01T02:00'],
          ['2026-07-01T02:30', '2026-07-01T03:30'],
        ],
      },
    ]);
  });

  test('are nothing for the others where each names some', () => {
    const found = frozenTimes([at([one])], utc('2026-07-01T00:00Z'), utc('2026-07-02T00:00Z'));
    expect(found.map(({ endpointId }) => endpointId)).toEqual([one]);
  });

  const NOW = utc('2026-07-01T08:17Z');
  const allBut = (from: string, to: string, zone = 'UTC') => [
    window({ zone, days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat'], from: '00:00', to: '24:00' }),
    window({ zone, days: ['sun'], from: to, to: '24:00' }),
    ...(from === '00:00' ? [] : [window({ zone, days: ['sun'], from: '00:00', to: from })]),
  ];

  test.each([
    [{ from: '04:00', to: '05:00' }, 'UTC', true],
    [{ from: '04:01', to: '05:00' }, 'UTC', false],
    [{ from: '04:00', to: '05:00' }, 'Europe/Berlin', true],
    [{ from: '00:00', to: '01:00' }, 'America/New_York', true],
    [{ from: '12:00', to: '13:00' }, 'Australia/Lord_Howe', true],
    // On one Sunday of the year this hour is missing.
    [{ from: '02:00', to: '03:00' }, 'Europe/Berlin', false],
  ])('have to leave an hour a week: %p in %s, %p', (left, zone, leaves) => {
    expect(freezeWindowFaults(allBut(left.from, left.to, zone), NOW)).toEqual(
      leaves ? [] : [{ code: 'no_hour_left', at: 'all' }],
    );
    // Whenever it is asked, the free hour itself included.
    if (leaves)
      expect(freezeWindowFaults(allBut(left.from, left.to, zone), utc('2026-07-05T04:30Z'))).toEqual([]);
  });

  test('have to leave it together, at each endpoint', () => {
    const most = window({ zone: 'UTC', from: '00:00', to: '23:00' });
    const rest = window({ zone: 'UTC', from: '23:00', to: '24:00', endpoints: [two] });
    expect(freezeWindowFaults([most, rest], NOW)).toEqual([{ code: 'no_hour_left', at: two }]);
    // At noon in one zone it is midnight in the other.
    expect(
      freezeWindowFaults(
        [
          window({ zone: 'Etc/GMT+12', from: '00:00', to: '12:00' }),
          window({ zone: 'UTC', from: '00:00', to: '12:00' }),
        ],
        NOW,
      ),
    ).toEqual([{ code: 'no_hour_left', at: 'all' }]);
  });

  test('name zones that exist', () => {
    expect(freezeWindowFaults([window({}), window({ zone: 'Europe/Atlantis' })], NOW)).toEqual([
      { code: 'unknown_zone', window: 1 },
    ]);
  });
});
