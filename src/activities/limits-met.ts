import type { Id } from '../domain/tenancy/typed-id.ts';
import { codeOf, LIMIT_EXCEEDED, QUERY_CANCELED } from '../store/db/sqlstate.ts';

/** Temporal makes as many tries in some seven minutes. */
const TRIES = 20;

/**
 * Counts how often in a row a step of an operation has met a limit of time or room that Postgres has for it, as far as
 * this worker has tried it. Others may hold a lock or fill the disk for a while; a step that meets the limit each time is
 * too large for it, and would be for ever.
 */
export class LimitsMet {
  readonly #met = new Map<Id<'operation'>, number>();

  /** Notes how a step has failed; whether it is too large for a limit. */
  failed(operationId: Id<'operation'>, error: unknown): boolean {
    const code = codeOf(error);
    // Tries that failed otherwise do not count: an outage of an hour must not make the first limit behind it the last.
    const met =
      code === QUERY_CANCELED || code === LIMIT_EXCEEDED ? (this.#met.get(operationId) ?? 0) + 1 : 0;
    if (met === 0 || met === TRIES) this.#met.delete(operationId);
    else this.#met.set(operationId, met);
    return met === TRIES;
  }

  passed(operationId: Id<'operation'>): void {
    this.#met.delete(operationId);
  }
}
