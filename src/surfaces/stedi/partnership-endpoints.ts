import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../../store/db/queryable.ts';
import { endpointsOfPartnership, type FileDirection } from './store/file-executions.ts';

const HANDLE = /^[a-zA-Z0-9._-]{1,81}$/;

/** The endpoints that a partnership and a direction stand for; undefined where neither is asked for. */
export async function partnershipEndpoints(
  db: Queryable,
  tenantId: Id<'tenant'>,
  asked: { partnershipId?: string | undefined; direction?: FileDirection | undefined },
): Promise<Id<'endpoint'>[] | undefined> {
  const { partnershipId: handle, direction } = asked;
  if (handle === undefined && direction === undefined) return undefined;
  // No endpoint has such a handle, and not every text can be compared in Postgres.
  if (handle !== undefined && !HANDLE.test(handle)) return [];
  return endpointsOfPartnership(db, tenantId, { handle, direction });
}
