import { describe, test } from '@jest/globals';
import fc from 'fast-check';
import { anyStep, World } from '../../support/store/schedule.ts';
import { useStore } from '../../support/store/use-store.ts';

/** Processes that do all of it at once. */
const SENDERS = 8;

const store = useStore({ connections: 12 });

describe('at every commit, whatever happens in whatever order', () => {
  test('every item is accounted for, every delivery has one owner, and nothing is lost or stranded', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 80, size: 'max' }), async (schedule) => {
        const world = await World.create(store);
        for (const step of schedule) {
          await world.take(step);
          await world.check();
        }
        await world.drain();
        await world.check();
      }),
      { numRuns: runs(80), unbiased: true },
    );
  });

  test('the same holds while many do these things at once, and no deadlock is left to them', async () => {
    // The course of things depends on luck here: a seed need not fail again, and there is nothing to shrink.
    const anySeed = fc.noShrink(fc.integer());
    await fc.assert(
      fc.asyncProperty(anySeed, async (seed) => {
        const schedules = fc.sample(fc.array(anyStep, { minLength: 30, maxLength: 30 }), {
          seed,
          numRuns: SENDERS,
        });
        const world = await World.create(store);
        let working = schedules.length;
        const workers = schedules.map(async (schedule) => {
          try {
            for (const step of schedule) await world.take(step);
          } finally {
            working -= 1;
          }
        });
        const watch = async () => {
          while (working > 0) await world.check();
        };
        await Promise.all([...workers, watch()]);
        await world.drain();
        await world.check();
      }),
      { numRuns: runs(12) },
    );
  });
});

/** More of them by hand: RUNS=2000. */
function runs(usual: number): number {
  return Number(process.env.RUNS ?? usual);
}
