import type { LateChange } from '../../domain/proof/addendum-payload.ts';
import type { ExecutionState } from '../../domain/sending/execution-state.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** Between two addenda of one operation. */
const EVERY = `interval '1 minute'`;

/** An addendum as it was signed. */
export interface SignedAddendum {
  number: number;
  keyId: Id<'signingKey'>;
  digest: Buffer;
  jws: string;
  changes: number;
  signedAt: Date;
}

/** Closed operations with something to tell that have told nothing for a minute, up to `limit`. */
export async function operationsWithAddenda(db: Queryable, limit: number): Promise<Id<'operation'>[]> {
  const { rows } = await db.query<{ id: Id<'operation'> }>(
    // From operation to operation, however many items of one have changed.
    `with recursive hop as (
      (select operation_id as id from late_changes order by 1 limit 1)
      union all
      select (select l.operation_id from late_changes l where l.operation_id > hop.id order by 1 limit 1)
      from hop where hop.id is not null
    )
    select h.id from hop h join closure_reports r on r.operation_id = h.id
    where exists (select from late_changes l where l.operation_id = h.id and l.to_state <> 'sending')
      and not exists (select from report_addenda a where a.operation_id = h.id and a.signed_at > clock_timestamp() - ${EVERY})
    limit $1`,
    [limit],
  );
  return rows.map(({ id }) => id);
}

interface LockedRow {
  tenant_id: Id<'tenant'>;
  digest: Buffer;
  number: number;
  early: boolean;
}

/**
 * Locks the report of an operation for its next addendum; undefined where somebody else makes one, or the last one is
 * younger than a minute.
 */
export async function lockForAddendum(
  tx: Transaction,
  operationId: Id<'operation'>,
): Promise<{ tenantId: Id<'tenant'>; digest: Buffer; number: number } | undefined> {
  const locked = await tx.query(
    'select from closure_reports where operation_id = $1 for update skip locked',
    [operationId],
  );
  if (locked.rowCount !== 1) return undefined;
  // A statement of its own, which sees what was committed before the lock was had.
  const { rows } = await tx.query<LockedRow>(
    `select r.tenant_id, r.digest, coalesce(max(a.number), 0) + 1 as number,
       coalesce(max(a.signed_at) > clock_timestamp() - ${EVERY}, false) as early
     from closure_reports r left join report_addenda a on a.operation_id = r.operation_id
     where r.operation_id = $1 group by r.operation_id`,
    [operationId],
  );
  const [row] = rows;
  return row && !row.early ? { tenantId: row.tenant_id, digest: row.digest, number: row.number } : undefined;
}

/**
 * Takes up to `limit` changes that are to be told, in the order of their items. One that is being sent is told when that
 * has ended; one that is again as it was told last is nothing to tell.
 */
export async function takeLateChanges(
  tx: Transaction,
  operationId: Id<'operation'>,
  limit: number,
): Promise<LateChange[]> {
  const { rows } = await tx.query<{
    execution_id: Id<'execution'>;
    delivery_id: Id<'delivery'>;
    replay_of: Id<'delivery'> | null;
    from_state: ExecutionState;
    to_state: ExecutionState;
    at: Date;
  }>(
    `with taken as (
      delete from late_changes l using (
        select execution_id from late_changes where operation_id = $1 and to_state <> 'sending'
        order by execution_id limit $2 for update skip locked
      ) t where l.operation_id = $1 and l.execution_id = t.execution_id
      returning l.execution_id, l.delivery_id, l.from_state, l.to_state, l.at
    )
    select t.*, (select d.replay_of from deliveries d where d.id = t.delivery_id and d.operation_id = $1) as replay_of
    from taken t where t.from_state <> t.to_state order by t.execution_id`,
    [operationId, limit],
  );
  return rows.map((row) => ({
    executionId: row.execution_id,
    deliveryId: row.replay_of ?? row.delivery_id,
    ...(row.replay_of === null ? {} : { newDeliveryId: row.delivery_id }),
    from: row.from_state,
    to: row.to_state,
    at: row.at,
  }));
}

/** Stores an addendum, in the transaction that took its changes. */
export async function insertAddendum(
  tx: Transaction,
  operationId: Id<'operation'>,
  addendum: SignedAddendum,
): Promise<void> {
  await tx.query(
    `insert into report_addenda (operation_id, number, signing_key_id, digest, jws, changes, signed_at)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      operationId,
      addendum.number,
      addendum.keyId,
      addendum.digest,
      addendum.jws,
      addendum.changes,
      addendum.signedAt,
    ],
  );
}

interface AddendumRow {
  number: number;
  key_id: Id<'signingKey'>;
  digest: Buffer;
  jws: string;
  changes: number;
  signed_at: Date;
}

/** Addenda to the report of a tenant's operation in their order, after a given one. */
export async function listAddenda(
  db: Queryable,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
  { after, limit }: { after?: number; limit: number },
): Promise<SignedAddendum[]> {
  const { rows } = await db.query<AddendumRow>(
    `select a.number, a.signing_key_id as key_id, a.digest, a.jws, a.changes, a.signed_at
     from closure_reports r join report_addenda a on a.operation_id = r.operation_id
     where r.operation_id = $1 and r.tenant_id = $2 and a.number > $3 order by a.number limit $4`,
    [operationId, tenantId, after ?? 0, limit],
  );
  return rows.map(({ signed_at: signedAt, key_id: keyId, ...row }) => ({ ...row, keyId, signedAt }));
}
