import { describe, expect, test } from '@jest/globals';
import { refusedAtOnce } from '../../../src/domain/policy/at-once.ts';

const NOTHING = { missing: [], because: [], approvers: 0 };
const FREE = { judgement: NOTHING, beyond: [], frozen: false };
const CEILING = { quota: 'itemsPerDay', limit: 1, would: 2 } as const;

describe('what is to be sent at once', () => {
  test('goes where nothing would hold an operation of it, with a policy or without', () => {
    expect(refusedAtOnce(FREE)).toBeUndefined();
    expect(refusedAtOnce({ beyond: [], frozen: false })).toBeUndefined();
  });

  test('is refused for a word that is missing, and for an approval', () => {
    expect(refusedAtOnce({ ...FREE, judgement: { ...NOTHING, missing: ['ticket'] } })).toEqual({
      code: 'held',
      missing: ['ticket'],
      because: [],
    });
    expect(
      refusedAtOnce({ ...FREE, judgement: { missing: [], because: ['items'], approvers: 1 } }),
    ).toMatchObject({ code: 'held', because: ['items'] });
  });

  test('is refused within a window, and for a ceiling first of all: no approval helps with that', () => {
    expect(refusedAtOnce({ ...FREE, frozen: true })).toEqual({ code: 'frozen' });
    const held = { missing: ['reason' as const], because: [], approvers: 0 };
    expect(refusedAtOnce({ judgement: held, beyond: [CEILING], frozen: true })).toEqual({
      code: 'above_ceiling',
      beyond: [CEILING],
    });
    expect(refusedAtOnce({ judgement: held, beyond: [], frozen: true })).toMatchObject({ code: 'held' });
  });
});
