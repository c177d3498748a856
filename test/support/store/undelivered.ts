import type { Queryable } from '../../../src/store/db/queryable.ts';

/** The columns of `undelivered`, as a delivery has them. */
const COLUMNS = `tenant_id, endpoint_id, event_id, accepted_at, state, fault_code, http_status, order_key, order_number`;

/** Where `undelivered` is not what `deliveries` says; read in one statement. */
export async function undeliveredViolations(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ fault: string }>({
    name: 'undelivered-violations',
    text: `with are as (select id, ${COLUMNS} from deliveries where state <> 'delivered'),
    told as (select delivery_id as id, ${COLUMNS} from undelivered)
    select 'undelivered lacks ' || a::text as fault from (select * from are except select * from told) a
    union all select 'undelivered has ' || t::text from (select * from told except select * from are) t
    limit 20`,
  });
  return rows.map(({ fault }) => fault);
}
