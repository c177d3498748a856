import { type Days, KEPT } from '../../domain/tenancy/retention.ts';
import type { Queryable } from '../db/queryable.ts';

type FloorsRow = Record<(typeof KEPT)[number], number | null>;

/** For how many days no tenant keeps anything for less; empty where nothing was set. */
export async function retentionFloors(db: Queryable): Promise<Days> {
  const { rows } = await db.query<FloorsRow>(
    `select ${KEPT.map((what) => `least_${what}_days as ${what}`).join(', ')} from platform_limits`,
  );
  const [row] = rows;
  return row ? Object.fromEntries(Object.entries(row).filter(([, days]) => days !== null)) : {};
}

/** Sets the floors of the installation, all of them; the platform, whose they are, has changed then. */
export async function setRetentionFloors(db: Queryable, floors: Days): Promise<void> {
  const columns = KEPT.map((what) => `least_${what}_days`);
  await db.query(
    `with changed as (update tenants set updated_at = now() where platform)
     insert into platform_limits (${columns.join(', ')}) values (${columns.map((_, n) => `$${n + 1}`).join(', ')})
     on conflict (only_one) do update set ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`,
    KEPT.map((what) => floors[what] ?? null),
  );
}
