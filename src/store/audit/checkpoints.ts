import type { AuditCheckpoint } from '../../domain/audit/audit-entry.ts';
import type { SignedCheckpoint } from '../../domain/audit/signed-checkpoint.ts';
import { type Id, showId } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** The end of a tenant's chain as it is now; undefined before its first entry is sealed. */
export async function checkpointOf(
  db: Queryable,
  tenantId: Id<'tenant'>,
): Promise<AuditCheckpoint | undefined> {
  const { rows } = await db.query<CheckpointRow>(
    'select tenant_id, number, hash, sealed_at as at from audit_heads where tenant_id = $1 and number > 0',
    [tenantId],
  );
  return rows[0] && checkpointFrom(rows[0]);
}

/** Tenants with entries since their newest checkpoint, where that is older than `everyMs` or there is none. */
export async function checkpointsDue(db: Queryable, everyMs: number): Promise<Id<'tenant'>[]> {
  const { rows } = await db.query<{ tenant_id: Id<'tenant'> }>(
    `select tenant_id from audit_heads where number > checkpoint_number
     and (checkpoint_at is null or checkpoint_at < clock_timestamp() - $1::float8 * interval '1 millisecond')`,
    [everyMs],
  );
  return rows.map((row) => row.tenant_id);
}

/** Keeps a copy of the end of a tenant's chain; undefined where somebody else has done so, or is doing it. */
export async function keepCheckpoint(
  tx: Transaction,
  tenantId: Id<'tenant'>,
): Promise<AuditCheckpoint | undefined> {
  const { rows } = await tx.query<CheckpointRow>(
    `with head as (
      select tenant_id, number, hash from audit_heads where tenant_id = $1 and number > checkpoint_number
      for update skip locked
    ), kept as (
      insert into audit_checkpoints (tenant_id, number, hash) select tenant_id, number, hash from head
      on conflict do nothing returning *
    ), moved as (
      update audit_heads h set checkpoint_number = k.number, checkpoint_at = k.at from kept k
      where h.tenant_id = k.tenant_id
    )
    select tenant_id, number, hash, at from kept`,
    [tenantId],
  );
  return rows[0] && checkpointFrom(rows[0]);
}

/** Keeps the signature of a checkpoint that was just kept. */
export async function keepSignature(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  number: number,
  { keyId, jws }: { keyId: Id<'signingKey'>; jws: string },
): Promise<void> {
  await tx.query(
    'update audit_checkpoints set signing_key_id = $3, jws = $4 where tenant_id = $1 and number = $2',
    [tenantId, number, keyId, jws],
  );
}

/** Checkpoints of a tenant, newest first, before one of a number. */
export async function listCheckpoints(
  db: Queryable,
  tenantId: Id<'tenant'>,
  page: { before?: number; limit: number },
): Promise<SignedCheckpoint[]> {
  const { rows } = await db.query<CheckpointRow & { jws: string | null }>(
    `select tenant_id, number, hash, at, jws from audit_checkpoints
     where tenant_id = $1 and ($2::bigint is null or number < $2) order by number desc limit $3`,
    [tenantId, page.before ?? null, page.limit],
  );
  return rows.map((row) => ({
    ...checkpointFrom(row),
    jws: row.jws === null ? null : JSON.parse(row.jws),
  }));
}

interface CheckpointRow {
  tenant_id: Id<'tenant'>;
  number: number;
  hash: Buffer;
  at: Date;
}

function checkpointFrom(row: CheckpointRow): AuditCheckpoint {
  return {
    tenant: showId('tenant', row.tenant_id),
    number: row.number,
    hash: row.hash.toString('hex'),
    at: row.at.toISOString(),
  };
}
