import type { ClosureReport, Operation } from '../domain/operations/operation.ts';
import {
  type AuditCheckpoint,
  CLOSURE_TYPE,
  type ClosureFacts,
  closurePayload,
} from '../domain/proof/closure-payload.ts';
import { toHex } from '../domain/proof/hex.ts';
import { rootOf } from '../domain/proof/merkle-tree.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { controlsOf } from '../store/operations/operation-controls.ts';
import {
  type Draft,
  insertSignedReport,
  installationId,
  type SignedReport,
} from '../store/proof/closure-reports.ts';
import { chunkHashes } from '../store/proof/ledger-chunks.ts';
import { VERSION } from '../version.ts';
import type { ReportSigner } from './report-signer.ts';
import { sha256 } from './sha256.ts';

/** The lines of a ledger are not as many as were counted: its operation is not closed, and halts. */
class LinesDisagree extends Error {
  readonly code = 'lines_disagree';
}

/** Signs the report of an operation whose lines are all hashed, in the transaction that closes it. */
export async function signClosure(
  tx: Transaction,
  signer: ReportSigner,
  operation: Operation & { report: ClosureReport },
  { details }: Draft,
  end: Pick<ClosureFacts, 'endedAs' | 'closedAt'>,
): Promise<SignedReport> {
  const chunks = await chunkHashes(tx, operation.id);
  const lines = chunks.reduce((sum, chunk) => sum + chunk.lines, 0);
  if (lines !== operation.report.counts.expected) throw new LinesDisagree();
  const merkleRoot = Buffer.from(
    rootOf(
      sha256,
      chunks.map(({ hash }) => hash),
    ),
  );
  const audit = await auditCheckpoint(tx, operation);
  const signed = await signer.sign(
    tx,
    closurePayload({
      ...end,
      installation: await installationId(tx),
      operation,
      report: operation.report,
      details,
      acts: (await controlsOf(tx, operation.tenantId, operation.id)).map(({ actor, ...act }) => ({
        ...act,
        by: actor,
      })),
      ledger: { lines, merkleRoot: toHex(merkleRoot) },
      version: VERSION,
      ...(audit ? { audit } : {}),
    }),
    CLOSURE_TYPE,
  );
  const report = { ...signed, lines, merkleRoot, signedAt: end.closedAt };
  await insertSignedReport(tx, operation, report);
  return report;
}

/** The one place where a report learns of the audit chain: there is none yet. */
async function auditCheckpoint(
  _tx: Transaction,
  _operation: Pick<Operation, 'tenantId'>,
): Promise<AuditCheckpoint | undefined> {
  return undefined;
}
