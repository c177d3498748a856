import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { tooDeepAt } from '../../../src/domain/json/json-depth.ts';
import { jsonFaultAt } from '../../../src/domain/json/json-fault.ts';

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test('a fault is found exactly where JSON.parse refuses', () => {
  const mutated = fc
    .tuple(
      fc.json(),
      fc.array(
        fc.tuple(
          fc.nat(200),
          fc.constantFrom('', '"', '\\', '{', ']', ',', ':', '0', '.', 'e', '-', 'u', '\n', 't'),
        ),
      ),
    )
    .map(([text, edits]) =>
      edits.reduce(
        (result, [at, char]) =>
          `${result.slice(0, at % (result.length + 1))}${char}${result.slice((at % (result.length + 1)) + 1)}`,
        text,
      ),
    );
  fc.assert(
    fc.property(fc.oneof(mutated, fc.json(), fc.string()), (text) => {
      const at = jsonFaultAt(text);
      expect(at === undefined).toBe(parses(text));
      if (at !== undefined) expect(at).toBeLessThanOrEqual(text.length + 1);
    }),
    { numRuns: 5_000 },
  );
});

test.each([
  ['', 0],
  ['{"a":}', 5],
  ['{"a":1,}', 7],
  ['[1 2]', 3],
  ['{"a":nul}', 5],
  ['[01]', 2],
  ['"a', 2],
  ['{} x', 3],
])('%s stops being JSON at %d', (text, at) => {
  expect(jsonFaultAt(text)).toBe(at);
});

test('nesting is measured outside of strings', () => {
  expect(tooDeepAt('[[["[[[["]]]', 3)).toBeUndefined();
  expect(tooDeepAt('[[[[]]]]', 3)).toBe(3);
  expect(tooDeepAt(`${'['.repeat(1_000)}`, 256)).toBe(256);
});
