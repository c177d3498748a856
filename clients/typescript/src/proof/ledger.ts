import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { fromHex } from '../bytes.ts';
import { type Members, objectIn } from './json.ts';
import { type Lines, piecesOf } from './lines.ts';

/** How many lines a ledger has, and the root of the hash tree over them (RFC 9162). */
export interface LedgerSeal {
  lines: number;
  /** In hexadecimal. */
  merkleRoot: string;
}

/** The place of one line in a ledger, as `GET …/items/{deliveryId}/proof` answers it. */
export interface LineProof {
  line: string;
  leafIndex: number;
  treeSize: number;
  /** In hexadecimal, from the leaf upwards. */
  path: readonly string[];
}

const encoder = new TextEncoder();
const LEAF = 0x00;
const NODE = 0x01;

/** Adds lines one after the other; holds a hash for each level of the tree and no more. */
export function ledgerSealer(): { add: (line: string | Uint8Array) => void; seal: () => LedgerSeal } {
  const tree = hashTree();
  return { add: (line) => tree.add(leafHash(line)), seal: tree.seal };
}

function hashTree(): { add: (leaf: Uint8Array) => void; seal: () => LedgerSeal } {
  const whole: { hash: Uint8Array; size: number }[] = [];
  let lines = 0;
  return {
    add(leaf) {
      lines += 1;
      let added = { hash: leaf, size: 1 };
      for (let last = whole.at(-1); last?.size === added.size; last = whole.at(-1)) {
        whole.pop();
        added = { hash: hashOf(NODE, last.hash, added.hash), size: last.size * 2 };
      }
      whole.push(added);
    },
    seal() {
      const root = whole.reduceRight<Uint8Array | undefined>(
        (right, { hash }) => (right === undefined ? hash : hashOf(NODE, hash, right)),
        undefined,
      );
      return { lines, merkleRoot: bytesToHex(root ?? sha256(new Uint8Array())) };
    },
  };
}

/** Told how many lines have been read. */
export type OnLines = (lines: number) => void;

const LINES_BETWEEN = 1_000;

/** Longer than a line of a ledger can be. */
const LONGEST_LINE = 1_048_576;

/**
 * The seal of a ledger that is read line by line; `onLines` is told how far it is, now and then and at the end, and
 * `onLine` what each line says, undefined where it is no line of a ledger.
 */
export async function sealOfStream(
  source: Lines,
  onLines?: OnLines,
  onLine?: (line: Members | undefined) => void,
): Promise<LedgerSeal> {
  const tree = hashTree();
  const text = onLine ? lineText() : undefined;
  let lines = 0;
  let leaf = newLeaf();
  // Piece by piece: what is no ledger may have a line of any length, and none that is too long is held.
  for await (const { bytes, isLast } of piecesOf(source)) {
    leaf.update(bytes);
    text?.add(bytes);
    if (!isLast) continue;
    if (text) onLine?.(objectIn(text.take()));
    tree.add(leaf.digest());
    leaf = newLeaf();
    lines += 1;
    if (lines % LINES_BETWEEN === 0) onLines?.(lines);
  }
  onLines?.(lines);
  return tree.seal();
}

/** The text of a line, from its pieces; empty where it is too long. */
function lineText() {
  const decoder = new TextDecoder();
  let text = '';
  let length = 0;
  return {
    add(bytes: Uint8Array) {
      length += bytes.length;
      if (length <= LONGEST_LINE) text += decoder.decode(bytes, { stream: true });
    },
    take(): string {
      const rest = decoder.decode();
      const taken = length <= LONGEST_LINE ? text + rest : '';
      text = '';
      length = 0;
      return taken;
    },
  };
}

/** Whether one line is in the ledger that was signed (RFC 9162, section 2.1.3.2). */
export function isInLedger({ line, leafIndex, treeSize, path }: LineProof, ledger: LedgerSeal): boolean {
  if (treeSize !== ledger.lines || !Number.isSafeInteger(leafIndex) || leafIndex < 0 || leafIndex >= treeSize)
    return false;
  let at = leafIndex;
  let last = treeSize - 1;
  let hash = leafHash(line);
  for (const text of path) {
    const neighbour = fromHex(text);
    if (neighbour === undefined || last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash = hashOf(NODE, neighbour, hash);
      while (at % 2 === 0 && at !== 0) {
        at = Math.floor(at / 2);
        last = Math.floor(last / 2);
      }
    } else hash = hashOf(NODE, hash, neighbour);
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && bytesToHex(hash) === ledger.merkleRoot;
}

function newLeaf() {
  return sha256.create().update(Uint8Array.of(LEAF));
}

function leafHash(line: string | Uint8Array): Uint8Array {
  return hashOf(LEAF, typeof line === 'string' ? encoder.encode(line) : line);
}

function hashOf(kind: number, ...parts: Uint8Array[]): Uint8Array {
  const hash = sha256.create().update(Uint8Array.of(kind));
  for (const part of parts) hash.update(part);
  return hash.digest();
}
