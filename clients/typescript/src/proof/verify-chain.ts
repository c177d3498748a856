import { type AuditCheckpoint, entryHash, NO_HASH, type SealedEntry, wordsDigest } from './audit-chain.ts';
import { hasOnly, objectIn } from './json.ts';
import { type Lines, linesOf } from './lines.ts';

/**
 * The first fault of a chain. `number` is the place: of the entry that was changed, slipped in or exchanged, of the one
 * that is missing, or of the checkpoint that a rewritten chain does not agree with.
 */
export type ChainFault =
  | { fault: 'changed'; number: number }
  | { fault: 'missing'; number: number }
  /** The export ends before the newest checkpoint, which names the entry `until`: it was cut off, or made before. */
  | { fault: 'missing'; number: number; until: number }
  | { fault: 'inserted'; number: number }
  | { fault: 'exchanged'; number: number; with: number }
  /** Every hash fits, but the checkpoint says another one: the chain was written anew after `after`. */
  | { fault: 'rewritten'; number: number; after: number }
  | { fault: 'unreadable'; line: number };

/** The result: how far the chain is whole, or its first fault. */
export type ChainVerdict =
  | { ok: true; entries: number; number: number; hash: string; erased: number }
  | ({ ok: false } & ChainFault);

/**
 * Verifies the export of a chain, oldest entry first, as `GET /api/v1/audit` streams it without a filter. It begins with
 * the first entry, or behind one of the checkpoints. An old checkpoint, kept elsewhere, finds a chain that was written
 * and hashed anew.
 */
export function verifyChain(
  lines: readonly string[],
  checkpoints: readonly AuditCheckpoint[] = [],
): ChainVerdict {
  const walk = new ChainWalk(checkpoints);
  return lines.every((line) => walk.add(line)) ? walk.end() : diagnosed(lines, checkpoints);
}

/** The same as it is read, which holds one entry; where something is wrong it is read again, and held, to say what. */
export async function verifyChainStream(
  read: () => Lines,
  checkpoints: readonly AuditCheckpoint[] = [],
): Promise<ChainVerdict> {
  const walk = new ChainWalk(checkpoints);
  for await (const line of linesOf(read())) {
    if (walk.add(line)) continue;
    const lines: string[] = [];
    for await (const each of linesOf(read())) lines.push(each);
    return diagnosed(lines, checkpoints);
  }
  return walk.end();
}

/** Follows a chain for as long as each entry fits the one before it. */
class ChainWalk {
  readonly #known: readonly AuditCheckpoint[];
  /** Hashes of the entries at which there is a checkpoint. */
  readonly #hashes = new Map<number, string | undefined>();
  #first: SealedEntry | undefined;
  #tenant: string | undefined;
  #number = 0;
  #hash = NO_HASH;
  #entries = 0;
  #erased = 0;

  constructor(checkpoints: readonly AuditCheckpoint[]) {
    this.#known = byNumber(checkpoints);
    for (const { number } of checkpoints) this.#hashes.set(number, undefined);
  }

