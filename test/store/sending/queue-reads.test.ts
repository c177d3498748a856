import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Selection } from '../../../src/domain/operations/selection.ts';
import { present } from '../../../src/domain/present.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { freezeNext } from '../../../src/operations/freeze-selection.ts';
import { planNext } from '../../../src/operations/plans/make-plan.ts';
import { settleExpiredClaims } from '../../../src/operations/settle-expired.ts';
import { onlyRow } from '../../../src/store/db/only-row.ts';
import { createPool, type Pool, withTransaction } from '../../../src/store/db/pool.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { type ClaimedItem, claimItems, type QueuePlace } from '../../../src/store/sending/claims.ts';
import { dueNext } from '../../../src/store/sending/ordering.ts';
import { acknowledge } from '../../../src/store/settling/acknowledgements.ts';
import { endClaims, recordOutcomes } from '../../../src/store/settling/outcomes.ts';
import { giveUpOverdue } from '../../../src/store/settling/settlement.ts';
import { seedFailures } from '../../support/engine/seed-failures.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import { plansOf } from '../../support/store/plans.ts';
import {
  createTestStore,
  outcomeOf,
  type TestStore,
  type TestTenant,
} from '../../support/store/test-store.ts';

/**
 * What is empty between outages is estimated at no rows after a vacuum, however many come then. Everything that is done to
 * an outage is done here to one, and the rows that it reads of these tables are counted.
 */
const EMPTY = ['queue', 'undelivered', 'claims'];

const ITEMS = 2_000;
const PAGE = 50;
const BATCH = 48;

/** A few look-ups for an item. Where each page reads all that is there, it is more than half as many as there are pages. */
const AT_MOST = 12;

let store: TestStore;
let single: Pool;
let tenant: TestTenant;
let endpointIds: Id<'endpoint'>[];

beforeEach(async () => {
  store = await createTestStore();
  for (const table of EMPTY) await store.rows(`alter table ${table} set (autovacuum_enabled = false)`);
  // Nothing that was planned before is kept.
  single = createPool(store.url, { max: 1 });
  tenant = await store.newTenant();
  endpointIds = [];
  for (let n = 0; n < 4; n++) endpointIds.push(await store.newEndpoint(tenant));
  // What was in them once has left pages without rows behind.
  await store.ingest(tenant, 200);
  await store.attempt(503, { endpointIds, count: 200 });
  await store.timePasses();
  await store.attempt(200, { endpointIds, count: 200 });
  await store.rows(`vacuum (analyze, truncate off) ${EMPTY.join(', ')}`);
  expect(
    await store.rows(`select relpages > 0 as pages from pg_class where relname = any($1)`, [EMPTY]),
  ).toEqual(EMPTY.map(() => ({ pages: true })));
  await seedFailures(store.pool, { tenantId: tenant.id, endpointIds, count: ITEMS, unanalyzed: true });
});

afterEach(async () => {
  await single.end();
  await store.close();
});

/** Rows of these tables that an act reads, by whatever way, for each item, while they are taken for empty. */
async function readsOf(act: () => Promise<unknown>): Promise<number> {
  expect(
    await store.rows('select relname, reltuples from pg_class where relname = any($1) and reltuples <> 0', [
      EMPTY,
    ]),
  ).toEqual([]);
  const before = await reads();
  await act();
  return ((await reads()) - before) / ITEMS;
}

async function reads(): Promise<number> {
  await single.query('select pg_stat_force_next_flush()');
  const answer = await single.query<{ n: number }>(
    `select sum(t.seq_tup_read + (select sum(i.idx_tup_read) from pg_stat_user_indexes i where i.relid = t.relid))::int8 as n
     from pg_stat_user_tables t where t.relname = any($1)`,
    [EMPTY],
  );
  return onlyRow(answer).n;
}

async function freeze(operationId: Id<'operation'>): Promise<void> {
  while (await freezeNext(single, operationId, { page: PAGE }));
}

async function retryAll(takeOverScheduled = false): Promise<Id<'operation'>> {
  const selection = { filter: takeOverScheduled ? {} : { state: ['failed' as const] } };
  return (await store.retry(tenant, selection, { options: { takeOverScheduled } })).operationId;
}

/** As slices do it: each claim behind what is on the wire. */
async function claimAll(operationId: Id<'operation'>, leaseMs: number) {
  const claims: { token: string; items: ClaimedItem[] }[] = [];
  const places = new Map<string, QueuePlace>();
  for (let left = ITEMS; left > 0; ) {
    const token = randomUUID();
    const grants = endpointIds.map((endpointId) => ({
      endpointId,
      count: BATCH / endpointIds.length,
      ...present({ after: places.get(endpointId) }),
    }));
    const { items } = await claimItems(single, operationId, token, grants, leaseMs, 1e9);
    expect(items.length).toBeGreaterThan(0);
    for (const { endpointId, dueAt, executionId } of items) places.set(endpointId, { dueAt, executionId });
    claims.push({ token, items });
    left -= items.length;
  }
  return claims;
}

