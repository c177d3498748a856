import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { matchesTicket, readTicketPattern } from '../../../src/domain/policy/ticket-pattern.ts';

const atom = fc.constantFrom(
  'A',
  'b',
  '7',
  '-',
  '_',
  ' ',
  '#',
  '\\d',
  '\\w',
  '\\.',
  '\\-',
  '[A-Z]',
  '[0-9a-f]',
  '[xyz-]',
);
const times = fc.constantFrom('', '', '?', '*', '+', '{2}', '{1,3}', '{0,2}', '{2,}');
const sequence = fc
  .array(fc.tuple(atom, times), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.map(([what, often]) => `${what}${often}`).join(''));
const pattern = fc.array(sequence, { minLength: 1, maxLength: 3 }).map((forms) => forms.join('|'));
const ticket = fc.string({ unit: fc.constantFrom(...'AbZ7-_ #.fxyz9'), maxLength: 12 });

describe('the form of a ticket', () => {
  test('means what it means in every other regular expression', () => {
    fc.assert(
      fc.property(pattern, ticket, (form, text) => {
        if (readTicketPattern(form) === undefined) return;
        expect([form, text, matchesTicket(form, text)]).toEqual([
          form,
          text,
          new RegExp(`^(?:${form})$`).test(text),
        ]);
      }),
      { numRuns: 3_000 },
    );
  });

  test.each([
    ['[A-Z]{2,5}-\\d+', 'OPS-42', true],
    ['[A-Z]{2,5}-\\d+', 'OPS-', false],
    ['[A-Z]{2,5}-\\d+', 'xOPS-42', false],
    ['[A-Z]{2,5}-\\d+', 'OPS-42 ', false],
    ['^INC\\d{7}$', 'INC0012345', true],
    ['INC\\d{7}|CHG-\\d+', 'CHG-1', true],
    ['CHG#\\d+', 'CHG#9', true],
    ['\\.\\*', '.*', true],
  ])('%s takes %s: %s', (form, text, takes) => {
    expect(matchesTicket(form, text)).toBe(takes);
  });

  test.each([
    '',
    '.*',
    '(a+)+',
    'a|',
    '|a',
    '[^a]',
    '[z-a]',
    'a{3,2}',
    'a{999}',
    'a**',
    '\\1',
    '\\b',
    'a$b',
    'é',
    '\\d*',
    'a'.repeat(201),
  ])('that nobody needs, or that would let everything pass, is refused: %s', (form) => {
    expect(readTicketPattern(form)).toBeUndefined();
    expect(matchesTicket(form, 'a')).toBe(false);
  });

  test('is matched soon, whatever somebody has written', () => {
    const hostile = '\\w*'.repeat(48).concat('!');
    const began = performance.now();
    expect(matchesTicket(hostile, 'a'.repeat(255))).toBe(false);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});
