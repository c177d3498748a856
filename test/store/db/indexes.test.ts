import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { DeliveryFilter, Selection } from '../../../src/domain/operations/selection.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { onlyRow } from '../../../src/store/db/only-row.ts';
import { Parameters } from '../../../src/store/db/parameters.ts';
import { createPool, withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE, type Queryable, type Transaction } from '../../../src/store/db/queryable.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { reopenCoalesced } from '../../../src/store/operations/operation-progress.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { countExcluded, countGone } from '../../../src/store/plans/plan-drift.ts';
import { tellStretch } from '../../../src/store/plans/plan-pages.ts';
import { listDeliveries } from '../../../src/store/reading/delivery-reads.ts';
import { deliveriesOfEvent } from '../../../src/store/reading/event-reads.ts';
import { readSlowGauges, readUnknownWaiting } from '../../../src/store/reading/gauges.ts';
import { countWaitingAt, waitsOfExecutions, withWaits } from '../../../src/store/reading/waits.ts';
import { freezePage } from '../../../src/store/selection/freeze.ts';
import {
  eventPage,
  partitionsOf,
  type SelectionCursor,
  selectionPage,
  WHOLE,
} from '../../../src/store/selection/selection-page.ts';
import { claimItems } from '../../../src/store/sending/claims.ts';
import {
  closedEndpointsOf,
  handBackWaiting,
  handOverWaiting,
  itemsWaitingAt,
  wakeOperationsAt,
} from '../../../src/store/sending/disabled-endpoints.ts';
import { makeRetryAftersDue } from '../../../src/store/sending/endpoint-health.ts';
import { dueNext } from '../../../src/store/sending/ordering.ts';
import { readyEndpoints } from '../../../src/store/sending/ready-endpoints.ts';
import { refoldDeliveries } from '../../../src/store/settling/folding.ts';
import { recordOutcomes } from '../../../src/store/settling/outcomes.ts';
import { resolveUnknown } from '../../../src/store/settling/resolutions.ts';
import { giveUpOverdue, ignoreAtClosedEndpoints } from '../../../src/store/settling/settlement.ts';
import { listDispatches } from '../../../src/surfaces/jack-henry/dispatch-reads.ts';
import { feedsWithNews } from '../../../src/surfaces/stedi/store/failed-file-feeds.ts';
import { endedExecutions, listFileExecutions } from '../../../src/surfaces/stedi/store/file-executions.ts';
import {
  FIRST_PAGE,
  listExecutions,
  takeInPage,
} from '../../../src/surfaces/stedi/store/listed-executions.ts';
import { seedFailures } from '../../support/engine/seed-failures.ts';
import { anyId, NO_ID } from '../../support/store/any-id.ts';
import { largeAmong, withoutAutovacuum } from '../../support/store/large-tables.ts';
import { planOf } from '../../support/store/query-plan.ts';
import { outcomeOf, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const ROWS = 50_000;
const LARGE = [
  'execution_records',
  'queue',
  'listed_executions',
  'deliveries',
  'undelivered',
  'payloads',
  'events',
  'attempts',
  'exclusions',
  'freeze_spans',
];

const store = useStore();
let tenant: TestTenant;
let stranger: TestTenant;
let endpointIds: Id<'endpoint'>[];
let operationId: Id<'operation'>;

/** Deliveries of two tenants, a tenth of them failed, and one operation with the items of a retry of thousands. */
beforeAll(async () => {
  await withoutAutovacuum(store, LARGE);
  tenant = await store.newTenant();
  endpointIds = await Promise.all(Array.from({ length: 20 }, () => store.newEndpoint(tenant)));
  stranger = await store.newTenant();
  const foreign = await store.newEndpoint(stranger);
  const sizes = { bodyBytes: 10, faultCode: 'http_5xx' };
  await seedFailures(store.pool, { tenantId: tenant.id, endpointIds, count: (ROWS * 3) / 4, ...sizes });
  await seedFailures(store.pool, {
    tenantId: stranger.id,
    endpointIds: [foreign],
    count: ROWS / 4,
    ...sizes,
  });
  // Something of the other one is open, so that the queue is not read for being empty.
  await store.rows(
    `with run as (
       insert into execution_records (tenant_id, delivery_id, endpoint_id, generation)
       select tenant_id, id, endpoint_id, 2 from deliveries where tenant_id = $1 returning id, tenant_id, delivery_id, endpoint_id
     )
     insert into queue (delivery_id, execution_id, tenant_id, endpoint_id, state, due_at, give_up_at)
     select delivery_id, id, tenant_id, endpoint_id, 'scheduled', now() + interval '1 day', now() + interval '2 days' from run`,
    [stranger.id],
  );
  await store.rows(`update deliveries set state = 'delivered' where abs(hashtext(id::text)) % 10 > 0`);
  await store.rows(`update deliveries set state = 'ignored' where abs(hashtext(id::text)) % 10 = 5`);
  await store.rows(
    `update deliveries set fault_code = 'timeout' where state = 'failed' and abs(hashtext(id::text)) % 3 = 0`,
  );
  ({ operationId } = await store.retry(tenant, { filter: { endpointIds: endpointIds.slice(0, 10) } }));
  await store.select(operationId);
  await store.ingest(tenant, 20);
  // Exclusions, so that their table is not read for being empty.
  await store.select(
    (await store.retry(tenant, { filter: { endpointIds: endpointIds.slice(0, 10) } })).operationId,
  );
  // The windows of others, for two weeks.
  await store.rows(
    `insert into freeze_spans (tenant_id, endpoint_id, from_at, to_at)
     select $1, e.id, now() + n * interval '1 day', now() + n * interval '1 day' + interval '1 hour'
     from (select gen_random_uuid() as id from generate_series(1, 1000)) e, generate_series(-6, 7) n`,
    [stranger.id],
  );
  // Commits are asynchronous here: vacuum knows only of flushed ones that everybody sees them.
  await store.rows('checkpoint');
  await store.rows('vacuum analyze');
});

async function expectPlan(
  run: (db: Transaction) => Promise<unknown>,
  index: string,
  options?: { generic?: boolean },
): Promise<void> {
  const { scanned, indexes } = await planOf(store.pool, run, options);
  expect({ index, scanned: largeAmong(scanned, LARGE) }).toEqual({
    index,
    scanned: [],
  });
  expect(indexes).toContain(index);
}

function page(selection: Selection, cursor: SelectionCursor) {
  const p = new Parameters();
  const text = selectionPage(tenant.id, selection, { after: cursor, limit: 5_000 }, p);
  return (db: Queryable) => db.query(text, p.values);
}

const CURSOR = { acceptedAt: new Date(Date.now() - 3_600_000).toISOString(), id: anyId(randomUUID()) };

describe('the list of ended executions', () => {
  const after = { processedAtMicros: String((Date.now() - 3_600_000) * 1_000), id: anyId(randomUUID()) };

  test('is polled, shown and told in the order of its index', async () => {
    await listExecutions(store.pool, tenant.id);
    await store.rows('analyze listed_executions');
    for (const index of ['deliveries_by_tenant', 'execution_records_by_delivery'])
      await expectPlan((db) => takeInPage(db, tenant.id, FIRST_PAGE, 5_000), index);
    const before = new Date().toISOString();
    await expectPlan(
      (db) => endedExecutions(db, tenant.id, { after, before, limit: 100 }),
      'listed_executions_by_end',
    );
    await expectPlan(
      (db) => listFileExecutions(db, tenant.id, {}, { limit: 100 }),
      'listed_executions_by_end',
    );
    await expectPlan(
      (db) => listFileExecutions(db, tenant.id, {}, { after, limit: 100 }),
      'listed_executions_by_end',
    );
    await store.rows(
      `insert into failed_file_feeds (tenant_id, finished_at, execution_id) values ($1, now(), uuidv7())`,
      [tenant.id],
    );
    await expectPlan((db) => feedsWithNews(db, 10), 'listed_executions_undelivered');
    await expectPlan(
      (db) => endedExecutions(db, tenant.id, { after, before, limit: 100, only: 'failed' }),
      'listed_executions_undelivered',
    );
    await expectPlan(
      (db) => listFileExecutions(db, tenant.id, { status: 'RETRIED' }, { limit: 100 }),
      'listed_executions_undelivered',
    );
  });
});

test('the gauges that are read less often take indexes of the large tables', async () => {
  await expectPlan(readUnknownWaiting, 'undelivered_by_tenant');
  await expectPlan(readSlowGauges, 'events_by_acceptance');
});

describe('a page of a selection', () => {
  const window: DeliveryFilter = {
    from: { at: new Date(Date.now() - 3_600_000).toISOString(), inclusive: true },
    to: { at: new Date(Date.now() - 3_599_999).toISOString(), inclusive: false },
  };

  test.each([
    ['failed ones of an endpoint in a window', () => ({ ...window, endpointIds }), 'undelivered_by_endpoint'],
    ['failed ones of an endpoint', () => ({ endpointIds }), 'undelivered_by_endpoint'],
    ['failed ones with a fault', () => ({ faultCodes: ['timeout'] }), 'undelivered_by_fault'],
    [
      'failed ones with a fault in a window',
      () => ({ ...window, faultCodes: ['timeout'] }),
      'undelivered_by_fault',
    ],
    ['all failed ones', () => ({}), 'undelivered_by_tenant'],
    [
      'ones whose newest execution failed',
      () => ({ newest: { states: ['failed'] } }),
      'undelivered_by_tenant',
    ],
    [
      'ones whose newest execution was ignored',
      () => ({ state: ['ignored', 'failed'], newest: { states: ['ignored'] } }),
      'undelivered_by_tenant',
    ],
    ['failed ones in a window', () => window, 'undelivered_by_tenant'],
    ['pending and failed ones', () => ({ state: ['pending', 'failed'] }), 'undelivered_by_tenant'],
    [
      'failed and pending ones of an endpoint',
      () => ({ endpointIds, state: ['pending', 'failed'] }),
      'undelivered_by_endpoint',
    ],
    [
      'ones in any state of an endpoint in a window',
      () => ({ ...window, endpointIds, state: ['failed', 'pending', 'delivered'] }),
      'deliveries_by_endpoint',
    ],
    [
      'ones in any state in a window',
      () => ({ ...window, state: ['delivered', 'pending'] }),
      'deliveries_by_tenant',
    ],
  ] as [string, () => DeliveryFilter, string][])(
    'of %s reads its index, at the start and further on',
    async (_, filter, index) => {
      for (const cursor of [{ partition: 0 }, { partition: 0, ...CURSOR }])
        await expectPlan(page({ filter: filter() }, cursor), index);
    },
  );

  test('of deliveries that did not succeed at an endpoint reads the indexes of just those', async () => {
    const own = { endpointIds: endpointIds.slice(0, 1) };
    const failed: DeliveryFilter = { ...own, state: ['failed', 'ignored'] };
    const open: DeliveryFilter = { ...own, state: ['failed', 'pending', 'unknown', 'ignored'] };
    for (const filter of [failed, open]) {
      expect(partitionsOf({ filter })).toHaveLength(2);
      for (const partition of [0, 1])
        await expectPlan(page({ filter }, { partition }), 'undelivered_by_endpoint');
    }
  });

  test('of deliveries that did not succeed is listed from the same indexes', async () => {
    const filter = { state: ['failed' as const, 'cancelled' as const, 'ignored' as const] };
    const after = { acceptedAtMicros: String(Date.now() * 1_000), id: anyId(randomUUID()) };
    const list = (db: Queryable) =>
      listDispatches(db, tenant.id, endpointIds[0] ?? NO_ID, filter, { after, limit: 100 });
    await expectPlan(list, 'undelivered_by_endpoint');
  });

  test('of all that was made of some events reads the index of first deliveries, and that of repeats', async () => {
    const eventIds = [anyId(randomUUID()), anyId(randomUUID())] as Id<'event'>[];
    for (const run of [
      page({ eventIds }, { partition: 0 }),
      page({ filter: { eventIds, state: ['failed', 'delivered'] } }, { partition: 0 }),
      (db: Queryable) => deliveriesOfEvent(db, tenant.id, eventIds[0] as Id<'event'>, 200),
    ])
      for (const index of ['deliveries_once', 'deliveries_replayed']) await expectPlan(run, index);
  });

  test('of the events of a batch reads their index', async () => {
    const p = new Parameters();
    const selection = { afresh: { ingestionBatchIds: ['b-1'] } };
    const text = eventPage(tenant.id, selection, { partition: 0 }, 200, p, operationId);
    await expectPlan((db) => db.query(text, p.values), 'events_by_batch');
  });

  test.each([
    ['all tenants', () => 'all' as const],
    ['one tenant of all', () => [tenant.id]],
    ['several tenants', () => [tenant.id, stranger.id, anyId(randomUUID()) as Id<'tenant'>]],
  ])('of %s reads on in the order of an index by tenant', async (_, which) => {
    const tenants = which();
    const cursor = { partition: 0, tenantId: tenant.id, ...CURSOR };
    await expectPlan(
      page({ filter: { state: ['failed', 'delivered'] }, tenants }, cursor),
      'deliveries_by_tenant',
    );
    await expectPlan(page({ filter: {}, tenants }, cursor), 'undelivered_by_tenant');
    await expectPlan(page({ filter: {}, tenants }, { partition: 0 }), 'undelivered_by_tenant');
    const p = new Parameters();
    const text = eventPage(tenant.id, { afresh: {}, tenants }, cursor, 200, p, operationId);
    await expectPlan((db) => db.query(text, p.values), 'events_by_acceptance');
  });

  test('of failures that are not being retried, newest first, reads the failures of the tenant', async () => {
    const list = (db: Queryable) =>
      listDeliveries(db, tenant.id, { state: ['failed'], open: false }, { limit: 20 });
    await expectPlan(list, 'undelivered_by_tenant');
    await expectPlan(list, 'queue_pkey');
  });

  test('of the failures of an operation reads the items of that operation', async () => {
    await expectPlan(page({ failuresOf: operationId }, { partition: 0 }), 'execution_records_by_operation');
  });

  test('of the remainder of an operation reads its items and its exclusions', async () => {
    await expectPlan(page({ remainderOf: operationId }, { partition: 0 }), 'execution_records_by_operation');
    await expectPlan(page({ remainderOf: operationId }, { partition: 0 }), 'exclusions_pkey');
  });

  test('is frozen without reading deliveries that it does not select', async () => {
    const operation = await loadOperation(store.pool, operationId);
    if (!operation) throw new Error('no such operation');
    await expectPlan(
      (db) => freezePage(db, operation, { ...WHOLE, limit: 5_000 }),
      'undelivered_by_endpoint',
    );
  });
});

test('each index over what is not delivered has a reader', async () => {
  const readers: Record<string, (db: Queryable) => Promise<unknown>> = {
    undelivered_by_endpoint: page({ filter: { endpointIds } }, { partition: 0 }),
    undelivered_by_fault: page({ filter: { faultCodes: ['timeout'] } }, { partition: 0 }),
    undelivered_by_tenant: page({ filter: {} }, { partition: 0 }),
    undelivered_order: (db) => dueNext(db, [anyId(randomUUID())]),
    // By the triggers (test/store/undelivered), as here.
    undelivered_pkey: (db) =>
      db.query('update undelivered set http_status = 500 where delivery_id = $1', [randomUUID()]),
  };
  const indexes = await store.rows(
    `select indexname as name from pg_indexes where tablename = 'undelivered' order by 1`,
  );
  expect(indexes.map(({ name }) => name)).toEqual(Object.keys(readers));
  for (const [index, read] of Object.entries(readers)) await expectPlan(read, index);
});

describe('a plan', () => {
  test('is made, told of, measured and frozen by look-ups for each delivery of its pages', async () => {
    const operation = await loadOperation(store.pool, operationId);
    if (!operation) throw new Error('no such operation');
    const { rows } = await store.pool.query<{ id: Id<'delivery'> }>(
      'select delivery_id as id from executions where operation_id = $1 limit 5000',
      [operationId],
    );
    const ids = rows.map(({ id }) => id);
    const planned = { ids, moved: endpointIds };
    await expectPlan(
      (db) => tellStretch(db, operation, { ...WHOLE, limit: 5_000 }, { items: 0 }),
      'undelivered_by_endpoint',
    );
    await expectPlan(
      (db) => countGone(db, operation, { ...planned, risks: ids.map(() => 0) }),
      'deliveries_pkey',
    );
    await expectPlan(
      (db) => countExcluded(db, operationId, { ids, risks: ids.map(() => 0) }),
      'exclusions_pkey',
    );
    await expectPlan((db) => freezePage(db, operation, WHOLE, { only: ids, planned }), 'deliveries_pkey');
  });
});

describe.each([{ generic: false }, { generic: true }])('planned for any parameters: $generic', (options) => {
  test('a claim reads the queue of its endpoints', async () => {
    for (const workedBy of [LIVE_LANE, operationId])
      await expectPlan(
        (db) =>
          claimItems(
            db,
            workedBy,
            randomUUID(),
            endpointIds.map((endpointId) => ({ endpointId, count: 8 })),
            1_000,
            1e6,
          ),
        'queue_due',
        options,
      );
  });

  test('looking for ready endpoints hops through the queue', async () => {
    for (const workedBy of [LIVE_LANE, operationId])
      await expectPlan((db) => readyEndpoints(db, workedBy), 'queue_due', options);
  });

  test('freeze windows are looked up by the spans that began last', async () => {
    const claim = (db: Queryable) =>
      claimItems(
        db,
        operationId,
        randomUUID(),
        [{ endpointId: endpointIds[0] ?? NO_ID, count: 8 }],
        1_000,
        1e6,
      );
    await expectPlan(claim, 'freeze_spans_key', options);
    await expectPlan((db) => readyEndpoints(db, operationId), 'freeze_spans_key', options);
  });

  test('recording looks up the executions that it records', async () => {
    const claim = await store.claim({ workedBy: operationId, count: 10 });
    expect(claim.items.length).toBeGreaterThan(50);
    await expectPlan(
      (db) =>
        recordOutcomes(
          db,
          claim.items.map((item) => outcomeOf(claim.token, item, 500)),
        ),
      'execution_records_pkey',
      options,
    );
    await store.record(claim, 'released');
  });
});

describe('the rarer changes', () => {
  const IDS = Array.from({ length: 50 }, () => anyId(randomUUID()));

  test('find the rows that they change by an index', async () => {
    const { operationId: small } = await store.retry(tenant, {
      filter: { endpointIds: endpointIds.slice(10, 11) },
    });
    await store.select(small);
    await expectPlan((db) => cancelUnsent(db, small, 2_000), 'execution_records_by_operation');
    await expectPlan((db) => giveUpOverdue(db, 1_000), 'queue_give_up');
    await expectPlan((db) => ignoreAtClosedEndpoints(db, operationId, endpointIds, 1_000), 'queue_due');
    await expectPlan((db) => refoldDeliveries(db, IDS), 'deliveries_pkey');
    await expectPlan((db) => resolveUnknown(db, tenant.id, IDS[0] ?? NO_ID, 'failed'), 'queue_pkey');
    await expectPlan((db) => reopenCoalesced(db, operationId, 2_000), 'exclusions_pkey');
  });
});

describe('a wait of deliveries', () => {
  test('is looked up by the executions of a page, or by hopping through the queue of an operation', async () => {
    const ids = Array.from({ length: 500 }, () => anyId(randomUUID()));
    await expectPlan((db) => waitsOfExecutions(db, ids), 'execution_records_pkey');
    const operation = await loadOperation(store.pool, operationId);
    if (!operation) throw new Error('the operation is not there');
    await expectPlan((db) => withWaits(db, [operation]), 'queue_due');
    await expectPlan((db) => countWaitingAt(db, tenant.id, endpointIds[0] ?? NO_ID, 100), 'queue_due');
  });

  test('is lifted by the queues of one endpoint', async () => {
    const [endpointId = NO_ID] = endpointIds;
    await expectPlan((db) => itemsWaitingAt(db, tenant.id, endpointId), 'queue_due');
    await expectPlan((db) => wakeOperationsAt(db, tenant.id, endpointId), 'queue_due');
    await expectPlan((db) => handOverWaiting(db, [endpointId], 1_000), 'queue_due');
    await expectPlan((db) => handBackWaiting(db, tenant.id, endpointId), 'queue_due');
    await expectPlan((db) => makeRetryAftersDue(db, tenant.id, endpointId), 'queue_due');
    await expectPlan((db) => closedEndpointsOf(db, operationId), 'queue_due');
  });
});

describe('an unknown execution', () => {
  test('costs neither a claim nor a look for ready endpoints anything, however many of them there are', async () => {
    const endpointId = await store.newEndpoint(tenant, { onAmbiguous: 'hold' });
    await seedFailures(store.pool, { tenantId: tenant.id, endpointIds: [endpointId], count: 5_000 });
    await store.rows(
      `insert into executions (tenant_id, delivery_id, endpoint_id, state, due_at, give_up_at, attempts, may_have_arrived)
       select tenant_id, id, endpoint_id, 'unknown', now() - interval '2 days', now() - interval '1 day', 1, true
       from deliveries where endpoint_id = $1`,
      [endpointId],
    );
    await store.rows('analyze queue');
    const single = createPool(store.url, { max: 1 });
    const read = async () => {
      await single.query('select pg_stat_force_next_flush()');
      const answer = await single.query<{ entries: string }>(
        `select sum(idx_tup_read) as entries from pg_stat_user_indexes where relname = 'queue'`,
      );
      return Number(onlyRow(answer).entries);
    };
    const before = await read();
    await readyEndpoints(single, LIVE_LANE);
    await claimItems(single, LIVE_LANE, randomUUID(), [{ endpointId, count: 8 }], 1_000, 1e6);
    await withTransaction(single, (db) => giveUpOverdue(db, 100));
    expect((await read()) - before).toBeLessThan(500);
    await single.end();
  });
});
