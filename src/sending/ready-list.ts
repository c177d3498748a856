import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Pool } from '../store/db/pool.ts';
import type { ClaimedItem, Grant, QueuePlace } from '../store/sending/claims.ts';
import { type ReadyEndpoint, readyEndpoints } from '../store/sending/ready-endpoints.ts';
import { type EndpointMemory, type EndpointSigns, heedLifting } from './endpoint-memory.ts';

/** An endpoint with work, and its signs at this moment. */
export interface Candidate extends ReadyEndpoint {
  inFlight: number;
  slow: boolean;
  proven: boolean;
  signs: EndpointSigns;
  /** It is looked at each time, and not in its turn with those that have not answered. */
  always: boolean;
  /** When an item of it may be claimed, on the clock of `performance.now()`. */
  claimableAtMs: number;
  /**
   * It gave less than was asked for: out of pace it is left alone for a moment, out of work until the list is read
   * again.
   */
  exhaustedUntilMs: number;
  /**
   * The place of the last claim: the next one begins behind it, past items that are on the wire or have ended, which it
   * would have to read again each time. Forgotten when the list is read again, as an earlier item may be free by then.
   */
  claimedUpTo?: QueuePlace;
}

/** The endpoints that can be claimed from now, and when more can be claimed. */
export interface Look {
  ready: Candidate[];
  /** Some of the requests could only end after the slice. */
  late: boolean;
  /** Absent: nothing is left unsent. */
  claimableInMs?: number;
}

const FRESH_MS = 500;
/** A longer list is read less often: thousands of endpoints that do not answer must not keep those waiting that do. */
const LONG_LIST = 1_000;
/** A long list is used this many times as long as its reading took, and no longer than `LONGEST_PAUSE_MS`. */
const LONG_READ_PAUSE = 10;
const LONGEST_PAUSE_MS = 2_000;
const PROVEN_AT_ONCE = 500;
/** The most endpoints without a recent answer that are looked at in one turn. */
const OTHERS_AT_ONCE = 256;
/** An endpoint that is out of pace is left alone for this time. */
const OUT_OF_PACE_MS = 20;

/** The whole list as it was read. */
interface WholeList {
  endpoints: ReadyEndpoint[];
  startedAtMs: number;
  tookMs: number;
}

/** The endpoints that one slice has work for, as read a moment ago, and the results of its claims since. */
export class ReadyList {
  readonly #pool: Pool;
  readonly #workedBy: Id<'operation'>;
  readonly #memory: EndpointMemory;
  readonly #inFlightAt: (endpointId: Id<'endpoint'>) => number;
  /** Also of endpoints with requests in flight and no more work. */
  readonly #tenants = new Map<Id<'endpoint'>, Id<'tenant'>>();
  /** Those that had answered when the list was read, and all others. */
  #proven: Candidate[] = [];
  #others: Candidate[] = [];
  /** When the first of all may be claimed, as the list was read. */
  #soonestAtMs = Number.POSITIVE_INFINITY;
  #turn = 0;
  #byId = new Map<Id<'endpoint'>, Candidate>();
  #closed: Id<'endpoint'>[] = [];
  /** When the first items that wait at closed endpoints have waited long enough, as the list was read. */
  #waitedAtMs = Number.POSITIVE_INFINITY;
  #size = 0;
  /** Until then the whole list is not read again: it is long, or is being read. */
  #wholeUntilMs = 0;
  #freshUntilMs = 0;
  /** The whole list that was read beside the claims: it is taken between two of them, which must not see it change. */
  #arrived: WholeList | undefined;
  /** Why it could not be read. */
  #failed: { reason: unknown } | undefined;
  #exhausted = 0;

