import { createHash } from 'node:crypto';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { readFile, stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { writePrivately } from '../../shell/private-file.ts';

/** A run whose outcome nobody has been told yet. */
export interface Unfinished {
  planId: string;
  planHash: string;
}

/** A run that was cut off longer ago is not joined: the same words mean another run by then, such as that of the next night. */
const JOINED_WITHIN_MS = 60 * 60_000;
const SEEN_EVERY_MS = 60_000;

/**
 * What this machine remembers of a run until somebody was told its outcome, or how to follow it: by that the same command
 * line joins it, within an hour, where the connection or the machine was lost. Nothing depends on it: without it a second
 * run finds the deliveries taken. The time of its file is when the run was last alive.
 */
export class UnfinishedRun {
  readonly #file: string;
  #seen: NodeJS.Timeout | undefined;

  constructor(env: Readonly<Record<string, string | undefined>>, named: readonly (string | undefined)[]) {
    const state = env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state');
    const name = createHash('sha256').update(JSON.stringify(named)).digest('hex').slice(0, 32);
    this.#file = join(state, 'redrive', 'runs', `${name}.json`);
  }

  async read(): Promise<Unfinished | undefined> {
    try {
      if (isOld((await stat(this.#file)).mtimeMs)) return undefined;
      const { planId, planHash } = JSON.parse(await readFile(this.#file, 'utf8')) as Partial<Unfinished>;
      return typeof planId === 'string' && typeof planHash === 'string' ? { planId, planHash } : undefined;
    } catch {
      return undefined;
    }
  }

  async begin(run: Unfinished): Promise<void> {
    forgetOld(dirname(this.#file));
    await writePrivately(this.#file, JSON.stringify(run)).catch(() => {});
    this.goesOn();
  }

  /** Notes now and then that the run is alive. */
  goesOn(): void {
    const note = () => {
      const now = new Date();
      utimes(this.#file, now, now).catch(() => {});
    };
    note();
    this.#seen ??= setInterval(note, SEEN_EVERY_MS).unref();
  }

  /** Forgets it at once: also where the process ends behind this. */
  told(): void {
    clearInterval(this.#seen);
    remove(this.#file);
  }
}

function isOld(mtimeMs: number): boolean {
  return Math.abs(Date.now() - mtimeMs) > JOINED_WITHIN_MS;
}

/** Runs that nobody will join any more. */
function forgetOld(folder: string): void {
  try {
    for (const name of readdirSync(folder)) {
      const file = join(folder, name);
      if (isOld(statSync(file).mtimeMs)) remove(file);
    }
  } catch {
    // There are none yet, or somebody else removes them.
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // It is too old before long.
  }
}
