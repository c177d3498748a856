import type { FreezeWindow } from '../../domain/policy/freeze-windows.ts';
import { type ApproveWhen, inForce, type Policy, type PolicyInForce } from '../../domain/policy/policy.ts';
import { present } from '../../domain/present.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import type { Queryable, Transaction } from '../db/queryable.ts';
import { holdTenant, PLATFORM_TENANT } from '../tenancy/tenants.ts';
import { wholeDigest } from './whole-digest.ts';

/** A policy as it is kept. */
export interface KeptPolicy {
  policy: Policy;
  /** SHA-256 of all its members, in hexadecimal digits. */
  digest: string;
  changedAt: Date;
  changedBy: string;
}

/** The rules that hold for a tenant, and the digest by which they are named. */
export interface ForcedPolicy {
  rules: PolicyInForce;
  digest: string;
}

/** Writes a policy down in the place of the one before, and says what it is now. */
export async function writePolicy(
  tx: Transaction,
  tenantId: Id<'tenant'>,
  policy: Policy,
  changedBy: string,
): Promise<KeptPolicy> {
  const { rows } = await tx.query<PolicyRow>(
    `with changed as (update tenants set updated_at = now() where id = $1)
     insert into tenant_policies (tenant_id, reason_above, ticket_pattern, approve_above, approve_when, approvers,
       items_per_operation, items_per_day, open_operations, rate_per_second, freeze_windows, digest, changed_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
     on conflict (tenant_id) do update set reason_above = excluded.reason_above, ticket_pattern = excluded.ticket_pattern,
       approve_above = excluded.approve_above, approve_when = excluded.approve_when, approvers = excluded.approvers,
       items_per_operation = excluded.items_per_operation, items_per_day = excluded.items_per_day,
       open_operations = excluded.open_operations, rate_per_second = excluded.rate_per_second,
       freeze_windows = excluded.freeze_windows, digest = excluded.digest, changed_by = excluded.changed_by,
       changed_at = clock_timestamp()
     returning *, encode(digest, 'hex') as hex`,
    [
      tenantId,
      policy.reasonAbove ?? null,
      policy.ticketPattern ?? null,
      policy.approveAbove ?? null,
      policy.approveWhen,
      policy.approvers.count,
      policy.quotas.itemsPerOperation ?? null,
      policy.quotas.itemsPerDay ?? null,
      policy.quotas.openOperations ?? null,
      policy.quotas.ratePerSecond ?? null,
      JSON.stringify(policy.freezeWindows),
      Buffer.from(wholeDigest(policy), 'hex'),
      changedBy,
    ],
  );
  return keptFrom(rows[0] as PolicyRow);
}

/** The policy of a tenant as it is until the transaction ends: whoever else sets one waits for that. */
export async function holdPolicy(tx: Transaction, tenantId: Id<'tenant'>): Promise<KeptPolicy | undefined> {
  // Of the tenant, for there may be no policy yet.
  await holdTenant(tx, tenantId);
  return findPolicy(tx, tenantId);
}

/** The policy of a tenant by itself, without that of the platform. */
export async function findPolicy(db: Queryable, tenantId: Id<'tenant'>): Promise<KeptPolicy | undefined> {
  const { rows } = await db.query<PolicyRow>(
    `select *, encode(digest, 'hex') as hex from tenant_policies where tenant_id = $1`,
    [tenantId],
  );
  return rows[0] && keptFrom(rows[0]);
}

/** The rules that hold for a tenant, with those of the platform; undefined where neither has any. */
export async function policyInForce(
  db: Queryable,
  tenantId: Id<'tenant'>,
): Promise<ForcedPolicy | undefined> {
  const { rows } = await db.query<PolicyRow>({
    // Each acceptance asks: mostly for two rows that are not there.
    name: 'policy-in-force',
    text: `select *, encode(digest, 'hex') as hex from tenant_policies
     where tenant_id in ($1, '${PLATFORM_TENANT.id}') order by tenant_id`,
    values: [tenantId],
  });
  if (rows.length === 0) return undefined;
  const kept = rows.map(keptFrom);
  const [only, other] = kept;
  return {
    rules: inForce(kept.map(({ policy }) => policy)),
    // Of one policy its own digest; of two the digest over both, the platform's first.
    digest: only && !other ? only.digest : wholeDigest(kept.map(({ digest }) => digest)),
  };
}

interface PolicyRow {
  reason_above: number | null;
  ticket_pattern: string | null;
  approve_above: number | null;
  approve_when: ApproveWhen[];
  approvers: number;
  items_per_operation: number | null;
  items_per_day: number | null;
  open_operations: number | null;
  rate_per_second: number | null;
  freeze_windows: FreezeWindow[];
  hex: string;
  changed_at: Date;
  changed_by: string;
}

function keptFrom(row: PolicyRow): KeptPolicy {
  return {
    policy: {
      approveWhen: row.approve_when,
      approvers: { count: row.approvers },
      quotas: present({
        itemsPerOperation: row.items_per_operation,
        itemsPerDay: row.items_per_day,
        openOperations: row.open_operations,
        ratePerSecond: row.rate_per_second,
      }),
      freezeWindows: row.freeze_windows,
      ...present({
        reasonAbove: row.reason_above,
        ticketPattern: row.ticket_pattern,
        approveAbove: row.approve_above,
      }),
    },
    digest: row.hex,
    changedAt: row.changed_at,
    changedBy: row.changed_by,
  };
}
