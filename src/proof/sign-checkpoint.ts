import type { AuditCheckpoint } from '../domain/audit/audit-entry.ts';
import { CHECKPOINT_TYPE, checkpointPayload } from '../domain/audit/signed-checkpoint.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { installationId } from '../store/proof/closure-reports.ts';
import type { ReportSigner, Signed } from './report-signer.ts';

/** Signs the end of an audit chain, so that a copy of it is worth something without this database. */
export async function signCheckpoint(
  tx: Transaction,
  signer: ReportSigner,
  checkpoint: AuditCheckpoint,
): Promise<Signed> {
  const payload = checkpointPayload(await installationId(tx), checkpoint);
  return signer.sign(tx, payload, CHECKPOINT_TYPE);
}
