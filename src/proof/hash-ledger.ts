import type { OperationItem } from '../domain/operations/operation-item.ts';
import { positionOf } from '../domain/proof/ledger-line.ts';
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
  const chunks = hashLines(db, operationId, { linesOfChunk, ahead: () => false });
  const { value: more } = await chunks.next();
  await chunks.return();
  return more === true;
}

/**
 * Does the same with all lines that are left, and reads the next ones while it hashes where `ahead` allows it: Postgres and
 * this process work at the same time then. Yields after each chunk whether it was full; whoever has enough of it breaks off.
 */
export async function* hashLines(
  db: Queryable,
  operationId: Id<'operation'>,
  { linesOfChunk = LINES_OF_CHUNK, ahead = () => true }: { linesOfChunk?: number; ahead?(): boolean } = {},
): AsyncGenerator<boolean, void> {
  let place = await placeOf(db, operationId, linesOfChunk);
  let reading: Promise<OperationItem[]> | undefined;
  while (place) {
    const items = await (reading ?? linesBehind(db, operationId, place.after, linesOfChunk));
    const last = items.at(-1);
    if (!last) return;
    const next = { number: place.number + 1, after: positionOf(last) };
    const more = items.length === linesOfChunk;
    reading = more && ahead() ? linesBehind(db, operationId, next.after, linesOfChunk) : undefined;
    // Whoever breaks off, or fails, asks no more for what comes of it.
    reading?.catch(() => {});
    const stored = await insertChunk(db, operationId, await chunkOf(place.number, items));
    yield more;
    if (!more) return;
    // Somebody else hashes it as well: this goes on behind what is there by now.
    if (!stored) reading = undefined;
    place = stored ? next : await placeOf(db, operationId, linesOfChunk);
  }
}

/** The number of the next chunk and what it comes after; undefined where the last one is not full. */
async function placeOf(
  db: Queryable,
  operationId: Id<'operation'>,
  linesOfChunk: number,
): Promise<{ number: number; after?: string } | undefined> {
  const last = await lastChunk(db, operationId);
  if (!last) return { number: 0 };
  return last.lines < linesOfChunk ? undefined : { number: last.number + 1, after: last.lastPosition };
}

async function linesBehind(
  db: Queryable,
  operationId: Id<'operation'>,
  after: string | undefined,
  limit: number,
): Promise<OperationItem[]> {
  const page = { frozen: true, limit, ...(after === undefined ? {} : { after }) } as const;
  return (await pageOperationItems(db, operationId, page)).items;
}