  constructor(
    pool: Pool,
    workedBy: Id<'operation'>,
    memory: EndpointMemory,
    inFlightAt: (endpointId: Id<'endpoint'>) => number,
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

  /** Endpoints of the list that take nothing any more, and whose items are to be ignored. */
  get closed(): readonly Id<'endpoint'>[] {
    return this.#closed;
  }

  /** Notes that the items there have been ignored; more are found when the list is read again. */
  forgetClosed(): void {
    this.#closed = [];
  }

  /** Has the list read again at the next look: something has changed that it does not show. */
  outdate(): void {
    this.#freshUntilMs = 0;
  }

  /** Whether something limits what may be sent to it: the reservation asks the ledger by how much. */
  isPaced(endpointId: Id<'endpoint'>): boolean {
    const found = this.#byId.get(endpointId);
    return found !== undefined && (found.paced || found.signs.troubledUntilMs > performance.now());
  }

  /** One that was found ready. */
  get(endpointId: Id<'endpoint'>): Candidate | undefined {
    return this.#byId.get(endpointId);
  }

  /** The tenant of an endpoint that was on the list, or has requests in flight. */
  tenantOf(endpointId: Id<'endpoint'>): Id<'tenant'> | undefined {
    return this.#tenants.get(endpointId);
  }

  /** Reads the list again where that is due. */
  async renew(share: { index: number; of: number } | undefined): Promise<void> {
    const startedAtMs = performance.now();
    if (startedAtMs < this.#freshUntilMs && this.#exhausted < this.#size) return;
    if (this.#failed) throw this.#failed.reason;
    if (this.#arrived) this.#takeWhole(this.#arrived);
    if (startedAtMs >= this.#wholeUntilMs) {
      const reading = this.#readWhole(share);
      if (this.#size <= LONG_LIST) return this.#takeWhole(await reading);
      // A long list takes its time: those that answer go on meanwhile.
      this.#wholeUntilMs = Number.POSITIVE_INFINITY;
      reading.then(
        (whole) => {
          this.#arrived = whole;
        },
        (reason: unknown) => {
          this.#failed = { reason };
        },
      );
    }
    await this.#renewProven(share);
  }

  async #readWhole(share: { index: number; of: number } | undefined): Promise<WholeList> {
    const startedAtMs = performance.now();
    const endpoints = await readyEndpoints(this.#pool, this.#workedBy, share);
    return { endpoints, startedAtMs, tookMs: performance.now() - startedAtMs };
  }

  /** Takes it in the place of what was known. */
  #takeWhole({ endpoints, startedAtMs, tookMs }: WholeList): void {
    this.#arrived = undefined;
    const nowMs = performance.now();
    this.#freshUntilMs = nowMs + FRESH_MS;
    this.#wholeUntilMs =
      endpoints.length > LONG_LIST ? nowMs + Math.min(LONGEST_PAUSE_MS, tookMs * LONG_READ_PAUSE) : 0;
    this.#size = endpoints.length;
    this.#exhausted = 0;
    const closed = endpoints.filter(({ state }) => state !== 'enabled');
    this.#closed = closed
      .filter(({ claimableInMs }) => claimableInMs <= 0)
      .map(({ endpointId }) => endpointId);
    this.#waitedAtMs =
      startedAtMs + Math.min(...closed.map(({ claimableInMs }) => Math.max(0, claimableInMs)));
    const candidates = endpoints
      .filter(({ state }) => state === 'enabled')
      .map((endpoint) => this.#candidate(endpoint, startedAtMs));
    this.#byId = new Map(candidates.map((candidate) => [candidate.endpointId, candidate]));
    this.#proven = candidates.filter(({ always }) => always);
    this.#others = candidates.filter(({ always }) => !always);
    this.#soonestAtMs = candidates.reduce(
      (soonest, { claimableAtMs }) => Math.min(soonest, claimableAtMs),
      Number.POSITIVE_INFINITY,
    );
    for (const endpointId of this.#tenants.keys())
      if (this.#inFlightAt(endpointId) === 0) this.#tenants.delete(endpointId);
    for (const { endpointId, tenantId } of endpoints) this.#tenants.set(endpointId, tenantId);
  }

  /** Reads only the endpoints that answered a moment ago; all others stay as they were. */
  async #renewProven(share: { index: number; of: number } | undefined): Promise<void> {
    const startedAtMs = performance.now();
    const proven = this.#memory.proven(PROVEN_AT_ONCE);
    const endpoints = await readyEndpoints(this.#pool, this.#workedBy, share, proven);
    this.#freshUntilMs = Math.min(performance.now() + FRESH_MS, this.#wholeUntilMs);
    for (const endpoint of endpoints.filter(({ state }) => state === 'enabled')) {
      const known = this.#byId.get(endpoint.endpointId);
      const candidate = { ...this.#candidate(endpoint, startedAtMs), always: true };
      if (!known?.always) this.#proven.push(known ?? candidate);
      if (!known) {
        this.#size += 1;
        this.#byId.set(endpoint.endpointId, candidate);
        this.#tenants.set(endpoint.endpointId, endpoint.tenantId);
        continue;
      }
      if (known.exhaustedUntilMs > 0) this.#exhausted -= 1;
      delete known.claimedUpTo;
      Object.assign(known, candidate);
    }
  }

  #candidate(endpoint: ReadyEndpoint, readAtMs: number): Candidate {
    const signs = this.#memory.of(endpoint.endpointId);
    heedLifting(signs, endpoint.liftedAtMs);
    signs.missed ||= endpoint.missed;
    signs.out = endpoint.out;
    const proven = signs.provenUntilMs > performance.now();
    return {
      ...endpoint,
      inFlight: 0,
      slow: false,
      proven,
      signs,
      always: proven,
      claimableAtMs: readAtMs + endpoint.claimableInMs,
      exhaustedUntilMs: 0,
    };
  }

  /**
   * The endpoints that a slice that ends at `endAtMs` can claim from now. They are looked at in place, and of a long
   * list only those that have answered and a part of the others, the next part at the next look: there may be
   * thousands, at every claim.
   */
  look(endAtMs: number): Look {
    const nowMs = performance.now();
    const seen = { ready: [] as Candidate[], late: false, soonestAtMs: Number.POSITIVE_INFINITY };
    for (const candidate of this.#proven) this.#see(candidate, nowMs, endAtMs, seen);
    const part = Math.min(this.#others.length, OTHERS_AT_ONCE);
    for (let n = 0; n < part; n++) {
      const candidate = this.#others[(this.#turn + n) % this.#others.length];
      if (candidate && !candidate.always) this.#see(candidate, nowMs, endAtMs, seen);
    }
    this.#turn += part;
    const { ready, late } = seen;
    if (part < this.#others.length) seen.soonestAtMs = Math.min(seen.soonestAtMs, this.#soonestAtMs);
    seen.soonestAtMs = Math.min(seen.soonestAtMs, this.#waitedAtMs);
    return {
      ready,
      // Endpoints that were not looked at may be in time.
      late: late && part === this.#others.length,
      ...(seen.soonestAtMs === Number.POSITIVE_INFINITY
        ? {}
        : { claimableInMs: Math.max(0, seen.soonestAtMs - nowMs) }),
    };
  }

  #see(
    candidate: Candidate,
    nowMs: number,
    endAtMs: number,
    seen: { ready: Candidate[]; late: boolean; soonestAtMs: number },
  ): void {
    const { signs } = candidate;
    const claimableAtMs = Math.max(candidate.claimableAtMs, signs.floorUntilMs);
    if (claimableAtMs < seen.soonestAtMs) seen.soonestAtMs = claimableAtMs;
    if (claimableAtMs > nowMs || candidate.exhaustedUntilMs > nowMs) return;
    candidate.slow = signs.slowUntilMs > nowMs;
    // At its end a slice waits for its requests on the wire: these must not be to an endpoint that has just timed out.
    if (candidate.slow && nowMs + candidate.timeoutMs > endAtMs) {
      seen.late = true;
      return;
    }
    candidate.proven = signs.provenUntilMs > nowMs;
    candidate.inFlight = this.#inFlightAt(candidate.endpointId);
    seen.ready.push(candidate);
  }

  /**
   * Notes how far endpoints were claimed, and which gave less than was wanted: the pace granted no more, or there was
   * no more.
   */
  noteTaken(
    wanted: Grant[],
    grants: Grant[],
    items: ClaimedItem[],
    opensInMs: ReadonlyMap<string, number> = new Map(),
  ): void {
    const granted = new Map(grants.map((grant) => [grant.endpointId, grant.count]));
    const taken = new Map<Id<'endpoint'>, { count: number; last: QueuePlace }>();
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
      // At the end of the queue it begins again: an item may have come in before the last one claimed.
      if (!outOfPace) delete candidate.claimedUpTo;
      if (!outOfPace && behind) continue;
      const opens = opensInMs.get(endpointId);
      if (outOfPace && opens !== undefined) {
        // The rate says when to ask again: neither sooner nor later, or the rate would not be reached.
        candidate.claimableAtMs = performance.now() + opens;
        continue;
      }
      if (candidate.exhaustedUntilMs === 0) this.#exhausted += 1;
      candidate.exhaustedUntilMs = outOfPace ? performance.now() + OUT_OF_PACE_MS : Number.POSITIVE_INFINITY;
    }
  }
}

/** Whether a place in a queue is behind another; times as Postgres writes them sort as text. */
function isBehind(place: QueuePlace, other: QueuePlace): boolean {
  return place.dueAt > other.dueAt || (place.dueAt === other.dueAt && place.executionId > other.executionId);
}
