import { toBase64Url } from '../bytes.ts';
import type { AuditCheckpoint } from './audit-chain.ts';
import { CLOSURE_TYPE } from './closure.ts';
import { canonicalJson, hasOnly, isObject, type Members, valueIn } from './json.ts';
import { isJws, type Jws, type KeySet, unverifiedPayload, verifyJws } from './jws.ts';

/** Why a checkpoint that was kept counts for nothing. */
export type CheckpointFault =
  /** It is none, nor something that has one. */
  | 'unreadable'
  /** It has no signature, and keys were given. */
  | 'unsigned'
  /** No key that was given has the id that it names. */
  | 'unknown_key'
  /** The private part of its key may be known to others. */
  | 'revoked_key'
  | 'bad_signature'
  /** What was signed says something else than what stands beside it. */
  | 'other_content';

/** A file in which checkpoints were kept. */
export interface KeptFile {
  name: string;
  text: string;
}

/** The checkpoints that were kept, or the first fault: in which file, and which of those in it. */
export type KeptCheckpoints =
  | { ok: true; checkpoints: AuditCheckpoint[]; signed: number }
  | { ok: false; fault: 'checkpoint'; file: string; index: number; why: CheckpointFault };

const CHECKPOINT_TYPE = 'redrive-checkpoint+json';

/**
 * Reads checkpoints wherever they were kept: by themselves, in a page of them, in the event of an operation, in a signed
 * report, or in lines of the log. With keys each of them has to be signed by one; without, signatures are not looked at.
 */
export function readCheckpoints(files: readonly KeptFile[], keys?: KeySet): KeptCheckpoints {
  const checkpoints: AuditCheckpoint[] = [];
  let signed = 0;
  for (const { name, text } of files) {
    const kept = valuesIn(text)?.flatMap(keptIn) ?? [undefined];
    for (const [index, each] of kept.entries()) {
      const read = each ? verified(each, keys) : 'unreadable';
      if (typeof read === 'string') return { ok: false, fault: 'checkpoint', file: name, index, why: read };
      checkpoints.push(read);
      if (keys) signed += 1;
    }
  }
  return { ok: true, checkpoints, signed };
}

/** What may stand beside a signature: what was signed, and what a report says of the chain. */
const BESIDE = ['tenant', 'number', 'hash', 'at', 'complete', 'jws'];

/** What was kept of one checkpoint: what stands there, and what was signed. */
interface Kept {
  said?: Members;
  jws?: Jws;
}

/** The JSON of a file: one value, or one a line. */
function valuesIn(text: string): unknown[] | undefined {
  const value = valueIn(text);
  if (value !== undefined) return [value];
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const values = lines.map(valueIn);
  return values.length === 0 || values.includes(undefined) ? undefined : values;
}

function keptIn(value: unknown): (Kept | undefined)[] {
  if (Array.isArray(value)) return value.flatMap(keptIn);
  if (!isObject(value)) return [undefined];
  // The end of the chain as it was then stands beside a page, and is signed as those in it are.
  if (Array.isArray(value.items))
    return [...value.items, ...(value.head ? [value.head] : [])].flatMap(keptIn);
  if (isObject(value.audit)) return keptIn(value.audit);
  if (typeof value.ed25519 === 'string') return [loggedIn(value)];
  if (isJws(value)) return [{ jws: value }];
  if (typeof value.number !== 'number' || typeof value.hash !== 'string') return [undefined];
  if (!hasOnly(value, BESIDE)) return [undefined];
  return [{ said: value, ...(isJws(value.jws) ? { jws: value.jws } : {}) }];
}

/** A line of the log has the members of what was signed, and the signature: nothing that a log would cut out. */
function loggedIn({ tenantId: tenant, number, hash, at, installation, kid, ed25519 }: Members): Kept {
  const payload = { v: 1, installation, tenant, number, hash, at };
  return {
    said: { tenant, number, hash, at },
    jws: {
      protected: encoded(JSON.stringify({ alg: 'EdDSA', kid, typ: CHECKPOINT_TYPE })),
      payload: encoded(canonicalJson(payload)),
      signature: String(ed25519),
    },
  };
}

function encoded(text: string): string {
  return toBase64Url(new TextEncoder().encode(text));
}

function verified({ said, jws }: Kept, keys: KeySet | undefined): AuditCheckpoint | CheckpointFault {
  const payload = jws && (keys ? signedIn(jws, keys) : (unverifiedPayload(jws) ?? 'unreadable'));
  if (typeof payload === 'string') return payload;
  if (!payload && keys) return 'unsigned';
  const checkpoint = checkpointOf(payload ?? said);
  if (!checkpoint) return 'unreadable';
  return said && !agrees(said, checkpoint) ? 'other_content' : checkpoint;
}

/** What was signed by one of the keys, as a checkpoint or in a report. */
function signedIn(jws: Jws, keys: KeySet): Members | CheckpointFault {
  const verdict = verifyJws(jws, keys);
  if (!verdict.holds) {
    const { fault } = verdict;
    return fault === 'unknown_key' || fault === 'revoked_key' ? fault : 'bad_signature';
  }
  const { type, payload } = verdict;
  return type === CHECKPOINT_TYPE || type === CLOSURE_TYPE ? payload : 'unreadable';
}

/** The checkpoint in what was signed: that itself, or the end of the chain that a report names. */
function checkpointOf(payload: Members | undefined): AuditCheckpoint | undefined {
  if (!payload) return undefined;
  const { number, hash, at } = isObject(payload.audit) ? payload.audit : payload;
  return typeof number === 'number' && typeof hash === 'string'
    ? { tenant: String(payload.tenant), number, hash, at: String(at) }
    : undefined;
}

/** Whether what stands beside a signature is what was signed; a report names no tenant beside its checkpoint. */
function agrees(said: Members, { tenant, number, hash, at }: AuditCheckpoint): boolean {
  return (
    said.number === number &&
    said.hash === hash &&
    (said.tenant ?? tenant) === tenant &&
    (said.at ?? at) === at
  );
}
