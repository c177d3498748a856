import type { SliceLimits } from '../domain/sending/slice-turn.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Wake } from '../loops/wake.ts';
import type { TraceSpan } from '../telemetry/tracing.ts';

/** The task of a slice: whose work it does, within which limits, and for how long. */
export interface SliceTask extends SliceLimits {
  workedBy: Id<'operation'>;
  /** Ends the slice: it stops taking, drains and records. No request in flight is aborted. */
  stop: AbortSignal;
  /** The slice returns after this time, for others to have their turn. */
  budgetMs: number;
  /** Cuts its waits short. */
  wake: Wake;
  /**
   * Reads the control of an operation: whether it runs, whether it has a pace of its own, and when that allows more.
   */
  control?(): Promise<SliceControl>;
  /** Told of each read or write for its items that Postgres refuses; the slice goes on until its control stops it. */
  refused?(error: unknown): void;
  /** The step that it belongs to, where that is traced. */
  trace?: TraceSpan | undefined;
  /** The share of the live lane that is this worker's. */
  share?(): { index: number; of: number };
}

/** The control of an operation, by which its owner steers its slices. */
export interface SliceControl {
  run: boolean;
  /** It has a pace of its own. */
  paced: boolean;
  /** Its attempts are counted, and judged. */
  watched: boolean;
  /** Items of each endpoint that go before all others. */
  canary?: number;
  claimableInMs: number;
}

/** The result of a slice, and when more of its work can be claimed (absent: nothing is left unsent). */
export interface SliceResult {
  claimed: number;
  claimableInMs?: number;
}
