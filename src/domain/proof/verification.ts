import { toHex } from './hex.ts';
import { leafHash, rootByPath, rootOf, type Sha256 } from './merkle-tree.ts';

/*
 * What holds about a signed report without asking anybody; the signature itself is checked by any library for JWS.
 */

/** The place of one line in a ledger, as `GET …/items/{deliveryId}/proof` answers it. */
export interface LineProof {
  line: string;
  leafIndex: number;
  treeSize: number;
  /** In hexadecimal, from the leaf upwards. */
  path: readonly string[];
}

/** The ledger as a signed report names it. */
export interface LedgerSeal {
  lines: number;
  /** In hexadecimal. */
  merkleRoot: string;
}

const encoder = new TextEncoder();

/** Whether one line is in the ledger that a report names. */
export function isInLedger(sha256: Sha256, proof: LineProof, ledger: LedgerSeal): boolean {
  const path = proof.path.map(fromHex);
  if (proof.treeSize !== ledger.lines || path.includes(undefined)) return false;
  const root = rootByPath(sha256, {
    index: proof.leafIndex,
    size: proof.treeSize,
    leaf: encoder.encode(proof.line),
    path: path as Uint8Array[],
  });
  return root !== undefined && toHex(root) === ledger.merkleRoot;
}

/** The ledger that these lines make, without their newlines: what a report names where none is missing or changed. */
export function sealOf(sha256: Sha256, lines: Iterable<string>): LedgerSeal {
  let count = 0;
  function* hashes() {
    for (const line of lines) {
      count += 1;
      yield leafHash(sha256, encoder.encode(line));
    }
  }
  const root = rootOf(sha256, hashes());
  return { lines: count, merkleRoot: toHex(root) };
}

function fromHex(text: string): Uint8Array | undefined {
  return /^([0-9a-f]{2})*$/.test(text)
    ? Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
    : undefined;
}