  /** False where the line is no entry, or does not fit. */
  add(line: string): boolean {
    const entry = readEntry(line);
    if (!entry) return false;
    if (!this.#first) {
      const { number, hash, tenant } = beginOf(entry, this.#known);
      [this.#first, this.#number, this.#hash, this.#tenant] = [entry, number, hash, tenant];
    }
    this.#number += 1;
    const fits =
      entry.number === this.#number &&
      entry.tenant === this.#tenant &&
      entry.prev === this.#hash &&
      isSealed(entry, this.#number) &&
      fitsItsWords(entry);
    if (!fits) return false;
    this.#hash = entry.hash;
    this.#entries += 1;
    if (entry.wordsDigest !== null && entry.words === null) this.#erased += 1;
    if (this.#hashes.has(entry.number)) this.#hashes.set(entry.number, entry.hash);
    return true;
  }

  end(): ChainVerdict {
    const last = this.#first === undefined ? 0 : this.#number;
    const fault = disagreement(this.#known, { first: this.#first?.number ?? 1, last }, this.#hashes);
    if (fault) return { ok: false, ...fault };
    return { ok: true, entries: this.#entries, number: last, hash: this.#hash, erased: this.#erased };
  }
}

/** Says what is wrong with a chain that does not fit. */
function diagnosed(lines: readonly string[], checkpoints: readonly AuditCheckpoint[]): ChainVerdict {
  const entries: SealedEntry[] = [];
  for (const [index, line] of lines.entries()) {
    const entry = readEntry(line);
    if (!entry) return { ok: false, fault: 'unreadable', line: index + 1 };
    entries.push(entry);
  }
  const fault = firstFault(entries, byNumber(checkpoints));
  if (!fault) throw new Error('a chain that does not fit has no fault');
  return { ok: false, ...fault };
}

function byNumber(checkpoints: readonly AuditCheckpoint[]): AuditCheckpoint[] {
  return [...checkpoints].sort((a, b) => a.number - b.number);
}

/** What an export begins behind, and whose it is. */
function beginOf(
  first: SealedEntry,
  checkpoints: readonly AuditCheckpoint[],
): { number: number; hash: string; tenant: string } {
  const begin = checkpoints.find(({ number, hash }) => number === first.number - 1 && hash === first.prev);
  const { number, hash } = begin ?? { number: 0, hash: NO_HASH };
  return { number, hash, tenant: checkpoints[0]?.tenant ?? first.tenant };
}

function firstFault(
  entries: readonly SealedEntry[],
  checkpoints: readonly AuditCheckpoint[],
): ChainFault | undefined {
  const [first] = entries;
  if (!first) return undefined;
  const { tenant, ...begin } = beginOf(first, checkpoints);
  let { number, hash: prev } = begin;
  for (const [index, entry] of entries.entries()) {
    number += 1;
    if (entry.number !== number) return misplaced(entries, index, number);
    if (entry.tenant !== tenant) return { fault: 'inserted', number };
    if (!isSealed(entry, number)) return brokenAt(entries, index);
    // It fits the hash that it was sealed behind: so the one before it is another than was there then.
    if (entry.prev !== prev) return { fault: 'changed', number: Math.max(number - 1, 1) };
    if (!fitsItsWords(entry)) return { fault: 'changed', number };
    prev = entry.hash;
  }
  return undefined;
}

/** Tells the fault of a line whose number is not the next one. */
function misplaced(entries: readonly SealedEntry[], index: number, expected: number): ChainFault {
  const found = entries[index]?.number ?? expected;
  if (found < expected) return { fault: 'inserted', number: found };
  const isLater = entries.slice(index + 1).some(({ number }) => number === expected);
  return isLater
    ? { fault: 'exchanged', number: expected, with: found }
    : { fault: 'missing', number: expected };
}

/** Tells what became of an entry that does not fit its hash, by the place that it or its content does fit. */
function brokenAt(entries: readonly SealedEntry[], index: number): ChainFault {
  const entry = entries[index] as SealedEntry;
  const { number } = entry;
  const highest = entries.at(-1)?.number ?? number;
  const home = placeOf(entry, number, highest);
  if (home !== undefined) {
    const there = entries[index + home - number];
    if (there && home !== number && isSealed(there, number))
      return { fault: 'exchanged', number: Math.min(number, home), with: Math.max(number, home) };
    return home > number ? { fault: 'missing', number } : { fault: 'inserted', number: home };
  }
  const other = entries.find(
    ({ number: place, prev, hash }) =>
      place !== number && entryHash(prev, { ...entry, number: place }) === hash,
  );
  if (other) return { fault: 'exchanged', number, with: other.number };
  const next = entries[index + 1];
  return next && isSealed(next, number) ? { fault: 'inserted', number } : { fault: 'changed', number };
}

/** The number under which an entry was sealed, where that is not the one it has. */
function placeOf(entry: SealedEntry, number: number, highest: number): number | undefined {
  for (let place = 1; place <= highest + 1; place += 1)
    if (place !== number && isSealed(entry, place)) return place;
  return undefined;
}

function isSealed(entry: SealedEntry, number: number): boolean {
  return entryHash(entry.prev, { ...entry, number }) === entry.hash;
}

/** Words that are there must be those that were sealed; erased ones leave their digest, and nothing else. */
function fitsItsWords({ words, salt, wordsDigest: digest }: SealedEntry): boolean {
  if (words === null) return salt === null;
  return salt !== null && wordsDigest(salt, words) === digest;
}

/** The first checkpoint that the chain does not agree with; `hashes` are those of the entries at checkpoints. */
function disagreement(
  checkpoints: readonly AuditCheckpoint[],
  { first, last }: { first: number; last: number },
  hashes: ReadonlyMap<number, string | undefined>,
): ChainFault | undefined {
  let after = 0;
  for (const { number, hash } of checkpoints) {
    if (number > last)
      return { fault: 'missing', number: last + 1, until: checkpoints.at(-1)?.number ?? number };
    if (number >= first && hashes.get(number) !== hash) return { fault: 'rewritten', number, after };
    after = number;
  }
  return undefined;
}

/** The members of a line of the export. Whatever else stood there would be read, and nothing seals it. */
const SEALED = Object.keys({
  number: true,
  id: true,
  tenant: true,
  at: true,
  actor: true,
  keyId: true,
  action: true,
  target: true,
  detail: true,
  wordsDigest: true,
  words: true,
  salt: true,
  prev: true,
  hash: true,
} satisfies Record<keyof SealedEntry, true>);

function readEntry(line: string): SealedEntry | undefined {
  const entry: Partial<SealedEntry> | undefined = objectIn(line);
  const isEntry =
    entry !== undefined &&
    hasOnly(entry, SEALED) &&
    Number.isSafeInteger(entry.number) &&
    typeof entry.prev === 'string' &&
    typeof entry.hash === 'string' &&
    typeof entry.tenant === 'string';
  return isEntry ? (entry as SealedEntry) : undefined;
}
