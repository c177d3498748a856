import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';

/** A stretch of the lines of a closed ledger. */
export interface LedgerChunk {
  number: number;
  lines: number;
  /** Where the last of its lines stands. */
  lastPosition: string;
  /** The states of its lines; `excluded` stands for exclusions. */
  states: string[];
  /** Hash of the tree over its lines. */
  hash: Buffer;
  packed: Buffer;
}

interface ChunkRow {
  number: number;
  lines: number;
  last_position: string;
  states: string[];
  hash: Buffer;
  packed: Buffer;
}

/** Stores a chunk; one that is there already stays as it is, and the answer is false. */
export async function insertChunk(
  db: Queryable,
  operationId: Id<'operation'>,
  chunk: LedgerChunk,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into ledger_chunks (operation_id, number, lines, last_position, states, hash, packed)
     values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing`,
    [operationId, chunk.number, chunk.lines, chunk.lastPosition, chunk.states, chunk.hash, chunk.packed],
  );
  return rowCount === 1;
}

/** Where the hashing of a ledger stands: the last of its chunks that is stored. */
export async function lastChunk(
  db: Queryable,
  operationId: Id<'operation'>,
): Promise<Pick<LedgerChunk, 'number' | 'lines' | 'lastPosition'> | undefined> {
  const { rows } = await db.query<Pick<ChunkRow, 'number' | 'lines' | 'last_position'>>(
    `select number, lines, last_position from ledger_chunks where operation_id = $1 order by number desc limit 1`,
    [operationId],
  );
  const [row] = rows;
  return row && { number: row.number, lines: row.lines, lastPosition: row.last_position };
}

/** The hashes of all chunks of a ledger, in their order, and how many lines each has. */
export async function chunkHashes(
  db: Queryable,
  operationId: Id<'operation'>,
): Promise<Pick<LedgerChunk, 'hash' | 'lines'>[]> {
  const { rows } = await db.query<Pick<ChunkRow, 'hash' | 'lines'>>(
    'select hash, lines from ledger_chunks where operation_id = $1 order by number',
    [operationId],
  );
  return rows;
}

/** The first chunk with a line behind a position, or from the first line on, and with a line in one of these states. */
export async function chunkAfter(
  db: Queryable,
  operationId: Id<'operation'>,
  { after, states }: { after?: string; states?: readonly string[] },
): Promise<LedgerChunk | undefined> {
  const { rows } = await db.query<ChunkRow>(
    `select number, lines, last_position, states, hash, packed from ledger_chunks
     where operation_id = $1 and ($2::text is null or last_position > $2) and ($3::text[] is null or states && $3)
     order by last_position limit 1`,
    [operationId, after ?? null, states ?? null],
  );
  return rows[0] && chunkFrom(rows[0]);
}

/** The chunk that holds the line at a position. */
export async function chunkAt(
  db: Queryable,
  operationId: Id<'operation'>,
  position: string,
): Promise<LedgerChunk | undefined> {
  const { rows } = await db.query<ChunkRow>(
    `select number, lines, last_position, states, hash, packed from ledger_chunks
     where operation_id = $1 and last_position >= $2 order by last_position limit 1`,
    [operationId, position],
  );
  return rows[0] && chunkFrom(rows[0]);
}

/**
 * Where the line of a delivery stands in the ledger of an operation, by the delivery that was selected or the one that was
 * sent in its place; undefined where it has none.
 */
export async function positionIn(
  db: Queryable,
  operationId: Id<'operation'>,
  deliveryId: Id<'delivery'>,
): Promise<string | undefined> {
  const { rows } = await db.query<{ position: string }>(
    `select 'i:' || e.id as position from execution_records e where e.delivery_id = $2 and e.operation_id = $1
     union all
     select 'i:' || e.id from deliveries n join execution_records e on e.delivery_id = n.id and e.operation_id = $1
     where n.operation_id = $1 and n.replay_of = $2
     union all
     select 'x:' || x.delivery_id from exclusions x where x.operation_id = $1 and x.delivery_id = $2
     limit 1`,
    [operationId, deliveryId],
  );
  return rows[0]?.position;
}

/** Whether a delivery is still kept: of one that is, {@link positionIn} says all there is to say. */
export async function isKept(db: Queryable, deliveryId: Id<'delivery'>): Promise<boolean> {
  const { rowCount } = await db.query('select from deliveries where id = $1', [deliveryId]);
  return rowCount === 1;
}

function chunkFrom({ last_position: lastPosition, ...row }: ChunkRow): LedgerChunk {
  return { ...row, lastPosition };
}
