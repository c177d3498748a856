import type { Chore, ChoreDeps } from '../loops/chore.ts';
import { forgetBuckets } from '../store/tenancy/rate-buckets.ts';

/** Every bucket is full again by then: the longest takes two minutes. */
const FORGOTTEN_AFTER_MS = 3_600_000;
const AT_ONCE = 1_000;

/** The chore that forgets the limits of those who have not called for long. */
export function rateBucketsChore({ pool, attempt }: ChoreDeps): Chore {
  return {
    name: 'rate_buckets',
    run: () =>
      attempt('rate_buckets', async () => {
        await forgetBuckets(pool, FORGOTTEN_AFTER_MS, AT_ONCE);
      }),
  };
}
