import type { Chore, ChoreDeps } from '../../loops/chore.ts';
import { withTransaction } from '../../store/db/pool.ts';
import { removeOldLines } from '../../store/imports/import-lines.ts';
import { expireImports } from './open-import.ts';

/** Lines of one transaction. */
const BATCH = 20_000;
/** In one round; the rest follows in the next, so that a worker that stops waits for no longer. */
const BATCHES = 20;

/** The chore that ends imports that nobody goes on with, and removes reports whose time is over. */
export function importsChore({ pool, stop, count, attempt }: ChoreDeps, batch = BATCH): Chore {
  return {
    name: 'imports',
    async run() {
      await attempt('imports', async () => {
        const expired = await withTransaction(pool, (tx) => expireImports(tx));
        if (expired > 0) count('import_expired', expired);
      });
      await attempt('imports', async () => {
        for (let n = 0; n < BATCHES && !stop.aborted; n += 1) {
          const gone = await withTransaction(pool, (tx) => removeOldLines(tx, batch));
          if (!gone) return;
          if (gone.removed > 0) count('import_lines_removed', gone.removed);
        }
      });
    },
  };
}
