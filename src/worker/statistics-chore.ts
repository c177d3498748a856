import type { Chore, ChoreDeps } from '../loops/chore.ts';
import { renewWhereGrown } from '../store/sending/queue-statistics.ts';

/** The chore that has claims planned for the queue as it is, when it has grown out of what they were planned for. */
export function statisticsChore({ pool, attempt }: ChoreDeps): Chore {
  return {
    name: 'statistics',
    run: () =>
      attempt('statistics', async () => {
        await renewWhereGrown(pool);
      }),
  };
}
