import type { EndpointState } from '../../domain/endpoints/endpoint-state.ts';
import type { OpenOutageFacts, RecoveredFacts } from '../../domain/outages/outage-look.ts';
import type { OnRecovered } from '../../domain/outages/outage-state.ts';
import { LEFT_STATES, windowFilter } from '../../domain/outages/outage-window.ts';
import { present } from '../../domain/present.ts';
import type { DeliveryState } from '../../domain/sending/delivery-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { filterConditions, filterSql } from '../selection/filter-conditions.ts';
import { queueOwners } from '../sending/queue-owners.ts';
import { isCurrent } from '../tenancy/endpoint-versions.ts';
import { PLATFORM_TENANT } from '../tenancy/tenants.ts';
import type { Outage } from './outages.ts';

/** Takes up to `limit` outages that are to be looked at, each for `againInMs`: whoever takes one is alone with it. */
export async function takeLooks(
  db: Queryable,
  limit: number,
  againInMs: number,
): Promise<{ id: Id<'outage'>; endpointId: Id<'endpoint'> }[]> {
  const { rows } = await db.query<{ id: Id<'outage'>; endpoint_id: Id<'endpoint'> }>(
    `with due as (
      select o.id from outages o where o.state in ('open', 'recovered') and o.look_at <= clock_timestamp()
      order by o.look_at limit $1 for update skip locked
    )
    update outages o set look_at = clock_timestamp() + $2::float8 * interval '1 millisecond'
    from due d where o.id = d.id returning o.id, o.endpoint_id`,
    [limit, againInMs],
  );
  return rows.map((row) => ({ id: row.id, endpointId: row.endpoint_id }));
}

/** Has an outage looked at later than others are. */
export async function putOffLook(tx: Transaction, id: Id<'outage'>, ms: number): Promise<void> {
  await tx.query(
    `update outages set look_at = clock_timestamp() + $2::float8 * interval '1 millisecond' where id = $1`,
    [id, ms],
  );
}

interface OpenRow {
  endpoint_state: EndpointState;
  on_recovered: OnRecovered;
  good: number;
  bad: number;
  good_for_ms: number | null;
  enabled_for_ms: number | null;
  due_soon: boolean;
  rests_now: boolean;
  quiet_for_ms: number;
  trials: number;
}

const msSince = (time: string) => `(extract(epoch from clock_timestamp() - ${time}) * 1000)::float8`;

/** The facts of an outage that is open, and what its endpoint asks for at present. */
export async function openFacts(
  tx: Transaction,
  { id, tenantId, endpointId }: Outage,
  { dueWithinMs }: { dueWithinMs: number },
): Promise<OpenOutageFacts & { onRecovered: OnRecovered }> {
  const row = onlyRow(
    await tx.query<OpenRow>(
      `select n.state as endpoint_state, v.on_recovered, u.good, u.bad, u.trials,
         ${msSince('u.good_from')} as good_for_ms, ${msSince('u.enabled_at')} as enabled_for_ms,
         ${msSince('u.quiet_since')} as quiet_for_ms,
         greatest(p.floor_until, p.trial_until) > clock_timestamp() as rests_now,
         -- What waits for its order is not: the one before it may have failed for good.
         exists (select from ${queueOwners('$2', { running: true })} w cross join lateral (
           -- In the order of its index, and one: a look-up for each owner, whatever the planner thinks of the queue.
           select from queue e where e.in_queue and e.worked_by = w.id and e.endpoint_id = $3 and e.put_off_from is null
             and e.due_at <= clock_timestamp() + $4::float8 * interval '1 millisecond'
           order by e.due_at limit 1) q) as due_soon
       from outages u join endpoints n on n.id = u.endpoint_id
       join endpoint_versions v on ${isCurrent('v', 'n')}
       join endpoint_pacing p on p.endpoint_id = n.id
       where u.id = $1`,
      [id, [tenantId, PLATFORM_TENANT.id], endpointId, dueWithinMs],
    ),
  );
  const { good, bad, good_for_ms: forMs } = row;
  return {
    endpoint: row.endpoint_state,
    onRecovered: row.on_recovered,
    dueSoon: row.due_soon,
    restsNow: row.rests_now,
    quietForMs: row.quiet_for_ms,
    trials: row.trials,
    ...present({ spell: forMs === null ? null : { good, bad, forMs }, enabledForMs: row.enabled_for_ms }),
  };
}

