import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type EndpointHealth, reactTo, signOf } from '../../../src/domain/sending/endpoint-health.ts';

const well: EndpointHealth = { streak: 0, openings: 0, resting: false, sinceHalvedMs: 60_000 };
const none = { overloaded: 0, down: 0, alive: 0, inFlight: 64 };

describe('the signs of an endpoint’s health', () => {
  test.each([
    [{ httpStatus: 200 }, ['alive']],
    [{ httpStatus: 404, faultCode: 'http_4xx' as const }, ['alive']],
    [{ httpStatus: 500, faultCode: 'http_5xx' as const }, ['alive']],
    [{ httpStatus: 429, faultCode: 'http_429' as const }, ['alive', 'overloaded']],
    [{ httpStatus: 503, faultCode: 'http_5xx' as const }, ['down', 'overloaded']],
    [{ faultCode: 'timeout' as const }, ['down', 'overloaded']],
    [{ faultCode: 'connection_refused' as const }, ['down']],
    [{ faultCode: 'dns_failure' as const }, ['down']],
    [{ faultCode: 'invalid_request' as const }, []],
    [{ faultCode: 'lease_lost' as const }, []],
  ])('in the outcome %j are %j', (outcome, signs) => expect([...signOf(outcome)].sort()).toEqual(signs));
});

describe('the window', () => {
  test('is half of the requests on the wire when it is first overloaded, and then half of itself', () => {
    const first = reactTo(well, { ...none, overloaded: 3, alive: 61 }).health;
    expect(first.window).toBe(32);
    expect(
      reactTo({ ...first, sinceHalvedMs: 5_000 }, { ...none, overloaded: 1, alive: 9 }).health.window,
    ).toBe(16);
  });

  test('is halved once for requests that were sent together', () => {
    const halved = { ...well, window: 16, sinceHalvedMs: 20 };
    expect(reactTo(halved, { ...none, overloaded: 10, alive: 1 }).health.window).toBe(16);
  });

  test('grows by one request and a sixteenth of itself a round trip', () => {
    const grown = reactTo({ ...well, window: 32 }, { ...none, alive: 32 }).health;
    expect(grown.window).toBe(35);
  });

  test('limits nothing any more once it is wide and twice what is in flight, and no sooner', () => {
    const windowBehind = (window: number, inFlight: number) =>
      reactTo({ ...well, window }, { ...none, alive: 1, inFlight }).health.window;
    expect(windowBehind(130, 60)).toBeUndefined();
    expect(windowBehind(130, 70)).toBeGreaterThan(130);
    expect(windowBehind(2_000, 1_500)).toBeGreaterThan(2_000);
    expect(windowBehind(100, 1)).toBeGreaterThan(100);
  });

  test('is half of however much was on the wire: as little as was borne once would be a fall, not a step', () => {
    expect(reactTo(well, { ...none, overloaded: 1, inFlight: 4_000 }).health.window).toBe(2_000);
  });

  test('is never less than one, whatever happens', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            overloaded: fc.nat(200),
            down: fc.nat(200),
            alive: fc.nat(200),
            inFlight: fc.nat(300),
          }),
        ),
        (steps) => {
          let health = well;
          for (const signs of steps) {
            health = { ...reactTo(health, signs).health, sinceHalvedMs: 2_000 };
            expect(health.window ?? 1).toBeGreaterThanOrEqual(1);
            expect(health.openings === 0 || signs.alive === 0).toBe(true);
          }
        },
      ),
    );
  });
});

describe('the circuit', () => {
  const down = (count: number) => ({ ...none, down: count });

  test('opens after so many failures in a row, and not before', () => {
    const almost = reactTo(well, down(19));
    expect(almost).toMatchObject({ health: { streak: 19, openings: 0 } });
    expect(almost.closedForMs).toBeUndefined();
    expect(reactTo(almost.health, down(1))).toMatchObject({
      health: { openings: 1 },
      closedForMs: 5_000,
    });
  });

  test('stays closed where anything else was answered', () => {
    expect(reactTo({ ...well, streak: 19 }, { ...none, down: 60, alive: 1 }).health).toMatchObject({
      streak: 0,
      openings: 0,
    });
  });

  test('opens for twice as long each time its trial fails, at most five minutes, and closes with the first answer', () => {
    let health: EndpointHealth = { ...well, streak: 20, openings: 1 };
    const waits = Array.from({ length: 8 }, () => {
      const reaction = reactTo(health, down(1));
      health = reaction.health;
      return reaction.closedForMs;
    });
    expect(waits).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000, 300_000]);
    expect(reactTo(health, { ...none, alive: 1 }).health).toMatchObject({ openings: 0, streak: 0 });
  });

  test('learns nothing from requests that were on their way when it opened', () => {
    const resting = { ...well, streak: 20, openings: 1, resting: true, window: 1 };
    expect(reactTo(resting, down(100))).toEqual({ health: resting });
  });
});
