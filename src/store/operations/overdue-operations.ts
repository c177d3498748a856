import type { RunnableOperation } from '../../domain/operations/operation.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';
import { heldUntil } from '../policy/held-by-windows.ts';
import { WAITS_UNTIL } from '../sending/disabled-endpoints.ts';
import { PLATFORM_TENANT } from '../tenancy/tenants.ts';
import { GOES_BY_ITSELF } from './joined.ts';
import { type RunnableRow, runnableFrom } from './runnable.ts';

/** Why the sweeper looks at an operation. */
export type Overdue = RunnableOperation & {
  why: 'not_started' | 'overdue' | 'control_behind' | 'settled' | 'sample';
};

const COLUMNS = `o.id, o.tenant_id, o.workflow_id, o.interactive, o.kind, o.state, o.control, o.control_revision`;

/**
 * Finds operations that need a push: accepted without a confirmed start, 30 s past their next event, with a control
 * their workflow has not seen, or waiting although their wait has come to an end or something is claimable. A rotating
 * few others are looked at as well, so that a run terminated by hand is found soon.
 */
export async function findOverdue(db: Queryable, limit: number, samples: number): Promise<Overdue[]> {
  const { rows } = await db.query<RunnableRow & Pick<Overdue, 'why'>>(
    `with pushed as (
      select o.id, case
          when o.start_confirmed_at is null and o.created_at < now() - interval '2 seconds' then 'not_started'
          when (o.next_event_at < now() - interval '30 seconds' and o.nudged_at < now() - interval '30 seconds')
            or ((o.control = 'pause' or o.state in ('halted', 'planned', 'awaiting_approval')) and o.expires_at < now() and o.nudged_at < now() - interval '5 seconds')
            then 'overdue'
          when o.control_revision > o.control_seen and o.start_confirmed_at is not null
            and o.nudged_at < now() - interval '5 seconds' then 'control_behind'
          when o.start_confirmed_at is not null and o.nudged_at < now() - interval '5 seconds'
            and o.next_event_at > now() + interval '1 second' and (
              (o.next_event in ('due', 'window_ends', 'lease', 'reconciled', 'judged')
                and (c.queued + c.scheduled + c.sending + c.unknown = 0
                  or (o.control = 'cancel' and c.queued + c.scheduled + c.sending = 0)))
              -- A pause holds back unsent items: where there are none, it waits for nobody.
              or (o.next_event = 'expiry' and o.selected_at is not null and c.queued + c.scheduled = 0
                and o.control = 'pause' and not (o.state = 'halted' and o.halt->>'reason' = 'failed_step'))
              or (o.next_event = 'joined' and not exists (
                select from executions j where j.id = o.awaited_execution_id and ${GOES_BY_ITSELF})))
            then 'settled'
          when o.start_confirmed_at is not null and o.control = 'run' and o.nudged_at < now() - interval '5 seconds'
            -- Also while it waits for what it joined: an item of unknown outcome can be settled to be sent again.
            and o.next_event in ('due', 'window_ends', 'lease', 'reconciled', 'judged', 'joined') and o.next_event_at > now() + interval '1 second'
            and (exists (select from queue e join endpoint_pacing p on p.endpoint_id = e.endpoint_id
                join endpoints n on n.id = e.endpoint_id and n.state = 'enabled'
                where e.in_queue and e.worked_by = o.id and e.state in ('queued', 'scheduled')
                  and e.due_at <= now() and p.floor_until <= now()
                  and (o.single or ${heldUntil('n.tenant_id', 'n.id')} is null) limit 1)
              or exists (select from endpoints n where n.state <> 'enabled' and ${WAITS_UNTIL} <= now()
                and (n.tenant_id = o.tenant_id or o.tenant_id = '${PLATFORM_TENANT.id}')
                and exists (select from queue e where e.in_queue and e.worked_by = o.id and e.endpoint_id = n.id
                  and e.state in ('queued', 'scheduled'))))
            then 'settled'
        end as why
      from operations o join operation_counts c on c.operation_id = o.id
      where o.closed_at is null and coalesce(o.start_again_at, '-infinity') <= now()
    ), sampled as (
      select o.id, 'sample' as why from operations o
      where o.closed_at is null and o.start_confirmed_at is not null and o.nudged_at < now() - interval '60 seconds'
      order by o.nudged_at limit $2
    ), chosen as (
      (select id, why from pushed where why is not null limit $1)
      union all
      select id, why from sampled where id not in (select id from pushed where why is not null)
    )
    update operations o set nudged_at = now() from chosen where o.id = chosen.id
    returning ${COLUMNS}, chosen.why`,
    [limit, samples],
  );
  return rows.map((row) => ({ ...runnableFrom(row), why: row.why }));
}

/** Notes one more try to start or revive a run; the next is allowed after a backoff of 5 s to 5 min. */
export async function noteStart(db: Queryable, operationId: Id<'operation'>): Promise<void> {
  await db.query(
    `update operations set start_attempts = start_attempts + 1,
       start_again_at = now() + least(300, 5 * 2 ^ least(start_attempts, 10)) * interval '1 second'
     where id = $1 and closed_at is null`,
    [operationId],
  );
}

/** Notes that Temporal has the run of an operation. */
export async function confirmStart(db: Queryable, operationId: Id<'operation'>): Promise<void> {
  await db.query(
    'update operations set start_confirmed_at = coalesce(start_confirmed_at, now()) where id = $1',
    [operationId],
  );
}
