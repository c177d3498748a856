import type { AuditCheckpoint } from '../domain/audit/audit-entry.ts';
import {
  CHECKPOINT_TYPE,
  checkpointPayload,
  type SignedCheckpoint,
} from '../domain/audit/signed-checkpoint.ts';
import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import { checkpointOf, keepCheckpoint, keepSignature } from '../store/audit/checkpoints.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { installationId } from '../store/proof/closure-reports.ts';
import type { ReportSigner } from './report-signer.ts';

/** The end of a tenant's audit chain as it is now, signed; undefined before its first entry. */
export async function signedEndOf(
  tx: Transaction,
  signer: ReportSigner,
  tenantId: Id<'tenant'>,
): Promise<SignedCheckpoint | undefined> {
  const end = await checkpointOf(tx, tenantId);
  return end && { ...end, jws: JSON.parse((await sign(tx, signer, end)).jws) };
}

/** Everything by which a signed checkpoint can be put together again, in a line of the log. */
export interface LoggedCheckpoint extends AuditCheckpoint {
  installation: string;
  kid: string;
  /** The signature, in base64url. */
  ed25519: string;
}

/**
 * Keeps a copy of the end of a tenant's chain, and signs it; undefined where somebody else has done so, or is doing it.
 */
export async function keepSignedCheckpoint(
  tx: Transaction,
  signer: ReportSigner,
  tenantId: Id<'tenant'>,
): Promise<LoggedCheckpoint | undefined> {
  const kept = await keepCheckpoint(tx, tenantId);
  if (!kept) return undefined;
  const { installation, ...signed } = await sign(tx, signer, kept);
  await keepSignature(tx, tenantId, kept.number, signed);
  const { signature } = JSON.parse(signed.jws) as { signature: string };
  return { ...kept, installation, kid: showId('signingKey', signed.keyId), ed25519: signature };
}

async function sign(tx: Transaction, signer: ReportSigner, checkpoint: AuditCheckpoint) {
  const installation = await installationId(tx);
  const signed = await signer.sign(tx, checkpointPayload(installation, checkpoint), CHECKPOINT_TYPE);
  return { installation, keyId: signed.keyId, jws: signed.jws };
}
