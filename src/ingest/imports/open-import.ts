import type { ActBy } from '../../domain/audit/audit-action.ts';
import { MAX_DAY_BYTES } from '../../domain/imports/import-limits.ts';
import { type Id, newId, showId } from '../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../store/audit/entries.ts';
import { BeginAgain, type Pool, withTransaction } from '../../store/db/pool.ts';
import type { Transaction } from '../../store/db/queryable.ts';
import {
  bytesOfDay,
  endImport,
  findImport,
  findOpenImport,
  type Import,
  insertImport,
  type NewImport,
  takeExpiredImports,
} from '../../store/imports/imports.ts';
import { renewStatistics } from '../../store/sending/queue-statistics.ts';

/** What Redrive does by itself is done by this actor. */
const ITSELF = { actor: 'redrive' };

/** So many expired imports are ended at once. */
const EXPIRED_AT_ONCE = 100;

/** From so many lines on the planner must not take the tables for what they were before. */
const STATISTICS_FROM_LINES = 5_000;

/** What a caller asks for: the batch is named after the import where it has no name of its own. */
export type AskedImport = Omit<NewImport, 'id' | 'openedBy' | 'ingestionBatchId'> & {
  ingestionBatchId?: string | undefined;
};

/** An import that was opened, or why none was. */
export type OpenedImport =
  | { ok: true; import: Import }
  | { ok: false; code: 'other_open'; id: Id<'import'> }
  | { ok: false; code: 'day_is_full' };

/** Opens an import of a tenant, which has one at a time. */
export function openImport(
  pool: Pool,
  tenantId: Id<'tenant'>,
  asked: AskedImport,
  by: ActBy,
): Promise<OpenedImport> {
  return withTransaction(pool, async (tx): Promise<OpenedImport> => {
    await expireImports(tx, tenantId);
    const other = await findOpenImport(tx, tenantId);
    if (other) return { ok: false, code: 'other_open', id: other };
    if ((await bytesOfDay(tx, tenantId)) >= MAX_DAY_BYTES) return { ok: false, code: 'day_is_full' };
    const id = newId('import');
    const opened = await insertImport(tx, tenantId, {
      ...asked,
      id,
      openedBy: by.actor,
      ingestionBatchId: asked.ingestionBatchId ?? showId('import', id),
    });
    // It finds the other one then.
    if (!opened) throw new BeginAgain('another import was opened at this moment');
    await noteAct(tx, {
      tenantId,
      by,
      action: 'import.opened',
      target: id,
      detail: { format: asked.format, endpoints: endpointsOf(opened), keepIds: asked.keepIds },
    });
    return { ok: true, import: opened };
  });
}

/** An import that has ended, or why it has not. */
export type EndedImport =
  | { ok: true; import: Import }
  | { ok: false; code: 'not_found' }
  | { ok: false; code: 'not_open'; state: Import['state'] }
  | { ok: false; code: 'other_lines'; lines: number };

/**
 * Ends an import: `closed` where all of it was sent, `abandoned` otherwise. What it took stays. With `lines` it is closed
 * only where it has taken as many. Again, it says the same.
 */
export async function closeImport(
  pool: Pool,
  tenantId: Id<'tenant'>,
  id: Id<'import'>,
  as: 'closed' | 'abandoned',
  by: ActBy,
  lines?: number,
): Promise<EndedImport> {
  const ended = await withTransaction(pool, async (tx): Promise<EndedImport & { now?: boolean }> => {
    await expireImports(tx, tenantId);
    const found = await findImport(tx, tenantId, id);
    if (!found) return { ok: false, code: 'not_found' };
    if (lines !== undefined && found.lines !== lines)
      return { ok: false, code: 'other_lines', lines: found.lines };
    // What is abandoned takes no lines any more, and so does what has ended in another way.
    if (found.state === as || (as === 'abandoned' && found.state !== 'open'))
      return { ok: true, import: found };
    if (found.state !== 'open' || !(await endImport(tx, tenantId, id, as)))
      return { ok: false, code: 'not_open', state: found.state };
    const closed = (await findImport(tx, tenantId, id)) ?? found;
    // A batch that was being written when this began is in the counts by now.
    if (lines !== undefined && closed.lines !== lines) throw new BeginAgain('lines were taken meanwhile');
    const { accepted, duplicates, refused, blank } = closed;
    await noteAct(tx, {
      tenantId,
      by,
      action: as === 'closed' ? 'import.closed' : 'import.abandoned',
      target: id,
      detail: { lines: closed.lines, accepted, duplicates, refused, blank },
    });
    return { ok: true, import: closed, now: true };
  });
  if (ended.ok && ended.now && ended.import.lines >= STATISTICS_FROM_LINES) await renewStatistics(pool);
  return ended;
}

/** Ends the imports that nobody has gone on with, of one tenant or of all; returns how many. */
export async function expireImports(tx: Transaction, tenantId?: Id<'tenant'>): Promise<number> {
  const expired = await takeExpiredImports(tx, tenantId, EXPIRED_AT_ONCE);
  for (const { id, tenantId: owner, lines } of expired) {
    await endImport(tx, owner, id, 'expired');
    await noteAct(tx, {
      tenantId: owner,
      by: ITSELF,
      action: 'import.expired',
      target: id,
      detail: { lines },
    });
  }
  return expired.length;
}

function endpointsOf({ targets }: Import): string[] {
  return [...new Set(targets.map(({ endpointId }) => showId('endpoint', endpointId)))].slice(0, 20);
}
