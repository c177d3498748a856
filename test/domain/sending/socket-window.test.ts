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
    window = afterAnswer(window, { leastMs, tookMs: leastMs, inFlight: window.sockets }, BOUNDS);
  return window;
}

describe('the window of a slice', () => {
  test('stays within its bounds, whatever is answered, and grows by one an answer at most', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            leastMs: fc.oneof(fc.nat({ max: 60_000 }), fc.constant(Number.MAX_SAFE_INTEGER)),
            tookMs: fc.nat({ max: 120_000 }),
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
    for (let n = 0; n < 1_000; n++)
      idle = afterAnswer(idle, { leastMs: 300, tookMs: 300, inFlight: 10 }, BOUNDS);
    expect(idle.sockets).toBe(full.sockets);
  });

  test('is narrowed by endpoints that answer soon', () => {
    const wide = windowAfter(10_000, 300);
    expect(wide.sockets - windowAfter(1_000, 1, wide).sockets).toBeGreaterThan(2_000);
  });
});

/**
 * A receiver that works `hands` requests at once, each in `workMs`: the window and the longest answer after so many
 * answers, everything that the window allows being sent at once.
 */
function fullReceiver({ hands, workMs }: { hands: number; workMs: number }, answers: number) {
  let window = firstWindow(BOUNDS.least);
  let leastMs: number | undefined;
  let longestMs = 0;
  for (let n = 0; n < answers; n++) {
    // Little's law: what is in flight beyond the hands waits for them.
    const tookMs = Math.max(workMs, (window.sockets / hands) * workMs);
    longestMs = Math.max(longestMs, tookMs);
    leastMs = leastAfter(leastMs, n === 0 ? workMs : tookMs, window.sockets);
    window = afterAnswer(window, { leastMs, tookMs, inFlight: window.sockets }, BOUNDS);
  }
  return { window, leastMs, longestMs };
}

describe('before a receiver that has enough', () => {
  test.each([
    { hands: 1, workMs: 10 },
    { hands: 10, workMs: 300 },
    { hands: 64, workMs: 30 },
  ])(
    'that works $hands at once in $workMs ms the window is not widened, however long it lasts',
    (receiver) => {
      const { window, leastMs, longestMs } = fullReceiver(receiver, 100_000);
      expect(window.sockets).toBe(BOUNDS.least);
      expect(leastMs).toBe(receiver.workMs);
      expect(longestMs).toBe((BOUNDS.least / receiver.hands) * receiver.workMs);
    },
  );

  test('it holds twice what such a receiver works at once, where that is more than its least', () => {
    const { window } = fullReceiver({ hands: 500, workMs: 300 }, 100_000);
    expect(Math.abs(window.sockets - 1_000)).toBeLessThanOrEqual(2);
  });

  test('it becomes narrower where a receiver begins to have enough', () => {
    let window = windowAfter(10_000, 300);
    for (let n = 0; n < 3_000; n++)
      window = afterAnswer(window, { leastMs: 300, tookMs: 900, inFlight: window.sockets }, BOUNDS);
    expect(window.sockets).toBe(BOUNDS.least);
  });
});

describe('the least time of an endpoint', () => {
  test('is not raised by answers that waited for others', () => {
    let leastMs: number | undefined = 2;
    for (let n = 0; n < 10_000; n++) leastMs = leastAfter(leastMs, 80, 100);
    expect(leastMs).toBe(2);
  });

  test('follows an endpoint that has become slower for good, and one that has become quicker at once', () => {
    let leastMs: number | undefined = 2;
    for (let n = 0; n < 30; n++) leastMs = leastAfter(leastMs, 300, 1);
    expect(leastMs).toBeGreaterThan(290);
    expect(leastAfter(leastMs, 3, 100)).toBe(3);
  });
});
