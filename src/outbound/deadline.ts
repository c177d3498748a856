import { performance } from 'node:perf_hooks';

/** The moment after which nothing may be put on the wire any more, on the monotonic and on the wall clock. */
export type Deadline = { readonly monotonicMs: number; readonly wallMs: number; expired(): boolean };

class TwoClockDeadline implements Deadline {
  readonly monotonicMs: number;
  readonly wallMs: number;

  constructor(msFromNow: number) {
    this.monotonicMs = performance.now() + msFromNow;
    this.wallMs = Date.now() + msFromNow;
  }

  expired(): boolean {
    return performance.now() >= this.monotonicMs || Date.now() >= this.wallMs;
  }
}

/**
 * A deadline `msFromNow` milliseconds away. It has expired as soon as either clock says so: the monotonic one may
 * stand still while the machine is suspended, the wall clock may be set back. Take it *before* the claim, so that
 * the lease in Postgres always outlives it.
 */
export function createDeadline(msFromNow: number): Deadline {
  return new TwoClockDeadline(msFromNow);
}
