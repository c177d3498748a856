import type { OperationKind, OperationState } from '../../domain/operations/operation-state.ts';
import type { RecoveryPlan } from '../../domain/outages/outage-look.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** Notes that an operation selects what an outage made wait; `made` where a recovery has led to it, and nobody asked. */
export async function linkOperation(
  tx: Transaction,
  outageId: Id<'outage'>,
  operationId: Id<'operation'>,
  { made = false, runs = false }: { made?: boolean; runs?: boolean } = {},
): Promise<void> {
  await tx.query(
    `insert into outage_operations (outage_id, operation_id, made, runs) values ($1, $2, $3, $4)
     on conflict (operation_id) do update set made = excluded.made, runs = excluded.runs`,
    [outageId, operationId, made, runs],
  );
}

/** An operation of an outage. */
export interface OutageOperation {
  operationId: Id<'operation'>;
  kind: OperationKind;
  state: OperationState;
  isPlan: boolean;
  /** A recovery has led to it. */
  made: boolean;
}

interface OperationRow {
  id: Id<'operation'>;
  kind: OperationKind;
  state: OperationState;
  is_plan: boolean;
  made: boolean;
}

/** The newest operations of an outage, newest first. */
export async function operationsOfOutage(
  db: Queryable,
  outageId: Id<'outage'>,
  limit: number,
): Promise<OutageOperation[]> {
  const { rows } = await db.query<OperationRow>(
    `select o.id, o.kind, o.state, x.made, exists (select from plans p where p.operation_id = o.id) as is_plan
     from outage_operations x join operations o on o.id = x.operation_id
     where x.outage_id = $1 order by x.operation_id desc limit $2`,
    [outageId, limit],
  );
  return rows.map(({ id, is_plan: isPlan, ...row }) => ({ operationId: id, isPlan, ...row }));
}

/** The newest plan that a recovery has led to, where it is now, and the hash of what it shows once it is planned. */
export interface MadePlan {
  operationId: Id<'operation'>;
  planHash?: string;
  stands: RecoveryPlan;
}

interface PlanRow {
  operation_id: Id<'operation'>;
  state: OperationState;
  runs: boolean;
  executed: boolean;
  closed: boolean;
  plan_hash: string | null;
}

/** The newest plan that the recovery of an outage has led to. */
export async function newestMadePlan(db: Queryable, outageId: Id<'outage'>): Promise<MadePlan | undefined> {
  const { rows } = await db.query<PlanRow>(
    `select x.operation_id, x.runs, o.state, p.executed_at is not null as executed, o.closed_at is not null as closed,
       encode(p.plan_hash, 'hex') as plan_hash
     from outage_operations x join operations o on o.id = x.operation_id join plans p on p.operation_id = o.id
     where x.outage_id = $1 and x.made order by x.operation_id desc limit 1`,
    [outageId],
  );
  const [row] = rows;
  if (!row) return undefined;
  return {
    operationId: row.operation_id,
    ...(row.plan_hash === null ? {} : { planHash: row.plan_hash }),
    stands: standsAt(row),
  };
}

function standsAt({ state, executed, closed, runs, plan_hash: hash }: PlanRow): RecoveryPlan {
  if (state === 'cancelled') return { is: 'cancelled' };
  if (closed) return { is: 'ended' };
  return executed
    ? { is: 'running' }
    : { is: 'waiting', runs, planned: hash !== null && state === 'planned' };
}

/** The plans that recoveries of an outage have led to and that wait for their execution. */
export async function waitingMadePlans(db: Queryable, outageId: Id<'outage'>): Promise<Id<'operation'>[]> {
  const { rows } = await db.query<{ operation_id: Id<'operation'> }>(
    `select x.operation_id from outage_operations x join operations o on o.id = x.operation_id
     join plans p on p.operation_id = o.id
     where x.outage_id = $1 and x.made and o.closed_at is null and p.executed_at is null order by x.operation_id`,
    [outageId],
  );
  return rows.map((row) => row.operation_id);
}
