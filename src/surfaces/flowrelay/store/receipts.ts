import type { EndpointState } from '../../../domain/endpoints/endpoint-state.ts';
import type { DeliveryState } from '../../../domain/sending/delivery-state.ts';
import type { ExecutionState } from '../../../domain/sending/execution-state.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import { millisecondEdge } from '../../../domain/time/instant.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { isFirstOf } from '../../../store/selection/of-events.ts';
import type { AcceptedBy, HandoffFacts, RetentionState } from '../domain/receipt.ts';

/** The facts of which the receipt of an accepted event is made, without its handoffs. */
export interface AcceptedReceipt {
  request: 'accepted';
  id: Id<'event'>;
  at: Date;
  /** The same in whole microseconds since 1970, for the cursor. */
  atMicros: string;
  eventType: string;
  /** It has an id of its sender's, so that a repeat of it is known. */
  identified: boolean;
  duplicateOf?: Id<'event'>;
  /** Of a repeat: the receipt of that first event is not there any more. */
  firstGone?: boolean;
  /** A repeat of which nothing is ever sent. */
  suppressed: boolean;
  /** Of a repeat: the event that stood for it when it came, while its receipt is there. */
  standingEventId?: Id<'event'>;
  /** The newest event of the same id that was accepted later and stands for it. */
  resentAs?: Id<'event'>;
  retention: RetentionState;
  payloadRemoved?: { at: Date; why: 'retention' | 'erasure' };
  /** By the tenant's present setting. */
  retainedUntil?: Date;
  /** Its handoffs, equal ones only once. */
  handoffs: HandoffFacts[];
}

/** The facts of which the receipt of a refused request is made. */
export interface RejectedReceipt {
  request: 'rejected';
  id: Id<'receipt'>;
  at: Date;
  atMicros: string;
  requestId: string;
  code: string;
}

/** Either kind of receipt. */
export type Receipt = AcceptedReceipt | RejectedReceipt;

/** Which receipts to list; members join by AND. */
export interface ReceiptFilter {
  request?: Receipt['request'];
  eventId?: Id<'event'>;
  requestId?: string;
  /** Times as they were read; `from` belongs to the range, `to` does not. */
  from?: string;
  to?: string;
}

const MICROS = (column: string) => `(extract(epoch from ${column}) * 1000000)::bigint::text`;

/** A condition on the attempts of a delivery `d`. */
const ATTEMPTED = (condition: string) => `exists (select from execution_records e
      cross join lateral (select x.* from attempts x where x.execution_id = e.id offset 0) a
      where e.delivery_id = d.id and ${condition})`;

/** The facts of one handoff: its fold, the execution that owns it, why its newest one ended, and its answers. */
export const HANDOFF_FACTS = `select d.state, d.attempts > 0 as attempted,
    (select n.state from endpoints n where n.id = d.endpoint_id) as endpoint_state,
    ${ATTEMPTED('a.http_status >= 500')} as failed_there,
    ${ATTEMPTED('a.http_status is not null')} as answered,
    case when d.state = 'delivered' then case
      when ${ATTEMPTED(`a.outcome = 'delivered'`)} then 'answer'
      when exists (select from executions e where e.delivery_id = d.id and e.state = 'delivered'
        and e.reason = 'acknowledged') then 'acknowledgement'
      else 'resolution' end end as accepted_by,
    (select r.event_id from deliveries r where r.id = d.resent_by) as resent_as,
    (select q.state from queue q where q.delivery_id = d.id) as open,
    (select e.reason from execution_records e where e.delivery_id = d.id order by e.generation desc limit 1) as reason,
    exists (select from executions e where e.delivery_id = d.id and e.may_have_arrived) as may_have_arrived`;

/** SQL: receipts of the tenant `$1` that are older are not shown any more, whatever else is kept of their events. */
const SHOWN_SINCE = `coalesce((select clock_timestamp() - retention_days(x.settings, 'receipt') * interval '1 day'
      from tenants x where x.id = $1 and x.settings ? 'receiptRetentionDays'), '-infinity')`;

