/** SHA-256 of some bytes; handed in, because the domain has no cryptography of its own. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

const LEAF = 0x00;
const NODE = 0x01;

/** The hash of a leaf (RFC 9162, section 2.1.1). */
export function leafHash(sha256: Sha256, leaf: Uint8Array): Uint8Array {
  return sha256(joined(LEAF, leaf));
}

/** The hash of a node above two others. */
export function nodeHash(sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(joined(NODE, left, right));
}

/**
 * The root over the hashes of leaves in their order, or over those of equal subtrees, the last of which may be smaller,
 * where their size is a power of two. It holds a hash for each level and no more.
 */
export function rootOf(sha256: Sha256, hashes: Iterable<Uint8Array>): Uint8Array {
  // Whole subtrees from the left, each of them larger than the next.
  const whole: { hash: Uint8Array; size: number }[] = [];
  for (const hash of hashes) {
    let added = { hash, size: 1 };
    for (let last = whole.at(-1); last?.size === added.size; last = whole.at(-1)) {
      whole.pop();
      added = { hash: nodeHash(sha256, last.hash, added.hash), size: last.size * 2 };
    }
    whole.push(added);
  }
  const root = whole.reduceRight<Uint8Array | undefined>(
    (right, { hash }) => (right === undefined ? hash : nodeHash(sha256, hash, right)),
    undefined,
  );
  return root ?? sha256(new Uint8Array());
}

/** The path from one of these hashes to their root: its neighbours on the way up (RFC 9162, section 2.1.3.1). */
export function pathOf(sha256: Sha256, hashes: readonly Uint8Array[], index: number): Uint8Array[] {
  if (hashes.length <= 1) return [];
  const half = largestPowerBelow(hashes.length);
  const left = hashes.slice(0, half);
  const right = hashes.slice(half);
  return index < half
    ? [...pathOf(sha256, left, index), rootOf(sha256, right)]
    : [...pathOf(sha256, right, index - half), rootOf(sha256, left)];
}

/** The root that a leaf leads to by its path (RFC 9162, section 2.1.3.2); undefined where the path does not fit. */
export function rootByPath(
  sha256: Sha256,
  { index, size, leaf, path }: { index: number; size: number; leaf: Uint8Array; path: readonly Uint8Array[] },
): Uint8Array | undefined {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size)
    return undefined;
  let at = index;
  let last = size - 1;
  let hash = leafHash(sha256, leaf);
  for (const neighbour of path) {
    if (last === 0) return undefined;
    if (at % 2 === 1 || at === last) {
      hash = nodeHash(sha256, neighbour, hash);
      while (at % 2 === 0 && at !== 0) {
        at = Math.floor(at / 2);
        last = Math.floor(last / 2);
      }
    } else hash = nodeHash(sha256, hash, neighbour);
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? hash : undefined;
}

function largestPowerBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}

function joined(prefix: number, ...parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(1 + parts.reduce((sum, part) => sum + part.length, 0));
  bytes[0] = prefix;
  let at = 1;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
