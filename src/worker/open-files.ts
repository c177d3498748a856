import { readFile } from 'node:fs/promises';

/** For connections to Postgres and Temporal, the API of the same process, and whatever else it opens. */
const OTHERS = 1_024;

/**
 * Slices do not count requests to endpoints that hang among those that they may have: three quarters more are claimed as
 * such, and what was claimed before an endpoint hung can be as much again.
 */
const WITH_THOSE_THAT_HANG = 2.5;

/** How many of `wanted` sockets this process may open in addition to `always`, by what the system allows it. */
export async function socketsWithin(wanted: number, always: number): Promise<number> {
  const limit = await openFilesLimit();
  return Math.max(0, Math.min(wanted, Math.floor((limit - OTHERS) / WITH_THOSE_THAT_HANG) - always));
}

/** The most files that this process may have open; where the system does not say, no limit is known. */
async function openFilesLimit(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  // Node has raised its soft limit to the hard one when it started; `unlimited` is none.
  const soft = /^Max open files +(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}
