import type { Pool } from '../store/db/pool.ts';

/** Something that every worker does every few seconds; any number of workers may be at it at once. */
export interface Chore {
  /** For the log, where it fails. */
  name: string;
  run(): Promise<void>;
}

/** What chores are given. */
export interface ChoreDeps {
  pool: Pool;
  stop: AbortSignal;
  /** Counts what was done, by a word of its own. */
  count(action: string, items: number): void;
  /** Wakes the live lanes of all workers. */
  wakeLiveLanes(): Promise<void>;
  /** Does one part of a chore, whose failure is logged and ends no other part. */
  attempt(part: string, work: () => Promise<void>): Promise<void>;
}
