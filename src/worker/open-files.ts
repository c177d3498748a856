import { readFile } from 'node:fs/promises';

/** For connections to Postgres and Temporal, the API of the same process, and whatever else it opens. */
const OTHERS = 1_024;

/**
 * Slices do not count requests to endpoints that hang among those that they may have: three quarters more are claimed as
 * such, and what was claimed before an endpoint hung can be as much again.
 */
const WITH_THOSE_THAT_HANG = 2.5;

/**
 * The files that a worker may have open, the files that its requests may want, the spare sockets that fit, and the most
 * sockets that it ever has open: of a low limit it keeps half for other things.
 */
export interface OpenFiles {
  limit: number;
  wanted: number;
  spareSockets: number;
  mostSockets: number;
}

/** How many of `spare` sockets a process may open in addition to `always`, which it has whatever its limit is. */
export function filesFor(limit: number, always: number, spare: number): OpenFiles {
  const fitting = Math.floor((limit - OTHERS) / WITH_THOSE_THAT_HANG) - always;
  return {
    limit,
    wanted: Math.ceil((always + spare) * WITH_THOSE_THAT_HANG) + OTHERS,
    spareSockets: Math.max(0, Math.min(spare, fitting)),
    mostSockets: limit - Math.min(OTHERS, Math.floor(limit / 2)),
  };
}

/** The most files that this process may have open; where the system does not say, no limit is known. */
export async function openFilesLimit(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  // Node has raised its soft limit to the hard one when it started; `unlimited` is none.
  const soft = /^Max open files +(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}
