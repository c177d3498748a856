import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LineSplitter } from '../../../src/ingest/imports/line-splitter.ts';

function split(bytes: Buffer, sizes: number[], maxBytes: number): string[] {
  const splitter = new LineSplitter(maxBytes);
  const lines: string[] = [];
  let at = 0;
  for (let n = 0; at < bytes.length; n += 1) {
    const size = sizes[n % sizes.length] ?? 1;
    for (const line of splitter.push(bytes.subarray(at, at + size))) lines.push(String(line));
    at += size;
  }
  const last = splitter.end();
  return last === undefined ? lines : [...lines, String(last)];
}

test('lines are the same however they arrive, and those that are too long are passed over', () => {
  const MAX = 12;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string({ maxLength: 20, unit: 'grapheme-ascii' }), fc.constantFrom('\n', '\r\n'))),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
      (parts, sizes) => {
        const wanted = parts.map(([text]) => text.replaceAll(/[\r\n]/g, '_'));
        const bytes = Buffer.from(wanted.map((text, n) => text + (parts[n]?.[1] ?? '')).join(''));
        expect(split(bytes, sizes, MAX)).toEqual(
          wanted.map((text) => (text.length > MAX ? 'too_long' : text)),
        );
      },
    ),
  );
});

test('a last line needs no end, and nothing behind the last end is no line', () => {
  expect(split(Buffer.from('a\nb'), [1], 9)).toEqual(['a', 'b']);
  expect(split(Buffer.from('a\nb\n'), [1], 9)).toEqual(['a', 'b']);
  expect(split(Buffer.from('\n\n'), [1], 9)).toEqual(['', '']);
  expect(split(Buffer.from('123456789012'), [5], 9)).toEqual(['too_long']);
});
