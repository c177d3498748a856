import type { Chore, ChoreDeps } from '../../loops/chore.ts';
import { withTransaction } from '../../store/db/pool.ts';
import { extendFreezeSpans, forgetFreezeSpans, tenantsToExtend } from '../../store/policy/freeze-spans.ts';

/** The chore that works out the next spans of freeze windows, days before they are needed. */
export function freezeWindowsChore({ pool, stop, count, attempt }: ChoreDeps): Chore {
  return {
    name: 'freeze_windows',
    async run() {
      for (const tenantId of await tenantsToExtend(pool)) {
        if (stop.aborted) return;
        // One whose windows cannot be worked out keeps nobody else waiting; its bulk work rests.
        await attempt('freeze_windows', async () => {
          if (await withTransaction(pool, (tx) => extendFreezeSpans(tx, tenantId)))
            count('freeze_windows_extended', 1);
        });
      }
      await forgetFreezeSpans(pool);
    },
  };
}
