import { closingState } from '../domain/operations/operation-counts.ts';
import { toHex } from '../domain/proof/hex.ts';
import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import { announce } from '../store/announcements/announce.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { type Frozen, freezeCounts, keepForHashing } from '../store/operations/closing.ts';
import { endOperation, holdForClosing } from '../store/operations/operation-states.ts';
import { loadOperation } from '../store/operations/operations.ts';
import { loadPlan } from '../store/plans/plans.ts';
import { giveBackQuotas } from '../store/policy/quotas.ts';
import { type Draft, takeDraft } from '../store/proof/closure-reports.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import { LINES_OF_CHUNK } from './chunk-lines.ts';
import { hashNextLines } from './hash-ledger.ts';
import type { ReportSigner } from './report-signer.ts';
import { signClosure } from './sign-closure.ts';

/** Freezes the counts; where the lines make one chunk, all that follows is done at once, and nothing has to be kept. */
export async function freezeAndMaybeEnd(
  tx: Transaction,
  signer: ReportSigner,
  operationId: Id<'operation'>,
  linesOfChunk = LINES_OF_CHUNK,
): Promise<Exclude<Frozen, { became: 'frozen' }> | { became: 'frozen' | 'closed' }> {
  const frozen = await freezeCounts(tx, operationId);
  if (frozen.became !== 'frozen') return frozen;
  if (frozen.lines > linesOfChunk) {
    await keepForHashing(tx, operationId, frozen);
    return { became: 'frozen' };
  }
  await hashNextLines(tx, operationId);
  await signAndEnd(tx, signer, operationId, frozen);
  return { became: 'closed' };
}

/** Signs and ends an operation whose lines are all hashed; false where somebody else has. */
export async function endHashed(
  tx: Transaction,
  signer: ReportSigner,
  operationId: Id<'operation'>,
): Promise<boolean> {
  await holdForClosing(tx, operationId);
  const draft = await takeDraft(tx, operationId);
  if (draft) await signAndEnd(tx, signer, operationId, draft);
  return draft !== undefined;
}

async function signAndEnd(
  tx: Transaction,
  signer: ReportSigner,
  operationId: Id<'operation'>,
  draft: Draft,
): Promise<void> {
  const closedAt = await holdForClosing(tx, operationId);
  const operation = await loadOperation(tx, operationId);
  const remainder = operation?.report?.remainder;
  if (!operation?.report || !remainder) throw new Error('the counts of an operation that ends are frozen');
  const endedAs = closingState(remainder, operation.control === 'cancel');
  const plan = await loadPlan(tx, operationId);
  // A plan that nobody executed has no result.
  if (!plan || plan.executed) {
    const closed = { ...operation, report: operation.report };
    const signed = await signClosure(tx, signer, closed, draft, { endedAs, closedAt, plan });
    await announce(tx, {
      type: 'operation.closed',
      tenantId: operation.tenantId,
      operationId,
      data: {
        kind: operation.kind,
        state: endedAs,
        counts: operation.report.counts,
        mayHaveArrived: operation.report.mayHaveArrived,
        remainder: remainder.byReason,
        report: { digest: toHex(signed.digest), kid: showId('signingKey', signed.keyId) },
      },
    });
  }
  // What was never sent was not used.
  if (endedAs === 'cancelled' && operation.report.attempts === 0) await giveBackQuotas(tx, operationId);
  await endOperation(tx, operationId, endedAs, closedAt);
  crashPoint('closing');
}
