import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Selection } from '../../../src/domain/operations/selection.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { freezeAfresh } from '../../../src/operations/freeze-afresh.ts';
import { selectAgain } from '../../../src/operations/freeze-explicit.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import type { SelectionCursor } from '../../../src/store/selection/selection-page.ts';
import { setEndpointState } from '../../../src/store/tenancy/endpoints.ts';
import { PLATFORM_TENANT } from '../../../src/store/tenancy/tenants.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const PLATFORM: TestTenant = PLATFORM_TENANT;

const store = useStore({ checked: true });
let tenant: TestTenant;
let first: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  first = await store.newEndpoint(tenant);
});

async function eventsOf(of = tenant): Promise<Id<'event'>[]> {
  const rows = await store.rows('select id from events where tenant_id = $1 order by number', [of.id]);
  return rows.map((row) => row.id);
}

/** The fates of an operation's deliveries (item, or the reason of an exclusion), by endpoint, sorted. */
async function became(operationId: Id<'operation'>): Promise<Record<string, string[]>> {
  const rows = await store.rows(
    `select endpoint_id, 'item' as became from executions where operation_id = $1
     union all select d.endpoint_id, x.reason from exclusions x join deliveries d on d.id = x.delivery_id
     where x.operation_id = $1 order by 2`,
    [operationId],
  );
  const byEndpoint: Record<string, string[]> = {};
  for (const row of rows) byEndpoint[row.endpoint_id] = [...(byEndpoint[row.endpoint_id] ?? []), row.became];
  return byEndpoint;
}

async function countsOf(operationId: Id<'operation'>) {
  return (await store.rows('select * from operation_counts where operation_id = $1', [operationId]))[0];
}

/** Accepts and, where it is no explicit list, selects to the end. */
async function afresh(selection: Selection, of = tenant): Promise<Id<'operation'>> {
  const { operationId } = await store.retry(of, selection);
  await store.select(operationId);
  return operationId;
}

