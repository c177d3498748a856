import { createLocalJWKSet, errors, type FlattenedJWS, flattenedVerify, type JSONWebKeySet } from 'jose';
import type { AuditCheckpoint } from '../domain/audit/audit-entry.ts';
import { CHECKPOINT_TYPE, checkpointPayload } from '../domain/audit/signed-checkpoint.ts';
import { canonicalJson } from '../domain/json/canonical-json.ts';
import { CLOSURE_TYPE } from '../domain/proof/closure-payload.ts';

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

/** The checkpoints that were kept, or the first fault: in which file, and which of those in it. */
export type KeptCheckpoints =
  | { ok: true; checkpoints: AuditCheckpoint[]; signed: number }
  | { ok: false; fault: 'checkpoint'; file: string; index: number; why: CheckpointFault };

/**
 * Reads checkpoints wherever they were kept: by themselves, in a page of them, in the event of an operation, in a signed
 * report, or in lines of the log. With keys each of them has to be signed by one; without, signatures are not looked at.
 */
export async function readCheckpoints(
  files: readonly { name: string; text: string }[],
  keys?: JSONWebKeySet,
): Promise<KeptCheckpoints> {
  const checkpoints: AuditCheckpoint[] = [];
  let signed = 0;
  for (const { name, text } of files) {
    const kept = valuesIn(text)?.flatMap(keptIn) ?? [undefined];
    for (const [index, each] of kept.entries()) {
      const read = each ? await verified(each, keys) : 'unreadable';
      if (typeof read === 'string') return { ok: false, fault: 'checkpoint', file: name, index, why: read };
      checkpoints.push(read);
      if (keys) signed += 1;
    }
  }
  return { ok: true, checkpoints, signed };
}

/** What was kept of one checkpoint: what stands there, and what was signed. */
type Kept = { said?: Partial<AuditCheckpoint>; jws?: FlattenedJWS };

type Members = Record<string, unknown>;

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The JSON of a file: one value, or one a line. */
function valuesIn(text: string): unknown[] | undefined {
  try {
    return [JSON.parse(text)];
  } catch {
    try {
      const lines = text.split('\n').filter((line) => line.trim() !== '');
      return lines.length === 0 ? undefined : lines.map((line) => JSON.parse(line));
    } catch {
      return undefined;
    }
  }
}

function keptIn(value: unknown): (Kept | undefined)[] {
  if (Array.isArray(value)) return value.flatMap(keptIn);
  if (!isObject(value)) return [undefined];
  if (Array.isArray(value.items)) return value.items.flatMap(keptIn);
  if (isObject(value.audit)) return keptIn(value.audit);
  if (typeof value.ed25519 === 'string') return [loggedIn(value)];
  if (typeof value.protected === 'string') return [{ jws: value as unknown as FlattenedJWS }];
  if (typeof value.number !== 'number' || typeof value.hash !== 'string') return [undefined];
  return [{ said: value, ...(isObject(value.jws) ? { jws: value.jws as unknown as FlattenedJWS } : {}) }];
}

/** A line of the log has the members of what was signed, and the signature: nothing that a log would cut out. */
function loggedIn(line: Members): Kept {
  const { tenantId, number, hash, at, installation, kid, ed25519 } = line;
  const said = { tenant: tenantId, number, hash, at } as AuditCheckpoint;
  return {
    said,
    jws: {
      protected: base64url({ alg: 'EdDSA', kid, typ: CHECKPOINT_TYPE }, JSON.stringify),
      payload: base64url(checkpointPayload(String(installation), said), canonicalJson),
      signature: String(ed25519),
    },
  };
}

function base64url(value: object, write: (value: object) => string): string {
  return Buffer.from(write(value)).toString('base64url');
}

async function verified(
  { said, jws }: Kept,
  keys: JSONWebKeySet | undefined,
): Promise<AuditCheckpoint | CheckpointFault> {
  if (!keys) return checkpointOf(jws ? payloadOf(jws) : said) ?? 'unreadable';
  if (!jws) return 'unsigned';
  let payload: unknown;
  try {
    const { protectedHeader } = await flattenedVerify(jws, createLocalJWKSet(keys));
    if (keys.keys.some((key) => key.kid === protectedHeader?.kid && 'revokedAt' in key)) return 'revoked_key';
    if (protectedHeader?.typ !== CHECKPOINT_TYPE && protectedHeader?.typ !== CLOSURE_TYPE)
      return 'unreadable';
    payload = payloadOf(jws);
  } catch (error) {
    return error instanceof errors.JWKSNoMatchingKey ? 'unknown_key' : 'bad_signature';
  }
  const checkpoint = checkpointOf(payload);
  if (!checkpoint) return 'unreadable';
  return said && !agrees(said, checkpoint) ? 'other_content' : checkpoint;
}

function payloadOf({ payload }: FlattenedJWS): unknown {
  try {
    return JSON.parse(Buffer.from(String(payload), 'base64url').toString());
  } catch {
    return undefined;
  }
}

/** The checkpoint in what was signed: that itself, or the end of the chain that a report names. */
function checkpointOf(payload: unknown): AuditCheckpoint | undefined {
  if (!isObject(payload)) return undefined;
  const { number, hash, at } = isObject(payload.audit) ? payload.audit : payload;
  const { tenant } = payload;
  return typeof number === 'number' && typeof hash === 'string'
    ? { tenant: String(tenant), number, hash, at: String(at) }
    : undefined;
}

/** Whether what stands beside a signature is what was signed; a report names no tenant beside its checkpoint. */
function agrees(said: Partial<AuditCheckpoint>, { tenant, number, hash }: AuditCheckpoint): boolean {
  return said.number === number && said.hash === hash && (said.tenant ?? tenant) === tenant;
}
