import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writePrivately } from '../../shell/private-file.ts';

/** A run whose outcome nobody has been told yet. */
export interface Unfinished {
  planId: string;
  planHash: string;
}

/**
 * What this machine remembers of a run until its outcome was told, so that the same command line joins it where the
 * connection or the machine was lost. Nothing depends on it: without it a second run finds the deliveries taken.
 */
export class UnfinishedRun {
  readonly #file: string;

  constructor(env: Readonly<Record<string, string | undefined>>, named: readonly (string | undefined)[]) {
    const state = env.XDG_STATE_HOME || join(env.HOME || homedir(), '.local', 'state');
    const name = createHash('sha256').update(JSON.stringify(named)).digest('hex').slice(0, 32);
    this.#file = join(state, 'redrive', 'runs', `${name}.json`);
  }

  async read(): Promise<Unfinished | undefined> {
    try {
      const { planId, planHash } = JSON.parse(await readFile(this.#file, 'utf8')) as Partial<Unfinished>;
      return typeof planId === 'string' && typeof planHash === 'string' ? { planId, planHash } : undefined;
    } catch {
      return undefined;
    }
  }

  async begin(run: Unfinished): Promise<void> {
    await writePrivately(this.#file, JSON.stringify(run)).catch(() => {});
  }

  async told(): Promise<void> {
    await rm(this.#file, { force: true }).catch(() => {});
  }
}