const ACCEPTED = `'accepted' as request, v.id, v.accepted_at as at, ${MICROS('v.accepted_at')} as at_micros, v.type,
    v.duplicate_of, v.external_id is not null as identified, v.payload_removed_at, v.payload_removed_for,
    (select p.event_id from payloads p where p.event_id = v.id) is not null as kept,
    v.accepted_at + retention_days(t.settings, 'payload') * interval '1 day' as retained_until,
    v.duplicate_of is not null and (select f.id from events f where f.id = v.duplicate_of and f.accepted_at >= ${SHOWN_SINCE})
      is null as first_gone,
    case when v.duplicate_of is not null then (select s.id from events s
      where s.id = coalesce((select r.event_id from event_resends r where r.first_event_id = v.duplicate_of and r.event_id < v.id
        order by r.event_id desc limit 1), v.duplicate_of) and s.accepted_at >= ${SHOWN_SINCE}) end as standing_event_id,
    (select r.event_id from event_resends r where r.first_event_id = coalesce(v.duplicate_of, v.id) and r.event_id > v.id
      order by r.event_id desc limit 1) as resent_as,
    (select coalesce(jsonb_agg(distinct to_jsonb(h)), '[]') from (
      ${HANDOFF_FACTS} from deliveries d where ${isFirstOf('d', 'v.id')} and d.tenant_id = $1
    ) h) as handoffs`;

/** The receipt with this id, of an event or of a refused request, of a tenant. */
export async function findReceipt(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'event'> | Id<'receipt'>,
): Promise<Receipt | undefined> {
  const accepted = await db.query<AcceptedRow>(
    `select ${ACCEPTED} from events v join tenants t on t.id = v.tenant_id where v.tenant_id = $1 and v.id = $2
       and v.accepted_at >= ${SHOWN_SINCE}`,
    [tenantId, id],
  );
  if (accepted.rows[0]) return acceptedFrom(accepted.rows[0]);
  const rejected = await db.query<RejectedRow>(
    `select r.*, ${MICROS('r.rejected_at')} as at_micros from rejections r where r.tenant_id = $1 and r.id = $2
       and r.rejected_at >= ${SHOWN_SINCE}`,
    [tenantId, id],
  );
  return rejected.rows[0] && rejectedFrom(rejected.rows[0]);
}

/** Receipts of a tenant, newest first, behind a given one. */
export async function listReceipts(
  db: Queryable,
  tenantId: Id<'tenant'>,
  filter: ReceiptFilter,
  page: { after?: { atMicros: string; id: Id<'event'> | Id<'receipt'> }; limit: number },
): Promise<Receipt[]> {
  const values = [
    tenantId,
    filter.eventId ?? null,
    filter.requestId ?? null,
    filter.from === undefined ? null : millisecondEdge('start', { at: filter.from, inclusive: true }),
    filter.to === undefined ? null : millisecondEdge('end', { at: filter.to, inclusive: false }),
    page.after?.atMicros ?? null,
    page.after?.id ?? null,
    page.limit,
  ];
  const range = (
    at: string,
    id: string,
  ) => `${at} >= ${SHOWN_SINCE} and ($4::timestamptz is null or ${at} >= $4)
      and ($5::timestamptz is null or ${at} < $5)
      and ($6::bigint is null or (${at}, ${id}) < (timestamptz 'epoch' + $6::bigint * interval '1 microsecond', $7::uuid))
      order by ${at} desc, ${id} desc limit $8`;
  // Each kind by its own index, at most a page of it; the page is then cut from both.
  const [accepted, rejected] = await Promise.all([
    filter.request === 'rejected' || filter.requestId !== undefined
      ? []
      : db
          .query<AcceptedRow>(
            `with page as materialized (
               select v.* from events v where v.tenant_id = $1 and ($2::uuid is null or v.id = $2) and $3::text is null
                 and ${range('v.accepted_at', 'v.id')}
             )
             select ${ACCEPTED} from page v join tenants t on t.id = v.tenant_id order by v.accepted_at desc, v.id desc`,
            values,
          )
          .then(({ rows }) => rows.map(acceptedFrom)),
    filter.request === 'accepted' || filter.eventId !== undefined
      ? []
      : db
          .query<RejectedRow>(
            `select r.*, ${MICROS('r.rejected_at')} as at_micros from rejections r
             where r.tenant_id = $1 and $2::uuid is null and ($3::text is null or r.request_id = $3)
               and ${range('r.rejected_at', 'r.id')}`,
            values,
          )
          .then(({ rows }) => rows.map(rejectedFrom)),
  ]);
  return [...accepted, ...rejected].sort(newestFirst).slice(0, page.limit);
}

