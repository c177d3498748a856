import type { Pool } from '../store/db/pool.ts';
import type { Wake } from './wake.ts';

/** Work that every worker does every few seconds; any number of workers may do it at once. */
export interface Chore {
  /** For the log, where it fails. */
  name: string;
  /** Has the next round come at once. */
  wake?: Wake;
  run(): Promise<void>;
}

/** The dependencies of chores. */
export interface ChoreDeps {
  pool: Pool;
  stop: AbortSignal;
  /** Counts the items that were handled, by the name of the action. */
  count(action: string, items: number): void;
  /** Wakes the live lanes of all workers. */
  wakeLiveLanes(): Promise<void>;
  /** Does one part of a chore, whose failure is logged and ends no other part. */
  attempt(part: string, work: () => Promise<void>): Promise<void>;
}
