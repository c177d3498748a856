import type { Id } from '../domain/tenancy/typed-id.ts';
import type { ClaimedItem } from '../store/sending/claims.ts';

type Sent = Pick<ClaimedItem, 'endpointId' | 'body'>;

/** The requests of one sender that have not ended yet. */
export class InFlight {
  readonly #at = new Map<Id<'endpoint'>, number>();
  readonly #unslottedAt = new Map<Id<'endpoint'>, number>();
  #all = 0;
  #bytes = 0;

  get all(): number {
    return this.#all;
  }

  /** Length of their payloads together, which they hold in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  get byEndpoint(): ReadonlyMap<Id<'endpoint'>, number> {
    return this.#at;
  }

  at(endpointId: Id<'endpoint'>): number {
    return this.#at.get(endpointId) ?? 0;
  }

  /** Those that hold no slot there, as nothing limited them when they were claimed. */
  unslottedAt(endpointId: Id<'endpoint'>): number {
    return this.#unslottedAt.get(endpointId) ?? 0;
  }

  /** Counts one that begins. */
  add({ endpointId, body }: Sent, slotted: boolean): void {
    this.#all += 1;
    this.#bytes += body.length;
    count(this.#at, endpointId, 1);
    if (!slotted) count(this.#unslottedAt, endpointId, 1);
  }

  /** Counts one that has ended. */
  remove({ endpointId, body }: Sent, slotted: boolean): void {
    this.#all -= 1;
    this.#bytes -= body.length;
    count(this.#at, endpointId, -1);
    if (!slotted) count(this.#unslottedAt, endpointId, -1);
  }
}

/** Counts up or down; what comes to nothing is forgotten. */
export function count(counts: Map<Id<'endpoint'>, number>, endpointId: Id<'endpoint'>, by: 1 | -1): void {
  const now = (counts.get(endpointId) ?? 0) + by;
  if (now > 0) counts.set(endpointId, now);
  else counts.delete(endpointId);
}
