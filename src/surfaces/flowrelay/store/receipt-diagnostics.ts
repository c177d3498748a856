import type { Id } from '../../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../../../store/db/only-row.ts';
import type { Queryable } from '../../../store/db/queryable.ts';

/** The diagnostics of one receipt: shown first, then frozen as they were shown. */
export interface ReceiptDiagnostics {
  id: Id<'diagnostics'>;
  receiptId: Id<'receipt'>;
  actor: string;
  state: 'previewed' | 'frozen';
  /** JSON, byte for byte as it was shown. */
  content: string;
  createdAt: Date;
  expiresAt: Date;
  frozenAt?: Date;
}

/** Writes down the content that a preview of diagnostics showed. */
export async function insertDiagnostics(
  db: Queryable,
  tenantId: Id<'tenant'>,
  diagnostics: Pick<ReceiptDiagnostics, 'receiptId' | 'actor' | 'content'> & { validForMs: number },
): Promise<ReceiptDiagnostics> {
  const inserted = await db.query<DiagnosticsRow>(
    `insert into receipt_diagnostics (tenant_id, receipt_id, actor, content, expires_at)
     values ($1, $2, $3, $4, now() + $5::float8 * interval '1 millisecond') returning *`,
    [tenantId, diagnostics.receiptId, diagnostics.actor, diagnostics.content, diagnostics.validForMs],
  );
  return diagnosticsFrom(onlyRow(inserted));
}

/** Diagnostics of a tenant: frozen ones, and previews that have not expired. */
export async function findDiagnostics(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'diagnostics'>,
): Promise<ReceiptDiagnostics | undefined> {
  const { rows } = await db.query<DiagnosticsRow>(
    `select * from receipt_diagnostics
     where tenant_id = $1 and id = $2 and (state = 'frozen' or expires_at > clock_timestamp())`,
    [tenantId, id],
  );
  return rows[0] && diagnosticsFrom(rows[0]);
}

/** Freezes a preview that has not expired; undefined where there is none, or it is frozen already. */
export async function freezeDiagnostics(
  db: Queryable,
  tenantId: Id<'tenant'>,
  id: Id<'diagnostics'>,
): Promise<ReceiptDiagnostics | undefined> {
  const { rows } = await db.query<DiagnosticsRow>(
    `update receipt_diagnostics set state = 'frozen', frozen_at = clock_timestamp()
     where tenant_id = $1 and id = $2 and state = 'previewed' and expires_at > clock_timestamp() returning *`,
    [tenantId, id],
  );
  return rows[0] && diagnosticsFrom(rows[0]);
}

/** Removes up to `limit` previews of diagnostics that nobody froze; returns how many. */
export async function dropExpiredDiagnostics(db: Queryable, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from receipt_diagnostics d using (
       select id from receipt_diagnostics where state = 'previewed' and expires_at < now()
       limit $1 for update skip locked
     ) e where d.id = e.id`,
    [limit],
  );
  return rowCount ?? 0;
}

interface DiagnosticsRow {
  id: Id<'diagnostics'>;
  receipt_id: Id<'receipt'>;
  actor: string;
  state: ReceiptDiagnostics['state'];
  content: string;
  created_at: Date;
  expires_at: Date;
  frozen_at: Date | null;
}

function diagnosticsFrom(row: DiagnosticsRow): ReceiptDiagnostics {
  return {
    id: row.id,
    receiptId: row.receipt_id,
    actor: row.actor,
    state: row.state,
    content: row.content,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    ...(row.frozen_at ? { frozenAt: row.frozen_at } : {}),
  };
}