describe('events that are matched afresh', () => {
  test('get their first delivery where they are wanted and never were sent, and are otherwise decided as in every retry', async () => {
    const delivered = await store.newEndpoint(tenant);
    const waiting = await store.newEndpoint(tenant);
    const changed = await store.newEndpoint(tenant);
    await store.ingest(tenant, 2);
    await store.attempt(404, { endpointIds: [first, changed] });
    await store.attempt(200, { endpointIds: [delivered] });
    const fresh = await store.newEndpoint(tenant);
    const elsewhere = await store.newEndpoint(tenant, { eventTypes: ['another'] });
    await store.rows(`update endpoint_versions set event_types = '{another}' where endpoint_id = $1`, [
      changed,
    ]);
    const operationId = await afresh({ afresh: {} });
    expect(await became(operationId)).toEqual({
      [first]: ['item', 'item'],
      [delivered]: ['already_delivered', 'already_delivered'],
      [waiting]: ['coalesced', 'coalesced'],
      [changed]: ['no_longer_matches', 'no_longer_matches'],
      [fresh]: ['item', 'item'],
    });
    expect(await became(operationId)).not.toHaveProperty(elsewhere);
    expect(await countsOf(operationId)).toMatchObject({ expected: 10, queued: 4, excluded: 6 });
    const claim = await store.claim({ workedBy: operationId });
    expect(claim.items).toHaveLength(4);
    await store.record(claim, 200);
    expect(await countsOf(operationId)).toMatchObject({ expected: 10, delivered: 4, excluded: 6 });
  });

  test('are resolved at acceptance where they are named, and say the fate of each delivery', async () => {
    await store.ingest(tenant, 1);
    await store.attempt(404, { endpointIds: [first] });
    await store.newEndpoint(tenant);
    const { items } = await store.retry(tenant, { afresh: { eventIds: await eventsOf() } });
    expect(items).toMatchObject([{ became: 'queued' }, { became: 'queued' }]);
  });

  test.each([
    { limit: 3, maxBytes: 1e9 },
    { limit: 200, maxBytes: 1 },
    { limit: 200, maxBytes: 15 },
  ])('are read page by page, each once: %j', async (page) => {
    await store.ingest(tenant, 10);
    await store.rows('update events set accepted_at = date_trunc($2, accepted_at) where tenant_id = $1', [
      tenant.id,
      'minute',
    ]);
    const fresh = await store.newEndpoint(tenant);
    const selection = { afresh: {} };
    const { operationId } = await store.retry(tenant, selection);
    const operation = await loadOperation(store.pool, operationId);
    if (!operation) throw new Error('it was accepted');
    let cursor: SelectionCursor | undefined = { partition: 0 };
    let pages = 0;
    while (cursor) {
      const at: SelectionCursor = cursor;
      ({ next: cursor } = await withTransaction(store.pool, (db) =>
        freezeAfresh(db, operation, selection, at, page),
      ));
      pages += 1;
    }
    expect(pages).toBeGreaterThan(3);
    expect(await became(operationId)).toEqual({
      [first]: Array(10).fill('coalesced'),
      [fresh]: Array(10).fill('item'),
    });
  });

  test('are more than one page, and end with those that were there at acceptance', async () => {
    await store.ingest(tenant, 450);
    const fresh = await store.newEndpoint(tenant);
    const { operationId } = await store.retry(tenant, { afresh: {} });
    await store.ingest(tenant, 5);
    await store.select(operationId);
    expect((await became(operationId))[fresh]).toHaveLength(450);
    expect(await countsOf(operationId)).toMatchObject({ expected: 900, queued: 450, excluded: 450 });
  });

  test('that several retries select at once are delivered first by one of them, and joined by the others', async () => {
    await store.ingest(tenant, 40);
    const fresh = await store.newEndpoint(tenant);
    const eventIds = await eventsOf();
    const both = await Promise.all(
      [0, 1, 2, 3].map((each) =>
        each % 2 ? store.retry(tenant, { afresh: { eventIds } }) : store.retry(tenant, { afresh: {} }),
      ),
    );
    await Promise.all(both.map(({ operationId }) => store.select(operationId)));
    const all = await Promise.all(both.map(async ({ operationId }) => (await became(operationId))[fresh]));
    for (const decisions of all) expect(decisions).toHaveLength(40);
    expect(all.flat().filter((each) => each === 'item')).toHaveLength(40);
    expect(all.flat().filter((each) => each === 'coalesced')).toHaveLength(120);
  });

  test('whose payload has expired are excluded with their deliveries, and make no new ones', async () => {
    await store.ingest(tenant, 2);
    await store.attempt(404, { endpointIds: [first] });
    const fresh = await store.newEndpoint(tenant);
    const [expired] = await eventsOf();
    await store.rows('delete from payloads where event_id = $1', [expired]);
    const operationId = await afresh({ afresh: {} });
    expect(await became(operationId)).toEqual({ [first]: ['item', 'payload_expired'], [fresh]: ['item'] });
  });

  test('that repeat another are never sent', async () => {
    await store.ingest(tenant, 1, { externalId: 'once' });
    await store.ingest(tenant, 1, { externalId: 'once' });
    await store.attempt(404, { endpointIds: [first] });
    const fresh = await store.newEndpoint(tenant);
    const operationId = await afresh({ afresh: {} });
    expect(await became(operationId)).toEqual({
      [first]: ['item', 'suppressed_duplicate'],
      [fresh]: ['item'],
    });
  });

  test('make no delivery at endpoints that are disabled or deleted; at such a one that is named it is ignored and excluded', async () => {
    await store.ingest(tenant, 1);
    const [disabled, deleted] = [await store.newEndpoint(tenant), await store.newEndpoint(tenant)];
    await setEndpointState(store.pool, tenant.id, disabled, 'disabled');
    await setEndpointState(store.pool, tenant.id, deleted, 'deleted');
    expect(await became(await afresh({ afresh: {} }))).toEqual({ [first]: ['coalesced'] });
    const named = { ids: [disabled, deleted], unfiltered: true };
    const operationId = await afresh({ afresh: { eventIds: await eventsOf() }, endpoints: named });
    expect(await became(operationId)).toEqual({ [disabled]: ['endpoint_disabled'] });
    expect(
      await store.rows(
        `select d.state, e.state as run, e.reason from deliveries d join executions e on e.delivery_id = d.id
         where d.endpoint_id = $1`,
        [disabled],
      ),
    ).toEqual([{ state: 'ignored', run: 'ignored', reason: 'endpoint_disabled' }]);
  });

  test('go to the endpoints that are named only, whatever these want where they are not filtered', async () => {
    await store.ingest(tenant, 1);
    const ids = [await store.newEndpoint(tenant, { eventTypes: ['another'] })];
    await store.newEndpoint(tenant);
    const selected = { afresh: { eventIds: await eventsOf() } };
    expect(await became(await afresh({ ...selected, endpoints: { ids } }))).toEqual({});
    expect(await became(await afresh({ ...selected, endpoints: { ids, unfiltered: true } }))).toEqual({
      [ids[0] ?? '']: ['item'],
    });
  });

  test('that a named endpoint had are decided as in every other retry, although it no longer wants them', async () => {
    await store.ingest(tenant, 1);
    await store.attempt(404, { endpointIds: [first] });
    await store.rows(`update endpoint_versions set event_types = '{another}' where endpoint_id = $1`, [
      first,
    ]);
    const endpoints = { ids: [first] };
    const operationId = await afresh({ afresh: { eventIds: await eventsOf() }, endpoints });
    expect(await became(operationId)).toEqual({ [first]: ['item'] });
  });

  test('whose first delivery is cancelled unsent can be retried', async () => {
    await store.ingest(tenant, 1);
    await store.attempt(200, { endpointIds: [first] });
    const fresh = await store.newEndpoint(tenant);
    const cancelled = await afresh({ afresh: {} });
    await controlOperation(store.deps, tenant.id, cancelled, { do: 'cancel' });
    await withTransaction(store.pool, (db) => cancelUnsent(db, cancelled, 100));
    const states = () => store.rows('select state from deliveries where endpoint_id = $1', [fresh]);
    expect(await states()).toEqual([{ state: 'cancelled' }]);
    const again = await afresh({ afresh: { eventIds: await eventsOf() } });
    expect(await became(again)).toEqual({ [first]: ['already_delivered'], [fresh]: ['item'] });
    await store.attempt(200, { endpointIds: [fresh], workedBy: LIVE_LANE });
    expect(await states()).toEqual([{ state: 'delivered' }]);
  });

  test('of nobody are selected by an empty list', async () => {
    await store.ingest(tenant, 1);
    for (const member of ['eventIds', 'eventNumbers', 'ingestionBatchIds', 'sources'])
      expect(await became(await afresh({ afresh: { [member]: [] } }))).toEqual({});
  });
});

