import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { behindLines, LineCounter, mapOf } from '../../../cli/src/core/upload.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A text in parts of any sizes. */
const cutText = fc
  .tuple(fc.string({ unit: fc.constantFrom('a', '\n', 'ü') }), fc.array(fc.nat(5)))
  .map(([text, cuts]) => {
    const bytes = encoder.encode(text);
    const parts: Uint8Array[] = [];
    let from = 0;
    for (const cut of cuts) {
      parts.push(bytes.subarray(from, from + cut));
      from += cut;
    }
    return { text, parts: [...parts, bytes.subarray(from)] };
  });

async function* each(parts: readonly Uint8Array[]) {
  yield* parts;
}

describe('an upload', () => {
  test('goes on behind the lines that were taken, and knows how many lines there are in all', () =>
    fc.assert(
      fc.asyncProperty(cutText, fc.nat(10), async ({ text, parts }, passed) => {
        const counter = new LineCounter();
        const sent: Uint8Array[] = [];
        for await (const part of behindLines(each(parts), passed, counter)) sent.push(part);
        const lines = text.split('\n');
        expect(decoder.decode(Buffer.concat(sent))).toBe(lines.slice(passed).join('\n'));
        // A text that ends with a newline has no line behind it.
        expect(counter.lines).toBe(lines.at(-1) === '' ? lines.length - 1 : lines.length);
        // What was passed over counts: a share of the file is one of the whole file.
        expect(counter.bytes).toBe(encoder.encode(text).length);
      }),
    ));

  test('maps each of their endpoints to one here, whatever characters theirs has', () => {
    const refuse = (text: string) => new Error(text);
    expect(mapOf(['ep_1=warehouse', 'a=b=end_1', '*=all'], refuse)).toEqual({
      ep_1: 'warehouse',
      'a=b': 'end_1',
      '*': 'all',
    });
    for (const wrong of ['ep_1', '=a', 'a=', '']) expect(() => mapOf([wrong], refuse)).toThrow(wrong);
  });
});
