import type { Chore, ChoreDeps } from '../../loops/chore.ts';
import { dropHanded } from '../../store/listeners/handed-requests.ts';
import { expiredListeners } from '../../store/listeners/listeners.ts';
import type { RecoveryDeps } from '../recovery-deps.ts';
import { endListener } from './end-listener.ts';

const AT_ONCE = 100;
/** A sender that is still there has removed its request by then. */
const LEFT_BEHIND_MS = 120_000;

/** The chore that ends listeners which nobody keeps: their process is gone, or nobody ever connected. */
export function listenersChore({ pool, count, attempt }: ChoreDeps, recovery: RecoveryDeps): Chore {
  return {
    name: 'listeners',
    async run() {
      for (const listener of await expiredListeners(pool, AT_ONCE))
        await attempt('listeners', async () => {
          await endListener(recovery, listener, 'expired');
          count('listener_ended', 1);
        });
      await dropHanded(pool, LEFT_BEHIND_MS, AT_ONCE);
    },
  };
}
