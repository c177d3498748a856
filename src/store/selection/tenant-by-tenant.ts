import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Parameters } from '../db/parameters.ts';

/** A place in the order of tenant, acceptance and id. */
export interface TenantPlace {
  tenantId?: Id<'tenant'>;
  acceptedAt?: string;
  id?: string;
}

/** The part of the rows that is read, and the alias under which they are there. */
interface Part {
  alias: 'd' | 'v';
  after: TenantPlace;
  upTo?: TenantPlace | undefined;
  limit: number | undefined;
}

/** Places before and behind all others. */
const FIRST = { at: '-infinity', id: '00000000-0000-0000-0000-000000000000' };
const LAST = { at: 'infinity', id: 'ffffffff-ffff-ffff-ffff-ffffffffffff' };

/**
 * A statement that reads rows of some tenants in the order of tenant, acceptance and id. Each tenant is read by itself,
 * and begins at its place in an index: for an array of tenants Postgres keeps that order from 17 on only, and on no version
 * does it begin behind the place of one of them. `page` is the statement for the tenant in a column of SQL, in the order of
 * acceptance and id, with conditions beside its own.
 */
export function tenantByTenant(
  tenants: readonly Id<'tenant'>[],
  { alias, after, upTo, limit }: Part,
  p: Parameters,
  page: (tenant: string, conditions: string[], most: string) => string,
): string {
  const from = bounds('after', after, FIRST, p);
  const to = bounds('up_to', upTo, LAST, p);
  const most = p.add(limit ?? null);
  const place = `(${alias}.accepted_at, ${alias}.id)`;
  const conditions = [
    ...(from ? [`${place} > (of.after_at, of.after_id)`] : []),
    ...(to ? [`${place} <= (of.up_to_at, of.up_to_id)`] : []),
  ];
  const within = [
    ...(from ? [`t.tenant_id >= ${from.tenant}`] : []),
    ...(to ? [`t.tenant_id <= ${to.tenant}`] : []),
  ];
  return `select ${alias}.* from (
        select t.tenant_id${from?.columns ?? ''}${to?.columns ?? ''}
        from (select distinct unnest(${p.add(tenants)}::uuid[]) as tenant_id) t
        ${within.length > 0 ? `where ${within.join(' and ')}` : ''} order by t.tenant_id
      ) of
      cross join lateral (${page('of.tenant_id', conditions, most)}) ${alias}
      order by of.tenant_id, ${alias}.accepted_at, ${alias}.id limit ${most}`;
}

/** The tenant of a place, and its bounds as columns: for its own tenant those of the place, for others none. */
function bounds(name: string, place: TenantPlace | undefined, none: typeof FIRST, p: Parameters) {
  if (!place?.acceptedAt || !place.id) return undefined;
  const tenant = `${p.add(place.tenantId)}::uuid`;
  const [at, id] = [p.add(place.acceptedAt), p.add(place.id)];
  return {
    tenant,
    columns: `,
          case when t.tenant_id = ${tenant} then ${at}::timestamptz else '${none.at}' end as ${name}_at,
          case when t.tenant_id = ${tenant} then ${id}::uuid else '${none.id}' end as ${name}_id`,
  };
}
