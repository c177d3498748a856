import fc from 'fast-check';
import { readInstant } from '../../../src/domain/time/instant.ts';

/** Values that are valid and seldom thought of. */

const HOUR_MS = 3_600_000;

/** A moment, spelled with an offset of so many minutes. */
function spelled(ms: number, offsetMinutes: number): string {
  const local = new Date(ms + offsetMinutes * 60_000).toISOString().slice(0, -1);
  const of = (minutes: number) => String(minutes).padStart(2, '0');
  const size = Math.abs(offsetMinutes);
  return `${local}${offsetMinutes < 0 ? '-' : '+'}${of(Math.floor(size / 60))}:${of(size % 60)}`;
}

const offset = fc.oneof(fc.constantFrom(-1_439, 1_439, 0, 330), fc.integer({ min: -1_439, max: 1_439 }));

/** A time so many milliseconds from now, with any offset. */
export function timeFromNow(min: number, max: number): fc.Arbitrary<string> {
  return fc.tuple(fc.integer({ min, max }), offset).map(([ms, at]) => spelled(Date.now() + ms, at));
}

/** A time long ago. */
export const longAgo = fc.constantFrom(
  '0001-01-01T00:00:00Z',
  '0001-01-01T00:00+23:59',
  '2000-02-29T12:00Z',
  '2016-12-31T23:59:60Z',
  '2016-12-31t23:59:60.123456789z',
  '2026-02-28T23:59:59.99999999999999999999-23:59',
);

/** Any time at all. */
export const anyTime = fc.oneof(
  longAgo,
  fc.constantFrom('9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59-23:59', '9999-12-31T23:59:60Z'),
  timeFromNow(-2 * HOUR_MS, 2 * HOUR_MS),
);

function instantOf(text: string): number {
  const read = readInstant(text);
  if (!read.ok) throw new Error(`no time: ${text}`);
  return Date.parse(read.at);
}

/** A range of times that does not end before it begins, under these names, or a half of one, or none. */
export function range<From extends string, To extends string>(
  from: From,
  to: To,
  { whole = false } = {},
): fc.Arbitrary<{ [Name in From | To]?: string }> {
  return fc
    .tuple(anyTime, anyTime, whole ? fc.constant('both') : fc.constantFrom('both', from, to, 'none'))
    .map(([a, b, which]) => {
      const [first, last] = instantOf(a) <= instantOf(b) ? [a, b] : [b, a];
      return {
        ...(which === 'both' || which === from ? { [from]: first } : {}),
        ...(which === 'both' || which === to ? { [to]: last } : {}),
      } as { [Name in From | To]?: string };
    });
}

const STRANGE = [
  '👩‍👩‍👧‍👦',
  'ﷺ',
  'a\u0301\u0302\u0303',
  '\u202eright to left',
  "'; drop table events; --",
  '%_\\',
  '{a,"b",NULL}',
  'null',
  '\uffff',
  '𝒜𝒷\u{10ffff}',
  'İıſK',
  'x'.repeat(255),
];

/** A text that a name can be, some of them among these. */
export function textAmong(...known: string[]): fc.Arbitrary<string> {
  const written = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 40 })
    .filter((text) => !/\p{Cc}|\p{Surrogate}/u.test(text) && text.trim() === text && !text.includes('*'));
  return fc.oneof(fc.constantFrom(...known), fc.constantFrom(...known, ...STRANGE), written);
}

/** A member that may be left out. */
export function optional<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined, freq: 2 });
}

/** A list that is empty at times. */
export function listOf<T>(arbitrary: fc.Arbitrary<T>, maxLength = 4): fc.Arbitrary<T[]> {
  return fc.oneof(
    { weight: 1, arbitrary: fc.array(arbitrary, { maxLength: 0 }) },
    { weight: 6, arbitrary: fc.array(arbitrary, { minLength: 1, maxLength }) },
  );
}
