import { LINES_KEPT_DAYS } from '../../domain/imports/import-limits.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** How a line can end that is in the report; blank lines are only counted. */
export const LINE_RESULTS = ['accepted', 'duplicate', 'refused'] as const;

/** One of {@link LINE_RESULTS}. */
export type LineResult = (typeof LINE_RESULTS)[number];

/** A line of the report of an import. */
export interface ImportLine {
  line: number;
  result: LineResult;
  reason?: string;
  member?: string;
  theirs?: string;
  eventId?: Id<'event'>;
  deliveryId?: Id<'delivery'>;
}

interface LineRow {
  line: number;
  result: LineResult;
  reason: string | null;
  member: string | null;
  theirs: string | null;
  event_id: Id<'event'> | null;
  delivery_id: Id<'delivery'> | null;
}

/** Lines of the report of a tenant's import, in their order, behind a given one. */
export async function listImportLines(
  db: Queryable,
  tenantId: Id<'tenant'>,
  importId: Id<'import'>,
  { results, after, limit }: { results: readonly LineResult[]; after: number; limit: number },
): Promise<ImportLine[]> {
  const wanted = results.length === 0 ? LINE_RESULTS : results;
  // Each result by its own index: few lines are refused among millions.
  const parts = wanted.map(
    (
      _,
      n,
    ) => `(select l.* from import_lines l where l.import_id = i.id and l.result = $${n + 5} and l.line > $3
      order by l.line limit $4)`,
  );
  const { rows } = await db.query<LineRow>(
    `select l.line, l.result, l.reason, l.member, l.theirs, l.event_id, l.delivery_id
     from imports i cross join lateral (${parts.join(' union all ')}) l
     where i.tenant_id = $1 and i.id = $2 order by l.line limit $4`,
    [tenantId, importId, after, limit, ...wanted],
  );
  return rows.map(({ line, result, event_id: eventId, delivery_id: deliveryId, ...row }) => ({
    line,
    result,
    ...present({ ...row, eventId, deliveryId }),
  }));
}

/**
 * Removes lines of one report whose time is over, up to `limit`, the first ones first; undefined where there is none.
 * The counts stay, and the import says so when all are gone.
 */
export async function removeOldLines(
  tx: Transaction,
  limit: number,
): Promise<{ removed: number } | undefined> {
  const { rows } = await tx.query<{ id: Id<'import'> }>(
    `select id from imports where ended_at < now() - ${LINES_KEPT_DAYS} * interval '1 day' and lines_removed_at is null
     order by ended_at limit 1 for update skip locked`,
  );
  const [old] = rows;
  if (!old) return undefined;
  const { rowCount } = await tx.query(
    `delete from import_lines where import_id = $1 and line in (
       select line from import_lines where import_id = $1 order by line limit $2)`,
    [old.id, limit],
  );
  const removed = rowCount ?? 0;
  if (removed < limit) await tx.query('update imports set lines_removed_at = now() where id = $1', [old.id]);
  return { removed };
}
