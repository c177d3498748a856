import type { Chore, ChoreDeps } from '../loops/chore.ts';
import { withTransaction } from '../store/db/pool.ts';
import { foldAttempts, pruneAttempts, takePruning } from '../store/figures/attempt-folds.ts';

/** Rows of one transaction: it ends within tens of milliseconds, and a worker that stops waits for no longer. */
const FOLDED_AT_ONCE = 20_000;
const PRUNED_AT_ONCE = 20_000;

/** The chore that sums up what was recorded, and forgets figures that are older than they are kept. */
export function figuresChore({ pool, stop, count, attempt }: ChoreDeps): Chore {
  return {
    name: 'figures',
    async run() {
      await attempt('figures', async () => {
        let folded = FOLDED_AT_ONCE;
        while (folded === FOLDED_AT_ONCE && !stop.aborted)
          folded = (await withTransaction(pool, (tx) => foldAttempts(tx, FOLDED_AT_ONCE)))?.deltas ?? 0;
      });
      if (!(await takePruning(pool))) return;
      let forgotten = PRUNED_AT_ONCE;
      while (forgotten >= PRUNED_AT_ONCE && !stop.aborted) {
        forgotten = await pruneAttempts(pool, PRUNED_AT_ONCE);
        if (forgotten > 0) count('figures_forgotten', forgotten);
      }
    },
  };
}
