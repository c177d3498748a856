import type { OperationState } from '../../domain/operations/operation-state.ts';
import type { CircuitState } from '../../domain/sending/endpoint-health.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable } from '../db/queryable.ts';
import { LIVE_LANE } from '../db/queryable.ts';
import { readyEndpoints } from '../sending/ready-endpoints.ts';

/** The parts of the ledger of an operation that its items are in. */
export const LEDGER_PARTS = [
  'queued',
  'scheduled',
  'sending',
  'unknown',
  'delivered',
  'failed',
  'ignored',
  'cancelled',
  'superseded',
  'excluded',
] as const;

/** Items by part of the ledger. */
export type LedgerParts = Record<(typeof LEDGER_PARTS)[number], number>;

/** The queues, as gauges show them. Depths are counted up to a bound: a gauge must not read a table of millions. */
export interface QueueGauges {
  /** The age is that of the oldest item that may be claimed, at endpoints that nothing holds back. */
  live: { queued: number; scheduled: number; oldestAgeSeconds: number };
  operations: { state: OperationState; count: number }[];
  /** Items of all operations that have not ended. */
  items: LedgerParts;
  bulk: { queued: number; scheduled: number };
  /** Age of the oldest act that has no place in its audit chain yet. */
  unsealedSeconds: number;
}

/** What changes slowly, or takes longer to read: it is read less often. */
export interface SlowGauges {
  /** Enabled endpoints. */
  endpoints: { circuit: CircuitState; count: number }[];
  outagesOpen: number;
  /** How long the oldest payload, and the oldest event, that retention has not looked at is past its time. */
  payloadLagSeconds: number;
  eventLagSeconds: number;
  /** How long the oldest event past its time has been kept because something holds it. */
  eventHeldSeconds: number;
  /** Age of the oldest act that no signed checkpoint covers. */
  unsignedSeconds: number;
}

const COUNT_UP_TO = 100_000;

/** Of each tenant. */
const UNKNOWN_UP_TO = 10_000;

interface LiveRow {
  queued: number;
  scheduled: number;
}

type OperationsRow = { state: OperationState; count: number } & LedgerParts;

/** Reads the gauges: the live lane's depth and age, bulk depth from the operations' counts, operations by state. */
export async function readGauges(db: Queryable): Promise<QueueGauges> {
  const live = await db.query<LiveRow>(
    `select count(*) filter (where state = 'queued')::int as queued,
      count(*) filter (where state = 'scheduled')::int as scheduled
     from (select state from queue where in_queue and worked_by = '${LIVE_LANE}'
       and state in ('queued', 'scheduled') limit ${COUNT_UP_TO}) e`,
  );
  const operations = await db.query<OperationsRow>(
    `select o.state, count(*)::int as count,
       ${LEDGER_PARTS.map((part) => `sum(c.${part})::float8 as ${part}`).join(', ')}
     from operations o join operation_counts c on c.operation_id = o.id where o.closed_at is null group by 1`,
  );
  const unsealed = await db.query<{ seconds: number }>(
    `select coalesce(greatest(0, extract(epoch from clock_timestamp() - min(at))), 0)::float8 as seconds
     from (select at from audit_entries where number is null limit ${COUNT_UP_TO}) e`,
  );
  const items = Object.fromEntries(
    LEDGER_PARTS.map((part) => [part, operations.rows.reduce((total, row) => total + row[part], 0)]),
  ) as LedgerParts;
  // An endpoint that rests or has limits keeps its items waiting, however many workers there are.
  const behindMs = (await readyEndpoints(db, LIVE_LANE))
    .filter(({ state, paced, ordered }) => state === 'enabled' && !paced && !ordered)
    .map(({ claimableInMs }) => -claimableInMs);
  return {
    live: { ...onlyRow(live), oldestAgeSeconds: Math.max(0, ...behindMs) / 1_000 },
    operations: operations.rows.map((row) => ({ state: row.state, count: row.count })),
    items,
    bulk: { queued: items.queued, scheduled: items.scheduled },
    unsealedSeconds: onlyRow(unsealed).seconds,
  };
}

type SlowRow = Omit<SlowGauges, 'endpoints'>;

/** Counts deliveries that wait for somebody to settle them, up to so many of each tenant. */
export async function readUnknownWaiting(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ unknown: number }>(
    `select count(*)::int as unknown from tenants t cross join lateral (
      select from undelivered u where u.state = 'unknown' and u.tenant_id = t.id limit ${UNKNOWN_UP_TO}) r`,
  );
  return rows[0]?.unknown ?? 0;
}

/** SQL: how long the first event behind the place where the sweep of its tenant stands is past its time. */
function lagOf(what: 'payload' | 'event'): string {
  return `(select coalesce(greatest(0, max(extract(epoch from clock_timestamp() - v.accepted_at
          - retention_days(t.settings, '${what}') * interval '1 day'))), 0)::float8
       from tenants t left join ${what}_sweeps s on s.tenant_id = t.id cross join lateral (
        select v.accepted_at from events v where v.tenant_id = t.id
          and (v.accepted_at, v.id) > (coalesce(s.accepted_at, '-infinity'),
            coalesce(s.event_id, '00000000-0000-0000-0000-000000000000'))
        order by v.accepted_at, v.id limit 1) v
       where t.settings ? '${what}RetentionDays')`;
}

/** Reads what is read less often. Each part takes an index, or a table with a row for each endpoint or tenant. */
export async function readSlowGauges(db: Queryable): Promise<SlowGauges> {
  const slow = await db.query<SlowRow>(
    `select
      (select count(*)::int from outages where state = 'open') as "outagesOpen",
      ${lagOf('payload')} as "payloadLagSeconds",
      ${lagOf('event')} as "eventLagSeconds",
      (select coalesce(greatest(0, max(extract(epoch from clock_timestamp() - h.accepted_at
          - retention_days(t.settings, 'event') * interval '1 day'))), 0)::float8
       from tenants t cross join lateral (
        select h.accepted_at from event_sweep_held h where h.tenant_id = t.id order by h.accepted_at limit 1) h
       where t.settings ? 'eventRetentionDays') as "eventHeldSeconds",
      (select coalesce(greatest(0, max(extract(epoch from clock_timestamp() - e.at))), 0)::float8
       from audit_heads h join audit_entries e on e.tenant_id = h.tenant_id and e.number = h.checkpoint_number + 1
       where h.number > h.checkpoint_number) as "unsignedSeconds"`,
  );
  const endpoints = await db.query<{ circuit: CircuitState; count: number }>(
    `select case when coalesce(p.openings, 0) = 0 then 'closed'
       when p.floor_until > clock_timestamp() then 'open' else 'half_open' end as circuit, count(*)::int as count
     from endpoints n left join endpoint_pacing p on p.endpoint_id = n.id where n.state = 'enabled' group by 1`,
  );
  return { ...onlyRow(slow), endpoints: endpoints.rows };
}
