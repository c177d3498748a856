import { expect, test } from '@jest/globals';
import { ALL_FAILURES } from '../../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../../support/engine/use-engine.ts';
import type { Behaviour } from '../../support/receivers/receiver-behaviour.ts';

/**
 * As many requests are in flight as the latency of endpoints asks for: beyond the sockets that each slice has, within
 * the bounds of the process, and never beyond what an endpoint allows.
 */

const SOCKETS = 16;
const SPARE = 200;
const ITEMS = 800;

const engine = useEngine({ sizes: { socketsPerSlice: SOCKETS, liveSockets: SOCKETS, spareSockets: SPARE } });
const scene = useScenes(engine);

/** Answers after so many milliseconds, and remembers the most requests that it had at once. */
function counted(ms: number): Behaviour & { readonly most: number } {
  let now = 0;
  let most = 0;
  return {
    get most() {
      return most;
    },
    answer(response) {
      now += 1;
      most = Math.max(most, now);
      setTimeout(() => {
        now -= 1;
        response.end('ok');
      }, ms);
    },
  };
}

test('endpoints that take their time have more in flight than a slice begins with, and never more than the process has', async () => {
  const late = counted(300);
  const it = await scene([late, late]);
  await it.seed(ITEMS);
  const { id } = await it.retries.start(ALL_FAILURES);
  expect(await it.retries.ended(id)).toMatchObject({ state: 'completed', counts: { delivered: ITEMS } });
  expect(late.most).toBeGreaterThan(4 * SOCKETS);
  expect(late.most).toBeLessThanOrEqual(SOCKETS + SPARE);
  for (const { maxOverlap } of it.receivers) expect(maxOverlap).toBe(1);
});

test('the concurrency that an endpoint allows is not exceeded for it', async () => {
  const late = counted(100);
  const it = await scene([late], { maxConcurrency: 8 });
  await it.seed(100);
  const { id } = await it.retries.start(ALL_FAILURES);
  expect(await it.retries.ended(id)).toMatchObject({ state: 'completed' });
  expect(late.most).toBeLessThanOrEqual(8);
});

test('first deliveries have them as well', async () => {
  const late = counted(300);
  const it = await scene([late]);
  const body = Array.from({ length: 400 }, (_, n) => ({ type: 'a.b', payload: n }));
  await engine.client.expect(202, 'POST', '/api/v1/events', { key: it.tenant.key, body });
  await it.receivers[0]?.waitFor(({ requests }) => requests.filter((r) => r.answered).length === 400, 30_000);
  expect(late.most).toBeGreaterThan(2 * SOCKETS);
});
