import type { AuditCheckpoint } from './audit-entry.ts';

/** The name of the form of a signed checkpoint, in the header of its signature. */
export const CHECKPOINT_TYPE = 'redrive-checkpoint+json';

/** The payload of a signed checkpoint. */
export function checkpointPayload(installation: string, { tenant, number, hash, at }: AuditCheckpoint) {
  return { v: 1, installation, tenant, number, hash, at };
}
