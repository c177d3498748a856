import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Chore, ChoreDeps } from '../loops/chore.ts';
import { withTransaction } from '../store/db/pool.ts';
import { codeOf, LOCK_NOT_AVAILABLE } from '../store/db/sqlstate.ts';
import { type RemovalSize, type Removed, removeEvents } from '../store/retention/remove-events.ts';
import { removeOperations, removeRejections } from '../store/retention/remove-operations.ts';
import { tenantsWithTerm } from '../store/retention/tenants-with-term.ts';

/** Some tens of milliseconds of work, for which selections of the tenant wait; and so they do for its wait for them. */
const SIZE: RemovalSize = { events: 100, deliveries: 500, waitMs: 100 };
/** Of one tenant in one round; the rest follows in the next, so that no tenant keeps the others waiting. */
const BATCHES = 100;
const OPERATIONS = 50;
const REJECTIONS = 1_000;

/** The chore that removes events, closed operations and receipts of refused requests whose term is over. */
export function removalChore({ pool, stop, count, attempt }: ChoreDeps, size = SIZE): Chore {
  /** One batch; undefined where it is to be tried in a later round. */
  const batch = async (tenantId: Id<'tenant'>): Promise<Removed | undefined> => {
    try {
      return await withTransaction(pool, (tx) => removeEvents(tx, tenantId, size), { lookUps: true });
    } catch (error) {
      if (codeOf(error) === LOCK_NOT_AVAILABLE) return undefined;
      throw error;
    }
  };
  /** Batch after batch of one tenant, until `next` says that nothing more is to be done now. */
  const each = async (tenantIds: Id<'tenant'>[], next: (tenantId: Id<'tenant'>) => Promise<boolean>) => {
    for (const tenantId of tenantIds)
      await attempt('removal', async () => {
        for (let n = 0; n < BATCHES && !stop.aborted && (await next(tenantId)); n += 1);
      });
  };
  const counted = (action: string, items: number) => {
    if (items > 0) count(action, items);
  };
  return {
    name: 'removal',
    async run() {
      await each(await tenantsWithTerm(pool, 'event'), async (tenantId) => {
        const removed = await batch(tenantId);
        counted('event_removed', removed?.events ?? 0);
        return removed?.more ?? false;
      });
      await each(await tenantsWithTerm(pool, 'receipt', 'event'), async (tenantId) => {
        const removed = await withTransaction(pool, (tx) => removeRejections(tx, tenantId, REJECTIONS));
        counted('receipt_removed', removed);
        return removed === REJECTIONS;
      });
      await each(await tenantsWithTerm(pool, 'report'), async (tenantId) => {
        const removed = await withTransaction(pool, (tx) => removeOperations(tx, tenantId, OPERATIONS));
        counted('operation_removed', removed?.operations ?? 0);
        return removed?.more ?? false;
      });
    },
  };
}