describe('tables that a vacuum has found empty are looked up, and not read as a whole', () => {
  test.each<[string, () => Selection]>([
    ['state', () => ({ filter: { state: ['failed'] } })],
    ['fault', () => ({ filter: { state: ['failed'], faultCodes: ['http_5xx'] } })],
    ['endpoint', () => ({ filter: { state: ['failed'], endpointIds } })],
  ])('by a selection by %s', async (_by, selection) => {
    const { operationId } = await store.retry(tenant, selection());
    expect(await readsOf(() => freeze(operationId))).toBeLessThan(AT_MOST);
    expect(await store.rows('select count(*)::int as n from queue')).toEqual([{ n: ITEMS }]);
  });

  test('by claims and by outcomes', async () => {
    const operationId = await retryAll();
    await freeze(operationId);
    let claims: Awaited<ReturnType<typeof claimAll>> = [];
    expect(
      await readsOf(async () => {
        claims = await claimAll(operationId, 60_000);
      }),
    ).toBeLessThan(AT_MOST);
    const record = async () => {
      for (const { token, items } of claims)
        await recordOutcomes(
          single,
          items.map((item) => outcomeOf(token, item, 200)),
        );
      await endClaims(
        single,
        claims.map(({ token }) => token),
      );
    };
    expect(await readsOf(record)).toBeLessThan(AT_MOST);
  });

  test('by the settlement of what its sender has lost', async () => {
    const operationId = await retryAll();
    await freeze(operationId);
    await claimAll(operationId, 0);
    expect(await readsOf(() => settleExpiredClaims(single))).toBeLessThan(AT_MOST);
    expect(
      await store.rows('select count(*)::int as n from attempts where fault_code = $1', ['lease_lost']),
    ).toEqual([{ n: ITEMS }]);
  });

  test('by an operation that takes over what another one has queued', async () => {
    await freeze(await retryAll());
    const operationId = await retryAll(true);
    expect(await readsOf(() => freeze(operationId))).toBeLessThan(AT_MOST);
    expect(
      await store.rows(`select count(*)::int as n from execution_records where outcome = 'superseded'`),
    ).toEqual([{ n: ITEMS }]);
  });

  test('by a cancel', async () => {
    const operationId = await retryAll();
    await freeze(operationId);
    await controlOperation({ ...store.deps, pool: single }, tenant.id, operationId, { do: 'cancel' });
    const cancel = async () => {
      while ((await withTransaction(single, (tx) => cancelUnsent(tx, operationId, PAGE))).length > 0);
    };
    expect(await readsOf(cancel)).toBeLessThan(AT_MOST);
    expect(await store.rows('select count(*)::int as n from queue')).toEqual([{ n: 0 }]);
  });

  test('by what is given up', async () => {
    await freeze(await retryAll());
    await store.rows(`update queue set give_up_at = now() - interval '1 minute'`);
    const giveUp = async () => {
      // The entries of those that went a moment ago are passed by again, page after page: not by the plan.
      while ((await withTransaction(single, (tx) => giveUpOverdue(tx, ITEMS / 4))).gaveUp.length > 0);
    };
    expect(await readsOf(giveUp)).toBeLessThan(AT_MOST);
    expect(await store.rows('select count(*)::int as n from queue')).toEqual([{ n: 0 }]);
  });

  test('by acknowledgements', async () => {
    await freeze(await retryAll());
    const rows = await store.rows('select delivery_id as id from queue');
    const ids = rows.map(({ id }) => id as Id<'delivery'>);
    const acknowledgeAll = async () => {
      for (let at = 0; at < ids.length; at += PAGE)
        await withTransaction(single, (tx) => acknowledge(tx, ids.slice(at, at + PAGE)));
    };
    expect(await readsOf(acknowledgeAll)).toBeLessThan(AT_MOST);
    expect(await store.rows('select count(*)::int as n from queue')).toEqual([{ n: 0 }]);
  });

  test('by the end of an operation beside another one that is queued', async () => {
    const [first] = endpointIds;
    const { operationId } = await store.retry(tenant, { filter: { endpointIds: first ? [first] : [] } });
    await freeze(operationId);
    await store.attempt(200, { workedBy: operationId, count: ITEMS });
    await freeze(await retryAll());
    const end = async () => {
      expect((await closeOperation(single, operationId, { linesOfChunk: 64 })).closed).toBe(true);
    };
    expect(await readsOf(end)).toBeLessThan(AT_MOST);
  });

  test('by the ends of many of one key, where those between them are sent by nobody', async () => {
    const ordered = await store.newEndpoint(tenant, { ordered: true, onExhausted: 'skip' });
    const failures = { tenantId: tenant.id, endpointIds: [ordered], count: ITEMS, ordered: { [ordered]: 1 } };
    await seedFailures(store.pool, { ...failures, unanalyzed: true });
    const rows = await store.rows(
      'select delivery_id as id from undelivered where endpoint_id = $1 order by order_number',
      [ordered],
    );
    const ids = rows.map(({ id }) => id as Id<'delivery'>);
    const every = (n: number) => ids.filter((_, at) => at % n === 0);
    expect(await readsOf(() => dueNext(single, ids))).toBeLessThan(AT_MOST);
    expect(await readsOf(() => dueNext(single, every(50)))).toBeLessThan(AT_MOST);
  });

  test('by a plan, and by what it makes', async () => {
    const plans = plansOf(store, tenant);
    const operationId = await plans.ask({ filter: { state: ['failed'] } });
    const make = async () => {
      while (await planNext(single, operationId, { stretch: PAGE }));
    };
    expect(await readsOf(make)).toBeLessThan(AT_MOST);
    expect((await plans.execute(await plans.show(operationId))).ok).toBe(true);
    expect(await readsOf(() => freeze(operationId))).toBeLessThan(AT_MOST);
    expect(await store.rows('select count(*)::int as n from queue')).toEqual([{ n: ITEMS }]);
  });
});
