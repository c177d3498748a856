import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../db/queryable.ts';

/**
 * Folds deliveries again from their executions, after a change that is rarer than an outcome. In a statement of its
 * own, because a statement does not see the changes of its own parts; so it belongs in the transaction of that change.
 */
export async function refoldDeliveries(db: Transaction, deliveryIds: Id<'delivery'>[]): Promise<void> {
  if (deliveryIds.length === 0) return;
  await db.query(
    `with locked as materialized (
      select d.id from deliveries d where d.id = any($1::uuid[]) and d.state <> 'delivered'
      order by d.id for no key update
    )
    update deliveries d set state = f.state, state_changed_at = clock_timestamp()
    from (select id, folded_state(id) as state from locked) f
    where d.id = f.id and d.state <> f.state`,
    [deliveryIds],
  );
}
