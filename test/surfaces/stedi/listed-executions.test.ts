import { expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { recordOutcomes } from '../../../src/store/settling/outcomes.ts';
import {
  FIRST_PAGE,
  listExecutions,
  type Taking,
  takeInPage,
} from '../../../src/surfaces/stedi/store/listed-executions.ts';
import { eventually } from '../../support/eventually.ts';
import { outcomeOf, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();

const DIFFERENT = `select count(*)::int as different from (select * from listed_executions where tenant_id = $1) l
  full join (select * from executions where tenant_id = $1) e on e.id = l.execution_id
  where l.tenant_id is distinct from e.tenant_id or l.finished_at is distinct from e.finished_at
    or l.undelivered is distinct from e.undelivered`;

/** How many executions of the tenant are not listed as they are, and how many others are. */
async function different(tenant: TestTenant): Promise<number> {
  const [row] = await store.rows(DIFFERENT, [tenant.id]);
  return row.different;
}

/** Asks for the list of the tenant until all that looked before it asked has ended. */
async function listed(tenant: TestTenant, taking?: Taking): Promise<void> {
  await eventually(
    'all that is older has ended',
    async () => (await listExecutions(store.pool, tenant.id, taking)) === 'complete',
  );
}

async function world(): Promise<{ tenant: TestTenant; endpointId: Id<'endpoint'> }> {
  const tenant = await store.newTenant();
  const endpointId = await store.newEndpoint(tenant, {
    retry: { maxAttempts: 1, initialMs: 1, factor: 1, capMs: 1 },
  });
  await store.ingest(tenant, 4);
  return { tenant, endpointId };
}

test('what ends while a tenant asks for its list the first time is listed, by whoever looked before it asked', async () => {
  const { tenant, endpointId } = await world();
  const claim = await store.claim({ endpointIds: [endpointId], count: 3 });
  const [first, second, third] = claim.items;
  if (!first || !second || !third) throw new Error('nothing was claimed');
  const record = (item: typeof first, status: number) => [outcomeOf(claim.token, item, status)];
  await recordOutcomes(store.pool, record(first, 500));
  await withTransaction(store.pool, async (tx) => {
    await recordOutcomes(tx, record(second, 500));
    // It looked before the tenant asked, and is not committed: there may be more like it.
    expect(await listExecutions(store.pool, tenant.id)).toBe('current');
    await recordOutcomes(tx, record(third, 200));
  });
  await listed(tenant);
  expect(await different(tenant)).toBe(0);
  await store.ingest(tenant, 2);
  await store.attempt(500, { endpointIds: [endpointId] });
  expect(await different(tenant)).toBe(0);
});

test('what ends while the row of a tenant that asks is not committed yet is listed, however new its transaction is', async () => {
  const { tenant, endpointId } = await world();
  const claim = await store.claim({ endpointIds: [endpointId], count: 2 });
  const [first, second] = claim.items;
  if (!first || !second) throw new Error('nothing was claimed');
  const { pool } = store;
  const asks = await pool.connect();
  const ends = await pool.connect();
  try {
    await asks.query('begin');
    await asks.query('insert into listed_tenants (tenant_id) values ($1)', [tenant.id]);
    // Younger than the row, and has looked where it was not to be seen.
    await ends.query('begin');
    await recordOutcomes(ends, [outcomeOf(claim.token, first, 500)]);
    await asks.query('commit');
    expect(await listExecutions(pool, tenant.id)).toBe('current');
    await recordOutcomes(ends, [outcomeOf(claim.token, second, 500)]);
    await ends.query('commit');
  } finally {
    asks.release();
    ends.release();
  }
  await listed(tenant);
  expect(await different(tenant)).toBe(0);
});

test('what was there is taken in page by page, and once more without a change', async () => {
  const { tenant, endpointId } = await world();
  const { items } = await store.claim({ endpointIds: [endpointId], count: 2 });
  expect(items).toHaveLength(2);
  await store.attempt(500, { endpointIds: [endpointId] });
  for (let turn = 0; turn < 2; turn++) {
    const pages: unknown[] = [];
    for (let page = await takeInPage(store.pool, tenant.id, FIRST_PAGE, 2); page; ) {
      pages.push(page);
      page = await takeInPage(store.pool, tenant.id, page, 2);
    }
    expect(pages).toHaveLength(2);
    expect(await different(tenant)).toBe(0);
  }
});

test('a list of one page is whole, however long the page takes', async () => {
  const { tenant } = await world();
  expect(await listExecutions(store.pool, tenant.id, { forMs: 0 })).not.toBe('unfinished');
  expect(await different(tenant)).toBe(0);
});

test('what takes longer than a question may goes on behind its last page at the next one', async () => {
  const { tenant } = await world();
  const page: Taking = { forMs: 0, atOnce: 2 };
  await eventually('a page is kept', async () => {
    expect(await listExecutions(store.pool, tenant.id, page)).toBe('unfinished');
    const kept = await store.rows(
      `select from listed_tenants where tenant_id = $1 and reached_at > '-infinity'`,
      [tenant.id],
    );
    return kept.length > 0;
  });
  expect(await different(tenant)).toBe(2);
  // Who asks while another takes a page in waits for it no longer than a question may.
  await withTransaction(store.pool, async (tx) => {
    await tx.query('select from listed_tenants where tenant_id = $1 for update', [tenant.id]);
    expect(await listExecutions(store.pool, tenant.id, page)).toBe('unfinished');
  });
  await store.rows('delete from listed_executions where tenant_id = $1', [tenant.id]);
  await listed(tenant, page);
  // What was taken in before is not read again.
  expect(await different(tenant)).toBe(2);
});

test('nothing is listed of a tenant that never asked', async () => {
  const { tenant, endpointId } = await world();
  await store.attempt(200, { endpointIds: [endpointId] });
  expect(
    await store.rows('select execution_id from listed_executions where tenant_id = $1', [tenant.id]),
  ).toEqual([]);
});
