import { canonicalJson } from '../json/canonical-json.ts';

/** A fact of an act: an id, a count, a code or a digest; never anything that a customer, sender or receiver wrote. */
export type AuditFact =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly AuditFact[]
  | { readonly [name: string]: AuditFact };

/** The facts of an act, by name. */
export type AuditDetail = { readonly [name: string]: AuditFact };

/** The words that a human gave with an act. */
export type AuditWords = { reason?: string | undefined; ticket?: string | undefined };

/** One act as it is sealed: these members, and no other, are hashed. Ids and times are as they are shown. */
export interface AuditEntry {
  number: number;
  id: string;
  tenant: string;
  at: string;
  actor: string;
  keyId: string | null;
  action: string;
  target: string;
  detail: AuditDetail;
  /** Null where there were no words. It stays when they are erased. */
  wordsDigest: string | null;
}

/** An entry as it is shown: a line of the export. */
export interface SealedEntry extends AuditEntry {
  /** Null where there were none, or they were erased. */
  words: AuditWords | null;
  salt: string | null;
  prev: string;
  hash: string;
}

/** The end of a chain at some time: an entry's number and hash. */
export interface AuditCheckpoint {
  tenant: string;
  number: number;
  hash: string;
  at: string;
}

/** SHA-256 of the UTF-8 of a text, as lower-case hex. */
export type Sha256 = (text: string) => string;

/** The hash before the first entry. */
export const NO_HASH = '0'.repeat(64);

/** The hash of an entry: over the one before it, as it is shown, and the RFC 8785 JSON of the entry. */
export function entryHash(sha256: Sha256, prev: string, entry: AuditEntry): string {
  const { number, id, tenant, at, actor, keyId, action, target, detail, wordsDigest } = entry;
  const sealed = { number, id, tenant, at, actor, keyId, action, target, detail, wordsDigest };
  return sha256(`redrive.audit.v1\n${prev}${canonicalJson(sealed)}`);
}

/** The digest by which words enter the chain; the salt, as hex, keeps them from being guessed once they are erased. */
export function wordsDigest(sha256: Sha256, salt: string, words: AuditWords): string {
  return sha256(`redrive.audit.words.v1\n${salt}${canonicalJson(words)}`);
}

/** The names of the members that were given, which say what a change was about without its values. */
export function namesOf(given: object): string[] {
  return Object.entries(given)
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name)
    .sort();
}
