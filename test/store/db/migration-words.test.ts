import { describe, expect, test } from '@jest/globals';
import { describeMigration, describeProgress } from '../../../src/migration-words.ts';

describe('the progress of a migration says', () => {
  test.each([
    [
      'how much, how fast and how long',
      { before: '0025-x.sql', passed: 120_000, expected: 1_000_000 },
      8_000,
      'Before 0025-x.sql: 120,000 of about 1,000,000 rows are passed, 8,000 a second, about 2 min left.',
    ],
    [
      'no time where nobody knows how many there are',
      { before: '0025-x.sql', passed: 500, expected: 0 },
      250,
      'Before 0025-x.sql: 500 rows are passed, 250 a second.',
    ],
    [
      'no speed before there is one',
      { before: '0025-x.sql', passed: 500, expected: 900 },
      0,
      'Before 0025-x.sql: 500 of about 900 rows are passed.',
    ],
    [
      'that it waits',
      { waitsFor: '0025-x.sql' },
      0,
      '0025-x.sql: waits for a moment in which nobody uses what it changes.',
    ],
  ])('%s', (_, progress, perSecond, words) => {
    expect(describeProgress(progress, perSecond)).toBe(words);
  });
});

test('the result of a migration names what it applied and what is left', () => {
  expect(describeMigration({ ok: true, applied: [] })).toBe('The schema is up to date.');
  expect(describeMigration({ ok: true, applied: ['0001-a.sql'], prepared: '0002-b.sql' })).toBe(
    'Applied 0001-a.sql. Everything is prepared for 0002-b.sql: run `migrate` when this version is to take over, which then takes a moment.',
  );
});
