import { PLAN_LIFE_MS, type Plan, type PlanDrift, type PlanOrigin } from '../../domain/operations/plan.ts';
import { PLAN_RISKS, riskCounts } from '../../domain/operations/plan-risks.ts';
import type { Party } from '../../domain/policy/approver.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** Writes down that an operation is a plan, in the transaction that makes it. */
export async function insertPlan(
  tx: Transaction,
  plan: Pick<Plan, 'operationId' | 'tenantId' | 'origin' | 'emergency'>,
): Promise<void> {
  await tx.query(
    'insert into plans (operation_id, tenant_id, origin, life_ms, emergency) values ($1, $2, $3, $4, $5)',
    [plan.operationId, plan.tenantId, plan.origin, PLAN_LIFE_MS[plan.origin], plan.emergency],
  );
}

interface PlanRow {
  operation_id: Id<'operation'>;
  tenant_id: Id<'tenant'>;
  origin: PlanOrigin;
  emergency: boolean;
  planned_at: Date | null;
  items: number;
  sends: number;
  pages: number;
  risks: number[];
  endpoint_count: number;
  plan_hash: string | null;
  items_digest: string | null;
  risks_digest: string | null;
  watermark: string;
  executed_at: Date | null;
  executed_by: string | null;
  max_drift_percent: number | null;
  drift: PlanDrift | null;
  refused_drift: PlanDrift | null;
  expired: boolean;
  expires_at: Date | null;
}

const SUMS = PLAN_RISKS.map((_, n) => `coalesce(sum(w.risks[${n + 1}]), 0)::int`).join(', ');

const SELECT = `select p.operation_id, p.tenant_id, p.origin, p.emergency, p.planned_at, p.items, p.pages, p.executed_at, p.executed_by,
    p.max_drift_percent, p.drift, p.refused_drift, p.expired, encode(p.plan_hash, 'hex') as plan_hash,
    encode(p.items_digest, 'hex') as items_digest, encode(p.risks_digest, 'hex') as risks_digest,
    to_char(o.watermark at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as watermark,
    case when o.state in ('planned', 'awaiting_approval') then o.expires_at end as expires_at, s.*
  from plans p join operations o on o.id = p.operation_id
  cross join lateral (select array[${SUMS}] as risks, coalesce(sum(w.sends), 0)::int as sends, count(*)::int as endpoint_count
    from plan_endpoints w where w.operation_id = p.operation_id) s`;

/** The plan of a tenant's operation. */
export async function findPlan(
  db: Queryable,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
): Promise<Plan | undefined> {
  const { rows } = await db.query<PlanRow>(`${SELECT} where p.operation_id = $1 and p.tenant_id = $2`, [
    operationId,
    tenantId,
  ]);
  return rows[0] && planFrom(rows[0]);
}

/** The plan of an operation, for the engine itself; undefined where it is none. */
export async function loadPlan(db: Queryable, operationId: Id<'operation'>): Promise<Plan | undefined> {
  const { rows } = await db.query<PlanRow>(`${SELECT} where p.operation_id = $1`, [operationId]);
  return rows[0] && planFrom(rows[0]);
}

/**
 * Holds a plan until the end of the transaction, behind its operation: who makes it, executes it or freezes its items
 * does so alone.
 */
export async function lockPlan(
  tx: Transaction,
  tenantId: Id<'tenant'> | undefined,
  operationId: Id<'operation'>,
): Promise<boolean> {
  await tx.query('select from operations where id = $1 for no key update', [operationId]);
  const { rowCount } = await tx.query(
    'select from plans where operation_id = $1 and ($2::uuid is null or tenant_id = $2) for update',
    [operationId, tenantId ?? null],
  );
  return rowCount === 1;
}

/** Adds the pages of a stretch to a plan that is being made, with the span of acceptance whose payloads it keeps. */
export async function growPlan(
  tx: Transaction,
  operationId: Id<'operation'>,
  by: { items: number; pages: number; from: string | null; to: string | null },
): Promise<void> {
  await tx.query(
    `update plans set items = items + $2, pages = pages + $3,
       pin_from = case when origin <> 'dry_run' then least(pin_from, $4::timestamptz) end,
       pin_to = case when origin <> 'dry_run' then greatest(pin_to, $5::timestamptz) end
     where operation_id = $1 and planned_at is null`,
    [operationId, by.items, by.pages, by.from, by.to],
  );
}

