import { describe, expect, test } from '@jest/globals';
import { Wake } from '../../src/loops/wake.ts';

const never = new AbortController().signal;
const LONG_MS = 60_000;

describe('waiting to be woken', () => {
  test('a poke ends the wait, and one that comes early the next wait', async () => {
    const wake = new Wake(never);
    const waiting = wake.wait(LONG_MS);
    wake.poke();
    await waiting;
    wake.poke();
    await wake.wait(LONG_MS);
  });

  test('a poke ends one wait only', async () => {
    const wake = new Wake(never);
    wake.poke();
    await wake.wait(LONG_MS);
    const since = performance.now();
    await wake.wait(30);
    expect(performance.now() - since).toBeGreaterThanOrEqual(25);
  });

  test('a wait that something else ended does not swallow the poke of the next', async () => {
    const wake = new Wake(never);
    await wake.wait(20, Promise.resolve());
    const next = wake.wait(LONG_MS);
    // The first wait's own time passes meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 40));
    wake.poke();
    await next;
  });

  test('its stop signal ends the wait', async () => {
    const stop = new AbortController();
    const wake = new Wake(stop.signal);
    const waiting = wake.wait(LONG_MS);
    stop.abort();
    await waiting;
  });
});
