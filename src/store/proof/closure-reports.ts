import type { LedgerDetails } from '../../domain/proof/ledger-details.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** A report as it was signed, and the ledger that it names. */
export interface SignedReport {
  keyId: Id<'signingKey'>;
  /** SHA-256 of the payload. */
  digest: Buffer;
  /** Flattened JSON (RFC 7515). */
  jws: string;
  lines: number;
  merkleRoot: Buffer;
  signedAt: Date;
}

/** Stores the signed report of an operation, in the transaction that closes it. */
export async function insertSignedReport(
  tx: Transaction,
  operation: { id: Id<'operation'>; tenantId: Id<'tenant'> },
  report: SignedReport,
): Promise<void> {
  await tx.query(
    `insert into closure_reports (operation_id, tenant_id, signing_key_id, digest, jws, lines, merkle_root, signed_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      operation.id,
      operation.tenantId,
      report.keyId,
      report.digest,
      report.jws,
      report.lines,
      report.merkleRoot,
      report.signedAt,
    ],
  );
}

/** What a report was signed with, and the ledger that it names. */
export type ReportSeal = Omit<SignedReport, 'jws'>;

interface SealRow {
  key_id: Id<'signingKey'>;
  digest: Buffer;
  lines: number;
  merkle_root: Buffer;
  signed_at: Date;
}

/**
 * The seal of the report of a tenant's operation; undefined where that has not closed, or closed before reports were
 * signed.
 */
export async function findSeal(
  db: Queryable,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
): Promise<ReportSeal | undefined> {
  const { rows } = await db.query<SealRow>(
    `select signing_key_id as key_id, digest, lines, merkle_root, signed_at from closure_reports
     where operation_id = $1 and tenant_id = $2`,
    [operationId, tenantId],
  );
  const [row] = rows;
  return (
    row && {
      keyId: row.key_id,
      digest: row.digest,
      lines: row.lines,
      merkleRoot: row.merkle_root,
      signedAt: row.signed_at,
    }
  );
}

/** The signed report itself, as it is answered; undefined like its seal. */
export async function findJws(
  db: Queryable,
  tenantId: Id<'tenant'>,
  operationId: Id<'operation'>,
): Promise<string | undefined> {
  const { rows } = await db.query<{ jws: string }>(
    'select jws from closure_reports where operation_id = $1 and tenant_id = $2',
    [operationId, tenantId],
  );
  return rows[0]?.jws;
}

/** Keeps what the report will say of the items until the lines are hashed. */
export async function keepDraft(
  tx: Transaction,
  operationId: Id<'operation'>,
  { details, frozenAt }: Draft,
): Promise<void> {
  await tx.query('insert into report_drafts (operation_id, details, frozen_at) values ($1, $2, $3)', [
    operationId,
    JSON.stringify(details),
    frozenAt,
  ]);
}

/** What was frozen together with the counts, and when. */
export interface Draft {
  details: LedgerDetails;
  frozenAt: Date;
}

/**
 * Takes the draft of an operation that is being closed, and what was kept for its hashing: both have had their use.
 * Undefined where somebody else has closed it.
 */
export async function takeDraft(tx: Transaction, operationId: Id<'operation'>): Promise<Draft | undefined> {
  // The draft first: changes that still add to what is frozen hold it, and are waited for.
  const { rows } = await tx.query<{ details: LedgerDetails; frozen_at: Date }>(
    'delete from report_drafts where operation_id = $1 returning details, frozen_at',
    [operationId],
  );
  await tx.query('delete from frozen_items where operation_id = $1', [operationId]);
  const [row] = rows;
  return row && { details: row.details, frozenAt: row.frozen_at };
}

/** The id of this installation, as it signs. */
export async function installationId(db: Queryable): Promise<string> {
  return onlyRow(await db.query<{ id: string }>('select id from installation_id')).id;
}
