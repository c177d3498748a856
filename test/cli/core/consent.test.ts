import { describe, expect, test } from '@jest/globals';
import { isConsent, judgeConsent, type Said, type Sends } from '../../../cli/src/core/consent.ts';

const few: Sends = { items: 10_000, duplicates: 0 };
const many: Sends = { items: 10_001, duplicates: 0 };
const twice: Sends = { items: 5, duplicates: 2 };

const GO = { go: true };

describe('without a terminal', () => {
  const judged = (sends: Sends, said: Said) => {
    try {
      return judgeConsent(sends, said, false);
    } catch (error) {
      return { exit: (error as { exit: string }).exit, next: (error as { next: string }).next };
    }
  };

  test('nothing said is a no', () => {
    expect(judged(few, {})).toEqual({ exit: 'notConfirmed', next: 'say --yes' });
  });

  test('a yes is enough up to 10,000, and no further', () => {
    expect(judged(few, { yes: true })).toEqual(GO);
    expect(judged(many, { yes: true })).toEqual({ exit: 'notConfirmed', next: 'say --confirm-items 10001' });
    expect(judged(many, { confirmItems: 10_001 })).toEqual(GO);
  });

  test('another number is a no, whatever else is said', () => {
    expect(judged(many, { yes: true, confirmItems: 10_000 })).toMatchObject({ exit: 'notConfirmed' });
    expect(judged(few, { yes: true, confirmItems: 9 })).toMatchObject({ exit: 'notConfirmed' });
  });

  test('what may arrive twice has to be accepted by name', () => {
    expect(judged(twice, { yes: true })).toEqual({ exit: 'notConfirmed', next: 'say --accept-duplicates' });
    expect(judged(twice, { acceptDuplicates: true })).toEqual({ exit: 'notConfirmed', next: 'say --yes' });
    expect(judged(twice, { yes: true, acceptDuplicates: true })).toEqual(GO);
    expect(judged({ ...many, duplicates: 1 }, {})).toEqual({
      exit: 'notConfirmed',
      next: 'say --confirm-items 10001 --accept-duplicates',
    });
  });
});

describe('on a terminal', () => {
  test('what was not said is asked for: a yes, or the number where it is many or some may arrive twice', () => {
    expect(judgeConsent(few, {}, true)).toEqual({ go: false, ask: 'yes' });
    expect(judgeConsent(many, { yes: true }, true)).toEqual({ go: false, ask: 'number' });
    expect(judgeConsent(twice, { yes: true }, true)).toEqual({ go: false, ask: 'number' });
    expect(judgeConsent(few, { yes: true }, true)).toEqual(GO);
  });

  test('an answer is a yes in letters, or the number however its thousands are set apart', () => {
    expect(['y', 'Yes', ' yes '].every((answer) => isConsent(answer, 'yes', 5))).toBe(true);
    expect(['', 'n', 'yep', '5'].some((answer) => isConsent(answer, 'yes', 5))).toBe(false);
    expect(
      ['12431', '12,431', "12'431", ' 12 431 '].every((answer) => isConsent(answer, 'number', 12_431)),
    ).toBe(true);
    expect(['y', '', '12430', '124311'].some((answer) => isConsent(answer, 'number', 12_431))).toBe(false);
  });
});
