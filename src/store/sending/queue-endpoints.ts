/**
 * SQL: the query of a recursive `hop` over the endpoints at which `owner` has something queued, each found behind the one
 * before it by the index of the queue: the cost follows their number, never that of the items. Its last row is null.
 */
export function hopsOf(owner: string): string {
  return `(select endpoint_id from queue where in_queue and worked_by = ${owner} order by endpoint_id limit 1)
      union all
      select (select e.endpoint_id from queue e
        where e.in_queue and e.worked_by = ${owner} and e.endpoint_id > hop.endpoint_id order by e.endpoint_id limit 1)
      from hop where hop.endpoint_id is not null`;
}
