import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type ArrivedLine, LineSplitter } from '../../../src/ingest/imports/line-splitter.ts';

function split(bytes: Buffer, sizes: number[], maxBytes: number): string[] {
  const splitter = new LineSplitter(maxBytes);
  const arrived: ArrivedLine[] = [];
  let at = 0;
  for (let n = 0; at < bytes.length; n += 1) {
    const size = sizes[n % sizes.length] ?? 1;
    for (const line of splitter.push(bytes.subarray(at, at + size))) arrived.push(line);
    at += size;
  }
  const last = splitter.end();
  if (last) arrived.push(last);
  // Nothing of what came is lost in the counts, whatever became of it.
  expect(arrived.reduce((sum, each) => sum + each.bytes, 0)).toBe(bytes.length);
  return arrived.map(({ line }) => String(line));
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

test('a line that comes byte by byte is held in the room for it, and no more', () => {
  const splitter = new LineSplitter(4 * 1_024 * 1_024);
  const one = Buffer.from('x');
  const before = process.memoryUsage();
  // Kept one by one, they would be some hundred bytes each.
  for (let n = 0; n < 2_000_000; n += 1) expectNone(splitter.push(one));
  const after = process.memoryUsage();
  const grown = after.heapUsed + after.external - before.heapUsed - before.external;
  expect(splitter.openBytes).toBe(2_000_000);
  expect(grown).toBeLessThan(96 * 1_024 * 1_024);
  expect(splitter.end()?.bytes).toBe(2_000_000);
});

function expectNone(lines: Iterable<unknown>): void {
  for (const line of lines) throw new Error(`a line ended: ${line}`);
}
