import type { Chore, ChoreDeps } from '../loops/chore.ts';
import { withTransaction } from '../store/db/pool.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { pruneEndedPlan, pruneLedger } from '../store/proof/ledger-retention.ts';
import { tenantsWithTerm } from '../store/retention/tenants-with-term.ts';

/** Chunks or pages of one transaction, each of a thousand lines. */
const BATCH = 200;
/** Of one tenant in one round; the rest follows in the next, so that no tenant keeps the others waiting. */
const BATCHES = 20;

/** The chore that removes lines of ledgers and pages of plans whose time is over. */
export function pruningChore({ pool, stop, count, attempt }: ChoreDeps, batch = BATCH): Chore {
  const prune = (next: (tx: Transaction) => Promise<{ removed: number } | undefined>) =>
    attempt('pruning', async () => {
      for (let n = 0; n < BATCHES && !stop.aborted; n += 1) {
        const pruned = await withTransaction(pool, next);
        if (!pruned) return;
        if (pruned.removed > 0) count('pruned', pruned.removed);
      }
    });
  return {
    name: 'pruning',
    async run() {
      await prune((tx) => pruneEndedPlan(tx, batch));
      for (const tenantId of await tenantsWithTerm(pool, 'ledger'))
        await prune((tx) => pruneLedger(tx, tenantId, batch));
    },
  };
}