describe('an operation of the platform', () => {
  let others: TestTenant;
  let theirs: Id<'endpoint'>;

  beforeEach(async () => {
    others = await store.newTenant();
    theirs = await store.newEndpoint(others);
    await store.ingest(tenant, 3, { source: others.handle });
    await store.ingest(others, 3, { source: others.handle });
    await store.attempt(404, { endpointIds: [first, theirs] });
  });

  test('spans the tenants it names, or all, and its items keep their own', async () => {
    const stranger = await store.newTenant();
    await store.newEndpoint(stranger);
    await store.ingest(stranger, 1, { source: others.handle });
    const sources = [others.handle];
    const some = await afresh({ afresh: { sources }, tenants: [tenant.id, others.id] }, PLATFORM);
    expect(await became(some)).toEqual({ [first]: Array(3).fill('item'), [theirs]: Array(3).fill('item') });
    const rows = await store.rows(
      `select distinct e.tenant_id, n.tenant_id as of_endpoint from executions e join endpoints n on n.id = e.endpoint_id
       where e.operation_id = $1`,
      [some],
    );
    expect(rows).toHaveLength(2);
    for (const row of rows) expect(row.tenant_id).toBe(row.of_endpoint);
    expect(await countsOf(await afresh({ afresh: { sources }, tenants: 'all' }, PLATFORM))).toMatchObject({
      expected: 7,
      excluded: 7,
    });
    expect(await countsOf(await afresh({ afresh: { sources }, tenants: [] }, PLATFORM))).toMatchObject({
      expected: 0,
    });
    expect(await countsOf(await afresh({ afresh: { sources } }, tenant))).toMatchObject({ expected: 3 });
  });

  test('reads the deliveries of a filter tenant by tenant, each once, whatever the size of the pages', async () => {
    const { operationId } = await store.retry(PLATFORM, {
      filter: { sources: [others.handle] },
      tenants: [others.id, tenant.id],
    });
    await store.select(operationId, 2);
    expect(await became(operationId)).toEqual({
      [first]: Array(3).fill('item'),
      [theirs]: Array(3).fill('item'),
    });
  });

  test('selects again what it had joined and nobody sent', async () => {
    const theirOwn = await afresh({ filter: {} }, others);
    const operationId = await afresh({ filter: {}, tenants: [others.id] }, PLATFORM);
    expect(await became(operationId)).toEqual({ [theirs]: Array(3).fill('coalesced') });
    await controlOperation(store.deps, others.id, theirOwn, { do: 'cancel' });
    await withTransaction(store.pool, (db) => cancelUnsent(db, theirOwn, 100));
    const operation = await loadOperation(store.pool, operationId);
    if (!operation) throw new Error('it was accepted');
    expect(await withTransaction(store.pool, (db) => selectAgain(db, operation, 100))).toBe(3);
    expect(await became(operationId)).toEqual({ [theirs]: Array(3).fill('item') });
    expect(await countsOf(operationId)).toMatchObject({ expected: 3, queued: 3, excluded: 0 });
  });
});
