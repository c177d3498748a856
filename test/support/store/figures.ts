import type { Queryable } from '../../../src/store/db/queryable.ts';

/**
 * Where the figures of a tenant, those of minutes with what is not folded yet, differ from its attempts; read in one
 * statement. Minutes and hours are compared, too. Where figures outlive their events they count more.
 */
export async function figureViolations(
  db: Queryable,
  tenantId: string,
  { outlive = false } = {},
): Promise<string[]> {
  const { rows } = await db.query<{ fault: string }>({
    name: 'figure-violations',
    text: `with told as (
      select minute, endpoint_id, event_type, outcome, fault_code, sum(attempts)::int as attempts from (
        select minute, endpoint_id, event_type, outcome, fault_code, attempts from attempt_minutes where tenant_id = $1
        union all
        select minute, endpoint_id, event_type, outcome, fault_code, attempts from attempt_deltas where tenant_id = $1
      ) a group by 1, 2, 3, 4, 5
    ), made as (
      select date_bin('1 minute', a.started_at, 'epoch') as minute, e.endpoint_id, v.type as event_type, a.outcome,
        coalesce(a.fault_code, '') as fault_code, count(*)::int as attempts
      from attempts a join executions e on e.id = a.execution_id join deliveries d on d.id = e.delivery_id
      join events v on v.id = d.event_id where a.tenant_id = $1 group by 1, 2, 3, 4, 5
    ), hours as (
      select 'an hour has ' || coalesce(h.attempts, 0) || ' attempts, its minutes ' || coalesce(m.attempts, 0) as fault
      from (select hour, sum(attempts) as attempts from attempt_hours where tenant_id = $1 group by 1) h
      full join (select date_bin('1 hour', minute, 'epoch') as hour, sum(attempts) as attempts
        from attempt_minutes where tenant_id = $1 group by 1) m using (hour)
      where h.attempts is distinct from m.attempts
    )
    select concat_ws(' ', minute, endpoint_id, event_type, outcome, fault_code) || ': ' || coalesce(m.attempts, 0)
      || ' attempts were made, ' || coalesce(t.attempts, 0) || ' are counted' as fault
    from told t full join made m using (minute, endpoint_id, event_type, outcome, fault_code)
    where case when $2 then coalesce(t.attempts, 0) < coalesce(m.attempts, 0) else t.attempts is distinct from m.attempts end
    union all select fault from hours`,
    values: [tenantId, outlive],
  });
  return rows.map(({ fault }) => fault);
}
