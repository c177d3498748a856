import { type AuditCheckpoint, entryHash, NO_HASH, type SealedEntry, wordsDigest } from './audit-chain.ts';
import { objectIn } from './json.ts';

/**
 * The first fault of a chain. `number` is the place: of the entry that was changed, slipped in or exchanged, of the one
 * that is missing, or of the checkpoint that a rewritten chain does not agree with.
 */
export type ChainFault =
  | { fault: 'changed'; number: number }
  | { fault: 'missing'; number: number }
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
  const entries: SealedEntry[] = [];
  for (const [index, line] of lines.entries()) {
    const entry = readEntry(line);
    if (!entry) return { ok: false, fault: 'unreadable', line: index + 1 };
    entries.push(entry);
  }
  const known = [...checkpoints].sort((a, b) => a.number - b.number);
  const fault = firstFault(entries, known) ?? disagreement(entries, known);
  if (fault) return { ok: false, ...fault };
  const last = entries.at(-1);
  return {
    ok: true,
    entries: entries.length,
    number: last?.number ?? 0,
    hash: last?.hash ?? NO_HASH,
    erased: entries.filter((entry) => entry.wordsDigest !== null && entry.words === null).length,
  };
}

function firstFault(
  entries: readonly SealedEntry[],
  checkpoints: readonly AuditCheckpoint[],
): ChainFault | undefined {
  const [first] = entries;
  const begin =
    first && checkpoints.find(({ number, hash }) => number === first.number - 1 && hash === first.prev);
  const tenant = checkpoints[0]?.tenant ?? first?.tenant;
  let number = begin?.number ?? 0;
  let prev = begin?.hash ?? NO_HASH;
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

/** Words that are there must be those that were sealed; erased ones leave their digest. */
function fitsItsWords({ words, salt, wordsDigest: digest }: SealedEntry): boolean {
  if (words === null) return true;
  return salt !== null && wordsDigest(salt, words) === digest;
}

/** The first checkpoint that the chain does not agree with. */
function disagreement(
  entries: readonly SealedEntry[],
  checkpoints: readonly AuditCheckpoint[],
): ChainFault | undefined {
  const byNumber = new Map(entries.map((entry) => [entry.number, entry.hash]));
  const first = entries[0]?.number ?? 1;
  const last = entries.at(-1)?.number ?? 0;
  let after = 0;
  for (const { number, hash } of checkpoints) {
    if (number > last) return { fault: 'missing', number: last + 1 };
    if (number >= first && byNumber.get(number) !== hash) return { fault: 'rewritten', number, after };
    after = number;
  }
  return undefined;
}

function readEntry(line: string): SealedEntry | undefined {
  const entry: Partial<SealedEntry> | undefined = objectIn(line);
  const isEntry =
    entry !== undefined &&
    Number.isSafeInteger(entry.number) &&
    typeof entry.prev === 'string' &&
    typeof entry.hash === 'string' &&
    typeof entry.tenant === 'string';
  return isEntry ? (entry as SealedEntry) : undefined;
}
