import type { Exit } from '../core/exit-codes.ts';
import type { Context } from '../shell/context.ts';

/** A flag: its value is that of `parse`, a list of them, or true. */
export interface Flag<Value = unknown> {
  /** What stands behind it in the help, such as `<duration>`; a flag without one is on or off. */
  hint?: string;
  text: string;
  parse?: (text: string) => unknown;
  /** May be given several times. */
  many?: boolean;
  /** Values of a list may be joined by commas. */
  commas?: boolean;
  /** Offered by the completion. */
  choices?: readonly string[];
  /** Carries the type, and nothing else. */
  readonly value?: () => Value;
}

/** A flag that is on or off. */
export function onOff(text: string): Flag<boolean | undefined> {
  return { text };
}

/** A flag with a value: a text, or what is read of it. */
export function value(hint: string, text: string): Flag<string | undefined>;
export function value<Value>(
  hint: string,
  text: string,
  parse: (text: string) => Value,
): Flag<Value | undefined>;
export function value(hint: string, text: string, parse?: (text: string) => unknown): Flag {
  return { hint, text, ...(parse ? { parse } : {}) };
}

/** A flag with one of these values. */
export function choice<const Choice extends string>(
  choices: readonly Choice[],
  text: string,
): Flag<Choice | undefined> {
  return { hint: `<${choices.join('|')}>`, text, choices };
}

/** A flag that may be given several times; its values may be joined by commas, too. */
export function list<Value = string>(
  hint: string,
  text: string,
  { parse, choices, commas = true }: ListOptions<Value> = {},
): Flag<Value[] | undefined> {
  return {
    hint,
    text,
    many: true,
    commas,
    ...(parse ? { parse } : {}),
    ...(choices ? { choices } : {}),
  };
}

interface ListOptions<Value> {
  parse?: (text: string) => Value;
  choices?: readonly (Value & string)[];
  /** False where a value may hold one itself. */
  commas?: boolean;
}

/** All names of a type of the API; one that is forgotten does not compile. */
export function allOf<Name extends string>(names: Readonly<Record<Name, true>>): readonly Name[] {
  return Object.keys(names) as Name[];
}

/** An argument: required unless it is optional; a rest takes all that follow. */
export interface Argument<Value = unknown> {
  text: string;
  optional?: boolean;
  rest?: boolean;
  parse?: (text: string) => string;
  readonly value?: () => Value;
}

/** An argument that has to be there: as it is written, or what is read of it. */
export const argument = (text: string, parse?: (text: string) => string): Argument<string> => ({
  text,
  ...(parse ? { parse } : {}),
});

/** An argument that may be left out. */
export const optional = (text: string): Argument<string | undefined> => ({ text, optional: true });

/** All arguments that follow. */
export const rest = (text: string): Argument<string[]> => ({ text, rest: true });

/** The values of flags or arguments. */
export type Values<Of extends Record<string, { readonly value?: () => unknown }>> = {
  [Name in keyof Of]: ReturnType<NonNullable<Of[Name]['value']>>;
};

type Flags = Record<string, Flag>;
type Arguments = Record<string, Argument>;
type Nothing = Record<never, never>;

/** A command: what it is called, what it takes, which calls of the API it makes, and what it does. */
export interface Command {
  /** Its words: `['retry', 'run']`. */
  path: readonly string[];
  summary: string;
  /** Paragraphs of its help. */
  details?: readonly string[];
  examples?: readonly string[];
  args: Arguments;
  flags: Flags;
  /** `METHOD /path` of each call that it makes for somebody. */
  covers: readonly string[];
  run: (context: Context, given: { args: never; flags: never }) => Promise<Exit | undefined> | Promise<void>;
}

/** Defines a command; what `run` is given has the types of its flags and arguments. */
export function command<
  const Args extends Arguments = Nothing,
  const Own extends Flags = Nothing,
>(definition: {
  path: readonly string[];
  summary: string;
  details?: readonly string[];
  examples?: readonly string[];
  args?: Args;
  flags?: Own;
  covers?: readonly string[];
  run: (
    context: Context,
    given: { args: Values<Args>; flags: Values<Own> },
  ) => Promise<Exit | undefined> | Promise<void>;
}): Command {
  return {
    args: {},
    flags: {},
    covers: [],
    ...definition,
  } as Command;
}

/** `maxDrift` as a flag: `--max-drift`. */
export function flagName(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
