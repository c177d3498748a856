import type { AuditDetail } from '../../domain/audit/audit-entry.ts';
import type { AnnouncedType } from '../../domain/endpoints/event-type.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** A fact that is to be told. */
export interface DueAnnouncement {
  type: AnnouncedType;
  /** Its name among those of its type. */
  fact: string;
  exceptEndpointId?: Id<'endpoint'>;
  data: AuditDetail;
  at: Date;
}

/** Tenants with facts that are to be told, up to `limit`. */
export async function tenantsToTell(db: Queryable, limit: number): Promise<Id<'tenant'>[]> {
  const { rows } = await db.query<{ tenant_id: Id<'tenant'> }>(
    'select distinct tenant_id from announcements order by tenant_id limit $1',
    [limit],
  );
  return rows.map((row) => row.tenant_id);
}

interface AnnouncementRow {
  id: string;
  type: AnnouncedType;
  fact: string;
  except_endpoint_id: Id<'endpoint'> | null;
  data: AuditDetail;
  at: Date;
}

/** Takes the oldest facts of a tenant that nobody else is telling, in their order: they are told in this transaction. */
export async function takeAnnouncements(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  limit: number,
): Promise<DueAnnouncement[]> {
  const { rows } = await tx.query<AnnouncementRow>(
    `with due as (
      select id from announcements where tenant_id = $1 order by id limit $2 for update skip locked
    ), taken as (
      delete from announcements a using due where a.id = due.id returning a.*
    )
    select id, type, fact, except_endpoint_id, data, at from taken order by id`,
    [tenantId, limit],
  );
  return rows.map(({ except_endpoint_id, type, fact, data, at }) => ({
    ...{ type, fact, data, at },
    ...present({ exceptEndpointId: except_endpoint_id }),
  }));
}
