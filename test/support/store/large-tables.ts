import type { TestStore } from './test-store.ts';

/**
 * Keeps autovacuum from these tables and their partitions: one that looks on would keep pages from being all-visible, and
 * plans from trusting an index alone.
 */
export async function withoutAutovacuum(store: TestStore, tables: readonly string[]): Promise<void> {
  const parts = await store.rows(
    `select p.relid::text as name from unnest($1::text[]) as t(name) cross join lateral pg_partition_tree(t.name::regclass) p
     where p.isleaf`,
    [tables],
  );
  for (const { name } of parts) await store.rows(`alter table ${name} set (autovacuum_enabled = false)`);
}

/** These among the tables that a plan reads whole; the partition that holds the past counts as its table. */
export function largeAmong(scanned: readonly string[], tables: readonly string[]): string[] {
  return scanned.filter((table) => tables.includes(table.replace(/_before$/, '')));
}
