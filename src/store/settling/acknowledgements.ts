import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { kept } from './ends.ts';
import { refoldDeliveries } from './folding.ts';

/**
 * The effect of an acknowledgement: it settled the delivery, will do so once that is sent, or found nothing left to do.
 */
export type Acknowledged = 'settled' | 'remembered' | 'already_delivered' | 'never_sent';

interface AcknowledgedRow {
  delivery_id: Id<'delivery'>;
  what: Acknowledged;
}

/** How far the clock of a receiver may be behind ours. */
const CLOCK_TOLERANCE = `interval '5 minutes'`;

/**
 * Acknowledges deliveries, in any state. Settles the open execution, also where another one has delivered before: one
 * that is being sent remembers it, one that waits is delivered and not sent again. Where none is open, the execution
 * that was requested last and had ended otherwise is delivered after all. Returns the effect on each delivery. A
 * delivery that no request was ever made for is left alone, and so is the open execution of a delivered one that is younger
 * than the word of its receiver (`signedAt`): whoever has found an old acknowledgement must not settle each later replay by
 * it. Of one that was imported there may have been one that nobody
 * tells of. Deliveries are locked in the order of their ids, then their executions, and decided by a later statement: it
 * must not see an execution as queued that is being claimed.
 */
export async function acknowledge(
  db: Transaction,
  deliveryIds: Id<'delivery'>[],
  signedAt: ReadonlyMap<Id<'delivery'>, Date> = new Map(),
): Promise<Map<Id<'delivery'>, Acknowledged>> {
  await db.query('select from deliveries where id = any($1::uuid[]) order by id for no key update', [
    deliveryIds,
  ]);
  await db.query('select from queue where delivery_id = any($1::uuid[]) order by execution_id for update', [
    deliveryIds,
  ]);
  const ids = [...new Set(deliveryIds)];
  const { rows } = await db.query<AcknowledgedRow>(
    `with newest as materialized (
      select d.id as delivery_id, e.id, e.state, e.open, e.operation_id,
        coalesce(e.open and d.state = 'delivered' and a.signed_at < e.created_at - ${CLOCK_TOLERANCE}, false) as outdated,
        d.attempts > 0
        or coalesce((select bool_or(x.may_have_arrived) from executions x where x.delivery_id = d.id), false) as sent
      from unnest($1::uuid[], $2::timestamptz[]) as a(delivery_id, signed_at)
      join deliveries d on d.id = a.delivery_id left join lateral (
        -- The open one; else one that a request was made for, or may have been, and of several the newest.
        select x.id, x.state, x.open, x.operation_id, x.created_at from executions x
        where x.delivery_id = d.id and x.state <> 'superseded'
        order by x.open desc, x.attempts > 0 or x.may_have_arrived desc, x.generation desc limit 1
      ) e on true
    ), decided as materialized (
      select n.*, case
        when n.outdated then 'already_delivered'
        when n.state = 'sending' then 'remembered'
        when not n.sent or n.id is null then 'never_sent'
        when n.state = 'delivered' then 'already_delivered'
        else 'settled' end as what
      from newest n
    ), held as materialized (
      -- By two triggers: the counts are locked before both, in the one order.
      select c.operation_id from operation_counts c
      where c.operation_id in (select d.operation_id from decided d where d.what = 'settled') and not c.frozen
      order by c.operation_id for update
    ), remembered as (
      update queue q set acknowledged_at = coalesce(q.acknowledged_at, clock_timestamp())
      from decided d where ${lookedUp('q.delivery_id', 'd.delivery_id', "d.what = 'remembered'")} and q.execution_id = d.id
    ), gone as (
      delete from queue q using decided d
      where ${lookedUp('q.delivery_id', 'd.delivery_id', "d.what = 'settled'")} and q.execution_id = d.id
        and (select count(*) from held) >= 0
      returning q.*
    ), settled as (
      update execution_records r set outcome = 'delivered', reason = 'acknowledged', finished_at = clock_timestamp(),
        ${kept('g', { acknowledged_at: 'clock_timestamp()' })}
      from gone g where r.id = g.execution_id
    ), settled_late as (
      update execution_records r set outcome = 'delivered', reason = 'acknowledged', acknowledged_at = clock_timestamp()
      from decided d where r.id = d.id and d.what = 'settled' and not d.open
        and (select count(*) from held) >= 0
    )
    select delivery_id, what from decided`,
    [ids, ids.map((id) => signedAt.get(id) ?? null)],
  );
  await refoldDeliveries(
    db,
    rows.filter((row) => row.what === 'settled').map((row) => row.delivery_id),
  );
  return new Map(rows.map((row) => [row.delivery_id, row.what]));
}

interface AcknowledgeableRow {
  n: number;
  id: Id<'delivery'>;
  secrets: Buffer[];
}

/** What a receiver names: the `webhook-id` that it got, and the id of ours that this can be read as. */
export interface AskedAcknowledgement {
  endpointId: Id<'endpoint'>;
  webhookId: string;
  deliveryId?: Id<'delivery'> | undefined;
}

/** A delivery that can be acknowledged, with the sealed secrets that may sign for it. */
export interface Acknowledgeable {
  deliveryId: Id<'delivery'>;
  secrets: Buffer[];
}

/**
 * The deliveries that receivers name, in the order of what was asked, each with the sealed secrets that it may be signed
 * with; the delivery must be the endpoint's. An id that an import has kept comes before ours. The holder of the secret
 * speaks for the endpoint, which binds it to its tenant.
 */
export async function findAcknowledgeable(
  db: Queryable,
  asked: readonly AskedAcknowledgement[],
): Promise<(Acknowledgeable | undefined)[]> {
  const { rows } = await db.query<AcknowledgeableRow>(
    `select a.n::int, d.id, array(select s.sealed from endpoint_secrets s where s.endpoint_id = d.endpoint_id
       and (s.expires_at is null or s.expires_at > now())) as secrets
     from unnest($1::uuid[], $2::text[], $3::uuid[]) with ordinality as a(endpoint_id, webhook_id, delivery_id, n)
     cross join lateral (
       (select x.id, x.endpoint_id, 1 as place from deliveries x
        where x.endpoint_id = a.endpoint_id and x.webhook_id = a.webhook_id)
       union all
       (select x.id, x.endpoint_id, 2 from deliveries x where x.id = a.delivery_id and x.endpoint_id = a.endpoint_id)
       order by place limit 1
     ) d`,
    [
      asked.map(({ endpointId }) => endpointId),
      asked.map(({ webhookId }) => webhookId),
      asked.map(({ deliveryId }) => deliveryId ?? null),
    ],
  );
  const found = new Map(rows.map(({ n, id, secrets }) => [n, { deliveryId: id, secrets }]));
  return asked.map((_, index) => found.get(index + 1));
}
