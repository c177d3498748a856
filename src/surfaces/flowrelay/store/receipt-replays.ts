import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../../../store/db/queryable.ts';
import type { ReplayUsage } from '../domain/replay-decision.ts';

/** Where a replay goes: an endpoint in the version that was previewed, and the handoff where there is one. */
export interface ReplayTarget {
  endpointId: Id<'endpoint'>;
  version: number;
  deliveryId?: Id<'delivery'>;
}

/** One replay of an event, from its preview on. */
export interface ReceiptReplay {
  id: Id<'receiptReplay'>;
  eventId: Id<'event'>;
  askedEndpointId?: Id<'endpoint'>;
  keyHash: Buffer;
  actor: string;
  state: 'previewed' | 'confirmed' | 'executed';
  binding: Buffer;
  /** One handoff again, or the event matched afresh for its first. */
  kind: 'handoff' | 'afresh';
  targets: ReplayTarget[];
  duplicateRisk: boolean;
  duplicateRiskConfirmed: boolean;
  preview: unknown;
  createdAt: Date;
  expiresAt: Date;
  /** By the database's clock. */
  expired: boolean;
  confirmedAt?: Date;
  executedAt?: Date;
  operationId?: Id<'operation'>;
}

const COLUMNS = '*, expires_at <= clock_timestamp() as expired';

/** Writes a preview down under its key; undefined where the key is in use. */
export async function insertReplay(
  db: Queryable,
  tenantId: Id<'tenant'>,
  replay: Pick<
    ReceiptReplay,
    | 'eventId'
    | 'askedEndpointId'
    | 'keyHash'
    | 'actor'
    | 'binding'
    | 'kind'
    | 'targets'
    | 'duplicateRisk'
    | 'preview'
  > & { validForMs: number },
): Promise<ReceiptReplay | undefined> {
  const { rows } = await db.query<ReplayRow>(
    `insert into receipt_replays (tenant_id, event_id, asked_endpoint_id, key_hash, actor, binding, targets,
       duplicate_risk, preview, kind, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + $11::float8 * interval '1 millisecond')
     on conflict (tenant_id, key_hash) do nothing returning ${COLUMNS}`,
    [
      tenantId,
      replay.eventId,
      replay.askedEndpointId ?? null,
      replay.keyHash,
      replay.actor,
      replay.binding,
      JSON.stringify(replay.targets),
      replay.duplicateRisk,
      JSON.stringify(replay.preview),
      replay.kind,
      replay.validForMs,
    ],
  );
  return rows[0] && replayFrom(rows[0]);
}

/** The replay that a key of a tenant stands for. */
export async function replayByKey(
  db: Queryable,
  tenantId: Id<'tenant'>,
  keyHash: Buffer,
): Promise<ReceiptReplay | undefined> {
  const { rows } = await db.query<ReplayRow>(
    `select ${COLUMNS} from receipt_replays where tenant_id = $1 and key_hash = $2`,
    [tenantId, keyHash],
  );
  return rows[0] && replayFrom(rows[0]);
}

/** One replay of a tenant. */
export async function findReplay(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'receiptReplay'>,
): Promise<ReceiptReplay | undefined> {
  const { rows } = await db.query<ReplayRow>(
    `select ${COLUMNS} from receipt_replays where tenant_id = $1 and id = $2`,
    [tenantId, id],
  );
  return rows[0] && replayFrom(rows[0]);
}

/** One replay of a tenant, held until the transaction ends. */
export async function lockReplay(
  db: Transaction,
  tenantId: Id<'tenant'>,
  id: Id<'receiptReplay'>,
): Promise<ReceiptReplay | undefined> {
  const { rows } = await db.query<ReplayRow>(
    `select ${COLUMNS} from receipt_replays where tenant_id = $1 and id = $2 for update`,
    [tenantId, id],
  );
  return rows[0] && replayFrom(rows[0]);
}

/** The newest `limit` replays of an event, newest first. */
export async function replaysOfEvent(
  db: Queryable,
  tenantId: Id<'tenant'>,
  eventId: Id<'event'>,
  limit: number,
): Promise<ReceiptReplay[]> {
  const { rows } = await db.query<ReplayRow>(
    `select ${COLUMNS} from receipt_replays where tenant_id = $1 and event_id = $2 order by id desc limit $3`,
    [tenantId, eventId, limit],
  );
  return rows.map(replayFrom);
}

