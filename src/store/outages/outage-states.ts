import type { OutageCause, OutageChange, OutageEnd, OutageState } from '../../domain/outages/outage-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Transaction } from '../db/queryable.ts';
import { isCurrent } from '../tenancy/endpoint-versions.ts';
import { announceOutage } from './announce-outage.ts';

/*
 * Every change of an outage's state, one verb each. The database refuses every change that the transition table of the
 * domain does not name (RD012). Whoever changes one holds the pace of its endpoint first.
 */

interface ChangeRow {
  id: Id<'outage'>;
  tenant_id: Id<'tenant'>;
  endpoint_id: Id<'endpoint'>;
  cause: OutageCause;
  state: OutageState;
  openings: number;
  began_at: Date;
}

const CHANGED = 'o.id, o.tenant_id, o.endpoint_id, o.cause, o.state, o.openings, o.began_at';

/**
 * Opens an outage of an endpoint, unless one is open. One that had recovered within `reopensWithinMs` is opened again, for
 * an endpoint that comes and goes has one outage. It begins with the first of the attempts in a row that were not
 * delivered, or, where an operator has disabled the endpoint, then; none is opened by what had begun when an operator
 * dismissed the last one.
 */
export async function openOutage(
  tx: Transaction,
  endpointId: Id<'endpoint'>,
  cause: OutageCause,
  { reopensWithinMs }: { reopensWithinMs: number },
): Promise<OutageChange | undefined> {
  await holdPace(tx, endpointId);
  const { rows } = await tx.query<ChangeRow>(
    `with facts as materialized (
      select n.id as endpoint_id, n.tenant_id, v.give_up_after_ms,
        case when $2 = 'disabled' then n.disabled_at else coalesce(p.missed_from, clock_timestamp()) end as began_at
      from endpoints n join endpoint_versions v on ${isCurrent('v', 'n')}
      join endpoint_pacing p on p.endpoint_id = n.id
      where n.id = $1 and n.state <> 'deleted'
        -- A listener comes and goes with a person: nothing of it is an outage.
        and not exists (select from listeners l where l.endpoint_id = n.id)
    ), newest as materialized (
      select o.id, o.state, o.recovered_at, o.ended_at from outages o where o.endpoint_id = $1 order by o.id desc limit 1
    ), again as (
      update outages o set state = 'open', openings = o.openings + 1, recovered_at = null, on_recovered = null,
        good_from = null, good = 0, bad = 0, enabled_at = null, trials = 0, had_open = false, planned_again = false,
        quiet_since = clock_timestamp(), look_at = clock_timestamp()
      from newest w, facts f
      where o.id = w.id and o.state = 'recovered'
        and o.recovered_at > clock_timestamp() - $3::float8 * interval '1 millisecond'
      returning ${CHANGED}
    ), made as (
      insert into outages as o (tenant_id, endpoint_id, cause, began_at, reaches_back_to)
      select f.tenant_id, f.endpoint_id, $2, f.began_at, f.began_at - f.give_up_after_ms * interval '1 millisecond'
      from facts f
      where not exists (select from again)
        and not exists (select from newest w where w.state = 'open'
          or (w.state = 'dismissed' and w.ended_at >= f.began_at))
      on conflict (endpoint_id) where state = 'open' do nothing
      returning ${CHANGED}
    ), opened as (select * from again union all select * from made),
    shown as (
      update endpoint_pacing p set outage_id = x.id from opened x where p.endpoint_id = x.endpoint_id
    )
    select * from opened`,
    [endpointId, cause, reopensWithinMs],
  );
  const opened = rows[0] && changeFrom(rows[0]);
  if (opened) await announceOutage(tx, opened, 'outage.opened');
  return opened;
}

/** Begins the wait for the recovery of an open outage anew: its endpoint takes nothing any more. */
export async function forgetRecovery(tx: Transaction, endpointId: Id<'endpoint'>): Promise<void> {
  await tx.query(
    `update outages set good_from = null, good = 0, bad = 0, enabled_at = null where endpoint_id = $1 and state = 'open'`,
    [endpointId],
  );
}

/** Notes that an operator has enabled the endpoint of an open outage: without a failure since then it is back. */
export async function noteEnabled(tx: Transaction, endpointId: Id<'endpoint'>): Promise<void> {
  await tx.query(
    `update outages set enabled_at = clock_timestamp(), quiet_since = clock_timestamp(), trials = 0,
       look_at = clock_timestamp()
     where endpoint_id = $1 and state = 'open'`,
    [endpointId],
  );
}

/** Ends the window of an outage that is open: its endpoint is back. False where it is not open any more. */
export async function recoverOutage(
  tx: Transaction,
  outageId: Id<'outage'>,
  { hadOpen }: { hadOpen: boolean },
): Promise<OutageChange | undefined> {
  const { rows } = await tx.query<ChangeRow>(
    `with recovered as (
      update outages o set state = 'recovered', recovered_at = clock_timestamp(), on_recovered = v.on_recovered,
        good_from = null, good = 0, bad = 0, had_open = $2, look_at = clock_timestamp()
      from endpoints n join endpoint_versions v on ${isCurrent('v', 'n')}
      where o.id = $1 and n.id = o.endpoint_id and o.state = 'open'
      returning ${CHANGED}
    ), forgotten as (
      update endpoint_pacing p set outage_id = null from recovered r where p.endpoint_id = r.endpoint_id
    )
    select * from recovered`,
    [outageId, hadOpen],
  );
  return rows[0] && changeFrom(rows[0]);
}

/** Ends an outage. Undefined where it had ended before. */
export async function endOutage(
  tx: Transaction,
  outageId: Id<'outage'>,
  why: OutageEnd,
): Promise<OutageChange | undefined> {
  const { rows } = await tx.query<ChangeRow>(
    `with ended as (
      update outages o set state = case when $2 = 'dismissed' then 'dismissed' else 'closed' end,
        ended_at = clock_timestamp(), ended_for = $2
      where o.id = $1 and o.state in ('open', 'recovered')
      returning ${CHANGED}
    ), forgotten as (
      update endpoint_pacing p set outage_id = null from ended x
      where p.endpoint_id = x.endpoint_id and p.outage_id = x.id
    )
    select * from ended`,
    [outageId, why],
  );
  return rows[0] && changeFrom(rows[0]);
}

/** Holds the pace of an endpoint, and with it its open outage, until the end of the transaction. */
export async function holdPace(tx: Transaction, endpointId: Id<'endpoint'>): Promise<void> {
  await tx.query('select from endpoint_pacing where endpoint_id = $1 for no key update', [endpointId]);
}

function changeFrom(row: ChangeRow): OutageChange {
  return {
    outageId: row.id,
    tenantId: row.tenant_id,
    endpointId: row.endpoint_id,
    cause: row.cause,
    now: row.state,
    openings: row.openings,
    beganAt: row.began_at,
  };
}
