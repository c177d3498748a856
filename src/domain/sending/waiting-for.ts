import type { EndpointState } from '../endpoints/endpoint-state.ts';
import type { Control, OperationState } from '../operations/operation-state.ts';
import { concurrencyShare, opensInMs } from './pacing.ts';

/**
 * The reasons that can hold back an execution. `end`: it will not be sent, and is about to be ended with the reason;
 * `order`: a delivery of its key before it is open or failed; all others are described in docs/concepts.md.
 */
export const WAIT_REASONS = [
  'endpoint_disabled',
  'approval',
  'reason',
  'ticket',
  'halt',
  'pause',
  'canary',
  'freeze_window',
  'circuit',
  'retry_after',
  'window',
  'rate',
  'concurrency',
  'order',
  'due',
  'end',
] as const;

/** One thing that holds something back, and until when at the latest, where that is known: milliseconds since 1970. */
export interface Wait {
  what: (typeof WAIT_REASONS)[number];
  untilMs?: number;
  /** Of an operation that waits for approval: how many are still to approve. */
  missing?: number;
}

/** Who sends: the live lane is let through where bulk work has to wait. */
type Lane = 'bulk' | 'live';

/** The limits of the pace at one endpoint, or of one operation. Times are milliseconds since 1970. */
interface PaceFacts {
  ratePerSecond?: number;
  /** When the next request is due by the rate. */
  arrivalMs: number;
  maxConcurrency?: number;
  /** Requests that hold a slot now. */
  slotsInUse: number;
}

/** The state of an endpoint, and what limits the requests to it now. */
export interface EndpointFacts extends PaceFacts {
  state: EndpointState;
  /** Nothing is sent before: the later of what it asked for in Retry-After and of the end of its open circuit. */
  floorUntilMs: number;
  retryAfterUntilMs: number;
  /** How often in a row its circuit was opened; 0 is closed. */
  openings: number;
  /** Until then somebody else tries it alone. */
  trialUntilMs: number;
  /** Requests at a time that it bears. */
  window?: number;
}

/** The control of an operation, as its owner has set it, and its own pace. */
export interface OwnerFacts extends PaceFacts {
  control: Control;
  state: OperationState;
  /** When a paused or halted one is cancelled by itself. */
  expiresAtMs?: number;
  /** How its canary at the endpoint stands, where it has one there. */
  canary?: { state: 'testing' | 'passed' | 'held'; room: number; judgedAtMs: number };
}

/** The facts of one unsent execution and of all that it depends on. */
export interface WaitFacts {
  nowMs: number;
  lane: Lane;
  dueAtMs: number;
  /** When it is due by itself, while it is put off because something before it was in the way. */
  putOffFromMs?: number;
  giveUpAtMs: number;
  /** Something before it of its key is in the way. */
  blocked: boolean;
  endpoint: EndpointFacts;
  /** Its operation, while that is open. */
  operation?: OwnerFacts;
  /** Until when it waits for its endpoint to be enabled; it does not where that is past. */
  waitsUntilMs: number;
  /** Until when a freeze window holds it; infinite where nobody knows. */
  heldUntilMs?: number;
}

/** The waits of an unsent execution; empty: a slice that looks now may claim it. */
export function waitingFor(facts: WaitFacts): Wait[] {
  const { nowMs, lane, endpoint, operation } = facts;
  const shut = endpoint.state !== 'enabled';
  if (facts.giveUpAtMs <= nowMs || operation?.control === 'cancel' || (shut && facts.waitsUntilMs <= nowMs))
    return [{ what: 'end' }];
  return [
    ...(shut ? [until('endpoint_disabled', Math.min(facts.waitsUntilMs, facts.giveUpAtMs), nowMs)] : []),
    ...(operation ? ownerWaits(operation, nowMs) : []),
    ...(facts.heldUntilMs !== undefined && facts.heldUntilMs > nowMs
      ? [until('freeze_window', facts.heldUntilMs, nowMs)]
      : []),
    ...troubleWaits(endpoint, nowMs),
    ...paceWaits(endpoint, nowMs, lane),
    ...(operation ? paceWaits(operation, nowMs, 'bulk', 'whole') : []),
    ...timeWaits(facts),
  ].reduce<Wait[]>(together, []);
}

/** The waits of everything that is to be sent to an endpoint, bulk work among it. */
export function endpointWaits(endpoint: EndpointFacts, nowMs: number): Wait[] {
  if (endpoint.state === 'deleted') return [{ what: 'end' }];
  return [
    ...(endpoint.state === 'disabled' ? [{ what: 'endpoint_disabled' as const }] : []),
    ...troubleWaits(endpoint, nowMs),
    ...paceWaits(endpoint, nowMs, 'bulk'),
  ];
}

