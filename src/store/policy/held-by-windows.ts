import { PLATFORM_TENANT } from '../tenancy/tenants.ts';

/*
 * What freeze windows hold, in SQL. A tenant without windows has no spans: a look-up in an empty index says so, and
 * nothing else is computed for it.
 */

/**
 * SQL: until when the bulk work of an endpoint rests; null where it does not. The span that began last, of its own and
 * of those for all of its tenant, is the only one that can last: two look-ups, however many there are.
 */
export function heldUntil(tenant: string, endpoint: string): string {
  const last = (of: string) => `(select span.to_at from freeze_spans span
      where span.tenant_id = ${tenant} and span.endpoint_id ${of} and span.from_at <= now()
      order by span.from_at desc limit 1)`;
  return `(select max(lasting.to_at) from (${last(`= ${endpoint}`)} union all ${last('is null')}) lasting
    where lasting.to_at > now())`;
}

/**
 * SQL: whether a tenant has, or had, any windows. In the order of the index: EXISTS may be hashed, and where most spans
 * are of one tenant the planner would otherwise look through all of them for one of another.
 */
export function hasWindows(tenant: string): string {
  return `((select span.from_at from freeze_spans span where span.tenant_id = ${tenant}
    order by span.endpoint_id, span.from_at limit 1) is not null)`;
}

/** A clock of an operation at an endpoint, in SQL: whose windows stop it, and whether they do. */
interface Clock {
  tenant: string;
  endpoint: string;
  /** The alias of its operation; no window holds a single retry. */
  operation: string;
  since: string;
}

const stops = ({ tenant, operation }: Clock) => `not ${operation}.single and ${hasWindows(tenant)}`;

/** SQL: when a clock that stands still while windows hold its endpoint has run for so many milliseconds. */
export function clockRunsOut(clock: Clock, ms: string): string {
  const { tenant, endpoint, since } = clock;
  return `case when ${stops(clock)} then runs_out_at(freeze_times(${tenant}, ${endpoint}), ${since}, ${ms})
    else ${since} + ${ms} * interval '1 millisecond' end`;
}

/** SQL: the milliseconds that such a clock has run. */
export function clockRanMs(clock: Clock): string {
  const { tenant, endpoint, since } = clock;
  return `case when ${stops(clock)} then ran_ms(freeze_times(${tenant}, ${endpoint}), ${since}, clock_timestamp())
    else extract(epoch from clock_timestamp() - ${since})::float8 * 1000 end`;
}

/** SQL: whether a clock of the whole operation `o` can stand still: while windows hold all that it has left to send. */
const STOPS_WHOLE = `not o.single
  and (${hasWindows('o.tenant_id')} or (o.tenant_id = '${PLATFORM_TENANT.id}' and exists (select from freeze_calendars)))`;

/** SQL: when a clock of the operation `o` over all its endpoints has run for so many milliseconds. */
export function wholeClockRunsOut(since: string, ms: string): string {
  return `case when ${STOPS_WHOLE} then runs_out_at(freeze_times_of(o.id), ${since}, ${ms})
    else ${since} + ${ms} * interval '1 millisecond' end`;
}

/** SQL: the milliseconds that such a clock has run. */
export function wholeClockRanMs(since: string): string {
  return `case when ${STOPS_WHOLE} then ran_ms(freeze_times_of(o.id), ${since}, clock_timestamp())
    else extract(epoch from clock_timestamp() - ${since})::float8 * 1000 end`;
}
