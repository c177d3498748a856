import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  afterClaim,
  afterPuttingOff,
  afterWait,
  MAX_BYTES,
  MAX_UNRECORDED,
  NOTHING_YET,
  type Round,
  type SliceFacts,
  type SliceLimits,
  type SliceMemory,
  type SliceTurn,
  sliceTurn,
} from '../../../src/domain/sending/slice-turn.ts';
import { anyId } from '../../support/store/any-id.ts';

const anyIds = fc.array(fc.constantFrom('a', 'b', 'c').map(anyId), { maxLength: 2 });

const anyRound: fc.Arbitrary<Round> = fc
  .record({
    claimed: fc.oneof(fc.constant(0), fc.nat({ max: 256 })),
    stopped: fc.boolean(),
    late: fc.boolean(),
    refused: fc.boolean(),
    claimableInMs: fc.option(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 4_000_000, noNaN: true })), {
      nil: undefined,
    }),
    short: anyIds,
  })
  .map(({ claimableInMs, ...rest }) => ({
    ...rest,
    ...(claimableInMs === undefined ? {} : { claimableInMs }),
  }));

const anyLimits: fc.Arbitrary<SliceLimits> = fc.record({
  lane: fc.constantFrom('bulk', 'live'),
  sockets: fc.integer({ min: 1, max: 512 }),
  endWhenIdleForMs: fc.constantFrom(0, 5_000, Number.POSITIVE_INFINITY),
});

const anyScene = fc
  .record({
    limits: anyLimits,
    share: fc.nat({ max: 100 }),
    bytes: fc.constantFrom(0, 1, MAX_BYTES - 1, MAX_BYTES, MAX_BYTES * 2),
    unrecorded: fc.constantFrom(0, 0, 1, MAX_UNRECORDED - 1, MAX_UNRECORDED, 5 * MAX_UNRECORDED),
    last: fc.option(anyRound, { nil: undefined }),
    inVain: fc.nat({ max: 2_000 }),
    nobodyNewInMs: fc.oneof(fc.constant(Number.NEGATIVE_INFINITY), fc.integer({ min: -500, max: 500 })),
    leftMs: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: -10, max: 60_000 })),
    stopped: fc.boolean(),
    yields: fc.boolean(),
    closed: anyIds,
  })
  .map((it) => {
    const inFlight = Math.floor((it.limits.sockets * it.share) / 100);
    const facts: SliceFacts = {
      nowMs: 1_000,
      endAtMs: 1_000 + it.leftMs,
      stopped: it.stopped,
      inFlight,
      bytesInFlight: inFlight === 0 ? 0 : it.bytes,
      unrecorded: it.unrecorded,
      idle: inFlight === 0 && it.unrecorded === 0,
      yields: it.yields,
      closed: it.closed,
      inVain: it.inVain,
      nobodyNewUntilMs: 1_000 + it.nobodyNewInMs,
      ...(it.last ? { last: it.last } : {}),
    };
    return { facts, limits: it.limits, unrecorded: it.unrecorded > 0 };
  });

function always(
  holds: (turn: SliceTurn, scene: { facts: SliceFacts; limits: SliceLimits; unrecorded: boolean }) => void,
): void {
  fc.assert(
    fc.property(anyScene, (scene) => holds(sliceTurn(scene.facts, scene.limits), scene)),
    { numRuns: 3_000 },
  );
}

