import type { Queryable } from './queryable.ts';

/** A request that was refused once its tenant was known. */
export interface Rejection {
  id: string;
  requestId: string;
  code: string;
  rejectedAt: Date;
}

/** Notes that a request was refused: its id and the code of the refusal, nothing of what it held. */
export async function insertRejection(
  db: Queryable,
  tenantId: string,
  { requestId, code }: Pick<Rejection, 'requestId' | 'code'>,
): Promise<void> {
  await db.query('insert into rejections (tenant_id, request_id, code) values ($1, $2, $3)', [
    tenantId,
    requestId,
    code,
  ]);
}

/** One refused request of a tenant. */
export async function findRejection(
  db: Queryable,
  tenantId: string,
  id: string,
): Promise<Rejection | undefined> {
  const { rows } = await db.query(
    'select id, request_id, code, rejected_at from rejections where tenant_id = $1 and id = $2',
    [tenantId, id],
  );
  const row = rows[0];
  return row && { id: row.id, requestId: row.request_id, code: row.code, rejectedAt: row.rejected_at };
}
