import type { Id } from '../../../domain/tenancy/typed-id.ts';
import { Parameters } from '../../../store/db/parameters.ts';
import type { Pool } from '../../../store/db/pool.ts';
import { codeOf } from '../../../store/db/sqlstate.ts';
import { withinTime } from '../../../store/db/within-time.ts';
import { bound } from '../../../store/selection/filter-conditions.ts';
import {
  BRIDGE_EVENT_FIELDS,
  type BridgeEventCondition,
  type BridgeEventField,
  type BridgeEventStatus,
  type Comparison,
} from '../bridge-event-filter.ts';
import type { Bridge } from './bridges.ts';

/** A delivery as an event of its bridge. */
export interface BridgeEvent {
  deliveryId: Id<'delivery'>;
  eventId: Id<'event'>;
  status: BridgeEventStatus;
  attempts: number;
  acceptedAt: Date;
  stateChangedAt: Date;
}

/** The page, or why it could not be read. */
export type BridgeEventPage =
  | { ok: true; events: BridgeEvent[] }
  | { ok: false; code: 'regex_invalid' | 'too_slow' };

/** Matching a pattern must not hold Postgres up for longer, nor anything else that a caller may ask for. */
const TIMEOUT_MS = { pattern: 1_000, none: 5_000 };

/**
 * What Postgres says of a pattern: that it is none, that it cannot be compiled in the memory or on the stack that there
 * is (also by an error of its own), or that it is too complex.
 */
const UNUSABLE_PATTERN = new Set(['2201B', 'XX000', '53200', '54000', '54001']);

/** An open delivery is on its way, even where it has failed before; one that will never be sent is cancelled. */
const STATUS = `case when d.state = 'delivered' then 'delivered'
    when exists (select from queue q where q.delivery_id = d.id) then 'pending'
    when d.state = 'failed' then 'failed' else 'cancelled' end`;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const ORDER = { $gt: '>', $gte: '>=', $lt: '<', $lte: '<=' } as const;

/**
 * Reads a page of the events of a tenant's bridge, newest first. Patterns are bound by time, for they may be hostile.
 */
export async function listBridgeEvents(
  pool: Pool,
  tenantId: Id<'tenant'>,
  bridge: Bridge,
  conditions: readonly BridgeEventCondition[],
  page: { offset: number; limit: number },
): Promise<BridgeEventPage> {
  const p = new Parameters();
  const where = [
    `d.tenant_id = ${p.add(tenantId)}`,
    `d.endpoint_id = ${p.add(bridge.id)}`,
    ...conditions.map((condition) => conditionSql(condition, bridge, p)),
  ];
  const asked = conditions.some(({ comparison }) => comparison === '$regex') ? 'pattern' : 'none';
  try {
    const found = await withinTime(pool, TIMEOUT_MS[asked], (tx) =>
      tx.query<EventRow>(
        `select d.id, d.event_id, d.attempts, d.accepted_at, d.state_changed_at, ${STATUS} as status
         from deliveries d where ${where.join('\n and ')}
         order by d.accepted_at desc, d.id desc offset ${p.add(page.offset)} limit ${p.add(page.limit)}`,
        p.values,
      ),
    );
    return found ? { ok: true, events: found.rows.map(eventFrom) } : { ok: false, code: 'too_slow' };
  } catch (error) {
    if (asked === 'pattern' && UNUSABLE_PATTERN.has(codeOf(error)))
      return { ok: false, code: 'regex_invalid' };
    throw error;
  }
}

function conditionSql(
  { field, comparison, values: given }: BridgeEventCondition,
  bridge: Bridge,
  p: Parameters,
): string {
  const column = columnOf(field, bridge, p);
  const type = BRIDGE_EVENT_FIELDS[field];
  // Ids are shown in lower case, and compared as texts where one asks for an order.
  const values = type === 'uuid' ? given.map((text) => (UUID.test(text) ? text.toLowerCase() : text)) : given;
  if (type === 'time') return momentSql(column, comparison, values, p);
  if (comparison === '$regex') return `${column}::text ~ ${p.add(values[0])}`;
  if (comparison in ORDER) {
    const operator = ORDER[comparison as keyof typeof ORDER];
    return type === 'uuid' || type === 'text'
      ? `${column}::text collate "C" ${operator} ${p.add(values[0])}`
      : `${column} ${operator} ${p.add(values[0])}::${SQL_TYPES[type]}`;
  }
  // A text that is no uuid equals none.
  const comparable = type === 'uuid' ? values.filter((value) => UUID.test(value)) : values;
  const list = `${p.add(comparable)}::${SQL_TYPES[type]}[]`;
  return comparison === '$eq' || comparison === '$in'
    ? `${column} = any(${list})`
    : `${column} <> all(${list})`;
}

/** Moments are shown in milliseconds: a shown moment must equal itself, and each comparison is a range of the index. */
function momentSql(column: string, comparison: Comparison, values: readonly string[], p: Parameters): string {
  const from = (at: string, inclusive: boolean) => bound(column, '>', { at, inclusive }, p);
  const to = (at: string, inclusive: boolean) => bound(column, '<', { at, inclusive }, p);
  const [first = ''] = values;
  switch (comparison) {
    case '$gt':
    case '$gte':
      return from(first, comparison === '$gte');
    case '$lt':
    case '$lte':
      return to(first, comparison === '$lte');
    default: {
      const equal = values.map((at) => `(${from(at, true)} and ${to(at, true)})`).join(' or ') || 'false';
      return comparison === '$ne' || comparison === '$nin' ? `not (${equal})` : `(${equal})`;
    }
  }
}

const SQL_TYPES = { uuid: 'uuid', text: 'text', number: 'int' } as const;

function columnOf(field: BridgeEventField, bridge: Bridge, p: Parameters): string {
  switch (field) {
    case 'data.handle':
      return 'd.id';
    case 'data.linked':
      return 'd.event_id';
    case 'data.bridge':
      return `${p.add(bridge.handle)}::text`;
    case 'data.record':
      return `'intent'::text`;
    case 'meta.status':
      return `(${STATUS})`;
    case 'meta.replay':
      return 'd.attempts';
    case 'meta.moment':
      return 'd.accepted_at';
  }
}

interface EventRow {
  id: Id<'delivery'>;
  event_id: Id<'event'>;
  status: BridgeEventStatus;
  attempts: number;
  accepted_at: Date;
  state_changed_at: Date;
}

function eventFrom(row: EventRow): BridgeEvent {
  return {
    deliveryId: row.id,
    eventId: row.event_id,
    status: row.status,
    attempts: row.attempts,
    acceptedAt: row.accepted_at,
    stateChangedAt: row.state_changed_at,
  };
}
