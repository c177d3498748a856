import { sentTypeFault } from '../endpoints/event-type.ts';
import { readInstant } from '../time/instant.ts';
import type { LineRefusal } from './import-record.ts';

/** The longest name or id that is kept. */
const MAX_TEXT = 255;
/** Clocks differ by so much; a time beyond that is a mistake. */
const MAX_AHEAD_MS = 5 * 60_000;
const MAX_DURATION_MS = 86_400_000;

/** Postgres can keep neither a NUL nor half a surrogate pair, and no name needs control characters. */
const UNSTORABLE = /\p{Cc}|\p{Surrogate}/u;

/**
 * Reads the members of a line. The first that is missing or wrong is noted by its name, and something harmless is read
 * in its place: look at {@link refusal} before anything is made of what was read.
 */
export class MemberReader {
  readonly #members: Record<string, unknown>;
  readonly #prefix: string;
  readonly #nowMs: number;
  readonly #noted: { refusal?: LineRefusal };

  constructor(
    members: Record<string, unknown>,
    nowMs: number,
    prefix = '',
    noted: { refusal?: LineRefusal } = {},
  ) {
    this.#members = members;
    this.#nowMs = nowMs;
    this.#prefix = prefix;
    this.#noted = noted;
  }

  /** The first fault of the line. */
  get refusal(): LineRefusal | undefined {
    return this.#noted.refusal;
  }

  /** Whether the member is there, and not null. */
  has(name: string): boolean {
    return this.#members[name] !== undefined && this.#members[name] !== null;
  }

  /** Notes that a member is missing. */
  miss(name: string): void {
    this.#note('missing', name);
  }

  /** Notes that a member is not as it has to be. */
  wrong(name: string): void {
    this.#note('wrong_member', name);
  }

  /** A name or an id. */
  text(name: string): string {
    const text = this.optionalText(name);
    if (text === undefined) this.miss(name);
    return text ?? '';
  }

  /** A name or an id that may be left out. */
  optionalText(name: string): string | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    if (typeof value === 'string' && value.length > 0 && value.length <= MAX_TEXT && !UNSTORABLE.test(value))
      return value;
    this.wrong(name);
    return undefined;
  }

  /** The type of an event, which may be that of the whole import. */
  type(name: string, standard?: string): string {
    const type = this.optionalText(name) ?? standard;
    if (type === undefined) this.miss(name);
    else if (sentTypeFault(type) !== undefined) this.wrong(name);
    return type ?? '';
  }

  /** Any text that may be left out, however long. */
  anyText(name: string): string | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    if (typeof value === 'string') return value;
    this.wrong(name);
    return undefined;
  }

  /** A time with an offset. */
  time(name: string): string {
    const at = this.optionalTime(name);
    if (at === undefined) this.miss(name);
    return at ?? '';
  }

  /** A time with an offset that may be left out. */
  optionalTime(name: string): string | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    const read = typeof value === 'string' && value.length <= 64 ? readInstant(value) : undefined;
    if (read?.ok) return this.#past(name, Date.parse(read.at));
    this.wrong(name);
    return undefined;
  }

  /** A time as a number since 1970, or as a text of its digits. */
  epochTime(name: string, unitMs: number): string | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
    if (typeof number === 'number' && number >= 0 && number * unitMs <= 253_402_300_799_999)
      return this.#past(name, Math.floor(number * unitMs));
    this.wrong(name);
    return undefined;
  }

  /** A whole number within bounds. */
  count(name: string, min: number, max: number): number {
    const count = this.optionalCount(name, min, max);
    if (count === undefined) this.miss(name);
    return count ?? min;
  }

  /** A whole number within bounds that may be left out. */
  optionalCount(name: string, min: number, max: number): number | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    this.wrong(name);
    return undefined;
  }

  /** A duration; 0 where it is left out. */
  durationMs(name: string): number {
    if (!this.has(name)) return 0;
    const value = this.#members[name];
    if (typeof value === 'number' && value >= 0 && value <= MAX_DURATION_MS) return Math.round(value);
    this.wrong(name);
    return 0;
  }

  /** One of some words that may be left out. */
  word<Word extends string>(name: string, words: readonly Word[]): Word | undefined {
    if (!this.has(name)) return undefined;
    const found = words.find((word) => word === this.#members[name]);
    if (found === undefined) this.wrong(name);
    return found;
  }

  /** Yes or no, where it is said. */
  flag(name: string): boolean | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    if (typeof value === 'boolean') return value;
    this.wrong(name);
    return undefined;
  }

  /** An object in the line; an empty one where it is left out. */
  within(name: string): MemberReader {
    const value = this.#members[name];
    if (this.has(name) && !isObject(value)) this.wrong(name);
    return this.#reader(isObject(value) ? value : {}, `${this.#prefix}${name}.`);
  }

  /** The objects of a list, which may be left out. */
  list(name: string, most: number): MemberReader[] {
    if (!this.has(name)) return [];
    const value = this.#members[name];
    if (!Array.isArray(value) || value.length > most || !value.every(isObject)) {
      this.wrong(name);
      return [];
    }
    return value.map((each, n) => this.#reader(each, `${this.#prefix}${name}.${n}.`));
  }

  #reader(members: Record<string, unknown>, prefix: string): MemberReader {
    return new MemberReader(members, this.#nowMs, prefix, this.#noted);
  }

  #past(name: string, ms: number): string | undefined {
    if (ms > this.#nowMs + MAX_AHEAD_MS) {
      this.wrong(name);
      return undefined;
    }
    return new Date(Math.min(ms, this.#nowMs)).toISOString();
  }

  #note(reason: 'missing' | 'wrong_member', name: string): void {
    this.#noted.refusal ??= { kind: 'refused', reason, member: `${this.#prefix}${name}` };
  }
}

/** Whether a value of JSON is an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