const ANY_STATE = ['pending', 'failed', 'unknown', 'cancelled', 'ignored'] as const satisfies DeliveryState[];

/** SQL: whether something of a window is queued, scheduled or on the wire, be it held by a pause. */
function openInWindow({ tenantId, endpointId, window }: Outage, p: Parameters): string {
  const where = filterConditions(tenantId, windowFilter(window, ANY_STATE), {}, p);
  return `exists (select from ${queueOwners(p.add([tenantId, PLATFORM_TENANT.id]))} w
    cross join lateral (
      -- As above.
      select from queue e join deliveries d on d.id = e.delivery_id
      where e.in_queue and e.worked_by = w.id and e.endpoint_id = ${p.add(endpointId)} and ${where.join(' and ')}
      order by e.due_at limit 1) q)`;
}

/** SQL: whether a delivery of a window is in one of some states. */
function inWindow(
  { tenantId, window }: Outage,
  states: readonly DeliveryState[],
  p: Parameters,
  further: string[] = [],
): string {
  const { from, where } = filterSql(tenantId, windowFilter(window, states), {}, p);
  return `exists (select from ${from} where ${[...where, ...further].join(' and ')})`;
}

/** What there is in the window of an outage. */
export interface WindowLook {
  /** Something is queued, scheduled or on the wire. */
  open: boolean;
  /** Something could be sent by a retry. */
  toSend: boolean;
  unknown: boolean;
}

/** Looks at what there is in the window of an outage. */
export async function lookInWindow(tx: Transaction, outage: Outage): Promise<WindowLook> {
  const p = new Parameters();
  return onlyRow(
    await tx.query<WindowLook>(
      `select ${openInWindow(outage, p)} as open, ${inWindow(outage, ['failed', 'ignored'], p)} as "toSend",
         ${inWindow(outage, ['unknown'], p)} as unknown`,
      p.values,
    ),
  );
}

interface RecoveredRow {
  endpoint_state: EndpointState;
  on_recovered: OnRecovered;
  for_ms: number;
  retention_days: number | null;
  had_open: boolean;
  planned_again: boolean;
  open: boolean;
  left: boolean;
  failed_since: boolean;
}

const DAY_MS = 86_400_000;

/** The facts of an outage whose endpoint is back. */
export async function recoveredFacts(tx: Transaction, outage: Outage): Promise<Omit<RecoveredFacts, 'plan'>> {
  const p = new Parameters();
  const id = p.add(outage.id);
  const open = openInWindow(outage, p);
  const left = inWindow(outage, LEFT_STATES, p);
  // The state of a delivery that fails once more does not change.
  const failedSince = inWindow(outage, ['failed', 'ignored'], p, [
    `exists (select from execution_records x where x.delivery_id = d.id and x.outcome in ('failed', 'ignored')
      and x.finished_at > w.recovered_at)`,
  ]);
  const row = onlyRow(
    await tx.query<RecoveredRow>(
      // Every failure of the window is read for the last of them: only where it is asked for.
      `select w.*, case when w.open or w.planned_again then false else ${failedSince} end as failed_since
       from (
         select n.state as endpoint_state, u.on_recovered, u.recovered_at, ${msSince('u.recovered_at')} as for_ms,
           u.had_open, u.planned_again, retention_days(t.settings, 'payload')::float8 as retention_days,
           ${open} as open, ${left} as left
         from outages u join endpoints n on n.id = u.endpoint_id join tenants t on t.id = u.tenant_id
         where u.id = ${id} offset 0
       ) w`,
      p.values,
    ),
  );
  return {
    endpoint: row.endpoint_state,
    onRecovered: row.on_recovered,
    forMs: row.for_ms,
    open: row.open,
    left: row.left,
    failedSince: row.failed_since,
    hadOpen: row.had_open,
    plannedAgain: row.planned_again,
    ...present({ retentionMs: row.retention_days === null ? null : row.retention_days * DAY_MS }),
  };
}

/** Notes that what was left of an outage has been planned once more, or that there was no need. */
export async function notePlannedAgain(tx: Transaction, outageId: Id<'outage'>): Promise<void> {
  await tx.query(`update outages set planned_again = true where id = $1 and state = 'recovered'`, [outageId]);
}
