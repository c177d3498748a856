import { ADDENDUM_TYPE, addendumPayload } from '../domain/proof/addendum-payload.ts';
import { toHex } from '../domain/proof/hex.ts';
import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import { noteAct } from '../store/audit/entries.ts';
import type { Pool } from '../store/db/pool.ts';
import { withTransaction } from '../store/db/pool.ts';
import { ITSELF } from '../store/operations/operation-controls.ts';
import {
  insertAddendum,
  lockForAddendum,
  operationsWithAddenda,
  takeLateChanges,
} from '../store/proof/addenda.ts';
import { installationId } from '../store/proof/closure-reports.ts';
import { VERSION } from '../version.ts';
import type { ReportSigner } from './report-signer.ts';

const OPERATIONS_AT_ONCE = 100;
/** Of one addendum, which names each of them; what is left follows a minute later. */
const CHANGES_OF_ADDENDUM = 5_000;

/** Signs the addenda that are due: one for an operation, at most once a minute. Returns how many it signed. */
export async function signAddenda(pool: Pool, signer: ReportSigner, stop: AbortSignal): Promise<number> {
  let signed = 0;
  for (const operationId of await operationsWithAddenda(pool, OPERATIONS_AT_ONCE)) {
    if (stop.aborted) break;
    if (await signAddendum(pool, signer, operationId)) signed += 1;
  }
  return signed;
}

function signAddendum(pool: Pool, signer: ReportSigner, operationId: Id<'operation'>): Promise<boolean> {
  return withTransaction(pool, async (tx) => {
    const report = await lockForAddendum(tx, operationId);
    const changes = report ? await takeLateChanges(tx, operationId, CHANGES_OF_ADDENDUM) : [];
    if (!report || changes.length === 0) return false;
    const { number, tenantId, digest } = report;
    const signedAt = new Date();
    const payload = addendumPayload({
      installation: await installationId(tx),
      tenantId,
      operationId,
      reportDigest: toHex(digest),
      number,
      changes,
      signedAt,
      version: VERSION,
    });
    const signed = await signer.sign(tx, payload, ADDENDUM_TYPE);
    await insertAddendum(tx, operationId, { ...signed, number, changes: changes.length, signedAt });
    await noteAct(tx, {
      tenantId,
      by: { actor: ITSELF },
      action: 'addendum.signed',
      target: operationId,
      detail: {
        report: toHex(digest),
        number,
        digest: toHex(signed.digest),
        kid: showId('signingKey', signed.keyId),
        changes: changes.length,
      },
    });
    return true;
  });
}
