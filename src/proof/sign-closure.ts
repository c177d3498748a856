import type { ClosureReport, Operation } from '../domain/operations/operation.ts';
import type { Plan } from '../domain/operations/plan.ts';
import { present } from '../domain/present.ts';
import { CLOSURE_TYPE, type ClosureFacts, closurePayload } from '../domain/proof/closure-payload.ts';
import { toHex } from '../domain/proof/hex.ts';
import { rootOf } from '../domain/proof/merkle-tree.ts';
import { showId } from '../domain/tenancy/typed-id.ts';
import { noteAct } from '../store/audit/entries.ts';
import { hasUnsealedActs } from '../store/audit/sealing.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { controlsOf, ITSELF } from '../store/operations/operation-controls.ts';
import { lastHold } from '../store/policy/holds.ts';
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
import { signedEndOf } from './sign-checkpoint.ts';

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
  { plan, ...end }: Pick<ClosureFacts, 'endedAs' | 'closedAt'> & { plan: Plan | undefined },
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
  const audit = await auditOf(tx, signer, operation);
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
      ...present({ audit, plan, hold: await lastHold(tx, operation.id) }),
    }),
    CLOSURE_TYPE,
  );
  const report = { ...signed, lines, merkleRoot, signedAt: end.closedAt };
  await insertSignedReport(tx, operation, report);
  await noteAct(tx, {
    tenantId: operation.tenantId,
    by: { actor: ITSELF },
    action: 'report.signed',
    target: operation.id,
    detail: {
      digest: toHex(signed.digest),
      kid: showId('signingKey', signed.keyId),
      lines,
      merkleRoot: toHex(merkleRoot),
    },
  });
  return report;
}

async function auditOf(
  tx: Transaction,
  signer: ReportSigner,
  { id, tenantId }: Pick<Operation, 'id' | 'tenantId'>,
): Promise<ClosureFacts['audit']> {
  const end = await signedEndOf(tx, signer, tenantId);
  if (!end) return undefined;
  const { number, hash, at, jws } = end;
  return { number, hash, at, jws, complete: !(await hasUnsealedActs(tx, tenantId, id)) };
}
