import { EXPIRES_AFTER_MS } from '../../domain/imports/import-limits.ts';
import type { ImportFormat } from '../../domain/imports/import-record.ts';
import type { ImportState } from '../../domain/imports/import-state.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** How the lines of an import end, in numbers. */
export interface LineCounts {
  accepted: number;
  duplicates: number;
  refused: number;
  blank: number;
}

/** An import: what it is of, and how far it has come. */
export interface Import extends LineCounts {
  id: Id<'import'>;
  format: ImportFormat;
  state: ImportState;
  keepIds: boolean;
  eventType?: string;
  source?: string;
  ingestionBatchId: string;
  openedBy: string;
  /** Lines that have been taken. */
  lines: number;
  bytes: number;
  openedAt: Date;
  expiresAt: Date;
  endedAt?: Date;
  /** The lines of its report are gone. */
  linesRemoved: boolean;
  targets: { theirs: string; endpointId: Id<'endpoint'> }[];
}

/** What is asked for when an import is opened. */
export type NewImport = Pick<
  Import,
  'id' | 'format' | 'keepIds' | 'eventType' | 'source' | 'ingestionBatchId' | 'openedBy' | 'targets'
>;

interface ImportRow extends LineCounts {
  id: Id<'import'>;
  format: ImportFormat;
  state: ImportState;
  keep_ids: boolean;
  event_type: string | null;
  source: string | null;
  ingestion_batch_id: string;
  opened_by: string;
  lines: number;
  bytes: number;
  opened_at: Date;
  expires_at: Date;
  ended_at: Date | null;
  lines_removed_at: Date | null;
  targets: Import['targets'] | null;
}

const COLUMNS = `i.*, (select jsonb_agg(jsonb_build_object('theirs', t.theirs, 'endpointId', t.endpoint_id) order by t.theirs)
    from import_targets t where t.import_id = i.id) as targets`;

const EXPIRES = `now() + ${EXPIRES_AFTER_MS} * interval '1 millisecond'`;

/** Opens an import; undefined where the tenant has one that is open. */
export async function insertImport(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  { targets, ...asked }: NewImport,
): Promise<Import | undefined> {
  const inserted = await tx.query(
    `insert into imports (id, tenant_id, format, keep_ids, event_type, source, ingestion_batch_id, opened_by, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, ${EXPIRES})
     on conflict (tenant_id) where state = 'open' do nothing`,
    [
      asked.id,
      tenantId,
      asked.format,
      asked.keepIds,
      asked.eventType ?? null,
      asked.source ?? null,
      asked.ingestionBatchId,
      asked.openedBy,
    ],
  );
  if (inserted.rowCount === 0) return undefined;
  await tx.query(
    `insert into import_targets (import_id, theirs, endpoint_id)
     select $1, u.theirs, u.endpoint_id from unnest($2::text[], $3::uuid[]) as u(theirs, endpoint_id)`,
    [asked.id, targets.map(({ theirs }) => theirs), targets.map(({ endpointId }) => endpointId)],
  );
  return findImport(tx, tenantId, asked.id);
}

/** One import of a tenant. */
export async function findImport(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'import'>,
): Promise<Import | undefined> {
  const { rows } = await db.query<ImportRow>(
    `select ${COLUMNS} from imports i where i.tenant_id = $1 and i.id = $2`,
    [tenantId, id],
  );
  return rows[0] && importFrom(rows[0]);
}

/** The import of a tenant that is open. */
export async function findOpenImport(
  db: Queryable,
  tenantId: Id<'tenant'>,
): Promise<Id<'import'> | undefined> {
  const { rows } = await db.query<{ id: Id<'import'> }>(
    `select id from imports where tenant_id = $1 and state = 'open'`,
    [tenantId],
  );
  return rows[0]?.id;
}

/** Imports of a tenant, newest first, behind a given one. */
export async function listImports(
  db: Queryable,
  tenantId: Id<'tenant'>,
  { before, limit }: { before?: Id<'import'> | undefined; limit: number },
): Promise<Import[]> {
  const { rows } = await db.query<ImportRow>(
    `select ${COLUMNS} from imports i where i.tenant_id = $1 and ($2::uuid is null or i.id < $2)
     order by i.id desc limit $3`,
    [tenantId, before ?? null, limit],
  );
  return rows.map(importFrom);
}

/** How far an import has come, locked until the transaction ends; undefined where it is not open. */
export async function lockOpenImport(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  id: Id<'import'>,
): Promise<{ lines: number } | undefined> {
  const { rows } = await tx.query<{ lines: number }>({
    name: 'lock-open-import',
    text: `select lines from imports where tenant_id = $1 and id = $2 and state = 'open' and expires_at > now() for update`,
    values: [tenantId, id],
  });
  return rows[0];
}

/** Notes that lines have been taken; an import that goes on lives on. */
export async function advanceImport(
  tx: Transaction,
  id: Id<'import'>,
  counts: LineCounts,
  bytes: number,
): Promise<void> {
  await tx.query({
    name: 'advance-import',
    text: `update imports set lines = lines + $2::int + $3::int + $4::int + $5::int, accepted = accepted + $2,
       duplicates = duplicates + $3, refused = refused + $4, blank = blank + $5, bytes = bytes + $6, expires_at = ${EXPIRES}
     where id = $1`,
    values: [id, counts.accepted, counts.duplicates, counts.refused, counts.blank, bytes],
  });
}

/** Ends an import that is open; false where it is not. */
export async function endImport(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  id: Id<'import'>,
  state: Exclude<ImportState, 'open'>,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update imports set state = $3, ended_at = now() where tenant_id = $1 and id = $2 and state = 'open'`,
    [tenantId, id, state],
  );
  return rowCount === 1;
}

/** The imports that nobody has gone on with in time, of one tenant or of all, locked until the transaction ends. */
export async function takeExpiredImports(
  tx: Transaction,
  tenantId: Id<'tenant'> | undefined,
  limit: number,
): Promise<{ id: Id<'import'>; tenantId: Id<'tenant'>; lines: number }[]> {
  const { rows } = await tx.query<{ id: Id<'import'>; tenantId: Id<'tenant'>; lines: number }>(
    `select id, tenant_id as "tenantId", lines from imports
     where state = 'open' and expires_at <= now() and ($1::uuid is null or tenant_id = $1)
     order by expires_at limit $2 for update skip locked`,
    [tenantId ?? null, limit],
  );
  return rows;
}

/** The bytes that the imports of a tenant have taken which were opened within the last day. */
export async function bytesOfDay(db: Queryable, tenantId: Id<'tenant'>): Promise<number> {
  const answer = await db.query<{ bytes: number }>(
    `select coalesce(sum(bytes), 0)::bigint as bytes from imports
     where tenant_id = $1 and opened_at > now() - interval '1 day'`,
    [tenantId],
  );
  return onlyRow(answer).bytes;
}

function importFrom(row: ImportRow): Import {
  return {
    id: row.id,
    format: row.format,
    state: row.state,
    keepIds: row.keep_ids,
    ingestionBatchId: row.ingestion_batch_id,
    openedBy: row.opened_by,
    lines: row.lines,
    accepted: row.accepted,
    duplicates: row.duplicates,
    refused: row.refused,
    blank: row.blank,
    bytes: row.bytes,
    openedAt: row.opened_at,
    expiresAt: row.expires_at,
    linesRemoved: row.lines_removed_at !== null,
    targets: row.targets ?? [],
    ...present({ eventType: row.event_type, source: row.source, endedAt: row.ended_at }),
  };
}
