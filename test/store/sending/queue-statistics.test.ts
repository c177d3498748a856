import { expect, test } from '@jest/globals';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { renewStatistics, renewWhereGrown } from '../../../src/store/sending/queue-statistics.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();

test('a vacuum of the records is neither waited for nor ended by who looks at the queue for the planner', async () => {
  await withTransaction(store.pool, async (vacuum) => {
    await vacuum.query('lock table execution_records in share update exclusive mode');
    await renewStatistics(store.pool);
  });
});

test('they are renewed where the queue has four times the pages that it had, and not again', async () => {
  await store.rows('alter table queue set (autovacuum_enabled = false)');
  const tenant = await store.newTenant();
  await store.newEndpoint(tenant);
  await renewStatistics(store.pool);
  expect(await renewWhereGrown(store.pool)).toBe(false);
  await store.ingest(tenant, 2_000);
  expect(await renewWhereGrown(store.pool)).toBe(true);
  expect(await renewWhereGrown(store.pool)).toBe(false);
});
