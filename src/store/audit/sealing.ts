import { entryHash } from '../../domain/audit/audit-entry.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { type EntryRow, entryFrom } from './reading.ts';
import { sha256Hex } from './sha256.ts';

/** Tenants with entries that have no place in the chain yet, in the order of their ids, behind a given one. */
export async function tenantsToSeal(
  db: Queryable,
  page: { after?: Id<'tenant'>; limit: number },
): Promise<Id<'tenant'>[]> {
  const { rows } = await db.query<{ tenant_id: Id<'tenant'> }>(
    `select tenant_id from audit_entries where number is null and ($1::uuid is null or tenant_id > $1)
     group by tenant_id order by tenant_id limit $2`,
    [page.after ?? null, page.limit],
  );
  return rows.map((row) => row.tenant_id);
}

/** Whether acts on something have no place in the chain of a tenant yet. */
export async function hasUnsealedActs(
  db: Queryable,
  tenantId: Id<'tenant'>,
  target: Id<'operation'>,
): Promise<boolean> {
  const { rowCount } = await db.query(
    'select from audit_entries where target_id = $2 and tenant_id = $1 and number is null limit 1',
    [tenantId, target],
  );
  return rowCount === 1;
}

/**
 * Gives up to `limit` entries of a tenant their numbers and hashes, in the order in which they are found. The head is
 * locked first, and the entries are read by a later statement, so that none is sealed twice; returns how many, and none
 * while somebody else seals.
 */
export async function sealEntries(tx: Transaction, tenantId: Id<'tenant'>, limit: number): Promise<number> {
  await tx.query('insert into audit_heads (tenant_id) values ($1) on conflict do nothing', [tenantId]);
  const { rows: heads } = await tx.query<{ number: number; hash: Buffer }>(
    'select number, hash from audit_heads where tenant_id = $1 for update skip locked',
    [tenantId],
  );
  const [head] = heads;
  if (!head) return 0;
  const { rows } = await tx.query<EntryRow>(
    'select * from audit_entries where tenant_id = $1 and number is null order by id limit $2',
    [tenantId, limit],
  );
  if (rows.length === 0) return 0;
  let prev = head.hash.toString('hex');
  const sealed = rows.map((row, index) => {
    const number = head.number + index + 1;
    const link = { id: row.id, number, prev, hash: entryHash(sha256Hex, prev, entryFrom(row, number)) };
    prev = link.hash;
    return link;
  });
  const answer = await tx.query<{ sealed: number }>(
    `with sealed as (
      update audit_entries e set number = s.number, prev = decode(s.prev, 'hex'), hash = decode(s.hash, 'hex')
      from unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[]) as s(id, number, prev, hash)
      where e.id = s.id and e.tenant_id = $1 and e.number is null returning e.id
    ), head as (
      update audit_heads set number = $6, hash = decode($7, 'hex'),
        sealed_at = date_trunc('milliseconds', clock_timestamp())
      where tenant_id = $1
    )
    select count(*)::int as sealed from sealed`,
    [
      tenantId,
      sealed.map(({ id }) => id),
      sealed.map(({ number }) => number),
      sealed.map((link) => link.prev),
      sealed.map(({ hash }) => hash),
      head.number + rows.length,
      prev,
    ],
  );
  if (onlyRow(answer).sealed !== rows.length)
    throw new Error('an entry was sealed by somebody who does not hold the head of its chain');
  return rows.length;
}
