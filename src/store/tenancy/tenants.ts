import { present } from '../../domain/present.ts';
import { daysOfNewTenant, type Kept } from '../../domain/tenancy/retention.ts';
import { fixedId, type Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';

/** The plans a tenant can be on; without one nothing is gated. */
export const TENANT_PLANS = ['free', 'pro', 'business'] as const;

/** The settings of a tenant; an absent one sets no limit. */
export interface TenantSettings {
  /** Payloads older than this go; their events stay. */
  payloadRetentionDays?: number;
  /** Events older than this go, with their payloads, deliveries, executions and attempts. */
  eventRetentionDays?: number;
  /** Receipts older than this are shown no more; those of refused requests go. */
  receiptRetentionDays?: number;
  /** Lines of closed ledgers older than this go, with the plans of their operations; the signed reports stay. */
  ledgerRetentionDays?: number;
  /** Closed operations older than this go, with their reports. */
  reportRetentionDays?: number;
  /** Replays of receipts in 24 hours. */
  replaysPerDay?: number;
}

/** The setting that says for how many days something is kept. */
export const SETTING_OF = {
  payload: 'payloadRetentionDays',
  event: 'eventRetentionDays',
  receipt: 'receiptRetentionDays',
  ledger: 'ledgerRetentionDays',
  report: 'reportRetentionDays',
} as const satisfies Record<Kept, keyof TenantSettings>;

/** Changes of settings, null taking one away. */
export type SettingsChange = { [Name in keyof TenantSettings]?: number | null | undefined };

/** Owner of everything below it. */
export interface Tenant {
  id: Id<'tenant'>;
  handle: string;
  name?: string;
  plan?: (typeof TENANT_PLANS)[number];
  settings: TenantSettings;
  createdAt: Date;
  updatedAt: Date;
}

/** The settings of a tenant that is made with these. */
export function settingsOfNewTenant(given: SettingsChange = {}): TenantSettings {
  const { event } = daysOfNewTenant({
    payload: given.payloadRetentionDays ?? 0,
    receipt: given.receiptRetentionDays ?? 0,
  });
  return present({ eventRetentionDays: event, ...given });
}

/** Makes a tenant and its counter of event numbers; undefined where the handle is taken. */
export async function insertTenant(
  db: Queryable,
  tenant: Pick<Tenant, 'handle' | 'name' | 'plan'> & { settings?: SettingsChange | undefined },
): Promise<Tenant | undefined> {
  const { rows } = await db.query<TenantRow>(
    `with t as (
      insert into tenants (handle, name, plan, settings) values ($1, $2, $3, $4)
      on conflict (handle) do nothing returning *
    ), counter as (insert into tenant_counters (tenant_id) select id from t)
    select * from t`,
    [
      tenant.handle,
      tenant.name ?? null,
      tenant.plan ?? null,
      JSON.stringify(settingsOfNewTenant(tenant.settings)),
    ],
  );
  return rows[0] && tenantFrom(rows[0]);
}

/** One tenant by its id or its handle. */
export async function findTenant(
  db: Queryable,
  by: { id: Id<'tenant'> } | { handle: string },
): Promise<Tenant | undefined> {
  const { rows } = await db.query<TenantRow>(
    `select * from tenants where ${'id' in by ? 'id' : 'handle'} = $1`,
    ['id' in by ? by.id : by.handle],
  );
  return rows[0] && tenantFrom(rows[0]);
}

/** Owns the operations that span tenants; `migrations/0001-tenancy.sql` makes it. */
export const PLATFORM_TENANT = {
  id: fixedId('tenant', '00000000-0000-7000-8000-000000000000'),
  handle: 'redrive.platform',
} as const;

/** Holds a tenant until the transaction ends: of two who set something of it as a whole the second waits. */
export async function holdTenant(tx: Transaction, id: Id<'tenant'>): Promise<void> {
  await tx.query('select from tenants where id = $1 for no key update', [id]);
}

/** Tenants except the platform, in the order they were made, behind a given one. */
export async function listTenants(
  db: Queryable,
  page: { after?: Id<'tenant'>; limit: number },
): Promise<Tenant[]> {
  const { rows } = await db.query<TenantRow>(
    'select * from tenants where not platform and ($1::uuid is null or id > $1) order by id limit $2',
    [page.after ?? null, page.limit],
  );
  return rows.map(tenantFrom);
}

/** Changes the given fields, null taking a value away; undefined where there is no such tenant. */
export async function updateTenant(
  db: Queryable,
  id: Id<'tenant'>,
  change: {
    name?: string | null | undefined;
    plan?: Tenant['plan'] | null | undefined;
    settings?: SettingsChange | undefined;
  },
): Promise<Tenant | undefined> {
  const { rows } = await db.query<TenantRow>(
    `update tenants set
      name = case when $2 then $3 else name end,
      plan = case when $4 then $5 else plan end,
      settings = jsonb_strip_nulls(settings || $6),
      updated_at = now()
    where id = $1 returning *`,
    [
      id,
      change.name !== undefined,
      change.name ?? null,
      change.plan !== undefined,
      change.plan ?? null,
      JSON.stringify(change.settings ?? {}),
    ],
  );
  return rows[0] && tenantFrom(rows[0]);
}

interface TenantRow {
  id: Id<'tenant'>;
  handle: string;
  name: string | null;
  plan: NonNullable<Tenant['plan']> | null;
  settings: TenantSettings;
  created_at: Date;
  updated_at: Date;
}

function tenantFrom(row: TenantRow): Tenant {
  return {
    id: row.id,
    handle: row.handle,
    ...(row.name !== null ? { name: row.name } : {}),
    ...(row.plan !== null ? { plan: row.plan } : {}),
    settings: row.settings,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
