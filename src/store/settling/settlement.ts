import { LOST_FAULT } from '../../domain/sending/fault-code.ts';
import type { OnAmbiguous, RetryPolicy } from '../../domain/sending/retry-policy.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { lookedUp } from '../db/looked-up.ts';
import type { Transaction } from '../db/queryable.ts';
import { WAITS_UNTIL } from '../sending/disabled-endpoints.ts';
import { isCurrent, type RetryPolicyRow, retryPolicyOf } from '../tenancy/endpoint-versions.ts';
import { kept } from './ends.ts';
import { refoldDeliveries } from './folding.ts';

/** An item whose sender was lost, with the facts that decide its next step. */
export interface LostItem {
  executionId: Id<'execution'>;
  deliveryId: Id<'delivery'>;
  operationId?: Id<'operation'>;
  token: string;
  version: number;
  attempts: number;
  /** Attempts of it that were none of the receiver's, and the last ones in a row that were lost; this one included. */
  lost: { all: number; inARow: number };
  policy: RetryPolicy;
  onAmbiguous: OnAmbiguous;
  reconcileWithinMs: number;
}

interface LostRow extends RetryPolicyRow {
  id: Id<'execution'>;
  delivery_id: Id<'delivery'>;
  operation_id: Id<'operation'> | null;
  lease_token: string;
  attempts: number;
  lost_attempts: number;
  lost_in_a_row: number;
  version: number;
  on_ambiguous: OnAmbiguous;
  reconcile_within_ms: number;
}

/** The delivery of an execution that has ended. */
interface EndedRow {
  delivery_id: Id<'delivery'>;
}

/**
 * Locks up to `limit` claims whose lease has passed by the database's clock, skipping those another sweeper holds and those
 * named, and returns their tokens and the items that are still `sending` under them.
 */
export async function lockExpiredClaims(
  db: Transaction,
  limit: number,
  except: readonly string[] = [],
): Promise<{ tokens: string[]; items: LostItem[] }> {
  const claims = await db.query<{ token: string; execution_ids: Id<'execution'>[] }>(
    `select token, execution_ids from claims where lease_until < clock_timestamp() and token <> all($2::uuid[])
     order by lease_until limit $1 for update skip locked`,
    [limit, except],
  );
  if (claims.rows.length === 0) return { tokens: [], items: [] };
  const { rows } = await db.query<LostRow>(
    `select r.id, e.delivery_id, e.operation_id, e.lease_token, e.attempts, e.lost_attempts,
       (select count(*)::int from attempts a where a.execution_id = r.id and a.number > coalesce((
         select max(k.number) from attempts k where k.execution_id = r.id and k.fault_code is distinct from '${LOST_FAULT}'), 0))
         as lost_in_a_row,
       coalesce(e.target_version, n.current_version) as version, v.max_attempts, v.initial_ms, v.factor, v.cap_ms,
       coalesce(e.on_ambiguous, v.on_ambiguous) as on_ambiguous, v.reconcile_within_ms
     from execution_records r
     cross join lateral (select x.* from queue x
       where x.delivery_id = r.delivery_id and x.execution_id = r.id and x.state = 'sending'
         and x.lease_token = any($2::uuid[]) limit 1) e
     join endpoints n on n.id = e.endpoint_id
     -- The policy is the current one, as for a sender that lives; only address and headers are of the version.
     join endpoint_versions v on ${isCurrent('v', 'n')}
     where r.id = any($1::uuid[])`,
    [claims.rows.flatMap((claim) => claim.execution_ids), claims.rows.map((claim) => claim.token)],
  );
  return {
    tokens: claims.rows.map((claim) => claim.token),
    items: rows.map((row) => ({
      executionId: row.id,
      deliveryId: row.delivery_id,
      ...(row.operation_id ? { operationId: row.operation_id } : {}),
      token: row.lease_token,
      version: row.version,
      attempts: row.attempts,
      lost: { all: row.lost_attempts + 1, inARow: row.lost_in_a_row + 1 },
      policy: retryPolicyOf(row),
      onAmbiguous: row.on_ambiguous,
      reconcileWithinMs: row.reconcile_within_ms,
    })),
  };
}

