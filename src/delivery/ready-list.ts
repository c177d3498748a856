import type { Pool } from 'pg';
import type { ClaimedItem, Grant, QueuePlace } from '../store/claims.ts';
import { type ReadyEndpoint, readyEndpoints } from '../store/ready-endpoints.ts';
import type { EndpointMemory, EndpointSigns } from './endpoint-memory.ts';

/** An endpoint with work, and what is known of it at this moment. */
export interface Candidate extends ReadyEndpoint {
  inFlight: number;
  slow: boolean;
  proven: boolean;
  signs: EndpointSigns;
  /** It gave less than it was asked for: out of pace it is let alone for a moment, out of work until the list is read again. */
  exhaustedUntilMs: number;
  /**
   * What was claimed last: the next claim begins behind it, past what is on the wire and past what has ended, which would
   * have to be read again each time. Forgotten when the list is read again, as something before it may be free by then.
   */
  claimedUpTo?: QueuePlace;
}

/** What can be claimed now, and when something more can be. */
export interface Look {
  ready: Candidate[];
  /** Some of it could only end after its slice. */
  late: boolean;
  /** Absent: nothing is left unsent. */
  claimableInMs?: number;
}

const FRESH_MS = 500;
/** So long an endpoint that is out of pace is let alone. */
const OUT_OF_PACE_MS = 20;

/** The endpoints that one slice has work for, as read a moment ago, and what it has met of them since. */
export class ReadyList {
  readonly #pool: Pool;
  readonly #workedBy: string;
  readonly #memory: EndpointMemory;
  readonly #inFlightAt: (endpointId: string) => number;
  /** Also of those that are in flight and have no more work. */
  readonly #tenants = new Map<string, string>();
  #candidates: Candidate[] = [];
  #byId = new Map<string, Candidate>();
  #closed: string[] = [];
  #size = 0;
  #readAtMs = 0;
  #freshUntilMs = 0;
  #exhausted = 0;

  constructor(
    pool: Pool,
    workedBy: string,
    memory: EndpointMemory,
    inFlightAt: (endpointId: string) => number,
  ) {
    this.#pool = pool;
    this.#workedBy = workedBy;
    this.#memory = memory;
    this.#inFlightAt = inFlightAt;
  }

  /** When it will be read again, on the clock of `performance.now()`. */
  get freshUntilMs(): number {
    return this.#freshUntilMs;
  }

  /** Endpoints of it that take nothing any more. */
  get closed(): readonly string[] {
    return this.#closed;
  }

  /** Has it read anew at the next look: something has changed that it does not know. */
  outdate(): void {
    this.#freshUntilMs = 0;
  }

  /** Whether something limits what may be sent to it: the reservation asks the ledger by how much. */
  isPaced(endpointId: string): boolean {
    const found = this.#byId.get(endpointId);
    return found !== undefined && (found.paced || found.signs.troubledUntilMs > performance.now());
  }

  /** One that was found ready. */
  get(endpointId: string): Candidate | undefined {
    return this.#byId.get(endpointId);
  }

  /** Whose an endpoint is that was on the list, or is in flight. */
  tenantOf(endpointId: string): string | undefined {
    return this.#tenants.get(endpointId);
  }

  /** Reads it again where that is due; true where it was. */
  async renew(share: { index: number; of: number } | undefined): Promise<boolean> {
    if (performance.now() < this.#freshUntilMs && this.#exhausted < this.#size) return false;
    this.#readAtMs = performance.now();
    const endpoints = await readyEndpoints(this.#pool, this.#workedBy, share);
    this.#freshUntilMs = performance.now() + FRESH_MS;
    this.#size = endpoints.length;
    this.#exhausted = 0;
    this.#closed = endpoints.filter(({ state }) => state !== 'enabled').map(({ endpointId }) => endpointId);
    this.#candidates = endpoints
      .filter(({ state }) => state === 'enabled')
      .map((endpoint) => ({
        ...endpoint,
        inFlight: 0,
        slow: false,
        proven: false,
        signs: this.#memory.of(endpoint.endpointId),
        exhaustedUntilMs: 0,
      }));
    this.#byId = new Map(this.#candidates.map((candidate) => [candidate.endpointId, candidate]));
    for (const endpointId of this.#tenants.keys())
      if (this.#inFlightAt(endpointId) === 0) this.#tenants.delete(endpointId);
    for (const { endpointId, tenantId } of endpoints) this.#tenants.set(endpointId, tenantId);
    return true;
  }

  /** What can be claimed now by a slice that ends at `endAtMs`. Renewed in place: there may be thousands, at every claim. */
  look(endAtMs: number): Look {
    const nowMs = performance.now();
    const ready: Candidate[] = [];
    let late = false;
    let soonestMs = this.#closed.length > 0 ? 0 : Number.POSITIVE_INFINITY;
    for (const candidate of this.#candidates) {
      const { signs } = candidate;
      const claimableAtMs = Math.max(this.#readAtMs + candidate.claimableInMs, signs.floorUntilMs);
      soonestMs = Math.min(soonestMs, claimableAtMs - nowMs);
      if (claimableAtMs > nowMs || candidate.exhaustedUntilMs > nowMs) continue;
      candidate.slow = signs.slowUntilMs > nowMs;
      // At its end a slice waits for what is on the wire: that must not be what has just timed out.
      if (candidate.slow && nowMs + candidate.timeoutMs > endAtMs) {
        late = true;
        continue;
      }
      candidate.proven = signs.provenUntilMs > nowMs;
      candidate.inFlight = this.#inFlightAt(candidate.endpointId);
      ready.push(candidate);
    }
    return {
      ready,
      late,
      ...(soonestMs === Number.POSITIVE_INFINITY ? {} : { claimableInMs: Math.max(0, soonestMs) }),
    };
  }

  /** Notes how far endpoints were claimed, and which gave less than was wanted: the pace did not grant it, or there was no more. */
  noteTaken(wanted: Grant[], grants: Grant[], items: ClaimedItem[]): void {
    const granted = new Map(grants.map((grant) => [grant.endpointId, grant.count]));
    const taken = new Map<string, { count: number; last: QueuePlace }>();
    for (const { endpointId, dueAt, executionId } of items) {
      const { count = 0, last } = taken.get(endpointId) ?? {};
      const place = { dueAt, executionId };
      taken.set(endpointId, { count: count + 1, last: last && isBehind(last, place) ? last : place });
    }
    for (const { endpointId, count } of wanted) {
      const candidate = this.#byId.get(endpointId);
      if (!candidate) continue;
      const { count: got = 0, last } = taken.get(endpointId) ?? {};
      const behind = candidate.claimedUpTo !== undefined;
      if (last) candidate.claimedUpTo = last;
      if (got >= count) continue;
      const outOfPace = got === (granted.get(endpointId) ?? 0);
      // At the end of the queue it begins anew: something may have come before what was claimed last.
      if (!outOfPace) delete candidate.claimedUpTo;
      if (!outOfPace && behind) continue;
      if (candidate.exhaustedUntilMs === 0) this.#exhausted += 1;
      candidate.exhaustedUntilMs = outOfPace ? performance.now() + OUT_OF_PACE_MS : Number.POSITIVE_INFINITY;
    }
  }
}

/** Whether a place in a queue is behind another; times as Postgres writes them sort as text. */
function isBehind(place: QueuePlace, other: QueuePlace): boolean {
  return place.dueAt > other.dueAt || (place.dueAt === other.dueAt && place.executionId > other.executionId);
}
