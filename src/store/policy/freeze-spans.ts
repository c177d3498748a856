import type { RunnableOperation } from '../../domain/operations/operation.ts';
import { type FreezeWindow, frozenTimes } from '../../domain/policy/freeze-windows.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { onlyRow } from '../db/only-row.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { type RunnableRow, runnableFrom } from '../operations/runnable.ts';
import { PLATFORM_TENANT } from '../tenancy/tenants.ts';

const DAY_MS = 86_400_000;
/** The spans of this time are worked out. */
const KNOWN_AHEAD_MS = 14 * DAY_MS;
/** Where less is known, the next ones are: there are days for it to fail in. */
const EXTENDED_BELOW_MS = 7 * DAY_MS;
/** Spans that are over stay for this time at least. */
const KEPT_MS = 3_600_000;

/**
 * Puts windows in the place of those that a tenant had, from now on: a claim that comes after the commit sees them.
 * Returns its open operations, which are to look again, and to be nudged; the sweeper nudges them where that is lost.
 * Endpoints are the tenant's own, and the windows without faults (`freezeWindowFaults`): nothing is checked here.
 */
export async function replaceFreezeSpans(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  windows: readonly FreezeWindow[],
): Promise<RunnableOperation[]> {
  await tx.query('select from tenants where id = $1 for no key update', [tenantId]);
  await writeSpans(tx, tenantId, windows);
  return wakeOperationsOf(tx, tenantId);
}

/** Whether a tenant has any windows. */
export async function hasFreezeWindows(db: Queryable, tenantId: Id<'tenant'>): Promise<boolean> {
  const { rowCount } = await db.query('select from freeze_calendars where tenant_id = $1', [tenantId]);
  return rowCount === 1;
}

/** The tenants of whose windows less than a week is worked out. */
export async function tenantsToExtend(db: Queryable): Promise<Id<'tenant'>[]> {
  const { rows } = await db.query<{ tenant_id: Id<'tenant'> }>(
    `select tenant_id from freeze_calendars where known_until < now() + $1::float8 * interval '1 millisecond'
     order by known_until`,
    [EXTENDED_BELOW_MS],
  );
  return rows.map((row) => row.tenant_id);
}

/**
 * Works out more of the windows of a tenant; false where somebody else does, or has. The spans that are known already
 * are worked out again: the rules of a zone may have changed with an update.
 */
export async function extendFreezeSpans(tx: Transaction, tenantId: Id<'tenant'>): Promise<boolean> {
  const { rowCount } = await tx.query('select from tenants where id = $1 for no key update skip locked', [
    tenantId,
  ]);
  if (rowCount === 0 || !(await tenantsToExtend(tx)).includes(tenantId)) return false;
  const { windows } = onlyRow(
    await tx.query<{ windows: FreezeWindow[] }>('select windows from freeze_calendars where tenant_id = $1', [
      tenantId,
    ]),
  );
  await writeSpans(tx, tenantId, windows);
  return true;
}

/** Forgets spans that are over and can have held nothing of an operation that is open. Returns how many. */
export async function forgetFreezeSpans(db: Queryable): Promise<number> {
  const { rowCount } = await db.query(
    `with oldest as materialized (
      select tenant_id, min(created_at) as at from operations where closed_at is null group by 1
    )
    delete from freeze_spans s where s.to_at < now() - $1::float8 * interval '1 millisecond'
      and s.to_at < all (select at from oldest where tenant_id in (s.tenant_id, '${PLATFORM_TENANT.id}'))`,
    [KEPT_MS],
  );
  return rowCount ?? 0;
}

/** Writes the windows down and the spans that follow from them; ends those of the windows before. */
async function writeSpans(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  windows: readonly FreezeWindow[],
): Promise<void> {
  const { nowMs } = onlyRow(
    await tx.query<{ nowMs: number }>(
      `select floor(extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs"`,
    ),
  );
  const knownUntilMs = nowMs + KNOWN_AHEAD_MS;
  await tx.query(
    'delete from freeze_spans where tenant_id = $1 and from_at >= to_timestamp($2::float8 / 1000)',
    [tenantId, nowMs],
  );
  await tx.query(
    `update freeze_spans set to_at = to_timestamp($2::float8 / 1000)
     where tenant_id = $1 and to_at > to_timestamp($2::float8 / 1000)`,
    [tenantId, nowMs],
  );
  if (windows.length === 0) {
    await tx.query('delete from freeze_calendars where tenant_id = $1', [tenantId]);
    return;
  }
  await tx.query(
    `insert into freeze_calendars (tenant_id, windows, known_until) values ($1, $2, to_timestamp($3::float8 / 1000))
     on conflict (tenant_id) do update set windows = excluded.windows, known_until = excluded.known_until`,
    [tenantId, JSON.stringify(windows), knownUntilMs],
  );
  const spans = frozenTimes(windows, nowMs, knownUntilMs).flatMap(({ endpointId = null, spans: known }) =>
    // Nothing is known of what follows: it is held.
    [...known, { fromMs: knownUntilMs, toMs: Number.POSITIVE_INFINITY }].map((span) => ({
      endpointId,
      ...span,
    })),
  );
  await tx.query(
    `insert into freeze_spans (tenant_id, endpoint_id, from_at, to_at)
     select $1, t.endpoint_id, to_timestamp(t.from_ms / 1000), to_timestamp(t.to_ms / 1000)
     from unnest($2::uuid[], $3::float8[], $4::float8[]) as t(endpoint_id, from_ms, to_ms)`,
    [
      tenantId,
      spans.map(({ endpointId }) => endpointId),
      spans.map(({ fromMs }) => fromMs),
      spans.map(({ toMs }) => toMs),
    ],
  );
}

/** Tells the operations that may send something of a tenant to look again: what held them may hold them no longer. */
async function wakeOperationsOf(tx: Transaction, tenantId: Id<'tenant'>): Promise<RunnableOperation[]> {
  const { rows } = await tx.query<RunnableRow>(
    `with concerned as (
      select o.id from operations o where o.closed_at is null and o.tenant_id = any($1::uuid[]) and o.control = 'run'
        and o.state not in ('planned', 'awaiting_approval')
      order by o.id for no key update
    )
    update operations o set control_revision = o.control_revision + 1, next_event = 'control', next_event_at = now()
    from concerned c where o.id = c.id
    returning o.id, o.tenant_id, o.workflow_id, o.interactive, o.kind, o.state, o.control, o.control_revision`,
    [[tenantId, PLATFORM_TENANT.id]],
  );
  return rows.map(runnableFrom);
}
