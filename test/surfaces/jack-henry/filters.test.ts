import { beforeEach, describe, expect, test } from '@jest/globals';
import { hashApiKey, makeApiKey } from '../../../src/api/authentication/api-key.ts';
import { TENANT_SCOPES } from '../../../src/domain/tenancy/scope.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { createIngest } from '../../../src/ingest/create-ingest.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { insertApiKey } from '../../../src/store/tenancy/api-keys.ts';
import { setEndpointState } from '../../../src/store/tenancy/endpoints.ts';
import { useApi } from '../../support/api/use-api.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';
import { type JackHenry, jackHenryAt } from '../../support/surfaces/jack-henry.ts';

const store = useStore({ checked: true });
const api = useApi(() => ({ pool: store.pool, acceptEvents: createIngest(store.deps) }));
let tenant: TestTenant;
let client: JackHenry;
let subscription: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  subscription = await store.newEndpoint(tenant);
  client = await clientOf(tenant);
});

async function clientOf(of: TestTenant): Promise<JackHenry> {
  const key = makeApiKey();
  await insertApiKey(store.pool, {
    tenantId: of.id,
    name: 'test',
    hash: hashApiKey(key),
    scopes: TENANT_SCOPES,
  });
  return jackHenryAt(api.url, key);
}

/** Numbers of the events that a retry selected for the subscription, whatever it decided. */
async function selectedBy(path: string, body: unknown): Promise<number[]> {
  const retryId = await client.retry(`/${tenant.id}/retries/${path}`, body);
  await store.select(retryId);
  const rows = await store.rows(
    `select v.number from (
       select delivery_id from executions where operation_id = $1
       union all select delivery_id from exclusions where operation_id = $1
     ) s join deliveries d on d.id = s.delivery_id join events v on v.id = d.event_id
     where d.endpoint_id = $2 order by 1`,
    [retryId, subscription],
  );
  return rows.map((row) => row.number);
}

const bulk = (body: unknown) => selectedBy(`subscriptions/${subscription}`, body);

async function eventId(number: number, of = tenant): Promise<string> {
  const [row] = await store.rows('select id from events where tenant_id = $1 and number = $2', [
    of.id,
    number,
  ]);
  return row.id;
}

/** Events that failed at the subscription, numbered from 1. */
async function failed(count: number, event = {}): Promise<void> {
  await store.ingest(tenant, count, event);
  await store.attempt(404, { endpointIds: [subscription] });
}

async function at(number: number, time: string): Promise<void> {
  const values = [tenant.id, number, time];
  await store.rows(
    `with v as (update events set accepted_at = $3 where tenant_id = $1 and number = $2 returning id)
     update deliveries d set accepted_at = $3 from v where d.event_id = v.id`,
    values,
  );
}

async function stranger() {
  const other = await store.newTenant();
  const endpointId = await store.newEndpoint(other);
  await store.ingest(other, 2, { source: 'core', ingestionBatchId: 'b-1' });
  await store.attempt(404, { endpointIds: [endpointId] });
  return other;
}

/** Ways to select events by what they are: of a subscription, and raw, matched afresh or replayed. */
const WAYS = [
  ['a subscription', (body: object) => bulk({ ...body })],
  ['raw events', (body: object) => selectedBy('events', body)],
  [
    'raw events replayed',
    (body: object) => selectedBy('events', { ...body, replayMatchedSubscriptions: true }),
  ],
] as const;

