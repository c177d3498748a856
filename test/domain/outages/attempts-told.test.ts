import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type GoodSpell,
  isGood,
  isOutageByItself,
  type MissedRun,
  NOTHING_TOLD,
  runAfter,
  spellAfter,
  type ToldAttempts,
  withAttempt,
} from '../../../src/domain/outages/attempts-told.ts';
import { OUTAGE_RULES } from '../../../src/domain/outages/outage-rules.ts';

/** Attempts in their order: delivered or not; each began a second after the one before it. */
const attempts = fc.array(fc.boolean(), { maxLength: 60 });

/** The attempts in parts, as recorders write them, told at the end of the last one. */
function toldIn(parts: readonly boolean[][]): ToldAttempts[] {
  let later = parts.flat().length;
  return parts.map((part) =>
    part.reduce((told, good) => withAttempt(told, good, later-- * 1_000), NOTHING_TOLD),
  );
}

function cut<T>(list: readonly T[], size: number): T[][] {
  return list.length === 0 ? [] : [list.slice(0, size), ...cut(list.slice(size), size)];
}

describe('the attempts of an endpoint', () => {
  test.each([
    [{ outcome: 'delivered' as const, httpStatus: 200 }, true],
    // Its receiver acknowledges later: it works.
    [{ outcome: 'ambiguous' as const, httpStatus: 202 }, true],
    [{ outcome: 'retryable' as const, httpStatus: 500 }, false],
    [{ outcome: 'permanent' as const, httpStatus: 404 }, false],
    [{ outcome: 'gone' as const, httpStatus: 410 }, false],
    [{ outcome: 'ambiguous' as const }, false],
    [{ outcome: 'unsent' as const }, false],
    [{ outcome: 'released' as const }, undefined],
  ])('%j are good: %s', (classification, good) => {
    expect(isGood(classification)).toBe(good);
  });

  test('that were missed in a row are those behind the last one delivered, however they are told', () => {
    fc.assert(
      fc.property(attempts, fc.integer({ min: 1, max: 7 }), (all, size) => {
        const run = toldIn(cut(all, size)).reduce<MissedRun>(runAfter, { missed: 0, forMs: 0 });
        const last = all.lastIndexOf(true);
        const missed = all.length - 1 - last;
        expect(run).toEqual({ missed, forMs: missed * 1_000 });
      }),
    );
  });

  test('are an outage by themselves from 20 in a row over a minute on', () => {
    const isOutage = (missed: number, forMs: number) => isOutageByItself({ missed, forMs }, OUTAGE_RULES);
    expect([isOutage(19, 3_600_000), isOutage(20, 59_999), isOutage(20, 60_000)]).toEqual([
      false,
      false,
      true,
    ]);
  });
});

describe('a good spell', () => {
  test('begins with one that was delivered, and ends with a tenth that was not', () => {
    const told = (delivered: number, missed: number) => ({ ...NOTHING_TOLD, delivered, missed });
    const spell = (before: GoodSpell | undefined, delivered: number, missed: number) =>
      spellAfter(before, told(delivered, missed), OUTAGE_RULES);
    expect(spell(undefined, 0, 5)).toBeUndefined();
    expect(spell(undefined, 1, 0)).toEqual({ good: 1, bad: 0, forMs: 0 });
    expect(spell({ good: 90, bad: 8, forMs: 40 }, 1, 1)).toEqual({ good: 91, bad: 9, forMs: 40 });
    expect(spell({ good: 90, bad: 9, forMs: 40 }, 0, 1)).toBeUndefined();
    expect(spell({ good: 1, bad: 0, forMs: 40 }, 0, 1)).toBeUndefined();
  });

  test('never holds a tenth or more that was not delivered', () => {
    const parts = fc.array(fc.tuple(fc.nat(30), fc.nat(30)), { maxLength: 20 });
    fc.assert(
      fc.property(parts, (all) => {
        let spell: GoodSpell | undefined;
        for (const [delivered, missed] of all) {
          spell = spellAfter(spell, { ...NOTHING_TOLD, delivered, missed }, OUTAGE_RULES);
          if (spell) expect(spell.bad * 10).toBeLessThan(spell.good + spell.bad);
        }
      }),
    );
  });
});
