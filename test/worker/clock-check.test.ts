import { randomUUID } from 'node:crypto';
import { expect, jest, test } from '@jest/globals';
import { checkIn } from '../../src/store/sending/workers.ts';
import type { Metrics } from '../../src/telemetry/metrics.ts';
import { ClockCheck } from '../../src/worker/clock-check.ts';
import { quietContext } from '../support/engine/quiet-context.ts';
import { sampleOf } from '../support/metrics.ts';
import { useStore } from '../support/store/use-store.ts';

/** The clock of a worker's machine against that of Postgres, by which everything else goes. */

const store = useStore();

const ahead = async ({ registry }: Metrics) =>
  sampleOf(await registry.metrics(), 'redrive_clock_ahead_seconds');

test('a clock that differs is told once, with how far it is ahead, and once when it agrees again', async () => {
  const { log, lines, metrics } = quietContext(store.pool);
  const check = new ClockCheck({ log, metrics });
  const ourHour = 1_700_000_000_000;
  const compare = (other: number, tookMs = 5) =>
    check.compare({ askedAt: ourHour, answeredAt: ourHour + tookMs, other });
  compare(ourHour + 2);
  compare(ourHour - 59_000);
  // However long the answer took.
  compare(ourHour + 500_000, 900_000);
  expect(lines).toEqual([]);
  compare(ourHour - 3_600_000);
  compare(ourHour - 3_600_000);
  compare(ourHour);
  compare(ourHour + 3_600_005);
  expect(await ahead(metrics)).toBe(-3_600);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: 'error', event: 'worker.clock_differs', aheadSeconds: 3_600 },
    { event: 'worker.clock_agrees' },
    { event: 'worker.clock_differs', aheadSeconds: -3_600 },
  ]);
});

test('a worker that checks in learns of a clock that differs', async () => {
  const { log, lines, metrics } = quietContext(store.pool);
  const check = new ClockCheck({ log, metrics });
  const self = { id: randomUUID(), host: 'here', pid: 1, polling: true, operations: [] };
  const ask = () => check.around(() => checkIn(store.pool, self));
  await ask();
  // The Postgres of the tests has the clock of this machine, which is ahead of itself now.
  const { now } = Date;
  const fast = jest.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000);
  await ask();
  expect(Math.round((await ahead(metrics)) ?? 0)).toBe(3_600);
  fast.mockRestore();
  await ask();
  expect(await ahead(metrics)).toBe(0);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { event: 'worker.clock_differs', aheadSeconds: 3_600 },
    { event: 'worker.clock_agrees' },
  ]);
});