describe.each(WAYS)('of %s', (_, by) => {
  test('eventId: Filter by specific event IDs; what is unknown, of another institution or no id matches nothing', async () => {
    const other = await stranger();
    await failed(3);
    expect(await by({ eventId: [await eventId(1), await eventId(3)] })).toEqual([1, 3]);
    expect(await by({ eventId: [(await eventId(2)).toUpperCase(), await eventId(2)] })).toEqual([2]);
    const nothing = [await eventId(1, other), '550e8400-e29b-41d4-a716-446655440000', 'x', '', '\0'];
    expect(await by({ eventId: nothing })).toEqual([]);
    expect(await by({ eventId: [...nothing, await eventId(3)] })).toEqual([3]);
  });

  test('eventNum: Filter by event numbers', async () => {
    await stranger();
    await failed(3);
    expect(await by({ eventNum: ['1', '3', '3'] })).toEqual([1, 3]);
    expect(await by({ eventNum: ['02', '2.0', '-1', '4', '', 'x', '9'.repeat(400), '2\0'] })).toEqual([]);
  });

  test('fromTime: Start of time range filter (inclusive), toTime: End of time range filter (inclusive)', async () => {
    await failed(4);
    const times = ['2024-01-01T00:00:00Z', '2024-01-15T12:00:00.123456Z', '2024-01-31T23:59:59Z'];
    for (const [index, time] of times.entries()) await at(index + 1, time);
    await at(4, '2024-01-31T23:59:59.001Z');
    expect(await by({ fromTime: times[0], toTime: times[2] })).toEqual([1, 2, 3]);
    expect(await by({ fromTime: '2024-01-01T01:00:00+01:00', toTime: times[0] })).toEqual([1]);
    expect(await by({ fromTime: times[1], toTime: times[1] })).toEqual([2]);
    expect(await by({ fromTime: '2024-01-31T23:59:59.001Z' })).toEqual([4]);
    expect(await by({ toTime: '2023-12-31T23:59:59.999999Z' })).toEqual([]);
    // As it is shown: in milliseconds.
    expect(await by({ fromTime: '2024-01-15T12:00:00.123Z', toTime: '2024-01-15T12:00:00.123Z' })).toEqual([
      2,
    ]);
    expect(await by({ fromTime: '2024-01-15T12:00:00.124Z', toTime: '2024-01-31T23:59:59Z' })).toEqual([3]);
  });

  test('members join by AND, the entries of a list by OR, and an empty list matches nothing', async () => {
    await failed(3);
    expect(await by({ eventNum: ['1', '2'], eventId: [await eventId(2), await eventId(3)] })).toEqual([2]);
    expect(await by({ eventId: [] })).toEqual([]);
    expect(await by({ eventNum: [] })).toEqual([]);
    expect(await by({ eventId: [await eventId(1)], eventNum: [] })).toEqual([]);
    expect(await by({})).toEqual([1, 2, 3]);
  });
});

describe.each(WAYS.slice(1))('of %s', (_, by) => {
  test('ingestionBatchId: Filter by ingestion batch IDs', async () => {
    await stranger();
    await failed(1, { ingestionBatchId: 'b-1' });
    await failed(1, { ingestionBatchId: 'b-2' });
    await failed(1);
    expect(await by({ ingestionBatchId: ['b-1', 'b-3'] })).toEqual([1]);
    expect(await by({ ingestionBatchId: ['b-1', 'b-2'] })).toEqual([1, 2]);
    expect(await by({ ingestionBatchId: ['b', '', 'b-1\0', '\ud800'] })).toEqual([]);
    expect(await by({ ingestionBatchId: [] })).toEqual([]);
  });

  test('eventSource: Filter by event source', async () => {
    await stranger();
    await failed(1, { source: 'core' });
    await failed(1, { source: 'core2' });
    await failed(1);
    expect(await by({ eventSource: 'core' })).toEqual([1]);
    for (const eventSource of ['CORE', '', 'core\0', '\udfff', 'x'.repeat(100_000)])
      expect(await by({ eventSource })).toEqual([]);
  });

  test('more than a thousand ids are no trouble', async () => {
    await failed(2);
    const ids = Array.from({ length: 5_000 }, (_, n) => `550e8400-e29b-41d4-a716-44665544${1_000 + n}`);
    expect(await by({ eventId: [...ids, await eventId(2)] })).toEqual([2]);
  });
});

