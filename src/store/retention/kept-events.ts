import { isQueued } from '../db/looked-up.ts';
import { isCurrent } from '../tenancy/endpoint-versions.ts';
import { PLATFORM_TENANT } from '../tenancy/tenants.ts';

/*
 * Whether an event may go, with its deliveries, the ones that replays made of them, and their executions: the one place that
 * says so, for a removal of single events as for one of everything of a day.
 */

/** Why an event that is past its term stays; `busy` is one that somebody holds at this moment. */
export const KEPT_FOR = [
  'busy',
  'open',
  'operation',
  'addendum',
  'plan',
  'outage',
  'order',
  'import',
  'sent_again',
  'replay',
] as const;
/** One of {@link KEPT_FOR}. */
export type KeptFor = (typeof KEPT_FOR)[number];

/** SQL: when an event of the tenant `t` must have been accepted to be past its term now; null where it stays for ever. */
export const PAST_TERM_BEFORE = `clock_timestamp() - retention_days(t.settings, 'event') * interval '1 day'`;

/**
 * SQL: the plans of open operations of a tenant and of the platform, by the span of what they hold. `pinning` in the
 * statement that asks {@link KEPT_FOR_SQL}.
 */
export function pinningSql(tenantId: string): string {
  return `select p.pin_from, p.pin_to from operations o join plans p on p.operation_id = o.id
      where o.closed_at is null and o.tenant_id in (${tenantId}, '${PLATFORM_TENANT.id}') and p.pin_from is not null`;
}

/**
 * SQL: whether a selection of the tenant, or of the platform, is going to read deliveries that it has named. None of the
 * tenant's events goes meanwhile: one that was named and taken must not be missing when its turn comes. What a plan has shown
 * is held by its span.
 */
export function namingSql(tenantId: string): string {
  return `exists (select from operations o where o.closed_at is null and o.selected_at is null
      and o.tenant_id in (${tenantId}, '${PLATFORM_TENANT.id}') and not o.selection ? 'filter'
      and not exists (select from plans p where p.operation_id = o.id and p.planned_at is not null))`;
}

/** A condition on any delivery `d` of the event `v`, of the two indexes that deliveries of an event are in. */
function anyDelivery(condition: string): string {
  return `(exists (select from deliveries d where d.event_id = v.id and d.replay_of is null and ${condition})
        or exists (select from deliveries d where d.event_id = v.id and d.replay_of is not null and ${condition}))`;
}

const CONDITIONS: [KeptFor, string][] = [
  ['open', anyDelivery(isQueued('d.id'))],
  [
    'operation',
    anyDelivery(`(exists (select from execution_records e join operations o on o.id = e.operation_id
            where e.delivery_id = d.id and o.closed_at is null)
          or exists (select from exclusions x join operations o on o.id = x.operation_id
            where x.delivery_id = d.id and o.closed_at is null))`),
  ],
  // An addendum that is not signed yet is going to name it.
  [
    'addendum',
    anyDelivery(`exists (select from execution_records e
            join late_changes l on l.operation_id = e.operation_id and l.execution_id = e.id where e.delivery_id = d.id)`),
  ],
  // A delivery of a new identity is younger than its event, and a plan's span is that of deliveries.
  ['plan', anyDelivery('exists (select from pinning p where d.accepted_at between p.pin_from and p.pin_to)')],
  [
    'outage',
    anyDelivery(`d.state <> 'delivered' and exists (select from outages u where u.endpoint_id = d.endpoint_id
            and u.state in ('open', 'recovered') and d.accepted_at >= u.reaches_back_to)`),
  ],
  // What waits behind a failed one of its key would be let through, and nobody has said so.
  [
    'order',
    anyDelivery(`d.state = 'failed' and d.order_key is not null and d.resent_by is null
          and (select w.on_exhausted = 'block' from endpoints n join endpoint_versions w on ${isCurrent('w', 'n')}
            where n.id = d.endpoint_id and n.ordered)
          and exists (select from undelivered b where b.endpoint_id = d.endpoint_id and b.order_key = d.order_key
            and b.order_number > d.order_number and b.state in ('pending', 'unknown'))`),
  ],
  ['import', `exists (select from imports i where i.id = v.import_id and i.state = 'open')`],
  // What was sent again by its sender stays together, for as long as the newest is within its term; the first goes last.
  [
    'sent_again',
    `(v.duplicate_of is null and exists (select from event_resends r where r.first_event_id = v.id))
        or (select w.accepted_at from events w where w.id = (select r.event_id from event_resends r
          where r.first_event_id = coalesce(v.duplicate_of, v.id) order by r.event_id desc limit 1)) >= past.before`,
  ],
  // How many replays there may be on a day is counted by what is kept of them.
  [
    'replay',
    `exists (select from receipt_replays r where r.tenant_id = v.tenant_id and r.event_id = v.id
          and greatest(r.created_at, r.executed_at) > clock_timestamp() - interval '1 day')`,
  ],
];

/**
 * SQL: why the event `v`, which is past its term, stays all the same; null where it may go. Asks `pinning`, and `past.before`,
 * which is {@link PAST_TERM_BEFORE}. It is true only for as long as nothing is selected ({@link closeToSelection}) and the
 * rows of the event are locked.
 */
export const KEPT_FOR_SQL = `case
      ${CONDITIONS.map(([why, condition]) => `when ${condition} then '${why}'`).join('\n      ')} end`;