/** SQL: takes those of the executions `$1` that are not sent out of the queue, as `gone`. */
const UNSENT_GONE = `with gone as (
      delete from queue q using execution_records x
      where x.id = any($1::uuid[]) and ${lookedUp('q.delivery_id', 'x.delivery_id', 'x.outcome is null')} and q.execution_id = x.id
        and q.state in ('queued', 'scheduled')
      returning q.*
    )`;

/** SQL: by how much the time to give up of a row in the queue is put off, where it is over at another time. */
function putOffMs(row: string, endsAt: string): string {
  return `case when ${endsAt} > ${row}.give_up_at
          then coalesce(${row}.put_off_ms, 0) + extract(epoch from ${endsAt} - ${row}.give_up_at)::float8 * 1000
          else ${row}.put_off_ms end`;
}

/** What became of executions that were overdue. */
export interface Overdue {
  /** The deliveries of those that were given up. */
  gaveUp: Id<'delivery'>[];
  /** Freeze windows have held them, and their time to give up is later. */
  putOff: number;
}

/**
 * Ends executions that nobody sent before their time to give up: `failed` (`gave_up`), up to `limit` of them. Unknown
 * ones never become failed by time. A delivery that was attempted keeps the fault of its last attempt. The time to give
 * up of an item stands still while freeze windows hold it: that is made up for here, when it would be over, and costs
 * the items nothing before.
 */
export async function giveUpOverdue(db: Transaction, limit: number): Promise<Overdue> {
  const { rows } = await db.query<EndedRow & { gave_up: boolean }>(
    `with overdue as materialized (
      select q.delivery_id, gives_up_at(q) as ends_at from queue q
      where q.in_queue and q.give_up_at > '-infinity' and q.give_up_at < now() and q.state in ('queued', 'scheduled')
      order by q.give_up_at limit $1 for update skip locked
    ), judged as materialized (
      -- Where nobody knows when the window ends, it is asked again.
      select o.delivery_id, case when o.ends_at = 'infinity' then now() + interval '1 minute' else o.ends_at end as ends_at,
        o.ends_at > now() as held
      from overdue o
    ), put_off as (
      update queue q set give_up_at = greatest(q.give_up_at, j.ends_at),
        put_off_ms = ${putOffMs('q', 'j.ends_at')}
      from judged j where ${lookedUp('q.delivery_id', 'j.delivery_id', 'j.held')}
    ), given_up as (
      delete from queue q using judged j where ${lookedUp('q.delivery_id', 'j.delivery_id', 'not j.held')}
      returning q.*, j.ends_at
    ), ended as (
      update execution_records r set outcome = 'failed', reason = 'gave_up', finished_at = clock_timestamp(),
        ${kept('g', { give_up_at: 'greatest(g.give_up_at, g.ends_at)', put_off_ms: putOffMs('g', 'g.ends_at') })}
      from given_up g where r.id = g.execution_id
    )
    select j.delivery_id, not j.held as gave_up from judged j`,
    [limit],
  );
  const ids = rows.flatMap((row) => (row.gave_up ? [row.delivery_id] : []));
  await refoldDeliveries(db, ids);
  if (ids.length > 0)
    await db.query(
      `update deliveries set fault_code = 'gave_up' where id = any($1::uuid[]) and attempts = 0`,
      [ids],
    );
  return { gaveUp: ids, putOff: rows.length - ids.length };
}

/**
 * Ends as ignored the unsent executions of `workedBy` at endpoints that take nothing any more, up to `limit` of them;
 * items of an operation that wait for an endpoint to be enabled are left alone. The transaction holds these endpoints:
 * the items of one that is enabled at this moment are spared, or were ignored before. Returns the deliveries of those
 * that were ignored.
 */