function newestFirst(a: Receipt, b: Receipt): number {
  const byTime = BigInt(b.atMicros) - BigInt(a.atMicros);
  if (byTime !== 0n) return byTime > 0n ? 1 : -1;
  return a.id < b.id ? 1 : -1;
}

interface AcceptedRow {
  id: Id<'event'>;
  at: Date;
  at_micros: string;
  type: string;
  duplicate_of: Id<'event'> | null;
  identified: boolean;
  payload_removed_at: Date | null;
  payload_removed_for: 'retention' | 'erasure' | null;
  kept: boolean;
  retained_until: Date | null;
  first_gone: boolean;
  standing_event_id: Id<'event'> | null;
  resent_as: Id<'event'> | null;
  handoffs: HandoffRow[];
}

function acceptedFrom(row: AcceptedRow): AcceptedReceipt {
  const suppressed = row.duplicate_of !== null && !row.kept && row.payload_removed_at === null;
  return {
    request: 'accepted',
    id: row.id,
    at: row.at,
    atMicros: row.at_micros,
    eventType: row.type,
    identified: row.identified,
    ...(row.duplicate_of ? { duplicateOf: row.duplicate_of } : {}),
    ...(row.first_gone ? { firstGone: true } : {}),
    suppressed,
    ...(row.standing_event_id ? { standingEventId: row.standing_event_id } : {}),
    ...(row.resent_as ? { resentAs: row.resent_as } : {}),
    retention: suppressed ? 'never_kept' : row.kept ? 'retained' : 'expired',
    ...(row.payload_removed_at && row.payload_removed_for
      ? { payloadRemoved: { at: row.payload_removed_at, why: row.payload_removed_for } }
      : {}),
    ...(row.retained_until ? { retainedUntil: row.retained_until } : {}),
    handoffs: row.handoffs.map(handoffFactsFrom),
  };
}

interface RejectedRow {
  id: Id<'receipt'>;
  rejected_at: Date;
  at_micros: string;
  request_id: string;
  code: string;
}

function rejectedFrom(row: RejectedRow): RejectedReceipt {
  return {
    request: 'rejected',
    id: row.id,
    at: row.rejected_at,
    atMicros: row.at_micros,
    requestId: row.request_id,
    code: row.code,
  };
}

/** A row of {@link HANDOFF_FACTS}. */
export interface HandoffRow {
  state: DeliveryState;
  attempted: boolean;
  endpoint_state: EndpointState;
  failed_there: boolean;
  answered: boolean;
  accepted_by: AcceptedBy | null;
  resent_as: Id<'event'> | null;
  open: ExecutionState | null;
  reason: string | null;
  may_have_arrived: boolean;
}

/** The facts in a row of {@link HANDOFF_FACTS}. */
export function handoffFactsFrom(row: HandoffRow): HandoffFacts {
  return {
    state: row.state,
    ...(row.open ? { open: row.open } : {}),
    attempted: row.attempted,
    ...(row.reason ? { reason: row.reason } : {}),
    mayHaveArrived: row.may_have_arrived,
    failedThere: row.failed_there,
    answered: row.answered,
    ...(row.accepted_by ? { acceptedBy: row.accepted_by } : {}),
    endpointState: row.endpoint_state,
    ...(row.resent_as ? { resentAs: row.resent_as } : {}),
  };
}
