import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import type { OperationItem } from '../domain/operations/operation-item.ts';
import { ledgerLeaf, positionOf } from '../domain/proof/ledger-line.ts';
import { leafHash, rootOf } from '../domain/proof/merkle-tree.ts';
import type { LedgerChunk } from '../store/proof/ledger-chunks.ts';
import { sha256 } from './sha256.ts';

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Lines of a chunk, but for the last one: a power of two, so that its hash is a node of the tree over all lines. */
export const LINES_OF_CHUNK = 1_024;

/** Ids cannot be compressed: a higher level takes three times as long for a tenth of the size. */
const LEVEL = 1;

/** Makes a chunk of the lines of a ledger. */
export async function chunkOf(number: number, items: readonly OperationItem[]): Promise<LedgerChunk> {
  const last = items.at(-1);
  if (!last) throw new Error('a chunk of a ledger has a line');
  const lines = items.map(ledgerLeaf);
  return {
    number,
    lines: lines.length,
    lastPosition: positionOf(last),
    states: [...new Set(items.map((item) => (item.kind === 'item' ? item.state : 'excluded')))].sort(),
    hash: Buffer.from(rootOf(sha256, leafHashes(lines))),
    packed: await deflate(lines.map((line) => `${line}\n`).join(''), { level: LEVEL }),
  };
}

/** The lines of a chunk, without their newlines. */
export async function linesOf({ packed }: Pick<LedgerChunk, 'packed'>): Promise<string[]> {
  const text = (await inflate(packed)).toString();
  return text.slice(0, -1).split('\n');
}

/** The hashes of lines as leaves. */
export function leafHashes(lines: readonly string[]): Uint8Array[] {
  return lines.map((line) => leafHash(sha256, Buffer.from(line)));
}
