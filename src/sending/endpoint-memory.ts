import type { Classification } from '../domain/sending/classification.ts';
import { signOf } from '../domain/sending/endpoint-health.ts';
import { leastAfter } from '../domain/sending/socket-window.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';

/** The signs of one endpoint that are remembered: until when each holds, on the clock of `performance.now()`. */
export interface EndpointSigns {
  /** It timed out a moment ago. */
  slowUntilMs: number;
  /** It answered a moment ago. */
  provenUntilMs: number;
  /**
   * It asked not to be called: in the ledger this stands a little later, and by then a quick endpoint would have been
   * called hundreds of times.
   */
  floorUntilMs: number;
  /** It was in trouble a moment ago: the ledger may limit it by now, even if it did not when it was read. */
  troubledUntilMs: number;
  /** The ledger has misses of it: the next attempt that is delivered is told. */
  missed: boolean;
  /** It has an open outage, as far as is known here: what becomes of each attempt is told. */
  out: boolean;
  /** The least time that it takes to answer; absent before its first answer. */
  leastMs?: number;
  /** When an operator last lifted the restrictions on it, by the database's clock, as far as is known here. */
  liftedAtMs?: number;
}

/** Forgets the signs of an endpoint where an operator has lifted its restrictions since: only later signs count. */
export function heedLifting(signs: EndpointSigns, liftedAtMs: number): void {
  if (signs.liftedAtMs !== undefined && liftedAtMs > signs.liftedAtMs) {
    signs.floorUntilMs = 0;
    signs.slowUntilMs = 0;
  }
  signs.liftedAtMs = liftedAtMs;
}

const SLOW_FOR_MS = 30_000;
const PROVEN_FOR_MS = 60_000;
/** Longer than any list of endpoints is used. */
const TROUBLED_FOR_MS = 2_000;
/** Beyond this number all endpoints are forgotten together: they are unproven for a moment. */
const MAX_ENDPOINTS = 50_000;

/** Signs of endpoints that the senders of one process have just learnt; the ledger, which all see, has them later. */
export class EndpointMemory {
  readonly #signs = new Map<string, EndpointSigns>();

  /** The signs of an endpoint: one object as long as it is remembered, so that a list can keep it. */
  of(endpointId: Id<'endpoint'>): EndpointSigns {
    const known = this.#signs.get(endpointId);
    if (known) return known;
    if (this.#signs.size >= MAX_ENDPOINTS) this.#signs.clear();
    const signs: EndpointSigns = {
      slowUntilMs: 0,
      provenUntilMs: 0,
      floorUntilMs: 0,
      troubledUntilMs: 0,
      missed: false,
      out: false,
    };
    this.#signs.set(endpointId, signs);
    return signs;
  }

  /** Endpoints that answered a moment ago, at most `limit`, the latest first. */
  proven(limit: number): string[] {
    const nowMs = performance.now();
    return [...this.#signs]
      .filter(([, { provenUntilMs }]) => provenUntilMs > nowMs)
      .sort(([, a], [, b]) => b.provenUntilMs - a.provenUntilMs)
      .slice(0, limit)
      .map(([endpointId]) => endpointId);
  }

  /**
   * Takes the result of an attempt, how long it took, and how many others it found in flight there; returns the signs of
   * its endpoint.
   */
  note(
    endpointId: Id<'endpoint'>,
    classification: Classification,
    tookMs: number,
    others: number,
  ): EndpointSigns {
    const { faultCode, httpStatus, retryAfterMs = 0 } = classification;
    const nowMs = performance.now();
    const signs = this.of(endpointId);
    if (httpStatus !== undefined) {
      signs.provenUntilMs = nowMs + PROVEN_FOR_MS;
      signs.leastMs = leastAfter(signs.leastMs, tookMs, others);
    }
    if (faultCode === 'timeout' || faultCode === 'connect_timeout') signs.slowUntilMs = nowMs + SLOW_FOR_MS;
    else if (!faultCode) signs.slowUntilMs = 0;
    const said = signOf(classification);
    if (said.has('overloaded') || said.has('down')) signs.troubledUntilMs = nowMs + TROUBLED_FOR_MS;
    signs.floorUntilMs = Math.max(signs.floorUntilMs, nowMs + retryAfterMs);
    return signs;
  }
}
