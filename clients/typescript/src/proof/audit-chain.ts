import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { canonicalJson, type Members } from './json.ts';

/** An entry of the audit: a line of the export, of which these members are hashed with the rest. */
export interface SealedEntry {
  number: number;
  id: string;
  tenant: string;
  at: string;
  actor: string;
  keyId: string | null;
  action: string;
  target: string;
  detail: Members;
  /** Null where there were no words. It stays when they are erased. */
  wordsDigest: string | null;
  /** Null where there were none, or they were erased. */
  words: Members | null;
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

/** The hash before the first entry. */
export const NO_HASH = '0'.repeat(64);

/** The hash of an entry: over the one before it, as it is shown, and the RFC 8785 JSON of the entry. */
export function entryHash(prev: string, entry: SealedEntry): string {
  const { number, id, tenant, at, actor, keyId, action, target, detail, wordsDigest: digest } = entry;
  const sealed = { number, id, tenant, at, actor, keyId, action, target, detail, wordsDigest: digest };
  return hashOf(`redrive.audit.v1\n${prev}${canonicalJson(sealed)}`);
}

/** The digest by which words enter the chain. */
export function wordsDigest(salt: string, words: Members): string {
  return hashOf(`redrive.audit.words.v1\n${salt}${canonicalJson(words)}`);
}

function hashOf(text: string): string {
  return bytesToHex(sha256(new TextEncoder().encode(text)));
}
