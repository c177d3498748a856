import type { Id } from '../tenancy/typed-id.ts';
/** The result of one claim. */
export interface Round {
  claimed: number;
  /** The owner of its work wants nothing sent. */
  stopped?: boolean;
  /** All the work that is left might end only after the slice. */
  late?: boolean;
  /** There was work, and no pace for it. */
  refused?: boolean;
  /** There was work, and its rate says when there is pace for it. */
  opensInMs?: number;
  /** Absent: nothing is left unsent. */
  claimableInMs?: number;
  /** Ordered endpoints that gave less than was granted: something may be in the way of due deliveries there. */
  short?: readonly Id<'endpoint'>[];
}

/** The task of a slice, as far as its turns depend on it. */
export interface SliceLimits {
  lane: 'bulk' | 'live';
  /** Requests in flight at most, as things are now. */
  sockets: number;
  /** It ends when nothing can be claimed for this time. */
  endWhenIdleForMs: number;
}

/** The memory of a slice from one turn to the next. */
export interface SliceMemory {
  /** Its last claim, until something was waited for. */
  last?: Round;
  /** Claims in a row that found work and were given none of it. */
  inVain: number;
  /** Until then, on the clock of its facts, nothing is there for the sockets that are kept for newcomers. */
  nobodyNewUntilMs: number;
}

/** The facts that a slice decides by. Times are milliseconds of one clock. */
export interface SliceFacts extends SliceMemory {
  nowMs: number;
  /** When its budget ends. */
  endAtMs: number;
  stopped: boolean;
  /** Without those at endpoints that hang, which have sockets of their own. */
  inFlight: number;
  bytesInFlight: number;
  /** Requests that have ended, of whose outcomes the ledger does not know yet. */
  unrecorded: number;
  /** Nothing is in flight, and the ledger knows of everything that was. */
  idle: boolean;
  /** It makes itself small, for live traffic flows. */
  yields: boolean;
  /** Endpoints where something is to be ignored now. */
  closed: readonly Id<'endpoint'>[];
}

/** The next turn of a slice. */
export type SliceTurn =
  | { do: 'end' }
  /** Claims up to `most` items; up to `shared` of them at endpoints that have something in flight. */
  | { do: 'claim'; most: number; shared: number }
  /** Waits for `ms` at most, and under `untilFreed` until a request of it ends; with `ms` a poke ends it, too. */
  | { do: 'wait'; ms?: number; untilFreed: boolean; thenReads: 'always' | 'when_poked' | 'never' }
  /** Has deliveries that waited for their order looked at again later. */
  | { do: 'put_off'; endpointIds: readonly Id<'endpoint'>[] }
  /** Ends executions that their endpoints take no more. */
  | { do: 'ignore'; endpointIds: readonly Id<'endpoint'>[] };

/** Of payloads in memory, on the wire and claimed; one item alone may go beyond. */
export const MAX_BYTES = 16 * 1024 * 1024;
const MAX_CLAIM = 256;
/**
 * Outcomes that a slice holds beside its requests in flight, four writes of them: where the ledger takes none, what is
 * claimed would be sent, and sent again once its lease has ended.
 */
export const MAX_UNRECORDED = 1_024;
/** The most that a bulk slice claims while live traffic flows: a claim is sent together, and live work waits. */
const MAX_CLAIM_BESIDE_LIVE = 64;
/**
 * Share of the live lane's sockets that is kept for endpoints with nothing in flight: one that hangs must not have all.
 */
const KEPT_SHARE = 1 / 4;
/** How soon work that was there and was not given is asked for again, at first and at last. */
export const PACE_POLL_MS = 20;
const PACE_POLL_MAX_MS = 250;
const IDLE_POLL_MS = 1_000;

/** The memory of a slice when it begins. */
export const NOTHING_YET: SliceMemory = { inVain: 0, nobodyNewUntilMs: Number.NEGATIVE_INFINITY };

