import { describe, expect, test } from '@jest/globals';
import { counted } from '../support/concurrency.ts';
import { ALL_FAILURES, createScene } from '../support/engine/recovery-scene.ts';
import { useEngine, useTemporal } from '../support/engine/use-engine.ts';
import { ok } from '../support/receivers/receiver-behaviour.ts';

const ENDPOINTS = 20;
const SOCKETS = 64;

const temporal = useTemporal();
const engine = useEngine({ sizes: { socketsPerSlice: SOCKETS, liveSockets: SOCKETS } });

/** Retries so many failures over twenty endpoints. */
async function retryOf(items: number) {
  const behaviour = counted(ok);
  const scene = await createScene(engine, Array(ENDPOINTS).fill(behaviour), { timeoutMs: 10_000 });
  await scene.seed(items);
  const since = performance.now();
  const { id, workflowId } = await scene.retries.start(ALL_FAILURES);
  const { state, counts } = await scene.retries.ended(id, 60_000);
  const seconds = (performance.now() - since) / 1_000;
  const received = new Map<string, number>();
  for (const { requests } of scene.receivers)
    for (const { id: delivery = '' } of requests) received.set(delivery, (received.get(delivery) ?? 0) + 1);
  await scene.close();
  return {
    state,
    counts,
    seconds,
    inFlight: behaviour.most,
    delivered: received.size,
    doubled: [...received.values()].filter((times) => times > 1).length,
    events: await temporal.historyLength(workflowId),
  };
}

describe('a bulk retry of 20,000 deliveries over 20 endpoints', () => {
  test('accounts for every one, with a short history and no more in hand than it has sockets', async () => {
    const small = await retryOf(2_000);
    const large = await retryOf(20_000);
    for (const [items, result] of [
      [2_000, small],
      [20_000, large],
    ] as const) {
      expect(result).toMatchObject({ state: 'completed', delivered: items, doubled: 0 });
      expect(result.counts).toMatchObject({ expected: items, delivered: items });
      // Only items in flight are in memory: ten times the items do not make them more.
      expect(result.inFlight).toBeLessThanOrEqual(SOCKETS);
    }
    expect(large.events).toBeLessThanOrEqual(300);
    expect(large.events).toBeLessThanOrEqual(small.events + 60);
    process.stdout.write(
      `20,000 in ${large.seconds.toFixed(1)} s, ${large.events} events; 2,000 in ${small.seconds.toFixed(1)} s, ${small.events} events\n`,
    );
  });
});
