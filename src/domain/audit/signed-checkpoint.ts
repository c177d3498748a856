import type { AuditCheckpoint } from './audit-entry.ts';

/** The name of the form of a signed checkpoint, in the header of its signature. */
export const CHECKPOINT_TYPE = 'redrive-checkpoint+json';

/** The payload of a signed checkpoint. */
export function checkpointPayload(installation: string, { tenant, number, hash, at }: AuditCheckpoint) {
  return { v: 1, installation, tenant, number, hash, at };
}

/** A checkpoint with its signature: a JWS (RFC 7515) in flattened JSON, the payload attached. */
export interface SignedCheckpoint extends AuditCheckpoint {
  /** Null for one that was kept before checkpoints were signed. */
  jws: FlattenedJws | null;
}

/** A JWS in flattened JSON; each member in base64url. */
export type FlattenedJws = { protected: string; payload: string; signature: string };
