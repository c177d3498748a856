import fc from 'fast-check';
import type { InWorld } from './retry-bodies.ts';
import type { World } from './world.ts';

/** A request as it is sent; the path of its route with the parameters filled in. */
export type Asked = {
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** Of the tenant where left out; the same without its scheme; the installation's; or none, where a signature stands for it. */
  credential?: 'installation' | 'signature' | 'bare';
  /** Told of an answer that accepts it. */
  // biome-ignore lint/suspicious/noExplicitAny: bodies are as their surfaces make them
  accepted?(body: any): void;
};

/** Valid requests of a route, and how many of them are sent. */
export type Entry = { requests: fc.Arbitrary<InWorld<Asked | Promise<Asked>>>; runs: number };

/** A path with its parameters. */
export function filled(path: string, params: Record<string, string>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
}

/** A key now and then, some of them used twice. */
export const idempotencyKey = fc.oneof(
  fc.constant(undefined),
  fc.uuid(),
  fc.constantFrom('again-1', 'again-2'),
);
/** The header of a key, where there is one. */
export const withKey = (key: string | undefined): Pick<Asked, 'headers'> =>
  key === undefined ? {} : { headers: { 'idempotency-key': key } };

/** The members that are there. */
export const present = (members: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));

/** Requests made of values, and of the world as it is then. */
export function entry<T>(
  runs: number,
  values: fc.Arbitrary<T>,
  ask: (value: T, world: World) => Asked | Promise<Asked>,
): Entry {
  return { runs, requests: values.map((value) => (world) => ask(value, world)) };
}

/** Sends a request that has to go before another; whether it was accepted. */
export type Send = (asked: Asked) => Promise<boolean>;

/** A text that is no id, where any text is taken for one. */
export const NO_UUID = 'no uuid at all ☃';
/** The id of nothing. */
export const NOBODYS = '12345678-1234-1234-1234-123456789012';
