import { pathOf } from '../domain/proof/merkle-tree.ts';
import type { ExecutionState } from '../domain/sending/execution-state.ts';
import { type Id, readId, showId } from '../domain/tenancy/typed-id.ts';
import type { Queryable } from '../store/db/queryable.ts';
import {
  chunkAfter,
  chunkAt,
  chunkHashes,
  isKept,
  type LedgerChunk,
  positionIn,
} from '../store/proof/ledger-chunks.ts';
import { leafHashes, linesOf } from './chunk-lines.ts';
import { sha256 } from './sha256.ts';

/** A page of a closed ledger: lines of some states (all where absent; `excluded` stands for exclusions), and where to go on. */
interface LinesPage {
  state?: readonly (ExecutionState | 'excluded')[];
  after?: string;
  limit: number;
}

/** A page of the lines of a closed ledger, as they were hashed, without their newlines; `next` is absent on the last one. */
export async function pageClosedLines(
  db: Queryable,
  operationId: Id<'operation'>,
  { state, after, limit }: LinesPage,
): Promise<{ lines: string[]; next?: string }> {
  const lines: string[] = [];
  let last = after;
  for (let from = after; ; ) {
    const chunk = await chunkAfter(db, operationId, {
      ...(from === undefined ? {} : { after: from }),
      ...(state ? { states: state } : {}),
    });
    if (!chunk) return { lines };
    for (const line of await linesOf(chunk)) {
      const { position, of } = placeOf(line);
      if ((last !== undefined && position <= last) || (state && !state.includes(of))) continue;
      if (lines.length === limit) return { lines, ...(last === undefined ? {} : { next: last }) };
      lines.push(line);
      last = position;
    }
    from = chunk.lastPosition;
  }
}

/** A line of a closed ledger, and the hashes that lead from it to the root. */
export interface ProvedLine {
  line: string;
  leafIndex: number;
  treeSize: number;
  /** From the leaf upwards. */
  path: Uint8Array[];
}

/**
 * The line of a delivery in a closed ledger, with its path; undefined where it has none. Reads one chunk, and the hashes
 * of all of them. Of a delivery that is not kept any more nobody but the lines says where its own is: they are looked
 * through, a chunk in each turn.
 */
export async function proveLine(
  db: Queryable,
  operationId: Id<'operation'>,
  deliveryId: Id<'delivery'>,
  inTurn: <Result>(act: () => Promise<Result>) => Promise<Result>,
): Promise<ProvedLine | undefined> {
  const position = await positionIn(db, operationId, deliveryId);
  const chunk = position === undefined ? undefined : await chunkAt(db, operationId, position);
  const found = chunk
    ? await lineIn(chunk, (line) => placeOf(line).position === position)
    : (await isKept(db, deliveryId))
      ? undefined
      : await searched(db, operationId, deliveryId, inTurn);
  return found && withPath(db, operationId, found);
}

/** A line, with the chunk that holds it. */
interface FoundLine {
  chunk: LedgerChunk;
  lines: string[];
  within: number;
}

async function lineIn(chunk: LedgerChunk, isIt: (line: string) => boolean): Promise<FoundLine | undefined> {
  const lines = await linesOf(chunk);
  const within = lines.findIndex(isIt);
  return within < 0 ? undefined : { chunk, lines, within };
}

async function searched(
  db: Queryable,
  operationId: Id<'operation'>,
  deliveryId: Id<'delivery'>,
  inTurn: <Result>(act: () => Promise<Result>) => Promise<Result>,
): Promise<FoundLine | undefined> {
  const shown = showId('delivery', deliveryId);
  const names = [`"deliveryId":"${shown}"`, `"newDeliveryId":"${shown}"`];
  for (let after: string | undefined; ; ) {
    const { chunk, found } = await inTurn(async () => {
      const next = await chunkAfter(db, operationId, after === undefined ? {} : { after });
      return {
        chunk: next,
        found: next && (await lineIn(next, (line) => names.some((name) => line.includes(name)))),
      };
    });
    if (found || !chunk) return found;
    after = chunk.lastPosition;
  }
}

async function withPath(
  db: Queryable,
  operationId: Id<'operation'>,
  { chunk, lines, within }: FoundLine,
): Promise<ProvedLine> {
  const chunks = await chunkHashes(db, operationId);
  const before = chunks.slice(0, chunk.number).reduce((sum, each) => sum + each.lines, 0);
  return {
    line: lines[within] as string,
    leafIndex: before + within,
    treeSize: chunks.reduce((sum, each) => sum + each.lines, 0),
    path: [
      ...pathOf(sha256, leafHashes(lines), within),
      ...pathOf(
        sha256,
        chunks.map(({ hash }) => hash),
        chunk.number,
      ),
    ],
  };
}

/** Where a line stands, and the state that it is listed under. */
function placeOf(text: string): { position: string; of: ExecutionState | 'excluded' } {
  const line = JSON.parse(text) as
    | { kind: 'item'; executionId: string; state: ExecutionState }
    | { kind: 'exclusion'; deliveryId: string };
  return line.kind === 'item'
    ? { position: `i:${readId('execution', line.executionId)}`, of: line.state }
    : { position: `x:${readId('delivery', line.deliveryId)}`, of: 'excluded' };
}
