import type { FaultCode } from './fault-code.ts';

/** The states of a circuit. */
export const CIRCUIT_STATES = ['closed', 'open', 'half_open'] as const;

/** State of an endpoint's circuit. */
export type CircuitState = (typeof CIRCUIT_STATES)[number];

/** The memory of how an endpoint bears its requests; of a healthy endpoint there is none. */
export interface EndpointHealth {
  /** Requests at a time that it bears, found by halving and growing again; no limit where absent. */
  window?: number;
  /** Requests in a row that it could not take. */
  streak: number;
  /** How often in a row its circuit was opened; 0 is closed. */
  openings: number;
  /** Its circuit is open, and the time has not come to try it. */
  resting: boolean;
  /** Since the window was last halved. */
  sinceHalvedMs: number;
}

/** The signs that some requests to one endpoint gave of its health. */
export interface HealthSigns {
  /** It is alive and asked for less, or took too long. */
  overloaded: number;
  /** It could not be reached, or something before it says so. */
  down: number;
  /** Any other answer. */
  alive: number;
  /** Requests to it that were on the wire, as far as is known: of the sender that saw most, or of all by their slots. */
  inFlight: number;
}

/** The reaction to signs; with `closedForMs` nothing is sent for that time, and then one request alone. */
export interface HealthReaction {
  health: EndpointHealth;
  closedForMs?: number;
}

/** Failures in a row after which a circuit opens. */
const OPENS_AFTER = 20;

/** Requests that are sent together are answered together: one burst of refusals halves once. */
const HALVE_EVERY_MS = 250;
/** Narrower than this, a window stays until it has grown: what is in flight this moment says little of the next. */
const FREE_WINDOW = 128;
/** One that is so many times as wide as what is in flight limits nothing. */
const FREE_ABOVE = 2;
const FIRST_OPEN_MS = 5_000;
const LONGEST_OPEN_MS = 300_000;

const DOWN: ReadonlySet<FaultCode> = new Set([
  'timeout',
  'connect_timeout',
  'connection_refused',
  'connection_failed',
  'dns_failure',
  'tls_failure',
]);
const OVERLOADED_STATUS = new Set([502, 503, 504]);

/** The signs that one outcome gives of its endpoint. */
export function signOf(outcome: {
  faultCode?: FaultCode;
  httpStatus?: number;
}): Set<'overloaded' | 'down' | 'alive'> {
  const { faultCode, httpStatus } = outcome;
  if (httpStatus === 429) return new Set(['overloaded', 'alive']);
  if (httpStatus !== undefined)
    return OVERLOADED_STATUS.has(httpStatus) ? new Set(['overloaded', 'down']) : new Set(['alive']);
  if (faultCode === 'timeout') return new Set(['overloaded', 'down']);
  return faultCode !== undefined && DOWN.has(faultCode) ? new Set(['down']) : new Set();
}

/**
 * How senders change towards an endpoint: its window is halved where it is overloaded, and grows by one request and a
 * sixteenth of itself a round trip where it answers, until it is twice as wide as what is in flight; after 20 failures in a row, or one in its half-open state, nothing
 * is sent for 5 s, twice as long each further time, at most 5 minutes; any answer closes the circuit again.
 */
export function reactTo(
  before: EndpointHealth,
  { overloaded, down, alive, inFlight }: HealthSigns,
): HealthReaction {
  const health = { ...before };
  if (overloaded > 0 && before.sinceHalvedMs >= HALVE_EVERY_MS) {
    health.window = Math.max(1, Math.floor((before.window ?? Math.max(2, inFlight)) / 2));
    health.sinceHalvedMs = 0;
  }
  if (alive > 0) {
    health.streak = 0;
    health.openings = 0;
    return { health: overloaded > 0 ? health : grown(health, alive, inFlight) };
  }
  // Requests that were on their way when the circuit opened say nothing new.
  if (before.resting) return { health };
  health.streak = before.streak + down;
  if (down === 0 || (before.openings === 0 && health.streak < OPENS_AFTER)) return { health };
  health.openings = before.openings + 1;
  health.window = 1;
  return {
    health,
    closedForMs: Math.min(LONGEST_OPEN_MS, FIRST_OPEN_MS * 2 ** Math.min(before.openings, 10)),
  };
}

function grown(health: EndpointHealth, alive: number, inFlight: number): EndpointHealth {
  if (health.window === undefined) return health;
  const { window, ...rest } = health;
  const next = grownWindow(window, alive);
  return isFree(next, inFlight) ? rest : { ...rest, window: next };
}

/** A window behind so many answers. */
export function grownWindow(window: number, alive: number): number {
  return window + alive * (1 / window + 1 / 16);
}

/** Whether a window limits nothing any more where so much is in flight at best. */
export function isFree(window: number, inFlight: number): boolean {
  return window >= FREE_WINDOW && window >= FREE_ABOVE * inFlight;
}
