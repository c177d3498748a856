import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { payloadSlices } from '../../../src/domain/json/payload-slices.ts';

/** JSON as people write it: any whitespace, any escapes, numbers that no double holds. */
const space = fc.stringMatching(/^[ \t\n\r]{0,3}$/);
const escapedString = fc
  .array(
    fc.oneof(
      fc.string({ maxLength: 3 }).map((text) => JSON.stringify(text).slice(1, -1)),
      fc.constantFrom(
        '\\"',
        '\\\\',
        '\\/',
        '\\n',
        '\\u0041',
        '\\u00e9',
        '\\ud83d\\ude00',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
      ),
    ),
    { maxLength: 6 },
  )
  .map((parts) => `"${parts.join('')}"`);
const number = fc.constantFrom('0', '-0', '1.0', '1e400', '12345678901234567890', '-1.50E+3', '0.1000');
const { value } = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    number,
    escapedString,
    fc.constantFrom('true', 'false', 'null'),
    tie('array'),
    tie('object'),
  ),
  array: fc
    .tuple(space, fc.array(fc.tuple(tie('value'), space), { maxLength: 4 }))
    .map(([before, items]) => `[${before}${items.map(([item, after]) => item + after).join(',')}]`),
  object: fc
    .tuple(
      space,
      fc.array(
        fc.tuple(fc.oneof(escapedString, fc.constant('"payload"')), space, space, tie('value'), space),
        { maxLength: 4 },
      ),
    )
    .map(
      ([before, members]) =>
        `{${before}${members.map(([n, a, b, v, c]) => `${n}${a}:${b}${v}${c}`).join(',')}}`,
    ),
}));

const payloadName = fc.constantFrom(
  '"payload"',
  '"p\\u0061yload"',
  '"\\u0070\\u0061\\u0079\\u006c\\u006f\\u0061\\u0064"',
);
const otherName = fc.constantFrom(
  '"type"',
  '"id"',
  '"payload "',
  '"Payload"',
  '"payload\\u0000"',
  '"xpayload"',
);

/** An event as text, with the exact text that must come out. */
const event = fc
  .tuple(
    fc.array(fc.tuple(otherName, value), { maxLength: 3 }),
    fc.array(fc.tuple(payloadName, value), { minLength: 1, maxLength: 3 }),
    fc.array(fc.tuple(otherName, value), { maxLength: 3 }),
    space,
  )
  .map(([before, payloads, after, gap]) => {
    const members = [...before, ...payloads, ...after].map(
      ([name, text]) => `${gap}${name}${gap}:${gap}${text}${gap}`,
    );
    return { text: `{${members.join(',')}}`, slice: payloads.at(-1)?.[1] };
  });

describe('the source text of a payload', () => {
  test('is exactly what was written, and what JSON.parse takes', () => {
    fc.assert(
      fc.property(event, space, ({ text, slice }, gap) => {
        expect(payloadSlices(`${gap}${text}${gap}`)).toEqual([slice]);
        expect(JSON.parse(slice ?? '')).toEqual(JSON.parse(text).payload);
      }),
      { numRuns: 1_000 },
    );
  });

  test('is found for each event of an array', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 5 }), space, (events, gap) => {
        const text = `${gap}[${gap}${events.map((one) => one.text).join(`${gap},${gap}`)}${gap}]${gap}`;
        expect(payloadSlices(text)).toEqual(events.map((one) => one.slice));
      }),
    );
  });

  test('agrees with JSON.parse on any value, payload or not', () => {
    fc.assert(
      fc.property(value, (text) => {
        const parsed = JSON.parse(text);
        const slices = payloadSlices(text);
        const expected = Array.isArray(parsed)
          ? parsed
          : typeof parsed === 'object' && parsed !== null
            ? [parsed]
            : [];
        expect(slices.length).toBe(expected.length);
        for (const [index, one] of expected.entries()) {
          const has =
            typeof one === 'object' && one !== null && !Array.isArray(one) && Object.hasOwn(one, 'payload');
          if (has) expect(JSON.parse(slices[index] ?? 'missing')).toEqual(one.payload);
          else expect(slices[index]).toBeUndefined();
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ['{"payload":12345678901234567890}', '12345678901234567890'],
    ['{ "payload" : 1.0 , "type":"a" }', '1.0'],
    ['{"payload":{ "b":1,  "a":[ 1.50, "\\u00e9" ] }}', '{ "b":1,  "a":[ 1.50, "\\u00e9" ] }'],
    ['{"meta":{"payload":1},"payload":2}', '2'],
    ['{"payload":1,"payload":[2]}', '[2]'],
    ['{"type":"\\\\","payload":"}\\"{"}', '"}\\"{"'],
  ])('%s', (text, slice) => {
    expect(payloadSlices(text)).toEqual([slice]);
  });
});
