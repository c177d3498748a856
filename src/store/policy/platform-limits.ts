import type { Quotas } from '../../domain/policy/quotas.ts';
import { present } from '../../domain/present.ts';
import type { Queryable } from '../db/queryable.ts';

interface LimitsRow {
  items_per_operation: number | null;
  items_per_day: number | null;
  open_operations: number | null;
  rate_per_second: number | null;
}

/** The ceilings of the installation; empty where none were set. */
export async function platformLimits(db: Queryable): Promise<Quotas> {
  const { rows } = await db.query<LimitsRow>(
    'select items_per_operation, items_per_day, open_operations, rate_per_second from platform_limits',
  );
  const row = rows[0];
  return row
    ? present({
        itemsPerOperation: row.items_per_operation,
        itemsPerDay: row.items_per_day,
        openOperations: row.open_operations,
        ratePerSecond: row.rate_per_second,
      })
    : {};
}

/** Sets the ceilings of the installation, all of them; the platform, whose they are, has changed then. */
export async function setPlatformLimits(db: Queryable, limits: Quotas): Promise<void> {
  await db.query(
    `with changed as (update tenants set updated_at = now() where platform)
     insert into platform_limits (items_per_operation, items_per_day, open_operations, rate_per_second)
     values ($1, $2, $3, $4)
     on conflict (only_one) do update set items_per_operation = excluded.items_per_operation,
       items_per_day = excluded.items_per_day, open_operations = excluded.open_operations,
       rate_per_second = excluded.rate_per_second`,
    [
      limits.itemsPerOperation ?? null,
      limits.itemsPerDay ?? null,
      limits.openOperations ?? null,
      limits.ratePerSecond ?? null,
    ],
  );
}