describe('the next turn of a slice', () => {
  test('never claims beyond its sockets, its bytes and what it may hold unwritten, and keeps some of the live lane for newcomers', () =>
    always((turn, { facts, limits }) => {
      if (turn.do !== 'claim') return;
      expect(turn.most).toBeGreaterThan(0);
      expect(turn.most + facts.inFlight).toBeLessThanOrEqual(limits.sockets);
      expect(turn.most).toBeLessThanOrEqual(facts.yields ? 64 : 256);
      expect(facts.bytesInFlight).toBeLessThan(MAX_BYTES);
      expect(facts.unrecorded).toBeLessThan(MAX_UNRECORDED);
      const kept = limits.lane === 'live' ? Math.floor(limits.sockets / 4) : 0;
      expect(turn.shared).toBeLessThanOrEqual(Math.max(0, limits.sockets - facts.inFlight - kept));
    }));

  test('ends when it is told to, and else only when it is idle and nothing is to be had soon', () =>
    always((turn, { facts, limits }) => {
      const told = facts.stopped || facts.nowMs >= facts.endAtMs || facts.last?.stopped === true;
      if (told) expect(turn).toEqual({ do: 'end' });
      else if (turn.do === 'end') {
        expect(facts.idle).toBe(true);
        expect(facts.last?.claimed).toBe(0);
        const soonMs = facts.last?.claimableInMs ?? Number.POSITIVE_INFINITY;
        expect(facts.last?.late || soonMs > limits.endWhenIdleForMs).toBe(true);
      }
    }));

  test('sees to what is to be put off or ignored before it ends by itself', () =>
    always((turn, { facts }) => {
      if (facts.stopped || facts.nowMs >= facts.endAtMs || facts.last?.stopped) return;
      if (facts.last?.short?.length) expect(turn).toEqual({ do: 'put_off', endpointIds: facts.last.short });
      else if (facts.closed.length) expect(turn).toEqual({ do: 'ignore', endpointIds: facts.closed });
      else expect(['end', 'wait', 'claim']).toContain(turn.do);
    }));

  test('never waits for ever, nor at full speed', () =>
    always((turn, { facts, unrecorded }) => {
      if (turn.do !== 'wait') return;
      // A request that ends, or is recorded, ends the wait: there must be one.
      if (turn.ms === undefined) expect(turn.untilFreed && (facts.inFlight > 0 || unrecorded)).toBe(true);
      else {
        expect(turn.ms).toBeGreaterThan(0);
        expect(turn.ms).toBeLessThanOrEqual(1_000);
        if (facts.last && facts.last.claimed === 0) expect(turn.ms).toBeGreaterThanOrEqual(20);
      }
    }));

  test('claims at once where something was claimed and there is room', () =>
    always((turn, { facts, limits }) => {
      const free = limits.sockets - facts.inFlight;
      const some = facts.last === undefined || facts.last.claimed > 0;
      const quiet = !facts.closed.length && !facts.last?.short?.length && !facts.last?.stopped;
      if (facts.stopped || facts.nowMs >= facts.endAtMs || !some || !quiet) return;
      if (facts.unrecorded >= MAX_UNRECORDED) return;
      if (free === limits.sockets) expect(turn.do).toBe('claim');
    }));
});

describe('a slice that remembers', () => {
  const claim = (before: SliceMemory, round: Round, shared = 8) => afterClaim(before, { shared }, round, 700);

  test('asks less and less often for deliveries that are there and not given, and as before once they are', () => {
    let memory = NOTHING_YET;
    const waits: (number | undefined)[] = [];
    for (let n = 0; n < 6; n++) {
      memory = claim(memory, { claimed: 0, refused: true, claimableInMs: 20 });
      const turn = sliceTurn(
        {
          ...memory,
          nowMs: 0,
          endAtMs: 9e9,
          stopped: false,
          inFlight: 1,
          bytesInFlight: 1,
          unrecorded: 0,
          idle: false,
          yields: false,
          closed: [],
        },
        { lane: 'bulk', sockets: 64, endWhenIdleForMs: 5_000 },
      );
      waits.push(turn.do === 'wait' ? turn.ms : undefined);
      memory = afterWait(memory, false);
    }
    expect(waits).toEqual([20, 40, 80, 160, 250, 250]);
    expect(claim(memory, { claimed: 3 }).inVain).toBe(0);
  });

  test('asks for deliveries with a time at that time', () => {
    const memory = claim(NOTHING_YET, { claimed: 0, claimableInMs: 431.5 });
    const facts = {
      ...memory,
      nowMs: 0,
      endAtMs: 9e9,
      stopped: false,
      inFlight: 0,
      bytesInFlight: 0,
      unrecorded: 0,
      idle: true,
      yields: false,
      closed: [],
    };
    const limits: SliceLimits = { lane: 'bulk', sockets: 64, endWhenIdleForMs: 5_000 };
    expect(sliceTurn(facts, limits)).toMatchObject({ do: 'wait', ms: 431.5 });
    expect(sliceTurn(facts, { ...limits, endWhenIdleForMs: 400 })).toEqual({ do: 'end' });
  });

  test('asks for nobody new until the list is read again, or something is announced', () => {
    const memory = claim(NOTHING_YET, { claimed: 0 }, 0);
    expect(memory.nobodyNewUntilMs).toBe(700);
    expect(afterWait(memory, false)).toEqual({ inVain: 0, nobodyNewUntilMs: 700 });
    expect(afterWait(memory, true).nobodyNewUntilMs).toBe(Number.NEGATIVE_INFINITY);
    expect(claim(NOTHING_YET, { claimed: 0 }, 1).nobodyNewUntilMs).toBe(Number.NEGATIVE_INFINITY);
  });

  test('puts off the same endpoints only once', () => {
    const memory = afterPuttingOff(claim(NOTHING_YET, { claimed: 1, short: [anyId('a')] }));
    expect(memory.last).toEqual({ claimed: 1 });
  });
});
