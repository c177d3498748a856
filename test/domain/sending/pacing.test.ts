import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  AHEAD_MS,
  BOOKED_AT_MOST_MS,
  book,
  concurrencyShare,
  freeAfter,
  type Lane,
  OPENS_MS,
  opensInMs,
  type Pace,
  SLOTTED_OPENS_MS,
} from '../../../src/domain/sending/pacing.ts';

/** More than rounding costs, and less than anybody can see. */
const EPSILON_MS = 1e-6;

const anyRate = fc.oneof(
  fc.double({ min: 0.05, max: 5, noNaN: true }),
  fc.double({ min: 5, max: 5_000, noNaN: true }),
);
const anyLane = fc.constantFrom<Lane>('bulk', 'live');
const anyAsking = fc.array(
  fc.record({
    lane: anyLane,
    afterMs: fc.oneof(fc.constant(0), fc.nat({ max: 100 }), fc.nat({ max: 2_000 })),
    wanted: fc.integer({ min: 1, max: 300 }),
    /** This share of a booking is claimed; the rest is given back, now or after the next has booked. */
    claimed: fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true })),
    late: fc.boolean(),
  }),
  { minLength: 1, maxLength: 60 },
);

/** One pace as the store keeps it: a row that is booked and given back. */
class Row {
  arrivalMs = 0;
  readonly sentAtMs: number[] = [];
  readonly ratePerSecond: number;
  readonly slotted: boolean;

  constructor(ratePerSecond: number, slotted = false) {
    this.ratePerSecond = ratePerSecond;
    this.slotted = slotted;
  }

  pace(id: string, wanted: number): Pace {
    const { ratePerSecond, arrivalMs, slotted } = this;
    return { id, wanted, ratePerSecond, arrivalMs, slotted };
  }

  /** Books, and returns a function that gives the rest back. */
  take(atMs: number[], afterMs: number, claimed: number): () => void {
    const beforeMs = this.arrivalMs;
    if (atMs.length > 0) this.arrivalMs = afterMs;
    const used = atMs.slice(0, claimed);
    this.sentAtMs.push(...used);
    return () => {
      if (used.length < atMs.length && this.arrivalMs === afterMs)
        this.arrivalMs = freeAfter(this, used, beforeMs);
    };
  }

  /** The least time between two of its sends. */
  get leastGapMs(): number {
    const sorted = [...this.sentAtMs].sort((a, b) => a - b);
    return sorted.slice(1).reduce((least, at, n) => Math.min(least, at - (sorted[n] ?? 0)), Infinity);
  }
}

describe('a rate', () => {
  test('is exceeded in no window: two sends are never nearer than its interval, however they are booked and given back', () => {
    fc.assert(
      fc.property(anyRate, fc.boolean(), anyAsking, (rate, slotted, asking) => {
        const row = new Row(rate, slotted);
        let nowMs = 1_000_000;
        let giveBack = () => {};
        for (const { lane, afterMs, wanted, claimed, late } of asking) {
          nowMs += afterMs;
          const [booked] = book(nowMs, lane, [row.pace('a', wanted)]).endpoints;
          const atMs = booked?.atMs ?? [];
          const rest = row.take(atMs, booked?.arrivalMs ?? 0, Math.floor(atMs.length * claimed));
          giveBack();
          giveBack = () => {};
          if (late) giveBack = rest;
          else rest();
        }
        expect(row.leastGapMs).toBeGreaterThanOrEqual(1_000 / rate - EPSILON_MS);
      }),
    );
  });

  test('of an operation and of its endpoints hold together', () => {
    fc.assert(
      fc.property(
        anyRate,
        fc.array(anyRate, { minLength: 1, maxLength: 5 }),
        anyAsking,
        (rate, rates, asking) => {
          const [operation, endpoints] = [new Row(rate), rates.map((each, n) => new Row(each, n % 2 === 1))];
          let nowMs = 1_000_000;
          for (const { lane, afterMs, wanted, claimed } of asking) {
            nowMs += afterMs;
            // Live work is of no operation, and of one endpoint here.
            const asked = endpoints
              .map((row, n) => row.pace(String(n), wanted))
              .slice(0, lane === 'live' ? 1 : 5);
            const booked = book(nowMs, lane, asked, lane === 'bulk' ? operation.pace('op', 300) : undefined);
            const used: number[] = [];
            booked.endpoints.forEach(({ atMs, arrivalMs }, n) => {
              const count = Math.floor(atMs.length * claimed);
              used.push(...atMs.slice(0, count));
              endpoints[n]?.take(atMs, arrivalMs, count)();
            });
            if (!booked.operation) continue;
            const beforeMs = operation.arrivalMs;
            operation.sentAtMs.push(...used);
            operation.arrivalMs =
              used.length < booked.operation.atMs.length
                ? freeAfter(operation, used, beforeMs)
                : booked.operation.arrivalMs;
          }
          for (const row of [operation, ...endpoints])
            expect(row.leastGapMs).toBeGreaterThanOrEqual(1_000 / row.ratePerSecond - EPSILON_MS);
        },
      ),
    );
  });

  test('is reached, also by senders that wake late and take little at a time', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 2_000, noNaN: true }),
        fc.array(fc.nat({ max: 60 }), { minLength: 1, maxLength: 10 }),
        (rate, latenesses) => {
          const row = new Row(rate);
          const startMs = 1_000_000;
          const endMs = startMs + 10_000;
          for (let [nowMs, n] = [startMs, 0]; nowMs < endMs; n++) {
            const [booked] = book(nowMs, 'bulk', [row.pace('a', 256)]).endpoints;
            row.take(booked?.atMs ?? [], booked?.arrivalMs ?? 0, 256);
            const opens = Math.max(0, opensInMs(row, nowMs, 'bulk'));
            nowMs += Math.max(5, opens) + (latenesses[n % latenesses.length] ?? 0);
          }
          const sent = row.sentAtMs.filter((at) => at < endMs).length;
          expect(sent).toBeGreaterThanOrEqual(Math.floor(10 * rate * 0.99) - 1);
        },
      ),
    );
  });

  test('gives a send that is alone its time at once', () => {
    fc.assert(
      fc.property(anyRate, anyLane, (ratePerSecond, lane) => {
        const { endpoints } = book(5_000, lane, [{ id: 'a', wanted: 1, ratePerSecond, arrivalMs: 5_000 }]);
        expect(endpoints[0]?.atMs).toEqual([5_000]);
      }),
    );
  });

  test('is booked ahead no further than may be, and by no more than is wanted', () => {
    fc.assert(
      fc.property(anyRate, anyAsking, (rate, asking) => {
        const row = new Row(rate);
        let nowMs = 1_000_000;
        for (const { lane, afterMs, wanted } of asking) {
          nowMs += afterMs;
          const [booked] = book(nowMs, lane, [row.pace('a', wanted)]).endpoints;
          expect(booked?.atMs.length).toBeLessThanOrEqual(wanted);
          for (const at of booked?.atMs ?? []) {
            expect(at).toBeGreaterThanOrEqual(nowMs);
            expect(at).toBeLessThanOrEqual(nowMs + AHEAD_MS[lane]);
          }
          row.take(booked?.atMs ?? [], booked?.arrivalMs ?? 0, wanted);
        }
        expect(Math.max(...Object.values(AHEAD_MS))).toBeLessThan(BOOKED_AT_MOST_MS);
      }),
    );
  });
});