/** Decides what a slice does next. */
export function sliceTurn(facts: SliceFacts, limits: SliceLimits): SliceTurn {
  const { last, closed } = facts;
  if (facts.stopped || facts.nowMs >= facts.endAtMs || last?.stopped) return { do: 'end' };
  if (last?.short && last.short.length > 0) return { do: 'put_off', endpointIds: last.short };
  if (closed.length > 0) return { do: 'ignore', endpointIds: closed };
  if (last && last.claimed === 0) return afterNothing(last, facts, limits);
  return inRoom(facts, limits);
}

/** Nothing was claimed: it ends, or asks again when that may be otherwise. */
function afterNothing(last: Round, facts: SliceFacts, limits: SliceLimits): SliceTurn {
  const { idle, inVain } = facts;
  const waitMs = last.claimableInMs ?? Number.POSITIVE_INFINITY;
  if (idle && (last.late || waitMs > limits.endWhenIdleForMs)) return { do: 'end' };
  // Out of pace, or of a paused operation: work that is ready and is not given must not be asked for at full speed.
  // Work that has a time is asked for then and not later, or its pace would fall behind.
  const pollMs =
    last.opensInMs !== undefined
      ? Math.max(last.opensInMs, PACE_POLL_MS)
      : inVain > 0
        ? Math.min(PACE_POLL_MS * 2 ** (inVain - 1), PACE_POLL_MAX_MS)
        : Math.max(waitMs, PACE_POLL_MS);
  return {
    do: 'wait',
    ms: Math.min(pollMs, IDLE_POLL_MS),
    untilFreed: !idle,
    // While it is full, a request that ends is no reason to read again work that it cannot take yet.
    thenReads: roomOf(facts, limits).full ? 'when_poked' : 'always',
  };
}

/** Claims where enough sockets are free for a claim to be worth it, and waits for some otherwise. */
function inRoom(facts: SliceFacts, limits: SliceLimits): SliceTurn {
  const { free, kept, full, most } = roomOf(facts, limits);
  const holdsTooMuch = facts.bytesInFlight >= MAX_BYTES || facts.unrecorded >= MAX_UNRECORDED;
  if (free === 0 || (full && kept === 0) || holdsTooMuch)
    return { do: 'wait', untilFreed: true, thenReads: 'never' };
  const sureForMs = facts.nobodyNewUntilMs - facts.nowMs;
  if (full && sureForMs > 0) return { do: 'wait', ms: sureForMs, untilFreed: true, thenReads: 'when_poked' };
  return { do: 'claim', most: Math.min(most, free), shared: full ? 0 : free - kept };
}

function roomOf({ inFlight, yields }: SliceFacts, { lane, sockets }: SliceLimits) {
  const most = yields ? MAX_CLAIM_BESIDE_LIVE : MAX_CLAIM;
  const kept = lane === 'live' ? Math.floor(sockets * KEPT_SHARE) : 0;
  const worthClaiming = Math.max(1, Math.floor(Math.min(sockets, most) * (lane === 'live' ? 1 / 4 : 1 / 2)));
  const free = Math.max(0, sockets - inFlight);
  return { most, kept, free, full: free - kept < worthClaiming };
}

/** The memory of a slice after a claim; its list of endpoints is as it was read until `listFreshUntilMs`. */
export function afterClaim(
  before: SliceMemory,
  { shared }: { shared: number },
  round: Round,
  listFreshUntilMs: number,
): SliceMemory {
  const nothing = round.claimed === 0;
  return {
    last: round,
    inVain: nothing && (round.refused || round.claimableInMs === 0) ? before.inVain + 1 : 0,
    // The sockets that are kept are for endpoints with nothing in flight: until the list is read again there is none.
    nobodyNewUntilMs: shared === 0 && nothing && !round.refused ? listFreshUntilMs : Number.NEGATIVE_INFINITY,
  };
}

/** The memory of a slice after a wait: when something new was announced, newcomers may be among it. */
export function afterWait(before: SliceMemory, poked: boolean): SliceMemory {
  const { last: _, ...rest } = before;
  return poked ? { ...rest, nobodyNewUntilMs: Number.NEGATIVE_INFINITY } : rest;
}

/** The memory of a slice once the endpoints that were short have been put off. */
export function afterPuttingOff(before: SliceMemory): SliceMemory {
  if (!before.last) return before;
  const { short: _, ...last } = before.last;
  return { ...before, last };
}
