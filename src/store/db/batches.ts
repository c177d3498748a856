import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { refusedFrom } from '../partitions/refused-from.ts';
import { onlyRow } from './only-row.ts';
import { codeOf, DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE } from './sqlstate.ts';

/** What a migration is busy with: so many rows are passed before a file, or it waits for those who use a table. */
export type MigrationProgress =
  | {
      before: string;
      passed: number;
      /** How many there are, as far as the statistics of the database know: 0 where they know nothing. */
      expected: number;
    }
  | { waitsFor: string };

/**
 * For how long a migration waits for a lock, and keeps everybody waiting who comes behind it. Below the second after
 * which Postgres looks for deadlocks, so that of two which wait for each other it is the migration that lets go.
 */
export const LOCK_TIMEOUT_MS = 400;

/** How long a file is tried again and again because somebody uses what it has to change. */
const PATIENCE_MS = 10 * 60_000;

/** How long a batch is to take: whoever changes a row of it meanwhile waits for its end. */
const BATCH_MS = 150;
const LEAST_ROWS = 100;
const MOST_ROWS = 5_000;

/** Rests behind a batch, as long as it took each: a copy takes a quarter of a connection at most. */
const RESTS = 3;

/** A step that cannot be divided, such as the look at all rows of a table, takes long and leaves nothing to rest from. */
const LONGEST_REST_MS = 2_000;

/** How long it is left to others after a refusal. */
export const AFTER_REFUSAL_MS = 500;

/** What is copied before a file is applied: batches as large as they may be, with rests behind each. */
export class Batches {
  #rows = 500;
  #pauseMs = AFTER_REFUSAL_MS;
  #startedAt = performance.now();

  /** Starts the clock of a file. */
  begin(): void {
    this.#startedAt = performance.now();
  }

  /** Has the function of a file copy its next batch, in the transaction of this client. */
  async next(
    client: pg.Client,
    copies: string,
  ): Promise<{ passed: number; expected: number; done: boolean }> {
    const since = performance.now();
    // It stays so where the batch, or the file behind it, is refused its locks.
    this.#pauseMs = AFTER_REFUSAL_MS;
    const result = await client.query<{ passed: string; expected: string; done: boolean }>(
      `select * from ${copies}($1)`,
      [this.#rows],
    );
    const { passed, expected, done } = onlyRow(result);
    if (!done) {
      const tookMs = performance.now() - since;
      this.#pauseMs = Math.min(LONGEST_REST_MS, RESTS * tookMs);
      const rows = Math.round(this.#rows * Math.min(2, BATCH_MS / tookMs));
      this.#rows = Math.min(MOST_ROWS, Math.max(LEAST_ROWS, rows));
      this.begin();
    }
    return { passed: Number(passed), expected: Number(expected), done };
  }

  /** Whether a file has been refused its locks for too long. */
  isTired(): boolean {
    return performance.now() - this.#startedAt > PATIENCE_MS;
  }

  /** Leaves the database to others, for longer than the last batch took, or for a moment after a refusal. */
  async rest(): Promise<void> {
    await delay(this.#pauseMs);
  }
}

/** Whether a statement did not get a lock in time, or gave it up for others. */
export function isWithoutLock(error: unknown): boolean {
  const code = codeOf(error);
  return code === LOCK_NOT_AVAILABLE || code === DEADLOCK_DETECTED;
}

/**
 * Says which sessions a file may wait for, those with the oldest transactions of this database, and until when it may wait
 * where it is prepared for a time.
 */
export async function describeWait(client: pg.Client, file: string): Promise<string> {
  const { rows } = await client.query<{ pid: number; name: string; seconds: number }>(
    `select pid, application_name as name, extract(epoch from clock_timestamp() - xact_start)::int as seconds
     from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and xact_start < now() - interval '1 second'
     order by xact_start limit 3`,
  );
  const sessions = rows.map(({ pid, name, seconds }) => `${pid} (${name}, for ${seconds} s)`).join(', ');
  const until = await refusedFrom(client);
  const bound =
    until === undefined
      ? ''
      : ` Do so before ${until.toISOString().slice(0, 10)}: later ids are refused until all is applied.`;
  return `The migration ${file} has waited ten minutes for a moment in which nobody uses what it changes. The oldest transactions are of the sessions ${sessions || 'that have ended by now'}: have them end, and run \`migrate\` again, which goes on where it was.${bound}`;
}
