import { FAILED_FILE_TYPE } from '../../../domain/endpoints/event-type.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../../../store/db/queryable.ts';
import { type EndedPosition, LAST_ID } from './file-executions.ts';

/** Begins a feed for every tenant whose first endpoint that names the type has been made, at the time it was made. */
export async function openFailedFileFeeds(db: Queryable): Promise<void> {
  await db.query(
    `insert into failed_file_feeds (tenant_id, finished_at, execution_id)
     select w.tenant_id, min(w.created_at), '${LAST_ID}' from endpoint_versions w
     where '${FAILED_FILE_TYPE}' = any (w.event_types)
       and not exists (select from failed_file_feeds f where f.tenant_id = w.tenant_id)
     group by w.tenant_id
     on conflict do nothing`,
  );
}

/** Tenants with a feed whose executions are not listed yet, or not all of them. */
export async function feedsWithoutList(db: Queryable): Promise<Id<'tenant'>[]> {
  const { rows } = await db.query<{ tenant_id: Id<'tenant'> }>(
    `select f.tenant_id from failed_file_feeds f
     where not exists (select from listed_tenants t where t.tenant_id = f.tenant_id and t.complete_at is not null)
     order by f.created_at`,
  );
  return rows.map((row) => row.tenant_id);
}

/** Tenants of which something has failed since they were told last, up to `limit`. */
export async function feedsWithNews(db: Queryable, limit: number): Promise<Id<'tenant'>[]> {
  const { rows } = await db.query<{ tenant_id: Id<'tenant'> }>(
    `select f.tenant_id from failed_file_feeds f
     where exists (select from listed_executions l
       where l.tenant_id = f.tenant_id and l.undelivered
         and (l.finished_at, l.execution_id) > (f.finished_at, f.execution_id)
         and (select r.outcome from execution_records r where r.id = l.execution_id) = 'failed')
     order by f.finished_at limit $1`,
    [limit],
  );
  return rows.map((row) => row.tenant_id);
}

/**
 * How far a tenant has been told, holding its feed until the transaction ends; undefined where another holds it, or not all
 * of its executions are listed yet.
 */
export async function lockFailedFileFeed(
  db: Transaction,
  tenantId: Id<'tenant'>,
): Promise<EndedPosition | undefined> {
  const { rows } = await db.query<{ micros: string; execution_id: Id<'execution'> }>(
    `select (extract(epoch from finished_at) * 1000000)::bigint::text as micros, execution_id
     from failed_file_feeds f where tenant_id = $1
       and exists (select from listed_tenants t where t.tenant_id = f.tenant_id and t.complete_at is not null)
     for update of f skip locked`,
    [tenantId],
  );
  return rows[0] && { processedAtMicros: rows[0].micros, id: rows[0].execution_id };
}

/** Notes how far a tenant has been told. */
export async function moveFailedFileFeed(
  db: Transaction,
  tenantId: Id<'tenant'>,
  to: EndedPosition,
): Promise<void> {
  await db.query(
    `update failed_file_feeds set execution_id = $3,
       finished_at = timestamptz 'epoch' + $2::bigint * interval '1 microsecond'
     where tenant_id = $1`,
    [tenantId, to.processedAtMicros, to.id],
  );
}
