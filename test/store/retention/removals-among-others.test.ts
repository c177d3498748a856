import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { forbiddenChanges, type Ledger, readLedger } from '../../support/store/ledger.ts';
import { removeAll } from '../../support/store/retention.ts';
import { anyStepWithRemovals, World } from '../../support/store/schedule.ts';
import { useStore } from '../../support/store/use-store.ts';

/** Processes that do all of it at once. */
const SENDERS = 6;

const store = useStore({ connections: 10 });

describe('at every commit, while events are removed at any moment', () => {
  test('nothing is left without what it hangs on, no frozen count moves, and what is open goes on', async () => {
    let removed = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(anyStepWithRemovals, { maxLength: 60, size: 'max' }), async (schedule) => {
        const world = await World.create(store, { removes: true });
        for (const step of schedule) {
          const { length } = world.ledger.events;
          await world.take(step);
          await world.check();
          removed += Math.max(0, length - world.ledger.events.length);
        }
        await world.drain();
        await world.check();
        // Few steps find something that nothing keeps any more; what they leave goes now, out of whatever they made of it.
        removed += await removeAll(store.pool, world.tenant);
        await world.check();
      }),
      { numRuns: runs(25), unbiased: true },
    );
    expect(removed).toBeGreaterThan(0);
  });

  test('the same holds while many do these things at once, and no deadlock is left to them', async () => {
    // The course of things depends on luck here: a seed need not fail again, and there is nothing to shrink.
    const anySeed = fc.noShrink(fc.integer());
    await fc.assert(
      fc.asyncProperty(anySeed, async (seed) => {
        const schedules = fc.sample(fc.array(anyStepWithRemovals, { minLength: 30, maxLength: 30 }), {
          seed,
          numRuns: SENDERS,
        });
        const world = await World.create(store, { removes: true });
        let working = schedules.length;
        const workers = schedules.map(async (schedule) => {
          try {
            for (const step of schedule) await world.take(step);
          } finally {
            working -= 1;
          }
        });
        const watch = async () => {
          while (working > 0) await world.check({ severalSteps: true });
        };
        await Promise.all([...workers, watch()]);
        await world.check({ severalSteps: true });
        await world.drain();
        await world.check();
      }),
      { numRuns: runs(6) },
    );
  });
});

test('the check finds an event that went although the queue, or an operation that is open, held it', async () => {
  const world = await World.create(store);
  const { deliveries } = world.ledger;
  await store.retry(world.tenant, { deliveryIds: deliveries.map(({ id }) => id) });
  const before = await readLedger(store.pool);
  const [first] = before.deliveries;
  const others = <Row extends { delivery_id: string }>(rows: Row[]) =>
    rows.filter((row) => row.delivery_id !== first?.id);
  const after: Ledger = {
    ...before,
    events: before.events.filter(({ id }) => id !== first?.event_id),
    executions: others(before.executions),
    exclusions: others(before.exclusions),
  };
  const held = before.exclusions.filter((x) => x.delivery_id === first?.id);
  expect(held).toHaveLength(1);
  expect(forbiddenChanges(before, after)).toEqual(
    expect.arrayContaining([
      expect.stringContaining('was in the queue and its event is gone'),
      `exclusion of ${first?.id} is gone and its operation is open`,
    ]),
  );
  expect(forbiddenChanges(before, after, { severalSteps: true }).join()).not.toContain('in the queue');
});

/** More of them by hand: RUNS=2000. */
function runs(usual: number): number {
  return Number(process.env.RUNS ?? usual);
}
