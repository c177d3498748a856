import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { type Turn, Turns } from '../../src/sending/turns.ts';

const pace = (intervalMs: number, id = 'a') => ({ id, intervalMs });

/** Sends all of them as a sender does, each by itself; when each went, or that it was given back. */
function send(turns: Turns, all: Turn[]): Promise<(number | undefined)[]> {
  return Promise.all(
    all.map(async (turn) => {
      for (;;) {
        const waitMs = turns.go(turn);
        if (waitMs === undefined) return undefined;
        if (waitMs === 0) return performance.now();
        await delay(Math.ceil(waitMs));
      }
    }),
  );
}

function gaps(at: (number | undefined)[]): number[] {
  const sorted = at.filter((ms) => ms !== undefined).sort((a, b) => a - b);
  return sorted.slice(1).map((ms, n) => ms - (sorted[n] ?? 0));
}

/** The time between two readings of the clock here. */
const SLACK_MS = 1;

test('a send that is in time goes at its turn', async () => {
  const nowMs = performance.now();
  const all = [0, 20, 40].map((ms) => ({ atMs: nowMs + ms, paces: [pace(20)] }));
  const went = await send(new Turns(), all);
  for (const [n, at] of went.entries()) expect(at).toBeGreaterThanOrEqual(all[n]?.atMs ?? 0);
  for (const gap of gaps(went)) expect(gap).toBeGreaterThanOrEqual(20 - SLACK_MS);
});

test('sends that come late go apart all the same', async () => {
  const nowMs = performance.now();
  const all = [-400, -370, -340, -310].map((ms) => ({ atMs: nowMs + ms, paces: [pace(30)] }));
  const went = await send(new Turns(), all);
  expect(went).not.toContain(undefined);
  for (const gap of gaps(went)) expect(gap).toBeGreaterThanOrEqual(30 - SLACK_MS);
});

test('sends that stood still with the whole process go apart, too', async () => {
  const nowMs = performance.now();
  const sending = send(
    new Turns(),
    [10, 40, 70].map((ms) => ({ atMs: nowMs + ms, paces: [pace(30)] })),
  );
  while (performance.now() < nowMs + 200);
  for (const gap of gaps(await sending)) expect(gap).toBeGreaterThanOrEqual(30 - SLACK_MS);
});

test('sends go apart in whatever order they ask, and whatever their turns are', () => {
  const turns = new Turns();
  const nowMs = performance.now();
  expect(turns.go({ atMs: nowMs - 100, paces: [pace(800)] })).toBe(0);
  for (const lateMs of [160, 130, 101, 100, 99, 50, 0])
    expect(turns.go({ atMs: nowMs - lateMs, paces: [pace(800)] })).toBeGreaterThan(400);
});

test('a send of two paces goes when both allow it', () => {
  const turns = new Turns();
  const atMs = performance.now() - 100;
  expect(turns.go({ atMs, paces: [pace(600), pace(800, 'b')] })).toBe(0);
  expect(turns.go({ atMs, paces: [pace(800, 'b')] })).toBeGreaterThan(500);
  expect(turns.go({ atMs, paces: [pace(600)] })).toBeGreaterThan(200);
  expect(turns.go({ atMs, paces: [pace(600, 'c')] })).toBe(0);
});

test('a rate that has become slower or faster holds no send back longer than the faster one would', () => {
  for (const [before, after] of [
    [1, 100_000],
    [100_000, 1],
  ] as const) {
    const turns = new Turns();
    expect(turns.go({ atMs: performance.now(), paces: [pace(before)] })).toBe(0);
    expect(turns.go({ atMs: performance.now(), paces: [pace(after)] })).toBeLessThanOrEqual(1);
  }
});

test('a single late send is never given back; one that would have to wait far beyond its turn is', async () => {
  const turns = new Turns();
  const atMs = performance.now() - 5_000;
  expect(turns.go({ atMs, paces: [pace(50)] })).toBe(0);
  expect(turns.go({ atMs: atMs + 50, paces: [pace(50)] })).toBeUndefined();
  await delay(60);
  expect(turns.go({ atMs: atMs + 100, paces: [pace(50)] })).toBe(0);
});