describe('live work while bulk work takes all it can', () => {
  test('may book before bulk work may, at every rate and whatever is booked', () => {
    expect(OPENS_MS.live).toBeGreaterThan(OPENS_MS.bulk);
    expect(SLOTTED_OPENS_MS.live).toBeGreaterThan(SLOTTED_OPENS_MS.bulk);
    fc.assert(
      fc.property(anyRate, fc.boolean(), anyAsking, (rate, slotted, asking) => {
        const row = new Row(rate, slotted);
        let nowMs = 1_000_000;
        for (const { afterMs, wanted } of asking) {
          nowMs += afterMs;
          const [booked] = book(nowMs, 'bulk', [row.pace('a', wanted)]).endpoints;
          row.take(booked?.atMs ?? [], booked?.arrivalMs ?? 0, wanted);
          // Its next time is the first that bulk work has not: it waits for the bookings and its interval, no more.
          const liveOpensMs = nowMs + Math.max(0, opensInMs(row, nowMs, 'live'));
          const [live] = book(liveOpensMs, 'live', [row.pace('a', 1)]).endpoints;
          const [at = Infinity] = live?.atMs ?? [];
          expect(at - nowMs).toBeLessThanOrEqual(AHEAD_MS.bulk + 1_000 / rate + 1);
        }
      }),
    );
  });

  test('has every next time as long as it asks for more, and bulk work none', () => {
    const row = new Row(20);
    for (let nowMs = 1_000_000; nowMs < 1_003_000; nowMs += 100) {
      const [live] = book(nowMs, 'live', [row.pace('a', 50)]).endpoints;
      row.take(live?.atMs ?? [], live?.arrivalMs ?? 0, 50);
      expect(book(nowMs, 'bulk', [row.pace('a', 50)]).endpoints[0]?.atMs).toEqual([]);
    }
    expect(row.sentAtMs.length).toBeGreaterThanOrEqual(60);
  });
});

describe('an endpoint without a rate', () => {
  test('is granted all that is wanted, at once', () => {
    const { endpoints } = book(7, 'bulk', [{ id: 'a', wanted: 3, arrivalMs: 0 }]);
    expect(endpoints).toEqual([{ id: 'a', atMs: [7, 7, 7], arrivalMs: 0 }]);
  });

  test('shares the sends that its operation may make', () => {
    const { endpoints, operation } = book(
      0,
      'bulk',
      ['a', 'b'].map((id) => ({ id, wanted: 5, arrivalMs: 0 })),
      { id: 'op', wanted: 4, arrivalMs: 0 },
    );
    expect(endpoints.map(({ atMs }) => atMs.length)).toEqual([2, 2]);
    expect(operation?.atMs).toHaveLength(4);
  });
});

describe('the concurrency', () => {
  test('leaves bulk work at least one and live work a quarter wherever there is more than one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), (most) => {
        const bulk = concurrencyShare(most, 'bulk');
        expect(concurrencyShare(most, 'live')).toBe(most);
        expect(bulk).toBeGreaterThanOrEqual(1);
        if (most > 1) expect(most - bulk).toBeGreaterThanOrEqual(Math.floor(most / 4) || 1);
      }),
    );
  });
});
