import { windowFilter } from '../../domain/outages/outage-window.ts';
import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { isQueued } from '../db/looked-up.ts';
import { Parameters } from '../db/parameters.ts';
import type { Transaction } from '../db/queryable.ts';
import { tipOf } from '../selection/fate.ts';
import { filterSql } from '../selection/filter-conditions.ts';
import { refoldDeliveries } from '../settling/folding.ts';
import type { Outage } from './outages.ts';

/** A trial that was not sent within this time is none. */
const TRIAL_LASTS_MS = 60_000;

/** The states that a trial is taken from, one after the other. */
const TRIED_STATES: readonly DeliveryState[] = ['failed', 'ignored'];

/**
 * Queues one delivery of the window of an outage, to see whether its endpoint is back: as an automatic retry, by the live
 * lane, and of no operation. Returns it; undefined where the window has none that can be sent.
 */
export async function queueTrial(tx: Transaction, outage: Outage): Promise<Id<'delivery'> | undefined> {
  await tx.query('update outages set trials = trials + 1, quiet_since = clock_timestamp() where id = $1', [
    outage.id,
  ]);
  for (const state of TRIED_STATES) {
    const deliveryId = await queueOne(tx, outage, state);
    if (deliveryId) return deliveryId;
  }
  return undefined;
}

async function queueOne(
  tx: Transaction,
  { tenantId, window }: Outage,
  state: DeliveryState,
): Promise<Id<'delivery'> | undefined> {
  const p = new Parameters();
  const { from, where } = filterSql(tenantId, windowFilter(window, [state]), {}, p);
  const { rows } = await tx.query<{ delivery_id: Id<'delivery'> }>(
    `with chosen as materialized (
      -- The delivery itself is locked, and its state asked of what is locked: it may have changed since it was found.
      select d.id, d.tenant_id, d.endpoint_id from ${from} join deliveries l on l.id = d.id
      where ${where.join('\n        and ')} and l.state = ${p.add(state)} and l.resent_by is null
        and (select y.event_id from payloads y where y.event_id = d.event_id) is not null
        and not ${isQueued('d.id')}
        and blocked_by(d.id) is null
      order by d.accepted_at, d.id limit 1 for no key update of l skip locked
    ), run as (
      insert into execution_records (tenant_id, delivery_id, endpoint_id, parent_id, generation)
      select d.tenant_id, d.id, d.endpoint_id, tip.id, tip.next
      from chosen d cross join lateral (${tipOf('d.id')}) tip
      on conflict do nothing returning id, tenant_id, delivery_id, endpoint_id
    )
    insert into queue (delivery_id, execution_id, tenant_id, endpoint_id, state, due_at, give_up_at)
    select r.delivery_id, r.id, r.tenant_id, r.endpoint_id, 'queued', now(),
      now() + ${p.add(TRIAL_LASTS_MS)}::float8 * interval '1 millisecond'
    from run r returning delivery_id`,
    p.values,
  );
  const deliveryId = rows[0]?.delivery_id;
  if (deliveryId) await refoldDeliveries(tx, [deliveryId]);
  return deliveryId;
}
