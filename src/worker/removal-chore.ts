import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Chore, ChoreDeps } from '../loops/chore.ts';
import { withTransaction } from '../store/db/pool.ts';
import {
  type RemovalSize,
  type Removed,
  removeEvents,
  tenantsWithEventTerm,
} from '../store/retention/remove-events.ts';

/** Some tens of milliseconds of work, for which selections of the tenant wait; and so they do for its wait for them. */
const SIZE: RemovalSize = { events: 200, deliveries: 1_000, waitMs: 100 };
/** Of one tenant in one round; the rest follows in the next, so that no tenant keeps the others waiting. */
const BATCHES = 50;
const LOCK_NOT_AVAILABLE = '55P03';

/** The chore that removes events whose term is over. */
export function removalChore({ pool, stop, count, attempt }: ChoreDeps, size = SIZE): Chore {
  /** One batch; undefined where it is to be tried in a later round. */
  const batch = async (tenantId: Id<'tenant'>): Promise<Removed | undefined> => {
    try {
      return await withTransaction(pool, (tx) => removeEvents(tx, tenantId, size), { lookUps: true });
    } catch (error) {
      if ((error as { code?: string }).code === LOCK_NOT_AVAILABLE) return undefined;
      throw error;
    }
  };
  return {
    name: 'removal',
    async run() {
      for (const tenantId of await tenantsWithEventTerm(pool))
        await attempt('removal', async () => {
          for (let n = 0; n < BATCHES && !stop.aborted; n += 1) {
            const removed = await batch(tenantId);
            if (removed && removed.events > 0) count('event_removed', removed.events);
            if (!removed?.more) return;
          }
        });
    },
  };
}
