import type { Classification } from '../domain/classification.ts';

/** What is remembered of one endpoint: until when each holds, on the clock of `performance.now()`. */
export interface EndpointSigns {
  /** It timed out a moment ago. */
  slowUntilMs: number;
  /** It has answered a moment ago. */
  provenUntilMs: number;
  /**
   * It asked not to be called: in the ledger this stands a little later, and by then a quick endpoint would have been
   * called hundreds of times.
   */
  floorUntilMs: number;
}

const SLOW_FOR_MS = 30_000;
const PROVEN_FOR_MS = 60_000;
/** More endpoints than these are forgotten together: they are unproven for a moment. */
const MAX_ENDPOINTS = 50_000;

/** What the senders of one process have learnt of endpoints a moment ago; the ledger's word, which all see, comes later. */
export class EndpointMemory {
  readonly #signs = new Map<string, EndpointSigns>();

  /** What is known of an endpoint: one object as long as it is remembered, so that a list can keep it. */
  of(endpointId: string): EndpointSigns {
    const known = this.#signs.get(endpointId);
    if (known) return known;
    if (this.#signs.size >= MAX_ENDPOINTS) this.#signs.clear();
    const signs = { slowUntilMs: 0, provenUntilMs: 0, floorUntilMs: 0 };
    this.#signs.set(endpointId, signs);
    return signs;
  }

  /** Takes what an attempt came to. */
  note(endpointId: string, { faultCode, httpStatus, retryAfterMs = 0 }: Classification): void {
    const nowMs = performance.now();
    const signs = this.of(endpointId);
    if (httpStatus !== undefined) signs.provenUntilMs = nowMs + PROVEN_FOR_MS;
    if (faultCode === 'timeout' || faultCode === 'connect_timeout') signs.slowUntilMs = nowMs + SLOW_FOR_MS;
    else if (!faultCode) signs.slowUntilMs = 0;
    signs.floorUntilMs = Math.max(signs.floorUntilMs, nowMs + retryAfterMs);
  }
}
