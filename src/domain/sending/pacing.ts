/** Which work is sent: live deliveries and single retries, or bulk operations. */
export type Lane = 'bulk' | 'live';

/**
 * How far ahead of the clock a lane may book the times of its sends. Far enough that a sender that wakes late loses
 * nothing of the rate; near enough that few sends are booked and not made yet.
 */
export const AHEAD_MS: Readonly<Record<Lane, number>> = { bulk: 200, live: 400 };

/**
 * How near the next free time must be for a lane to book. Live work may book earlier than bulk work, at every rate:
 * while any of it waits it has each next time, and bulk work has the times that are left.
 */
export const OPENS_MS: Readonly<Record<Lane, number>> = { bulk: 100, live: 300 };

/**
 * The same where concurrency is limited, too: a send that waits for its time holds a slot all the while, and few slots
 * would then allow less than the rate.
 */
export const SLOTTED_AHEAD_MS: typeof AHEAD_MS = { bulk: 40, live: 80 };
/** {@link OPENS_MS}, where concurrency is limited, too. */
export const SLOTTED_OPENS_MS: typeof OPENS_MS = { bulk: 20, live: 60 };

/** Longer than anything is booked ahead: where a rate changes, sends booked under the old one are over by then. */
export const BOOKED_AT_MOST_MS = 500;

/** The share of an endpoint's concurrency that bulk work leaves to live work. */
export const LIVE_HEADROOM = 0.25;

/**
 * How often outcomes are written down, unless there are many. A request holds its slot until that is done, so a slot
 * serves fewer requests than answers alone would allow.
 */
export const RECORDED_EVERY_MS = 50;

/** The pace of an endpoint or operation; times are milliseconds of one clock, the database's. */
export interface Pace {
  id: string;
  /** Sends that are wanted of it now. */
  wanted: number;
  /** Absent: nothing but `wanted` limits it. */
  ratePerSecond?: number;
  /** Its sends hold concurrency slots. */
  slotted?: boolean;
  /** The next time that is free. */
  arrivalMs: number;
}

/** When each send goes, in their order, and the next free time after the last. */
export interface Booked {
  id: string;
  atMs: number[];
  arrivalMs: number;
}

/** The part that the database's clock cuts off: without it a second could hold one send more, by a microsecond. */
const ROUNDING_MS = 0.002;

/** The time between two sends; 0 without a rate. */
export function intervalMs({ ratePerSecond }: { ratePerSecond?: number | undefined }): number {
  return ratePerSecond === undefined ? 0 : 1_000 / ratePerSecond + ROUNDING_MS;
}

/**
 * Books a time for each send, as many as may be booked now. Two sends of one endpoint are never nearer than its
 * interval, and two of one operation never nearer than the operation's: so neither exceeds its rate in any window of
 * time, even where others book of it, and live work takes its times out of the same rate. The earliest time is booked
 * first; of endpoints that are equally near, that of the one with the fewest bookings.
 */
export function book(
  nowMs: number,
  lane: Lane,
  endpoints: readonly Pace[],
  operation?: Pace,
): { endpoints: Booked[]; operation?: Booked } {
  const untilMs = ({ slotted }: Pace) => nowMs + (slotted ? SLOTTED_AHEAD_MS : AHEAD_MS)[lane];
  const isOpen = (pace: Pace) => pace.ratePerSecond === undefined || opensInMs(pace, nowMs, lane) <= 0;
  const bookings = endpoints.map((pace) => new Booking(pace));
  const whole = operation && new Booking(operation);
  let room = operation ? (isOpen(operation) ? operation.wanted : 0) : Number.POSITIVE_INFINITY;
  const left = bookings.filter(({ pace }) => isOpen(pace) && pace.wanted > 0);
  while (room > 0) {
    const first = firstOf(left, nowMs);
    if (!first) break;
    const atMs = Math.max(nowMs, first.freeAtMs, whole?.freeAtMs ?? 0);
    if (operation && atMs > untilMs(operation)) break;
    const isSoon = atMs <= untilMs(first.pace);
    if (isSoon) {
      first.take(atMs);
      whole?.take(atMs);
      room -= 1;
    }
    if (!isSoon || first.atMs.length >= first.pace.wanted) left.splice(left.indexOf(first), 1);
  }
  return { endpoints: bookings.map(({ booked }) => booked), ...(whole ? { operation: whole.booked } : {}) };
}

/** The bookings of one pace so far. */
class Booking {
  readonly pace: Pace;
  readonly atMs: number[] = [];
  #arrivalMs: number;

  constructor(pace: Pace) {
    this.pace = pace;
    this.#arrivalMs = pace.arrivalMs;
  }

  get freeAtMs(): number {
    return this.pace.ratePerSecond === undefined ? 0 : this.#arrivalMs;
  }

  get booked(): Booked {
    return { id: this.pace.id, atMs: this.atMs, arrivalMs: this.#arrivalMs };
  }

  take(atMs: number): void {
    this.atMs.push(atMs);
    if (this.pace.ratePerSecond !== undefined) this.#arrivalMs = atMs + intervalMs(this.pace);
  }
}

function firstOf(bookings: readonly Booking[], nowMs: number): Booking | undefined {
  let first: Booking | undefined;
  for (const booking of bookings) {
    const at = Math.max(nowMs, booking.freeAtMs);
    const before = first && Math.max(nowMs, first.freeAtMs);
    if (
      !first ||
      before === undefined ||
      at < before ||
      (at === before && booking.atMs.length < first.atMs.length)
    )
      first = booking;
  }
  return first;
}

/** The next free time where only these of the booked sends are made; `beforeMs` was the free time before them. */
export function freeAfter(
  pace: { ratePerSecond?: number },
  usedAtMs: readonly number[],
  beforeMs: number,
): number {
  return usedAtMs.length === 0 ? beforeMs : Math.max(...usedAtMs) + intervalMs(pace);
}

/** When a lane may book again, in milliseconds from now; at most 0 where it may now. */
export function opensInMs(
  { arrivalMs, slotted }: Pick<Pace, 'arrivalMs' | 'slotted'>,
  nowMs: number,
  lane: Lane,
): number {
  return arrivalMs - nowMs - (slotted ? SLOTTED_OPENS_MS : OPENS_MS)[lane];
}

/** How many of `maxConcurrency` slots a lane may hold, bulk leaving headroom wherever there is more than one. */
export function concurrencyShare(maxConcurrency: number, lane: Lane): number {
  return lane === 'live' ? maxConcurrency : Math.max(1, Math.floor(maxConcurrency * (1 - LIVE_HEADROOM)));
}
