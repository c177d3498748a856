import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { v7 } from 'uuid';
import {
  AHEAD_MS,
  BEHIND_MS,
  decideWeeks,
  endOf,
  firstIdAt,
  nameOfWeek,
  oldestEndedMs,
  type Partition,
  timeOfId,
  weekOf,
  weekOfName,
  weeksAhead,
} from '../../../src/domain/partitions/weeks.ts';

const NOW = Date.parse('2026-12-02T10:00:00Z');
const anyTime = fc.integer({ min: 0, max: Date.parse('2200-01-01T00:00:00Z') });
const partition = (week: number, more: Partial<Partition> = {}): Partition => ({
  name: nameOfWeek('payloads', week),
  from: week,
  to: endOf(week),
  closed: false,
  leaving: false,
  ...more,
});

test('a week begins on a Monday at midnight in UTC', () => {
  expect(new Date(weekOf(NOW)).toISOString()).toBe('2026-11-30T00:00:00.000Z');
  const monday = Date.parse('2026-12-07T00:00:00Z');
  expect([weekOf(monday - 1), weekOf(monday)]).toEqual([monday - 7 * 86_400_000, monday]);
});

test('each id lies between the bounds of the week of its time, and a name tells its week', () => {
  fc.assert(
    fc.property(anyTime, (at) => {
      const [week, id] = [weekOf(at), v7({ msecs: at })];
      expect(timeOfId(id)).toBe(at);
      expect(firstIdAt(week) <= id && id < firstIdAt(endOf(week))).toBe(true);
      expect(weekOfName(nameOfWeek('payloads', week))).toBe(week);
    }),
  );
});

test('whatever is there, what is made covers the window once, and nothing within it goes', () => {
  const anyPartitions = fc.uniqueArray(
    fc.record({ weeks: fc.integer({ min: -10, max: 8 }), closed: fc.boolean(), leaving: fc.boolean() }),
    { selector: ({ weeks }) => weeks },
  );
  fc.assert(
    fc.property(anyPartitions, (all) => {
      const there = all.map(({ weeks, ...more }) => partition(weekOf(NOW + weeks * 7 * 86_400_000), more));
      const steps = decideWeeks(there, NOW);
      const taking = [
        ...there.filter(({ leaving }) => !leaving),
        ...steps.make.map((week) => partition(week)),
      ];
      for (let week = weekOf(NOW - BEHIND_MS); week <= NOW + AHEAD_MS; week = endOf(week)) {
        const own = taking.filter(({ from, to }) => from <= week && week < to);
        const leaves = there.some(({ from, leaving }) => leaving && from === week);
        // The place of one that leaves is taken in the round behind its end.
        expect(own).toHaveLength(leaves ? 0 : 1);
        for (const each of own) expect(steps.open.includes(each)).toBe(each.closed);
      }
      for (const { to } of [...steps.close, ...steps.detach]) expect(to).toBeLessThanOrEqual(NOW - BEHIND_MS);
    }),
  );
});

test('a past week that is asked for is made, or opened, and stays; one ahead of the window is not made', () => {
  const old = weekOf(NOW - 70 * 86_400_000);
  const [gone, closed] = [old, endOf(old)];
  const steps = decideWeeks([partition(closed, { closed: true })], NOW, [
    gone,
    closed,
    weekOf(NOW + 2 * AHEAD_MS),
  ]);
  expect(steps.make[0]).toBe(gone);
  expect(Math.max(...steps.make)).toBeLessThanOrEqual(NOW + AHEAD_MS);
  expect(steps).toMatchObject({ open: [{ from: closed }], close: [], detach: [] });
});

test('weeks ahead are counted up to the first gap, and none without the present one', () => {
  const weeks = [0, 1, 2, 4].map((n) => weekOf(NOW + n * 7 * 86_400_000));
  expect(
    weeksAhead(
      weeks.map((week) => partition(week)),
      NOW,
    ),
  ).toBe(2);
  expect(
    weeksAhead(
      weeks.slice(1).map((week) => partition(week)),
      NOW,
    ),
  ).toBe(0);
  expect(weeksAhead([{ ...partition(0), from: Number.NEGATIVE_INFINITY, to: endOf(weekOf(NOW)) }], NOW)).toBe(
    0,
  );
});

test('the oldest partition has no age while its week has not ended', () => {
  expect(oldestEndedMs([partition(weekOf(NOW))], NOW)).toBe(0);
  expect(oldestEndedMs([partition(weekOf(NOW)), partition(weekOf(NOW - 7 * 86_400_000))], NOW)).toBe(
    NOW - weekOf(NOW),
  );
  expect(oldestEndedMs([], NOW)).toBe(0);
});
