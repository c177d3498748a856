import type { Outcome, Recorded } from '../../store/settling/outcomes.ts';
import type { WatchedOutcome } from './watched-outcomes.ts';

/** An outcome on its way to the ledger, with its other effects once it is there. */
export interface PendingOutcome extends Outcome, WatchedOutcome {
  /** It holds a concurrency slot at its endpoint or operation. */
  slotted: boolean;
  /** Requests that were on the wire to its endpoint when it ended, itself among them. */
  inFlight: number;
  /** When it began, on the clock of `performance.now()`. */
  beganMs: number;
  /** Events of its key go to its endpoint in their order. */
  ordered: boolean;
  /** It tries its endpoint: it disables nothing, and opens no circuit. */
  test: boolean;
  onRecorded(recorded: Recorded | undefined, effects: { orderMoved: boolean }): void;
}

/** A claim with how many of its items are still out. */
export interface OpenClaim {
  token: string;
  left: number;
  slotted: boolean;
}