/** Previewed becomes confirmed; undefined where it is not previewed. */
export async function confirmReplay(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'receiptReplay'>,
  duplicateRiskConfirmed: boolean,
): Promise<ReceiptReplay | undefined> {
  const { rows } = await db.query<ReplayRow>(
    `update receipt_replays set state = 'confirmed', confirmed_at = clock_timestamp(), duplicate_risk_confirmed = $3
     where tenant_id = $1 and id = $2 and state = 'previewed' returning ${COLUMNS}`,
    [tenantId, id, duplicateRiskConfirmed],
  );
  return rows[0] && replayFrom(rows[0]);
}

/** Confirmed becomes executed, by this operation; false where it is not confirmed. */
export async function markExecuted(
  db: Transaction,
  tenantId: Id<'tenant'>,
  id: Id<'receiptReplay'>,
  operationId: Id<'operation'>,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update receipt_replays set state = 'executed', executed_at = clock_timestamp(), operation_id = $3
     where tenant_id = $1 and id = $2 and state = 'confirmed'`,
    [tenantId, id, operationId],
  );
  return rowCount === 1;
}

/** Reads how many of its replays a tenant has used, and when enough of them are 24 hours old for another one. */
export async function replayUsage(db: Queryable, tenantId: Id<'tenant'>): Promise<ReplayUsage> {
  const { rows } = await db.query<{ most: number | null; executed: number; free_in_ms: number | null }>(
    `select l.most, u.executed,
       (select extract(epoch from r.executed_at + interval '24 hours' - clock_timestamp())::float8 * 1000
        from receipt_replays r where r.tenant_id = t.id and r.executed_at > clock_timestamp() - interval '24 hours'
          and l.most > 0
        order by r.executed_at desc offset greatest(l.most - 1, 0) limit 1) as free_in_ms
     from tenants t
     cross join lateral (select (t.settings->>'replaysPerDay')::int as most) l
     cross join lateral (select count(*)::int as executed from receipt_replays r
       where r.tenant_id = t.id and r.executed_at > clock_timestamp() - interval '24 hours') u
     where t.id = $1`,
    [tenantId],
  );
  const row = rows[0];
  return {
    executed: row?.executed ?? 0,
    ...(row && row.most !== null ? { limit: row.most } : {}),
    ...(row && row.free_in_ms !== null ? { freeInMs: row.free_in_ms } : {}),
  };
}

/** Makes executions of one tenant's replays follow one another until the transaction ends, so that a limit holds. */
export async function lockReplayUsage(db: Transaction, tenantId: Id<'tenant'>): Promise<void> {
  await db.query(`select pg_advisory_xact_lock(hashtextextended('replay usage ' || $1, 4400))`, [tenantId]);
}

interface ReplayRow {
  id: Id<'receiptReplay'>;
  event_id: Id<'event'>;
  asked_endpoint_id: Id<'endpoint'> | null;
  key_hash: Buffer;
  actor: string;
  state: ReceiptReplay['state'];
  binding: Buffer;
  kind: ReceiptReplay['kind'];
  targets: ReplayTarget[];
  duplicate_risk: boolean;
  duplicate_risk_confirmed: boolean;
  preview: unknown;
  created_at: Date;
  expires_at: Date;
  expired: boolean;
  confirmed_at: Date | null;
  executed_at: Date | null;
  operation_id: Id<'operation'> | null;
}

function replayFrom(row: ReplayRow): ReceiptReplay {
  return {
    id: row.id,
    eventId: row.event_id,
    ...(row.asked_endpoint_id ? { askedEndpointId: row.asked_endpoint_id } : {}),
    keyHash: row.key_hash,
    actor: row.actor,
    state: row.state,
    binding: row.binding,
    kind: row.kind,
    targets: row.targets,
    duplicateRisk: row.duplicate_risk,
    duplicateRiskConfirmed: row.duplicate_risk_confirmed,
    preview: row.preview,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    expired: row.expired,
    ...(row.confirmed_at ? { confirmedAt: row.confirmed_at } : {}),
    ...(row.executed_at ? { executedAt: row.executed_at } : {}),
    ...(row.operation_id ? { operationId: row.operation_id } : {}),
  };
}
