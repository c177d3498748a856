import type { OnAmbiguous, RetryPolicy } from '../../domain/sending/retry-policy.ts';
import type { Queryable } from '../db/queryable.ts';
import { refoldDeliveries } from './folding.ts';

/** An item whose sender was lost: what it takes to decide what follows. */
export interface LostItem {
  executionId: string;
  deliveryId: string;
  operationId?: string;
  token: string;
  version: number;
  attempts: number;
  policy: RetryPolicy;
  onAmbiguous: OnAmbiguous;
  reconcileWithinMs: number;
}

/**
 * Locks up to `limit` claims whose lease has passed by the database's clock, skipping those another sweeper holds, and
 * returns their tokens and the items that are still `sending` under them.
 */
export async function lockExpiredClaims(
  db: Queryable,
  limit: number,
): Promise<{ tokens: string[]; items: LostItem[] }> {
  const claims = await db.query(
    `select token, execution_ids from claims where lease_until < clock_timestamp()
     order by lease_until limit $1 for update skip locked`,
    [limit],
  );
  if (claims.rows.length === 0) return { tokens: [], items: [] };
  const { rows } = await db.query(
    `select e.id, e.delivery_id, e.operation_id, e.lease_token, e.attempts,
       coalesce(e.target_version, n.current_version) as version, v.max_attempts, v.initial_ms, v.factor, v.cap_ms,
       coalesce(e.on_ambiguous, v.on_ambiguous) as on_ambiguous, v.reconcile_within_ms
     from executions e
     join endpoints n on n.id = e.endpoint_id
     -- The policy is the current one, as for a sender that lives; only the address is that of the version.
     join endpoint_versions v on v.endpoint_id = n.id and v.version = n.current_version
     where e.id = any($1::uuid[]) and e.state = 'sending' and e.lease_token = any($2::uuid[])`,
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
      policy: {
        maxAttempts: row.max_attempts,
        initialMs: row.initial_ms,
        factor: row.factor,
        capMs: row.cap_ms,
      },
      onAmbiguous: row.on_ambiguous,
      reconcileWithinMs: row.reconcile_within_ms,
    })),
  };
}

/**
 * Ends what nobody sent before its time to give up: `failed` (`gave_up`), up to `limit` executions. Unknown ones
 * never become failed by time. A delivery that was attempted keeps the fault of its last attempt. Returns whose they
 * were. Runs in a transaction.
 */
export async function giveUpOverdue(db: Queryable, limit: number): Promise<string[]> {
  const { rows } = await db.query(
    `with overdue as (
      select id from executions
      where in_queue and give_up_at > '-infinity' and give_up_at < now() and state in ('queued', 'scheduled')
      order by give_up_at limit $1 for update skip locked
    )
    update executions e set state = 'failed', reason = 'gave_up', finished_at = clock_timestamp()
    from overdue o where e.id = o.id returning e.delivery_id`,
    [limit],
  );
  const ids = rows.map((row) => row.delivery_id);
  await refoldDeliveries(db, ids);
  if (ids.length > 0)
    await db.query(
      `update deliveries set fault_code = 'gave_up' where id = any($1::uuid[]) and attempts = 0`,
      [ids],
    );
  return ids;
}

/**
 * Ends as ignored what is unsent of `workedBy` at endpoints that take nothing any more, up to `limit` executions.
 * Runs in a transaction.
 */
export async function ignoreAtClosedEndpoints(
  db: Queryable,
  workedBy: string,
  endpointIds: string[],
  limit: number,
): Promise<number> {
  const { rows } = await db.query(
    `with unsent as (
      select e.id, n.state as endpoint_state from executions e join endpoints n on n.id = e.endpoint_id
      where e.in_queue and e.worked_by = $1 and e.endpoint_id = any($2::uuid[]) and e.state in ('queued', 'scheduled')
        and n.state <> 'enabled'
      limit $3 for update of e skip locked
    )
    update executions e set state = 'ignored', finished_at = clock_timestamp(),
      reason = case u.endpoint_state when 'deleted' then 'endpoint_deleted' else 'endpoint_disabled' end
    from unsent u where e.id = u.id returning e.delivery_id`,
    [workedBy, endpointIds, limit],
  );
  await refoldDeliveries(
    db,
    rows.map((row) => row.delivery_id),
  );
  return rows.length;
}

/** Ends as ignored unsent executions whose payload is gone, or never was, for repeats keep none. Runs in a transaction. */
export async function ignoreWithoutPayload(db: Queryable, executionIds: string[]): Promise<void> {
  const { rows } = await db.query(
    `update executions e set state = 'ignored', finished_at = clock_timestamp(),
       reason = case when v.duplicate_of is null then 'payload_expired' else 'suppressed_duplicate' end
     from deliveries d join events v on v.id = d.event_id
     where e.id = any($1::uuid[]) and d.id = e.delivery_id and e.state in ('queued', 'scheduled')
     returning e.delivery_id`,
    [executionIds],
  );
  await refoldDeliveries(
    db,
    rows.map((row) => row.delivery_id),
  );
}

/**
 * Disables endpoints that answered 410 Gone; one that an operator already disabled or deleted stays as it is. Returns
 * those that it disabled.
 */
export async function disableGone(db: Queryable, endpointIds: string[]): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>(
    `with enabled as (
      select id from endpoints where id = any($1::uuid[]) and state = 'enabled' order by id for no key update
    )
    update endpoints n set state = 'disabled', disabled_reason = 'gone', updated_at = now()
    from enabled e where n.id = e.id returning n.id`,
    [endpointIds],
  );
  return rows.map(({ id }) => id);
}
