import { runBulk } from '../run-bulk.ts';
import { alternate, type Bench } from '../scenario.ts';

/**
 * The most memory of each process in bulk operations of three sizes, each with a worker that has done nothing before.
 */
export function memory(bench: Bench): Promise<void> {
  const { rig, size } = bench;
  const of = (items: number, label: string) => ({
    name: `memory, ${label} items`,
    rounds: 1,
    async measure() {
      await rig.setWorkers(0);
      const { peakMiB, perSecond } = await runBulk(bench, { items: size(items) });
      return { perSecond, peakMiB };
    },
  });
  return alternate(bench, [of(10_000, '10k'), of(100_000, '100k'), of(1_000_000, '1M')]);
}