describe('Retry Bulk Subscription Events', () => {
  /** One event for each state, numbered in this order. */
  async function ofEachState(): Promise<void> {
    const held = await store.newEndpoint(tenant, { onAmbiguous: 'hold' });
    subscription = held;
    const endpointIds = [held];
    await store.ingest(tenant, 1);
    await store.attempt(200, { endpointIds });
    await store.ingest(tenant, 1);
    await store.attempt(404, { endpointIds });
    await store.ingest(tenant, 1);
    await store.attempt('timeout', { endpointIds });
    await setEndpointState(store.pool, tenant.id, held, 'disabled');
    await store.ingest(tenant, 1);
    await setEndpointState(store.pool, tenant.id, held, 'enabled');
    await store.ingest(tenant, 1);
    const taken = { filter: { eventNumbers: ['5'], state: ['pending' as const], endpointIds } };
    const { operationId } = await store.retry(tenant, taken, { options: { takeOverScheduled: true } });
    // An event whose only execution left was cancelled unsent.
    await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' });
    await withTransaction(store.pool, (db) => cancelUnsent(db, operationId, 100));
    await store.ingest(tenant, 1);
  }

  test('dispatchStatus: Filter by dispatch status', async () => {
    await ofEachState();
    const states = await store.rows(
      'select d.state from deliveries d join events v on v.id = d.event_id where d.endpoint_id = $1 order by v.number',
      [subscription],
    );
    expect(states.map(({ state }) => state)).toEqual([
      'delivered',
      'failed',
      'unknown',
      'ignored',
      'pending',
      'pending',
    ]);
    expect(await bulk({ dispatchStatus: ['succeeded'] })).toEqual([1]);
    expect(await bulk({ dispatchStatus: ['pending'] })).toEqual([3, 5, 6]);
    expect(await bulk({ dispatchStatus: ['succeeded', 'failed', 'failed'] })).toEqual([1, 2, 4]);
    expect(await bulk({ dispatchStatus: [] })).toEqual([]);
  });

  test('dispatchStatus: what failed is pending while a retry of it waits, in the list and for a retry', async () => {
    await failed(2);
    await store.retry(tenant, { eventIds: [(await eventId(1)) as Id<'event'>] });
    const events = `/${tenant.id}/events/${subscription}`;
    const search = async (...dispatchStatus: string[]) =>
      (await client.call(`${events}/search`, { body: { dispatchStatus } })).body.events.map(
        ({ eventNum, dispatchStatus: shown }: Record<string, string>) => [eventNum, shown],
      );
    expect(await search('pending')).toEqual([['1', 'pending']]);
    expect(await search('pending', 'succeeded')).toEqual([['1', 'pending']]);
    expect(await search('failed', 'succeeded')).toEqual([['2', 'failed']]);
    expect(await bulk({ dispatchStatus: ['pending'] })).toEqual([1]);
    expect(await bulk({ dispatchStatus: ['succeeded', 'failed'] })).toEqual([2]);
  });

  test('without dispatchStatus those that failed or are pending are meant, or events that are named, whatever became of them', async () => {
    await ofEachState();
    const eventNum = ['1', '2', '3', '4', '5', '6'];
    expect(await bulk({ eventNum, dispatchStatus: ['failed'] })).toEqual([2, 4]);
    expect(await bulk(undefined)).toEqual([2, 3, 4, 5, 6]);
    expect(await bulk({ eventNum })).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('dispatchBatchId: Filter by dispatch batch IDs: a retry, or the call that brought the events', async () => {
    await failed(2);
    await failed(1);
    const [call] = await store.rows(
      'select ingest_call_id as id from events where tenant_id = $1 and number = 1',
      [tenant.id],
    );
    const retryId = await client.retry(`/${tenant.id}/retries/subscriptions/${subscription}`, {
      eventNum: ['2', '3'],
    });
    await store.attempt(404);
    expect(await bulk({ dispatchBatchId: [call.id] })).toEqual([1, 2]);
    expect(await bulk({ dispatchBatchId: [retryId.toUpperCase()] })).toEqual([2, 3]);
    expect(await bulk({ dispatchBatchId: [call.id], eventNum: ['1', '3'] })).toEqual([1]);
    expect(await bulk({ dispatchBatchId: ['batch-001', 'batch-002'] })).toEqual([]);
    expect(await bulk({ dispatchBatchId: ['batch-001', retryId] })).toEqual([2, 3]);
    expect(await bulk({ dispatchBatchId: [] })).toEqual([]);
  });

  test.each([
    ['30m', [3, 4]],
    ['1740s', [2, 3, 4]],
    ['2h', [4]],
    ['1d', [4]],
    ['2d', []],
    [`${'9'.repeat(500)}d`, []],
  ])(
    'pendingLongerThan: Duration threshold for pending events, and no others: %.10s',
    async (pendingLongerThan, expected) => {
      await failed(1);
      await store.ingest(tenant, 3);
      for (const [index, age] of ['29.5 minutes', '31 minutes', '25 hours'].entries())
        await store.rows(
          `update executions e set created_at = now() - $3::interval from deliveries d join events v on v.id = d.event_id
         where e.delivery_id = d.id and v.tenant_id = $1 and v.number = $2`,
          [tenant.id, index + 2, age],
        );
      const dispatchStatus = expected.length === 3 ? ['pending'] : ['pending', 'failed'];
      const others = expected.length === 3 ? [] : [1];
      expect(await bulk({ dispatchStatus, pendingLongerThan })).toEqual([...others, ...expected]);
    },
  );

  test('takes over scheduled deliveries where pending is selected, and only there', async () => {
    await store.ingest(tenant, 2);
    const path = `/${tenant.id}/retries/subscriptions/${subscription}`;
    const left = await client.retry(path, { eventNum: ['1'], dispatchStatus: ['failed'] });
    const taken = await client.retry(path, { eventNum: ['1'], dispatchStatus: ['pending'] });
    const standard = await client.retry(path, {});
    await store.select(standard);
    const rows = await store.rows(
      `select operation_id, count(*)::int as items from executions where operation_id = any($1) group by 1`,
      [[left, taken, standard]],
    );
    expect(Object.fromEntries(rows.map((row) => [row.operation_id, row.items]))).toEqual({
      [taken]: 1,
      [standard]: 2,
    });
  });
});
