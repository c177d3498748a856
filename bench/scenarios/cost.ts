import { runBulk } from '../run-bulk.ts';
import { alternate, type Bench } from '../scenario.ts';

/** The cost of a delivery to Temporal (actions, history events) and each process (CPU) in operations of three sizes. */
export function cost(bench: Bench): Promise<void> {
  const { size } = bench;
  const of = (items: number, label: string) => ({
    name: `cost, ${label} items`,
    rounds: 1,
    measure: () => runBulk(bench, { items: size(items) }),
  });
  return alternate(bench, [of(1_000, '1k'), of(10_000, '10k'), of(100_000, '100k')]);
}
