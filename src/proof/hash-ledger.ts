import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Queryable } from '../store/db/queryable.ts';
import { pageOperationItems } from '../store/operations/operation-items.ts';
import { insertChunk, lastChunk } from '../store/proof/ledger-chunks.ts';
import { chunkOf, LINES_OF_CHUNK } from './chunk-lines.ts';

/**
 * Hashes and stores the next lines of a ledger whose counts are frozen; false when all of them are. Where it stands is
 * in the chunks that are stored, so that it goes on after a crash, and two at once do no harm.
 */
export async function hashNextLines(
  db: Queryable,
  operationId: Id<'operation'>,
  linesOfChunk = LINES_OF_CHUNK,
): Promise<boolean> {
  const last = await lastChunk(db, operationId);
  if (last && last.lines < linesOfChunk) return false;
  const { items } = await pageOperationItems(db, operationId, {
    frozen: true,
    limit: linesOfChunk,
    ...(last ? { after: last.lastPosition } : {}),
  });
  if (items.length === 0) return false;
  await insertChunk(db, operationId, await chunkOf(last ? last.number + 1 : 0, items));
  return items.length === linesOfChunk;
}
