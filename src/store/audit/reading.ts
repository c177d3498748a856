import type { AuditAction } from '../../domain/audit/audit-action.ts';
import type { AuditEntry, AuditWords, SealedEntry } from '../../domain/audit/audit-entry.ts';
import { type Id, type IdKind, showId } from '../../domain/tenancy/typed-id.ts';
import { millisecondEdge, type TimeBound } from '../../domain/time/instant.ts';
import { Parameters } from '../db/parameters.ts';
import type { Queryable } from '../db/queryable.ts';

/** A filter over entries; members join by AND, the entries of a list by OR. */
export interface AuditFilter {
  actors?: string[];
  actions?: string[];
  targets?: Id<IdKind>[];
  from?: TimeBound;
  to?: TimeBound;
}

/** Where a page begins, and in which direction it goes on. */
export interface AuditPage {
  order: 'oldest' | 'newest';
  /** Behind the entry of this number, in the order of the page. */
  after?: number;
  limit: number;
}

/** Sealed entries of a tenant, in the order of its chain: what was read once is never preceded by another one later. */
export async function listAuditEntries(
  db: Queryable,
  tenantId: Id<'tenant'>,
  { actors, actions, targets, from, to }: AuditFilter,
  { order, after, limit }: AuditPage,
): Promise<SealedEntry[]> {
  const p = new Parameters();
  const where = [`tenant_id = ${p.add(tenantId)}`, 'number is not null'];
  if (after !== undefined) where.push(`number ${order === 'oldest' ? '>' : '<'} ${p.add(after)}`);
  if (actors) where.push(`actor = any(${p.add(actors)}::text[])`);
  if (actions) where.push(`action = any(${p.add(actions)}::text[])`);
  if (targets) where.push(`target_id = any(${p.add(targets)}::uuid[])`);
  if (from) where.push(`at >= ${p.add(millisecondEdge('start', from))}::timestamptz`);
  if (to) where.push(`at < ${p.add(millisecondEdge('end', to))}::timestamptz`);
  const { rows } = await db.query<SealedRow>(
    `select * from audit_entries where ${where.join(' and ')}
     order by number ${order === 'oldest' ? 'asc' : 'desc'} limit ${p.add(limit)}`,
    p.values,
  );
  return rows.map((row) => ({
    ...entryFrom(row, row.number),
    words: row.words,
    salt: row.salt?.toString('hex') ?? null,
    prev: row.prev.toString('hex'),
    hash: row.hash.toString('hex'),
  }));
}

/** Who did something to this last, and when. */
export async function lastAct(
  db: Queryable,
  tenantId: Id<'tenant'>,
  action: AuditAction,
  target: Id<IdKind>,
): Promise<{ actor: string; at: Date } | undefined> {
  const { rows } = await db.query<{ actor: string; at: Date }>(
    `select actor, at from audit_entries where tenant_id = $1 and action = $2 and target_id = $3
     order by at desc, id desc limit 1`,
    [tenantId, action, target],
  );
  return rows[0];
}

/** An entry as it is kept, before it has its place in the chain. */
export interface EntryRow {
  id: Id<'auditEntry'>;
  tenant_id: Id<'tenant'>;
  at: Date;
  actor: string;
  key_id: Id<'key'> | null;
  action: string;
  target_kind: IdKind;
  target_id: Id<IdKind>;
  detail: AuditEntry['detail'];
  words_digest: Buffer | null;
}

interface SealedRow extends EntryRow {
  number: number;
  prev: Buffer;
  hash: Buffer;
  words: AuditWords | null;
  salt: Buffer | null;
}

/** The members of an entry that are hashed, with the number that it has or gets. */
export function entryFrom(row: EntryRow, number: number): AuditEntry {
  return {
    number,
    id: showId('auditEntry', row.id),
    tenant: showId('tenant', row.tenant_id),
    at: row.at.toISOString(),
    actor: row.actor,
    keyId: row.key_id === null ? null : showId('key', row.key_id),
    action: row.action,
    target: showId(row.target_kind, row.target_id as Id<typeof row.target_kind>),
    detail: row.detail,
    wordsDigest: row.words_digest?.toString('hex') ?? null,
  };
}
