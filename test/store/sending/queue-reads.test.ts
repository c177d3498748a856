import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { present } from '../../../src/domain/present.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { freezeNext } from '../../../src/operations/freeze-selection.ts';
import { onlyRow } from '../../../src/store/db/only-row.ts';
import { createPool, type Pool } from '../../../src/store/db/pool.ts';
import { type ClaimedItem, claimItems, type QueuePlace } from '../../../src/store/sending/claims.ts';
import { endClaims, recordOutcomes } from '../../../src/store/settling/outcomes.ts';
import { seedFailures } from '../../support/engine/seed-failures.ts';
import { outcomeOf } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';
import { closedAfterEach } from '../../support/use.ts';

const store = useStore();
const own = closedAfterEach();

const ITEMS = 3_000;
const PAGE = 500;
const BATCH = 120;

/** Rows of the queue that were read, by whatever way, since it was made. */
async function reads(pool: Pool): Promise<number> {
  await pool.query('select pg_stat_force_next_flush()');
  const answer = await pool.query<{ n: number }>(
    `select t.seq_tup_read + (select sum(i.idx_tup_read) from pg_stat_user_indexes i where i.relid = t.relid)::int8 as n
     from pg_stat_user_tables t where t.relid = 'queue'::regclass`,
  );
  return onlyRow(answer).n;
}

test('what is frozen, claimed and recorded is looked up in a queue that a vacuum has found empty, and read as a whole by nothing', async () => {
  const single = createPool(store.url, { max: 1 });
  own({ close: () => single.end() });
  await store.rows('alter table queue set (autovacuum_enabled = false)');
  const tenant = await store.newTenant();
  const endpointIds: Id<'endpoint'>[] = [];
  for (let n = 0; n < 4; n++) endpointIds.push(await store.newEndpoint(tenant));
  // What was in it once has left pages without rows behind.
  await store.ingest(tenant, 200);
  await store.attempt(200, { endpointIds, count: 200 });
  await store.rows('vacuum (analyze, truncate off) queue');
  expect(
    await store.rows(
      `select reltuples::int as rows, relpages > 0 as pages from pg_class where relname = 'queue'`,
    ),
  ).toEqual([{ rows: 0, pages: true }]);
  await seedFailures(store.pool, { tenantId: tenant.id, endpointIds, count: ITEMS });
  const { operationId } = await store.retry(tenant, { filter: { state: ['failed'] } });

  let before = await reads(single);
  const since = async () => {
    const now = await reads(single);
    const perItem = (now - before) / ITEMS;
    before = now;
    return perItem;
  };
  while (await freezeNext(single, operationId, { page: PAGE }));
  expect(await since()).toBeLessThan(0.1);

  const claims: { token: string; items: ClaimedItem[] }[] = [];
  const places = new Map<string, QueuePlace>();
  for (let left = ITEMS; left > 0; ) {
    const token = randomUUID();
    const grants = endpointIds.map((endpointId) => ({
      endpointId,
      count: BATCH / endpointIds.length,
      // As a slice does: behind what is on the wire.
      ...present({ after: places.get(endpointId) }),
    }));
    const { items } = await claimItems(single, operationId, token, grants, 60_000, 1e9);
    expect(items.length).toBeGreaterThan(0);
    for (const { endpointId, dueAt, executionId } of items) places.set(endpointId, { dueAt, executionId });
    claims.push({ token, items });
    left -= items.length;
  }
  expect(await since()).toBeLessThan(4);

  for (const { token, items } of claims)
    await recordOutcomes(
      single,
      items.map((item) => outcomeOf(token, item, 200)),
    );
  await endClaims(
    single,
    claims.map(({ token }) => token),
  );
  expect(await since()).toBeLessThan(4);
});
