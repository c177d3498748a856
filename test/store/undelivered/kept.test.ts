import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { onlyRow } from '../../../src/store/db/only-row.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import type { Queryable } from '../../../src/store/db/queryable.ts';
import { seedFailures } from '../../support/engine/seed-failures.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { undeliveredViolations } from '../../support/store/undelivered.ts';
import { useStore } from '../../support/store/use-store.ts';

/** `undelivered` has one row for each delivery that is not delivered, whoever changes a delivery, and how many at once. */

const MANY = 5_000;

const store = useStore();
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeAll(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
});

const seed = async (count: number): Promise<string[]> => {
  const own = await store.newEndpoint(tenant);
  await seedFailures(store.pool, { tenantId: tenant.id, endpointIds: [own], count, bodyBytes: 10 });
  const rows = await store.rows('select id from deliveries where endpoint_id = $1 order by id', [own]);
  return rows.map(({ id }) => id);
};

const rowsOf = (ids: string[]) =>
  store.rows(
    'select *, xmin::text as written_by from undelivered where delivery_id = any($1) order by delivery_id',
    [ids],
  );

describe('a row is there for as long as its delivery is not delivered:', () => {
  test('from its acceptance, through its failures, until it is delivered', async () => {
    const [id = ''] = await store.ingest(tenant, 1);
    const row = async () => (await rowsOf([id]))[0];
    expect(await row()).toMatchObject({ tenant_id: tenant.id, endpoint_id: endpointId, state: 'pending' });
    await store.attempt(404, { endpointIds: [endpointId] });
    expect(await row()).toMatchObject({ state: 'failed', fault_code: 'http_4xx', http_status: 404 });
    await store.retry(tenant, { deliveryIds: [id as Id<'delivery'>] });
    await store.attempt(200, { endpointIds: [endpointId] });
    expect(await row()).toBeUndefined();
  });

  test('also where it is mended by hand, taken back or removed', async () => {
    const ids = await seed(6);
    const changes = [
      `state = 'delivered'`,
      `state = 'failed'`,
      `state = 'ignored', fault_code = null`,
      `accepted_at = accepted_at - interval '1 day'`,
      `http_status = null`,
      `order_key = 'k', order_number = 7`,
    ];
    for (const change of changes) {
      await store.rows(`update deliveries set ${change} where id = any($1)`, [ids.slice(0, 4)]);
      expect(await undeliveredViolations(store.pool)).toEqual([]);
    }
    await store.rows('delete from deliveries where id = any($1)', [ids.slice(2)]);
    expect(await rowsOf(ids)).toHaveLength(2);
    expect(await undeliveredViolations(store.pool)).toEqual([]);
  });

  test('it is not written where it says the same already', async () => {
    const ids = await seed(3);
    const before = await rowsOf(ids);
    await store.rows(
      `update deliveries set attempts = attempts + 1, last_attempt_at = now(), state_changed_at = now(), state = state
       where id = any($1)`,
      [ids],
    );
    expect(await rowsOf(ids)).toEqual(before);
  });

  test('nobody can put a delivered one there', async () => {
    const [id] = await seed(1);
    const broken = store.rows(`update undelivered set state = 'delivered' where delivery_id = $1`, [id]);
    await expect(broken).rejects.toMatchObject({ code: '23514' });
  });
});

const DONE = `select seq_scan::int as scans, idx_tup_fetch::int as "lookedUp", n_tup_upd::int as updated, n_tup_hot_upd::int as hot
  from pg_stat_xact_user_tables where relname = $1`;

/** What a statement does to a table. */
async function doneBy(tx: Queryable, table: string, statement: string, ids: string[]) {
  const look = async () =>
    onlyRow(await tx.query<Record<'scans' | 'lookedUp' | 'updated' | 'hot', number>>(DONE, [table]));
  // Postgres tells of what this connection did and has not told its statistics of yet.
  const before = await look();
  await tx.query(statement, [ids]);
  const after = await look();
  return {
    scans: after.scans - before.scans,
    lookedUp: after.lookedUp - before.lookedUp,
    updated: after.updated - before.updated,
    hot: after.hot - before.hot,
  };
}

test('a change of state touches no index of deliveries', async () => {
  const ids = await seed(400);
  // Some in each page: a page has room for a second copy of these.
  const some = ids.filter((_, n) => n % 4 === 0);
  for (const change of [
    `state = 'unknown'`,
    `state = 'failed', fault_code = 'timeout'`,
    `state = 'delivered'`,
  ])
    await withTransaction(store.pool, async (tx) => {
      const done = await doneBy(tx, 'deliveries', `update deliveries set ${change} where id = any($1)`, some);
      expect(done).toMatchObject({ updated: some.length, hot: some.length });
    });
});

describe.each([
  ['few', 1, MANY],
  ['many', MANY, 1],
])('a statement that is planned for %s rows', (_, planned, run) => {
  test('looks up each row by its key when it is run for others', async () => {
    const ids = await seed(MANY + 1);
    const changes = [
      `update deliveries set fault_code = 'timeout' where id = any($1)`,
      `update deliveries set state = 'delivered' where id = any($1)`,
      `update deliveries set state = 'failed' where id = any($1)`,
      'delete from deliveries where id = any($1)',
    ];
    const first = ids.slice(0, planned);
    const then = ids.slice(planned, planned + run);
    const client = await store.pool.connect();
    try {
      // Of an empty table, in which any way of reading is as good.
      await client.query('create temporary table kept as table undelivered; truncate undelivered');
      for (const change of changes) await client.query(change, [first]);
      await client.query('insert into undelivered select * from kept where delivery_id <> all($1)', [first]);
      for (const change of changes) {
        await client.query('begin');
        const done = await doneBy(client, 'undelivered', change, then);
        await client.query('commit');
        expect(done.scans).toBe(0);
        // Once where it is removed, and where it is compared.
        expect(done.lookedUp).toBeLessThanOrEqual(2 * run);
      }
    } finally {
      client.release(true);
    }
    expect(await undeliveredViolations(store.pool)).toEqual([]);
  });
});
