import { describe, expect, test } from '@jest/globals';
import { missingWords } from '../../../src/domain/policy/judgement.ts';
import { saysSomething } from '../../../src/domain/policy/words.ts';

const BLANKS = ['', ' ', '  ', '\u00a0', '\u3000', '\u200b', '\u2060\ufeff', '\u3164', '\ufe0f', '\u202e '];
const WORDS = ['x', ' x ', '1', '-', '…', 'мир', '停電', '🔥', '👩‍🚒', 'ع'];

describe('words of which nothing can be read', () => {
  test.each(BLANKS)('say nothing: %j', (text) => {
    expect(saysSomething(text)).toBe(false);
    expect(missingWords({ reasonAbove: 0, ticketPatterns: [] }, { items: 1, reason: text })).toEqual([
      'reason',
    ]);
  });

  test.each(WORDS)('are told from words: %j', (text) => {
    expect(saysSomething(text)).toBe(true);
    expect(missingWords({ reasonAbove: 0, ticketPatterns: [] }, { items: 1, reason: text })).toEqual([]);
  });
});
