import type { PoolClient } from 'pg';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Pool } from '../db/pool.ts';
import type { Queryable } from '../db/queryable.ts';

const CHANNEL = 'redrive_changed';
const AGAIN_MS = 500;

/** Tells whoever follows these tenants that something of theirs has moved, without saying what. */
export async function notifyChanged(db: Queryable, tenantIds: readonly Id<'tenant'>[]): Promise<void> {
  if (tenantIds.length === 0) return;
  await db.query(`select pg_notify('${CHANNEL}', t.id::text) from unnest($1::uuid[]) as t(id)`, [tenantIds]);
}

/**
 * Listens on a connection of the pool until stopped, and takes another when that is lost. Missed notices are no loss:
 * who follows also looks by itself now and then.
 */
export async function listenForChanges(
  pool: Pool,
  onChange: (tenantId: Id<'tenant'>) => void,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    let client: PoolClient | undefined;
    try {
      client = await pool.connect();
      await heard(client, onChange, stop);
    } catch {
      // The next round tries again.
    }
    // Never handed to another: it would go on listening.
    client?.release(true);
    if (!stop.aborted) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref());
  }
}

async function heard(
  client: PoolClient,
  onChange: (tenantId: Id<'tenant'>) => void,
  stop: AbortSignal,
): Promise<void> {
  const over = new Promise<void>((resolve) => {
    client.once('error', () => resolve());
    client.once('end', () => resolve());
    stop.addEventListener('abort', () => resolve(), { once: true });
    if (stop.aborted) resolve();
  });
  client.on('notification', ({ payload }) => {
    if (payload) onChange(payload as Id<'tenant'>);
  });
  await client.query(`listen ${CHANNEL}`);
  await over;
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
