import type { Kept } from '../../domain/tenancy/retention.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable } from '../db/queryable.ts';

/** The tenants that keep one of these for a limited time. */
export async function tenantsWithTerm(db: Queryable, ...kept: Kept[]): Promise<Id<'tenant'>[]> {
  const { rows } = await db.query<{ id: Id<'tenant'> }>(
    'select id from tenants where settings ?| $1::text[] order by id',
    [kept.map((what) => `${what}RetentionDays`)],
  );
  return rows.map((row) => row.id);
}
