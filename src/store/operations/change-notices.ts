import type { Id } from '../../domain/tenancy/typed-id.ts';
import { listenOn, notify } from '../db/notices.ts';
import type { Pool } from '../db/pool.ts';
import type { Queryable } from '../db/queryable.ts';

const CHANNEL = 'redrive_changed';

/** Tells whoever follows these tenants that something of theirs has moved, without saying what. */
export function notifyChanged(db: Queryable, tenantIds: readonly Id<'tenant'>[]): Promise<void> {
  return notify(db, CHANNEL, tenantIds);
}

/** Listens for changes of tenants until stopped. */
export function listenForChanges(
  pool: Pool,
  onChange: (tenantId: Id<'tenant'>) => void,
  stop: AbortSignal,
): Promise<void> {
  return listenOn(pool, CHANNEL, (tenantId) => onChange(tenantId as Id<'tenant'>), stop);
}

/** How an operation or an outage stands, as far as somebody could see it move. */
export interface ChangeMark {
  id: Id<'operation' | 'outage'>;
  tenantId: Id<'tenant'>;
  /** Differs where anything that is shown of it has moved. */
  mark: string;
}

/** The marks of all that is open: outages, operations, and those that were begun behind a given one, open or not. */
export async function changeMarks(db: Queryable, after: ChangeMark['id'] | undefined): Promise<ChangeMark[]> {
  const { rows } = await db.query<{ id: ChangeMark['id']; tenant_id: Id<'tenant'>; mark: string }>({
    name: 'change-marks',
    text: `with seen as (
      select id from operations where closed_at is null
      union
      select id from operations where id > $1
    )
    select o.id, o.tenant_id, concat_ws(' ', o.state, o.control_revision, o.rate_per_second, o.next_event, o.closed_at,
      c.expected, c.queued, c.scheduled, c.sending, c.unknown, c.delivered, c.failed, c.ignored, c.cancelled, c.superseded,
      c.excluded) as mark
    from seen s join operations o on o.id = s.id join operation_counts c on c.operation_id = o.id
    union all
    select id, tenant_id, concat_ws(' ', state, openings) from outages where state in ('open', 'recovered')`,
    values: [after ?? 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  });
  return rows.map((row) => ({ id: row.id, tenantId: row.tenant_id, mark: row.mark }));
}