/** Ends the making of a plan: from then on it is what was shown. */
export async function writePlanned(
  tx: Transaction,
  operationId: Id<'operation'>,
  made: { items: number; itemsDigest: Buffer; risksDigest: Buffer; planHash: Buffer },
): Promise<void> {
  await tx.query(
    `update plans set planned_at = clock_timestamp(), items = $2, items_digest = $3, risks_digest = $4, plan_hash = $5
     where operation_id = $1 and planned_at is null`,
    [operationId, made.items, made.itemsDigest, made.risksDigest, made.planHash],
  );
}

/** Notes that an operation goes on, or waits, as its plan was made for it: whoever started it has executed that. */
export async function noteOwnExecution(tx: Transaction, operationId: Id<'operation'>): Promise<void> {
  await tx.query(
    `update plans p set executed_at = clock_timestamp(), executed_by = coalesce(o.actor, ''), executed_key = o.requested_by
     from operations o where o.id = $1 and p.operation_id = $1 and p.executed_at is null`,
    [operationId],
  );
}

/** Notes who executed a plan. */
export async function noteExecution(
  tx: Transaction,
  operationId: Id<'operation'>,
  { by, maxDriftPercent }: { by: Party; maxDriftPercent?: number | undefined },
): Promise<void> {
  await tx.query(
    `update plans set executed_at = clock_timestamp(), executed_by = $2, executed_key = $4, max_drift_percent = $3,
       refused_drift = null
     where operation_id = $1 and executed_at is null`,
    [operationId, by.actor, maxDriftPercent ?? null, by.keyId ?? null],
  );
}

/** Takes the execution of a plan back, with the drift that was too large. */
export async function takeBackExecution(
  tx: Transaction,
  operationId: Id<'operation'>,
  drift: PlanDrift,
): Promise<void> {
  await tx.query(
    `update plans set executed_at = null, executed_by = null, executed_key = null, max_drift_percent = null, drift = null, refused_drift = $2
     where operation_id = $1`,
    [operationId, JSON.stringify(drift)],
  );
}

/** Writes down a drift that was too large, of a plan that stays as it is. */
export async function noteRefusedDrift(
  db: Queryable,
  operationId: Id<'operation'>,
  drift: PlanDrift,
): Promise<void> {
  await db.query('update plans set refused_drift = $2 where operation_id = $1 and executed_at is null', [
    operationId,
    JSON.stringify(drift),
  ]);
}

/** Writes down the drift of an executed plan. */
export async function writeDrift(
  tx: Transaction,
  operationId: Id<'operation'>,
  drift: PlanDrift,
): Promise<void> {
  await tx.query('update plans set drift = $2 where operation_id = $1 and executed_at is not null', [
    operationId,
    JSON.stringify(drift),
  ]);
}

function planFrom(row: PlanRow): Plan {
  return {
    operationId: row.operation_id,
    tenantId: row.tenant_id,
    origin: row.origin,
    emergency: row.emergency,
    items: row.items,
    sends: row.sends,
    pages: row.pages,
    risks: riskCounts(row.risks),
    endpointCount: row.endpoint_count,
    watermark: row.watermark,
    expired: row.expired,
    ...(row.planned_at
      ? {
          planned: {
            at: row.planned_at,
            planHash: row.plan_hash ?? '',
            itemsDigest: row.items_digest ?? '',
            risksDigest: row.risks_digest ?? '',
          },
        }
      : {}),
    ...(row.executed_at
      ? {
          executed: {
            at: row.executed_at,
            by: row.executed_by ?? '',
            ...present({ maxDriftPercent: row.max_drift_percent }),
          },
        }
      : {}),
    ...present({ drift: row.drift, refusedDrift: row.refused_drift, expiresAt: row.expires_at }),
  };
}
