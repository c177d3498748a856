import type { Chore, ChoreDeps } from '../loops/chore.ts';
import type { Pool } from '../store/db/pool.ts';
import { forgetKeys } from '../store/operations/idempotency-keys.ts';
import { forgetResolutionKeys } from '../store/settling/resolution-acts.ts';
import { removeExpiredSecrets } from '../store/tenancy/endpoint-secrets.ts';

const AT_ONCE = 1_000;
/** Of each kind in one round; the rest follows in the next. */
const STEPS = 20;

const KINDS: readonly ((db: Pool, limit: number) => Promise<number>)[] = [
  forgetKeys,
  forgetResolutionKeys,
  removeExpiredSecrets,
];

/** The chore that removes what is kept for a time and read no more: keys of requests with their answers, and replaced secrets. */
export function expiryChore({ pool, stop, attempt }: ChoreDeps, atOnce = AT_ONCE): Chore {
  return {
    name: 'expiry',
    async run() {
      for (const remove of KINDS)
        await attempt('expiry', async () => {
          for (let step = 0; step < STEPS && !stop.aborted; step += 1)
            if ((await remove(pool, atOnce)) < atOnce) return;
        });
    },
  };
}
