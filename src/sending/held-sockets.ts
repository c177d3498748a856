import type { Sockets } from '../domain/sending/spread.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { EndpointMemory } from './endpoint-memory.ts';

/** Requests in flight, by what is to be held against whom: their tenants, slow endpoints, and unproven ones. */
type Held = Pick<Sockets, 'heldByTenant' | 'heldBySlow' | 'heldByUnproven'>;

/** A turn comes with each answer: the walk of the last moment will do for it. */
const WALKED_FOR_MS = 25;

/** Tells whose endpoints hold the sockets of one slice, by one walk over its requests in flight. */
export class HeldSockets {
  readonly #inFlight: ReadonlyMap<Id<'endpoint'>, number>;
  readonly #memory: EndpointMemory;
  readonly #tenantOf: (endpointId: Id<'endpoint'>) => Id<'tenant'> | undefined;
  #hung = 0;
  #walkedUntilMs = 0;

  constructor(
    inFlight: ReadonlyMap<Id<'endpoint'>, number>,
    memory: EndpointMemory,
    tenantOf: (endpointId: Id<'endpoint'>) => Id<'tenant'> | undefined,
  ) {
    this.#inFlight = inFlight;
    this.#memory = memory;
    this.#tenantOf = tenantOf;
  }

  /**
   * Requests in flight at endpoints that are slow or unproven, as of a moment ago. They have shares of their own, and are
   * no reason for others to have less: a request that hangs costs a socket, and those are not scarce.
   */
  get hung(): number {
    if (performance.now() >= this.#walkedUntilMs) this.walk();
    return this.#hung;
  }

  /** Counts them now. */
  walk(): Held {
    const nowMs = performance.now();
    const heldByTenant = new Map<Id<'tenant'>, number>();
    let heldBySlow = 0;
    let heldByUnproven = 0;
    let hung = 0;
    for (const [endpointId, count] of this.#inFlight) {
      const tenantId = this.#tenantOf(endpointId);
      const { slowUntilMs, provenUntilMs } = this.#memory.of(endpointId);
      const [slow, unproven] = [slowUntilMs > nowMs, provenUntilMs <= nowMs];
      if (tenantId) heldByTenant.set(tenantId, (heldByTenant.get(tenantId) ?? 0) + count);
      if (slow) heldBySlow += count;
      if (unproven) heldByUnproven += count;
      if (slow || unproven) hung += count;
    }
    this.#hung = hung;
    this.#walkedUntilMs = nowMs + WALKED_FOR_MS;
    return { heldByTenant, heldBySlow, heldByUnproven };
  }
}
