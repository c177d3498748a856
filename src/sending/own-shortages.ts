import type { Logger } from 'pino';
import type { AttemptResult, Shortage } from '../domain/sending/attempt-result.ts';
import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { EndpointMemory } from './endpoint-memory.ts';

/** Time for requests that are on their way to end, and to give back what they hold. */
const REST_MS = 1_000;

/**
 * Shortages of this process at which no endpoint is at fault: what they kept from being sent goes back as it was, and
 * nothing is claimed for a moment. Ports are short towards one destination, the rest is short for all.
 */
export class OwnShortages {
  readonly #log: Logger;
  readonly #metrics: Metrics;
  readonly #memory: EndpointMemory;
  #restUntilMs = 0;

  constructor({ log, metrics, memory }: { log: Logger; metrics: Metrics; memory: EndpointMemory }) {
    this.#log = log;
    this.#metrics = metrics;
    this.#memory = memory;
  }

  /** How long nothing is to be claimed by this process; 0 where it may. */
  get restMs(): number {
    return Math.max(0, this.#restUntilMs - performance.now());
  }

  /** Takes the result of an attempt, and returns it as it counts. */
  heed(endpointId: Id<'endpoint'>, result: AttemptResult): AttemptResult {
    const shortage = this.#shortageIn(result);
    if (shortage === undefined) return result;
    this.#metrics.socketShortages.inc({ reason: shortage });
    const untilMs = performance.now() + REST_MS;
    if (shortage === 'ports') {
      const signs = this.#memory.of(endpointId);
      if (signs.floorUntilMs <= performance.now())
        this.#log.warn({ event: 'sockets.short', of: shortage, endpointId: showId('endpoint', endpointId) });
      signs.floorUntilMs = Math.max(signs.floorUntilMs, untilMs);
    } else {
      if (this.restMs === 0) this.#log.warn({ event: 'sockets.short', of: shortage });
      this.#restUntilMs = untilMs;
    }
    return { kind: 'released', reason: 'shortage', of: shortage };
  }

  #shortageIn(result: AttemptResult): Shortage | undefined {
    if (result.kind === 'released') return result.reason === 'shortage' ? result.of : undefined;
    // The resolver of the system opens sockets, too, and calls it a name that cannot be found now.
    const isUnresolved = result.kind === 'faulted' && result.fault === 'dns_failure';
    return isUnresolved && this.restMs > 0 ? 'files' : undefined;
  }
}
