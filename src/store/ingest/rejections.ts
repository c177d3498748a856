import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';

/** Notes that a request was refused once its tenant was known: its id and the code, nothing of what it held. */
export async function insertRejection(
  db: Queryable,
  tenantId: Id<'tenant'>,
  { requestId, code }: { requestId: string; code: string },
): Promise<void> {
  await db.query('insert into rejections (tenant_id, request_id, code) values ($1, $2, $3)', [
    tenantId,
    requestId,
    code,
  ]);
}