export async function ignoreAtClosedEndpoints(
  db: Transaction,
  workedBy: string,
  endpointIds: Id<'endpoint'>[],
  limit: number,
): Promise<Id<'delivery'>[]> {
  const { rows } = await db.query<EndedRow>(
    `with unsent as materialized (
      select q.delivery_id, n.state as endpoint_state from queue q join endpoints n on n.id = q.endpoint_id
      left join operations o on o.id = q.operation_id
      where q.in_queue and q.worked_by = $1 and q.endpoint_id = any($2::uuid[]) and q.state in ('queued', 'scheduled')
        and n.state <> 'enabled' and ${WAITS_UNTIL} <= clock_timestamp()
      limit $3 for update of q skip locked
    ), gone as (
      delete from queue q using unsent u where ${lookedUp('q.delivery_id', 'u.delivery_id')} returning q.*, u.endpoint_state
    )
    update execution_records r set outcome = 'ignored', finished_at = clock_timestamp(), ${kept('g')},
      reason = case g.endpoint_state when 'deleted' then 'endpoint_deleted' else 'endpoint_disabled' end
    from gone g where r.id = g.execution_id returning r.delivery_id`,
    [workedBy, endpointIds, limit],
  );
  const ids = rows.map((row) => row.delivery_id);
  await refoldDeliveries(db, ids);
  return ids;
}

/**
 * Ends as ignored unsent executions whose payload is gone, or never was: a suppressed repeat keeps none. Returns the
 * deliveries whose executions it ended.
 */
export async function ignoreWithoutPayload(
  db: Transaction,
  executionIds: Id<'execution'>[],
): Promise<Id<'delivery'>[]> {
  const { rows } = await db.query<EndedRow>(
    `${UNSENT_GONE}
     update execution_records r set outcome = 'ignored', finished_at = clock_timestamp(), ${kept('g')},
       reason = case when (select p.reason from execution_records p where p.id = r.parent_id) = 'suppressed_duplicate'
         then 'suppressed_duplicate' else 'payload_expired' end
     from gone g where r.id = g.execution_id
     returning r.delivery_id`,
    [executionIds],
  );
  const ended = rows.map((row) => row.delivery_id);
  await refoldDeliveries(db, ended);
  return ended;
}

/**
 * Ends what waits of these deliveries although the payload of its event is gone, and returns those of which it ended
 * something. One that is being sent, or of unknown outcome, stays. The transaction holds the deliveries, which are locked
 * before rows of the queue.
 */
export async function ignoreWaitingWithoutPayload(
  db: Transaction,
  deliveryIds: Id<'delivery'>[],
): Promise<Id<'delivery'>[]> {
  if (deliveryIds.length === 0) return [];
  const { rows } = await db.query<{ execution_id: Id<'execution'> }>(
    `select q.execution_id from queue q
     where q.delivery_id = any($1::uuid[]) and q.state in ('queued', 'scheduled')
       and (select b.event_id from payloads b
         where b.event_id = (select d.event_id from deliveries d where d.id = q.delivery_id)) is null
     order by q.execution_id for update of q`,
    [deliveryIds],
  );
  return rows.length === 0
    ? []
    : ignoreWithoutPayload(
        db,
        rows.map((row) => row.execution_id),
      );
}

/** Ends unsent retries of deliveries that have arrived: their receiver acknowledged them during the selection. */
export async function settleAcknowledged(db: Transaction, executionIds: Id<'execution'>[]): Promise<void> {
  await db.query(
    `${UNSENT_GONE}
     update execution_records r set outcome = 'delivered', reason = 'acknowledged', finished_at = clock_timestamp(),
       ${kept('g', { acknowledged_at: 'clock_timestamp()' })}
     from gone g where r.id = g.execution_id`,
    [executionIds],
  );
}

/**
 * Disables endpoints that answered 410 Gone; one that an operator already disabled or deleted stays as it is. Returns
 * those that it disabled.
 */
export async function disableGone(tx: Transaction, endpointIds: Id<'endpoint'>[]): Promise<Id<'endpoint'>[]> {
  const { rows } = await tx.query<{ id: Id<'endpoint'> }>(
    `with enabled as (
      select id from endpoints where id = any($1::uuid[]) and state = 'enabled' order by id for no key update
    )
    update endpoints n set state = 'disabled', disabled_reason = 'gone', disabled_at = clock_timestamp(), updated_at = now()
    from enabled e where n.id = e.id returning n.id`,
    [endpointIds],
  );
  return rows.map(({ id }) => id);
}
