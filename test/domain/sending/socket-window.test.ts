import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  afterAnswer,
  firstWindow,
  leastAfter,
  type SocketBounds,
  type SocketWindow,
} from '../../../src/domain/sending/socket-window.ts';

const BOUNDS: SocketBounds = { least: 256, most: 2_304 };

/** The window after so many answers, all sockets being used. */
function windowAfter(
  answers: number,
  leastMs: number,
  from: SocketWindow = firstWindow(BOUNDS.least),
): SocketWindow {
  let window = from;
  for (let n = 0; n < answers; n++)
    window = afterAnswer(window, { leastMs, inFlight: window.sockets }, BOUNDS);
  return window;
}

describe('the window of a slice', () => {
  test('stays within its bounds, whatever is answered, and grows by one an answer at most', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            leastMs: fc.oneof(fc.nat({ max: 60_000 }), fc.constant(Number.MAX_SAFE_INTEGER)),
            inFlight: fc.nat({ max: 5_000 }),
            most: fc.integer({ min: 256, max: 3_000 }),
          }),
          { maxLength: 400 },
        ),
        (answers) => {
          let window = firstWindow(BOUNDS.least);
          for (const { most, ...answer } of answers) {
            const next = afterAnswer(window, answer, { ...BOUNDS, most });
            expect(next.sockets).toBeGreaterThanOrEqual(BOUNDS.least);
            expect(next.sockets).toBeLessThanOrEqual(most);
            expect(next.sockets).toBeLessThanOrEqual(Math.max(BOUNDS.least, window.sockets + 1));
            window = next;
          }
        },
      ),
    );
  });

  test('stays as it is where endpoints answer at once, and holds what the wanted rate needs where they take their time', () => {
    const [atOnce, later, late] = [1, 30, 300].map((ms) => windowAfter(10_000, ms).sockets);
    expect(atOnce).toBeLessThanOrEqual(BOUNDS.least + 10);
    expect(later).toBe(BOUNDS.least + 300);
    expect(late).toBe(BOUNDS.most);
  });

  test('doubles with as many answers as it holds, and not while it is not used', () => {
    const full = windowAfter(BOUNDS.least, 300);
    expect(full.sockets).toBe(2 * BOUNDS.least);
    let idle = full;
    for (let n = 0; n < 1_000; n++) idle = afterAnswer(idle, { leastMs: 300, inFlight: 10 }, BOUNDS);
    expect(idle.sockets).toBe(full.sockets);
  });

  test('is narrowed by endpoints that answer soon', () => {
    const wide = windowAfter(10_000, 300);
    expect(wide.sockets - windowAfter(1_000, 1, wide).sockets).toBeGreaterThan(2_000);
  });
});

describe('the least time of an endpoint', () => {
  test('is not raised by answers that waited, as long as some do not', () => {
    let leastMs: number | undefined;
    for (let n = 0; n < 1_000; n++) leastMs = leastAfter(leastMs, n % 20 === 0 ? 2 : 80);
    expect(leastMs).toBeLessThan(4);
  });

  test('follows an endpoint that has become slower for good', () => {
    let leastMs: number | undefined = 2;
    for (let n = 0; n < 300; n++) leastMs = leastAfter(leastMs, 300);
    expect(leastMs).toBe(300);
  });
});
