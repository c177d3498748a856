import { setTimeout as delay } from 'node:timers/promises';
import type { Rig } from './rig.ts';
import { ALL_FAILURES, newScene } from './scene.ts';

/** A bulk operation of another tenant that is always under way. */
export interface EndlessBulk {
  /**
   * Cancels the operation that is under way, and checks that its counts add up; returns how many deliveries were made
   * in all.
   */
  stop(): Promise<number>;
}

/** Starts it, and waits until it sends. An operation that ends is followed by a replay of the same deliveries. */
export async function startEndlessBulk(rig: Rig, items: number): Promise<EndlessBulk> {
  const scene = await newScene(rig, { endpoints: 20 });
  await scene.seed(items);
  let { id } = await scene.retries.start(ALL_FAILURES);
  let stopping = false;
  const going = (async () => {
    while (!stopping) {
      await delay(100);
      const { rows } = await rig.pool.query(
        'select 1 from operations where tenant_id = $1 and closed_at is null',
        [scene.tenantId],
      );
      if (rows.length > 0 || stopping) continue;
      await scene.retries.ended(id);
      ({ id } = await scene.retries.start({ select: { filter: { state: ['delivered'] } }, mode: 'replay' }));
    }
  })();
  // Heard of when it is stopped; until then it must not end the process.
  going.catch(() => {});
  while ((await rig.receiver.requestsOf(scene.path)) < Math.min(items, 500)) await delay(20);
  return {
    async stop() {
      stopping = true;
      await going;
      await scene.retries.control(id, 'cancel').catch(() => {});
      await scene.retries.ended(id, 60_000);
      return rig.receiver.requestsOf(scene.path);
    },
  };
}
