import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { onlyRow } from '../../../src/store/db/only-row.ts';
import { createPool, withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { claimItems } from '../../../src/store/sending/claims.ts';
import { acknowledge } from '../../../src/store/settling/acknowledgements.ts';
import { endClaims, type Recorded, recordOutcomes } from '../../../src/store/settling/outcomes.ts';
import { eventually } from '../../support/eventually.ts';
import { ENDPOINT, outcomeOf, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore({ checked: true });
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeAll(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant, {
    retry: { maxAttempts: 1, initialMs: 1, factor: 1, capMs: 1 },
  });
});

const refused = { code: 'RD013' };
/** What is not known to have arrived waits for a decision. */
const HOLDS = { ...ENDPOINT, onAmbiguous: 'hold' } as const;

describe('a row in the queue', () => {
  test('goes with an outcome alone, and comes without one alone', async () => {
    const [deliveryId] = await store.ingest(tenant, 1);
    const ids = [deliveryId];
    await expect(store.rows('delete from queue where delivery_id = $1', ids)).rejects.toMatchObject(refused);
    const end = `update execution_records set outcome = 'ignored', reason = 'x', finished_at = now(), attempts = 0,
      lost_attempts = 0, may_have_arrived = false, due_at = now(), give_up_at = now() where delivery_id = $1`;
    await store.rows(`with gone as (delete from queue where delivery_id = $1) ${end}`, ids);
    expect(await store.rows('select state, open from executions where delivery_id = $1', ids)).toEqual([
      { state: 'ignored', open: false },
    ]);
    const again = `insert into queue (delivery_id, execution_id, tenant_id, endpoint_id, state, due_at, give_up_at)
      select delivery_id, id, tenant_id, endpoint_id, 'queued', now(), now() from execution_records where delivery_id = $1`;
    await expect(store.rows(again, ids)).rejects.toMatchObject(refused);
    await store.rows(`update deliveries set state = 'ignored' where id = $1`, ids);
  });

  test('ends as what its record says where that has an outcome already', async () => {
    const [deliveryId] = await store.ingest(tenant, 1);
    const end = (outcome: string) => `update execution_records set outcome = '${outcome}', reason = 'x',
      finished_at = clock_timestamp(), attempts = 0, lost_attempts = 0, may_have_arrived = false, due_at = now(),
      give_up_at = now() where delivery_id = $1`;
    await store.rows(end('failed'), [deliveryId]);
    const gone = 'with gone as (delete from queue where delivery_id = $1)';
    await expect(store.rows(`${gone} ${end('delivered')}`, [deliveryId])).rejects.toMatchObject(refused);
    await store.rows(`${gone} ${end('failed')}`, [deliveryId]);
    await store.rows(`update deliveries set state = 'failed' where id = $1`, [deliveryId]);
  });

  test('is of an execution that is there', async () => {
    const orphan = `insert into queue (delivery_id, execution_id, tenant_id, endpoint_id, state, due_at, give_up_at)
      values (uuidv7(), uuidv7(), $1, $2, 'queued', now(), now())`;
    await expect(store.rows(orphan, [tenant.id, endpointId])).rejects.toMatchObject(refused);
  });

  test('makes room for its successor in the statement that takes it over', async () => {
    const deliveryIds = await store.ingest(tenant, 3);
    const { operationId } = await store.retry(
      tenant,
      { deliveryIds },
      { options: { takeOverScheduled: true } },
    );
    const rows = await store.rows(
      `select e.state, e.generation, e.operation_id, e.attempts, e.due_at is not null as due, q.execution_id = e.id as queued
       from executions e join queue q on q.delivery_id = e.delivery_id where e.delivery_id = any($1::uuid[])
       order by e.delivery_id, e.generation`,
      [deliveryIds],
    );
    expect(rows).toEqual(
      deliveryIds.flatMap(() => [
        { state: 'superseded', generation: 1, operation_id: null, attempts: 0, due: true, queued: false },
        { state: 'queued', generation: 2, operation_id: operationId, attempts: 0, due: true, queued: true },
      ]),
    );
    const [counts] = await store.rows(
      'select expected, queued from operation_counts where operation_id = $1',
      [operationId],
    );
    expect(counts).toEqual({ expected: 3, queued: 3 });
    await store.attempt(200);
  });
});

test.each([
  ['ends', 404],
  ['is sent again', 500],
  ['is not known to have arrived', 'timeout'],
] as const)(
  'an acknowledgement that is committed while an outcome waits for it is not lost where it %s',
  async (_, ending) => {
    const [deliveryId] = await store.ingest(tenant, 1);
    const claim = await store.claim({ endpointIds: [endpointId] });
    const [item] = claim.items;
    if (!item || !deliveryId) throw new Error('nothing was claimed');
    let recorded: Promise<Recorded[]> | undefined;
    await withTransaction(store.pool, async (tx) => {
      expect(await acknowledge(tx, [deliveryId])).toEqual(new Map([[deliveryId, 'remembered']]));
      recorded = recordOutcomes(store.pool, [outcomeOf(claim.token, item, ending, HOLDS)]);
      await eventually('the outcome waits for the delivery', async () => {
        const waiting = await store.rows(
          `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return waiting.length > 0;
      });
    });
    expect(await recorded).toMatchObject([{ state: 'delivered' }]);
    await endClaims(store.pool, [claim.token]);
    expect(
      await store.rows('select state, reason from executions where delivery_id = $1', [deliveryId]),
    ).toEqual([{ state: 'delivered', reason: 'acknowledged' }]);
  },
);

describe('the end of an execution', () => {
  test('changes its record in place, without touching an index', async () => {
    const items = 200;
    await store.ingest(tenant, items);
    const single = createPool(store.url, { max: 1 });
    const updates = async () => {
      await single.query('select pg_stat_force_next_flush()');
      const read = await single.query<{ all: number; hot: number }>(
        `select n_tup_upd as all, n_tup_hot_upd as hot from pg_stat_user_tables where relname = 'execution_records'`,
      );
      return onlyRow(read);
    };
    const token = randomUUID();
    const claim = await claimItems(single, LIVE_LANE, token, [{ endpointId, count: items }], 60_000, 1e9);
    const before = await updates();
    await recordOutcomes(
      single,
      claim.items.map((item, n) => outcomeOf(token, item, n % 2 ? 200 : 404)),
    );
    const after = await updates();
    expect(after.all - before.all).toBe(items);
    // A page that was already full of older versions is no fault of the end.
    expect(after.hot - before.hot).toBeGreaterThan(0.9 * items);
    await single.query('delete from claims where token = $1', [token]);
    await single.end();
  });

  test('writes no column that an index names', async () => {
    const named = await store.rows(
      `select distinct a.attname from pg_index i
       join pg_attribute a on a.attrelid = i.indrelid and (a.attnum = any(i.indkey)
         or pg_get_expr(i.indpred, i.indrelid) like '%' || a.attname || '%')
       where i.indrelid = 'execution_records'::regclass and a.attnum > 0 order by 1`,
    );
    expect(named.map(({ attname }) => attname)).toEqual(['delivery_id', 'generation', 'id', 'operation_id']);
  });
});