/** The waits that hold back any of several, each once, with the first end of it that is known. */
export function anyOf(waits: readonly Wait[][]): Wait[] {
  const found = new Map<Wait['what'], Wait>();
  for (const wait of waits.flat()) {
    const known = found.get(wait.what);
    const earlier = wait.untilMs !== undefined && wait.untilMs < (known?.untilMs ?? Number.POSITIVE_INFINITY);
    if (!known || earlier) found.set(wait.what, wait);
  }
  return WAIT_REASONS.flatMap((what) => found.get(what) ?? []);
}

function ownerWaits({ control, state, expiresAtMs, canary }: OwnerFacts, nowMs: number): Wait[] {
  const stopped = control === 'pause' ? [until(stopOf(state), expiresAtMs, nowMs)] : [];
  if (canary === undefined || canary.state === 'passed') return stopped;
  if (canary.state === 'held') return [...stopped, { what: 'canary' }];
  return canary.room > 0 ? stopped : [...stopped, until('canary', canary.judgedAtMs, nowMs)];
}

/** Why an operation that is stopped is: its owner has paused it, it was halted, or a policy holds it. */
export function stopOf(state: OperationState): 'halt' | 'approval' | 'pause' {
  if (state === 'halted') return 'halt';
  return state === 'awaiting_approval' || state === 'planned' ? 'approval' : 'pause';
}

/** An open circuit and a Retry-After share one floor; the other facts tell them apart. */
function troubleWaits(endpoint: EndpointFacts, nowMs: number): Wait[] {
  const { floorUntilMs, retryAfterUntilMs, openings, trialUntilMs } = endpoint;
  const floored = floorUntilMs > nowMs;
  const opened = openings > 0 ? Math.max(floored ? floorUntilMs : 0, trialUntilMs) : trialUntilMs;
  const asked = openings > 0 ? retryAfterUntilMs : floorUntilMs;
  return [
    ...(opened > nowMs ? [{ what: 'circuit' as const, untilMs: opened }] : []),
    ...(floored && asked > nowMs ? [{ what: 'retry_after' as const, untilMs: asked }] : []),
  ];
}

/** A share of an endpoint's slots is kept for live work; an operation has its own as a `whole`. */
function paceWaits(
  pace: PaceFacts & Pick<EndpointFacts, 'window'>,
  nowMs: number,
  lane: Lane,
  slots: 'shared' | 'whole' = 'shared',
): Wait[] {
  const { ratePerSecond, arrivalMs, maxConcurrency = Number.POSITIVE_INFINITY, slotsInUse } = pace;
  const window = pace.window === undefined ? Number.POSITIVE_INFINITY : Math.floor(pace.window);
  const limit = Math.min(window, maxConcurrency);
  const full =
    Number.isFinite(limit) && slotsInUse >= concurrencyShare(limit, slots === 'whole' ? 'live' : lane);
  const inMs = opensInMs({ arrivalMs, slotted: Number.isFinite(limit) }, nowMs, lane);
  const late = ratePerSecond !== undefined && inMs > 0;
  return [
    ...(full ? [{ what: window < maxConcurrency ? ('window' as const) : ('concurrency' as const) }] : []),
    ...(late ? [until('rate', nowMs + inMs, nowMs)] : []),
  ];
}

/** A delivery that waits for its order is put off for a while, and is due by itself at another time. */
function timeWaits({ dueAtMs, putOffFromMs, blocked, nowMs }: WaitFacts): Wait[] {
  const putOff = putOffFromMs !== undefined && dueAtMs > nowMs;
  const due = putOffFromMs ?? dueAtMs;
  return [
    ...(blocked || putOff ? [until('order', putOff ? dueAtMs : undefined, nowMs)] : []),
    ...(due > nowMs ? [{ what: 'due' as const, untilMs: due }] : []),
  ];
}

function until(what: Wait['what'], untilMs: number | undefined, nowMs: number): Wait {
  return untilMs !== undefined && Number.isFinite(untilMs) && untilMs > nowMs ? { what, untilMs } : { what };
}

/** Rates and limits of an endpoint and of an operation have one name: the one that holds longer is shown. */
function together(waits: Wait[], next: Wait): Wait[] {
  const known = waits.find(({ what }) => what === next.what);
  if (!known) return [...waits, next];
  return known.untilMs !== undefined && (next.untilMs === undefined || next.untilMs > known.untilMs)
    ? waits.map((wait) => (wait === known ? next : wait))
    : waits;
}
