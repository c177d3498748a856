import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { Turns } from '../../src/sending/turns.ts';

const pace = (intervalMs: number, id = 'a') => ({ id, intervalMs });

test('what is in time goes at its turn', () => {
  const turns = new Turns();
  const nowMs = performance.now();
  for (const atMs of [1_000, 1_050, 1_100].map((ms) => nowMs + ms))
    expect(turns.take({ atMs, paces: [pace(50)] })).toBe(atMs);
});

test('what comes late goes apart all the same, and is never given back for that alone', () => {
  const turns = new Turns();
  const nowMs = performance.now();
  const goes = [-400, -350, -300, -250].map((ms) => turns.take({ atMs: nowMs + ms, paces: [pace(50)] }) ?? 0);
  for (const [n, at] of goes.slice(1).entries()) expect(at - (goes[n] ?? 0)).toBeGreaterThanOrEqual(49.999);
});

test('what is of two paces goes when both allow it', () => {
  const turns = new Turns();
  const nowMs = performance.now();
  const first = turns.take({ atMs: nowMs - 100, paces: [pace(50), pace(80, 'b')] }) ?? 0;
  expect(turns.take({ atMs: nowMs - 50, paces: [pace(50)] })).toBeCloseTo(first + 50, 3);
  expect(turns.take({ atMs: nowMs - 20, paces: [pace(80, 'b')] })).toBeCloseTo(first + 80, 3);
});

test('a rate that has become slower or faster holds nothing back longer than it was late', async () => {
  const turns = new Turns();
  turns.take({ atMs: performance.now(), paces: [pace(100_000)] });
  await delay(5);
  const atMs = performance.now() + 20;
  expect(turns.take({ atMs, paces: [pace(10)] })).toBeCloseTo(atMs, 3);
  expect(turns.take({ atMs: atMs + 30, paces: [pace(100_000)] })).toBeLessThanOrEqual(atMs + 40);
});

test('what would go far too late is given back', () => {
  const turns = new Turns();
  const atMs = performance.now() - 5_000;
  let given = 0;
  for (let n = 0; n < 100; n++) if (!turns.take({ atMs: atMs + n * 50, paces: [pace(50)] })) given += 1;
  expect(given).toBeGreaterThan(0);
});
