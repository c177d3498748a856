import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { batchesOf, eventTexts } from '../../../cli/src/core/event-batches.ts';
import { entriesIn, memberIn } from '../../../cli/src/core/json-text.ts';

const refuse = (line: number) => new Error(`line ${line}`);

/** JSON as somebody may write it: what parsing and writing again would change. */
const written = fc.oneof(
  fc.constantFrom(
    '12345678901234567890',
    '1.0',
    '{"a":1,"a":2}',
    '"\\u0041\\"]}"',
    ' { "b" : [ 1.50 , {} ] } ',
    '[]',
  ),
  fc.json(),
);

describe('JSON as it is written', () => {
  test('is cut into its entries', () =>
    fc.assert(
      fc.property(fc.array(written), fc.constantFrom('', ' ', '\r\n\t'), (entries, space) => {
        const text = `${space}[${entries.map((entry) => `${space}${entry.trim()}${space}`).join(',')}]${space}`;
        expect(entriesIn(text)).toEqual(entries.map((entry) => entry.trim()));
      }),
    ));

  test('is found by the name of its member, the last one where it is repeated', () => {
    expect(memberIn('{"a": 1.0, "payload" : {"n": 12345678901234567890} }', 'payload')).toBe(
      '{"n": 12345678901234567890}',
    );
    expect(memberIn('{"p\\u0061yload": 1, "payload": 2}', 'payload')).toBe('2');
    expect(memberIn('{}', 'payload')).toBeUndefined();
  });
});

describe('events in a text', () => {
  test('are one, an array, or lines, each as it is written', () => {
    const [one, two] = ['{"payload":1.0}', '{"payload":12345678901234567890}'];
    expect(eventTexts(`\ufeff ${one}\n`, refuse)).toEqual([one]);
    expect(eventTexts(`[${one},\n${two}]`, refuse)).toEqual([one, two]);
    expect(eventTexts(`${one}\r\n\r\n${two}\r\n`, refuse)).toEqual([one, two]);
    expect(() => eventTexts(`${one}\n{"payload"`, refuse)).toThrow('line 2');
  });

  test('are sent in requests that hold as many as a request may, in their order', () =>
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 2_000_000 }), { maxLength: 12 }),
        fc.nat(12),
        (sizes, skip) => {
          const events = sizes.map((size, at) => String(at % 10).repeat(size));
          const batches = [...batchesOf(events, skip)];
          expect(batches.flatMap(({ events: each }) => each)).toEqual(events.slice(skip));
          let at = skip + 1;
          for (const { first, events: each } of batches) {
            expect(first).toBe(at);
            at += each.length;
            const bytes = each.reduce((all, event) => all + event.length + 1, 0);
            expect(each.length === 1 || bytes <= 4 * 1_024 * 1_024).toBe(true);
          }
        },
      ),
      { numRuns: 20 },
    ));

  test('are a hundred at a time', () => {
    const batches = [...batchesOf(Array.from({ length: 250 }, () => '1'))];
    expect(batches.map(({ events }) => events.length)).toEqual([100, 100, 50]);
  });
});
