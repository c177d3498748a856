import { describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { keepFromRemoval } from '../../../src/store/retention/removal-gate.ts';
import { type RemovalSize, removeEvents } from '../../../src/store/retention/remove-events.ts';
import { expirePayloads } from '../../../src/store/settling/payload-retention.ts';
import { listTenants } from '../../../src/store/tenancy/tenants.ts';
import { eventually } from '../../support/eventually.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import { readLedger, violationsOf } from '../../support/store/ledger.ts';
import { plansOf } from '../../support/store/plans.ts';
import { age, eventsOf, keepFor, removeAll, removeOnce } from '../../support/store/retention.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore({ checked: true });
const NEW_IDENTITY = { kind: 'replay', newIdentity: true } as const;

/** Tables that a whole event is in. */
const OF_AN_EVENT = [
  ['events', 'id'],
  ['payloads', 'event_id'],
  ['deliveries', 'event_id'],
  ['undelivered', 'event_id'],
  ['event_identities', 'event_id'],
  ['event_resends', 'event_id'],
] as const;

async function leftOf(events: Id<'event'>[]): Promise<Record<string, number>> {
  const left: Record<string, number> = {};
  for (const [table, column] of OF_AN_EVENT) {
    const [row] = await store.rows(
      `select count(*)::int as n from ${table} where ${column} = any($1::uuid[])`,
      [events],
    );
    left[table] = row.n;
  }
  return left;
}

/** Rows that say where a sweep or a feed stands, or that go at a time of their own. */
const MAY_NAME = ['event_sweeps', 'payload_sweeps', 'failed_file_feeds', 'import_lines', 'listener_requests'];

/** The columns that name one of these ids, in whatever table. */
async function stillNaming(ids: string[]): Promise<string[]> {
  const columns = await store.rows(
    `select c.table_name as table, c.column_name as column from information_schema.columns c
     join information_schema.tables t using (table_schema, table_name)
     where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.table_name <> all($1::text[])
       and c.column_name in ('event_id', 'first_event_id', 'delivery_id', 'execution_id', 'receipt_id', 'replay_of', 'parent_id')`,
    [MAY_NAME],
  );
  const naming: string[] = [];
  for (const { table, column } of columns)
    if (
      (await store.rows(`select from ${table} where ${column} = any($1::uuid[]) limit 1`, [ids])).length > 0
    )
      naming.push(`${table}.${column}`);
  expect(columns.length).toBeGreaterThan(15);
  return naming;
}

async function keptFor(tenant: TestTenant): Promise<string[]> {
  const rows = await store.rows(
    'select kept_for from event_sweep_held where tenant_id = $1 order by accepted_at, event_id',
    [tenant.id],
  );
  return rows.map((row) => row.kept_for);
}

/** A tenant that keeps events for thirty days, with an endpoint and events that are older, all delivered or all failed. */
async function old(
  ending: number,
  events = 2,
): Promise<{
  tenant: TestTenant;
  endpoint: Id<'endpoint'>;
  deliveries: Id<'delivery'>[];
}> {
  const tenant = await store.newTenant();
  await keepFor(store, tenant, { eventRetentionDays: 30 });
  const endpoint = await store.newEndpoint(tenant);
  const deliveries = await store.ingest(tenant, events);
  if (ending !== 0) await store.attempt(ending, { endpointIds: [endpoint] });
  await age(store, 31, { deliveries });
  return { tenant, endpoint, deliveries };
}

describe('what a term removes', () => {
  test('a new tenant keeps its events for ninety days, and reports for ever', async () => {
    const tenant = await store.newTenant();
    const [found] = (await listTenants(store.pool, { limit: 100 })).filter(({ id }) => id === tenant.id);
    expect(found?.settings).toEqual({ eventRetentionDays: 90 });
  });

  test('whole events go, with everything that hangs on them, and younger ones stay', async () => {
    const { tenant, endpoint, deliveries } = await old(404);
    const events = await eventsOf(store, deliveries);
    const executions = (
      await store.rows('select id from execution_records where delivery_id = any($1::uuid[])', [deliveries])
    ).map((row) => row.id);
    const young = await store.ingest(tenant, 1, { externalId: 'young' });
    await store.attempt(200, { endpointIds: [endpoint] });
    expect(await removeAll(store.pool, tenant)).toBe(2);
    expect(Object.values(await leftOf(events)).every((n) => n === 0)).toBe(true);
    expect(await stillNaming([...events, ...deliveries, ...executions])).toEqual([]);
    expect(await leftOf(await eventsOf(store, young))).toMatchObject({
      events: 1,
      deliveries: 1,
      event_identities: 1,
    });
  });

  test('a payload that goes earlier leaves its event, which goes at its own term', async () => {
    const { tenant, deliveries } = await old(200);
    await keepFor(store, tenant, { payloadRetentionDays: 5, eventRetentionDays: 40 });
    expect(await removeAll(store.pool, tenant)).toBe(0);
    await age(store, 10, { deliveries });
    expect(await removeAll(store.pool, tenant)).toBe(2);
  });

  test('one tenant keeps what another does not, and nobody shortens the other’s term', async () => {
    const one = await old(200);
    const other = await old(200);
    await keepFor(store, other.tenant, { eventRetentionDays: 365 });
    const never = await old(200);
    await keepFor(store, never.tenant, { eventRetentionDays: null });
    for (const { tenant } of [one, other, never]) await removeAll(store.pool, tenant);
    expect(await leftOf(await eventsOf(store, other.deliveries))).toMatchObject({ events: 2, payloads: 2 });
    expect(await leftOf(await eventsOf(store, never.deliveries))).toMatchObject({ events: 2, payloads: 2 });
    expect(await eventsOf(store, one.deliveries)).toEqual([]);
  });

  test('an event is kept for as long as its payload, its receipt or the installation says', async () => {
    const { tenant } = await old(200);
    await keepFor(store, tenant, { receiptRetentionDays: 60 });
    expect(await removeAll(store.pool, tenant)).toBe(0);
    await keepFor(store, tenant, { receiptRetentionDays: null });
    await store.pool.query('insert into platform_limits (least_event_days) values (45)');
    try {
      expect(await removeAll(store.pool, tenant)).toBe(0);
    } finally {
      await store.pool.query('delete from platform_limits');
    }
    expect(await removeAll(store.pool, tenant)).toBe(2);
  });

  test('an id that is sent again after its event is gone is new', async () => {
    const { tenant, endpoint } = await old(200, 0);
    const first = await store.ingest(tenant, 1, { externalId: 'inv-1' });
    await store.attempt(200, { endpointIds: [endpoint] });
    expect(await store.ingest(tenant, 1, { externalId: 'inv-1' })).toHaveLength(1);
    await age(store, 31, { deliveries: first });
    const [repeat] = await store.rows(
      'select id from events where tenant_id = $1 and duplicate_of is not null',
      [tenant.id],
    );
    expect(await removeAll(store.pool, tenant)).toBe(1);
    const again = await store.ingest(tenant, 1, { externalId: 'inv-1' });
    const [event] = await store.rows(
      'select duplicate_of, (select state from deliveries d where d.event_id = v.id) as state from events v where id = $1',
      [(await eventsOf(store, again))[0]],
    );
    expect(event).toEqual({ duplicate_of: null, state: 'pending' });
    expect(await leftOf([repeat.id])).toMatchObject({ events: 1 });
  });

  test('it goes on where the last removal stopped, and a large event does not swell a batch', async () => {
    const tenant = await store.newTenant();
    await keepFor(store, tenant, { eventRetentionDays: 30 });
    const endpoints = [
      await store.newEndpoint(tenant),
      await store.newEndpoint(tenant),
      await store.newEndpoint(tenant),
    ];
    const deliveries = await store.ingest(tenant, 4);
    await store.attempt(200, { endpointIds: endpoints });
    await age(store, 31, { deliveries });
    const size: Partial<RemovalSize> = { events: 3, deliveries: 6 };
    expect(await removeOnce(store.pool, tenant.id, size)).toEqual({ events: 2, more: true });
    expect(await removeOnce(store.pool, tenant.id, { ...size, deliveries: 1 })).toEqual({
      events: 1,
      more: true,
    });
    expect(await removeOnce(store.pool, tenant.id, size)).toEqual({ events: 1, more: true });
    expect(await removeOnce(store.pool, tenant.id, size)).toEqual({ events: 0, more: false });
  });
});

describe('what stays past its term', () => {
  test('what is open, until it has ended', async () => {
    const { tenant, endpoint } = await old(0);
    expect(await removeAll(store.pool, tenant)).toBe(0);
    expect(await keptFor(tenant)).toEqual(['open', 'open']);
    await store.attempt(200, { endpointIds: [endpoint] });
    expect(await removeAll(store.pool, tenant)).toBe(2);
    expect(await keptFor(tenant)).toEqual([]);
  });

  test('what an operation has selected, as item or exclusion, until that has closed; its counts do not move', async () => {
    const { tenant, endpoint, deliveries } = await old(404);
    await store.retry(tenant, { deliveryIds: [deliveries[0] as Id<'delivery'>] });
    await store.attempt(200, { endpointIds: [endpoint] });
    const { operationId } = await store.retry(tenant, { deliveryIds: deliveries });
    await store.attempt(404, { endpointIds: [endpoint], workedBy: operationId });
    await store.attempt(404, { endpointIds: [endpoint] });
    expect(await removeAll(store.pool, tenant)).toBe(0);
    expect(await keptFor(tenant)).toEqual(['operation', 'operation']);
    for (const { id } of await store.rows('select id from operations where tenant_id = $1 order by id', [
      tenant.id,
    ]))
      expect(await closeOperation(store.pool, id)).toMatchObject({ closed: true });
    const counts = () => store.rows('select * from operation_counts order by operation_id');
    const before = await counts();
    expect(await removeAll(store.pool, tenant)).toBe(2);
    expect(await counts()).toEqual(before);
    expect(await store.rows('select from exclusions where operation_id = $1', [operationId])).toEqual([]);
  });

  test('what an open plan has shown, but not what a dry run has', async () => {
    const { tenant } = await old(404);
    const plans = plansOf(store, tenant);
    await plans.make({ filter: { state: ['failed'] } }, { plan: 'dry_run' });
    const plan = await plans.make({ filter: { state: ['failed'] } });
    expect(await removeAll(store.pool, tenant)).toBe(0);
    expect(await keptFor(tenant)).toEqual(['plan', 'plan']);
    await store.pool.query(`update operations set state = 'closing', control = 'cancel' where id = $1`, [
      plan.operationId,
    ]);
    expect(await closeOperation(store.pool, plan.operationId)).toMatchObject({ closed: true });
    expect(await removeAll(store.pool, tenant)).toBe(2);
  });

  test('what an open plan has shown of it is younger than the event: a delivery of a new identity', async () => {
    const { tenant, endpoint, deliveries } = await old(404, 1);
    const { operationId } = await store.retry(tenant, { deliveryIds: deliveries }, NEW_IDENTITY);
    await store.attempt(404, { endpointIds: [endpoint], workedBy: operationId });
    await store.attempt(404, { endpointIds: [endpoint] });
    expect(await closeOperation(store.pool, operationId)).toMatchObject({ closed: true });
    const [made] = await store.rows('select id from deliveries where operation_id = $1', [operationId]);
    await plansOf(store, tenant).make({ deliveryIds: [made.id] });
    expect(await removeAll(store.pool, tenant)).toBe(0);
    expect(await keptFor(tenant)).toEqual(['plan']);
    await keepFor(store, tenant, { payloadRetentionDays: 30 });
    await withTransaction(store.pool, (tx) => expirePayloads(tx, tenant.id, 10));
    expect(await leftOf(await eventsOf(store, deliveries))).toMatchObject({ payloads: 1 });
  });

  test('an event and what its sender sent again stay together, and go together', async () => {
    const { tenant, endpoint } = await old(200, 0);
    const first = await store.ingest(tenant, 1, { externalId: 'inv-1' });
    await store.attempt(404, { endpointIds: [endpoint] });
    const second = await store.ingest(tenant, 1, { externalId: 'inv-1', body: '{"n":2}' });
    await store.attempt(200, { endpointIds: [endpoint] });
    await age(store, 31, { deliveries: first });
    expect(await removeAll(store.pool, tenant)).toBe(0);
    expect(await keptFor(tenant)).toEqual(['sent_again']);
    const events = [...(await eventsOf(store, first)), ...(await eventsOf(store, second))];
    await age(store, 31, { deliveries: second });
    expect(await removeAll(store.pool, tenant)).toBe(2);
    expect(Object.values(await leftOf(events)).every((n) => n === 0)).toBe(true);
  });

  test('what others of its key wait behind', async () => {
    const tenant = await store.newTenant();
    await keepFor(store, tenant, { eventRetentionDays: 30 });
    const endpoint = await store.newEndpoint(tenant, { ordered: true, onExhausted: 'block' });
    await store.pool.query('update endpoints set ordered = true where id = $1', [endpoint]);
    const failed = await store.ingest(tenant, 1, { key: 'k' });
    await store.attempt(404, { endpointIds: [endpoint] });
    const behind = await store.ingest(tenant, 1, { key: 'k' });
    await age(store, 31, { deliveries: failed });
    expect(await removeAll(store.pool, tenant)).toBe(0);
    expect(await keptFor(tenant)).toEqual(['order']);
    expect((await store.rows('select blocked_by($1) as id', [behind[0]]))[0].id).toBe(failed[0]);
  });

  test('nothing goes while a long list of ids is being selected', async () => {
    const { tenant, deliveries } = await old(404);
    const names = {
      deliveryIds: [
        ...deliveries,
        ...Array.from({ length: 1_000 }, () => crypto.randomUUID() as Id<'delivery'>),
      ],
    };
    await store.pool.query(
      `insert into operations (tenant_id, kind, workflow_id, interactive, target, selection, options, state, watermark, next_event_at)
       values ($1, 'retry', $2, false, 'current', $3, '{}', 'accepted', now(), now())`,
      [tenant.id, `w-${tenant.handle}`, names],
    );
    expect(await removeOnce(store.pool, tenant.id)).toBeUndefined();
    await store.pool.query('delete from operations where tenant_id = $1', [tenant.id]);
    expect(await removeAll(store.pool, tenant)).toBe(2);
  });

  test('what is kept and gone otherwise is not asked for again', async () => {
    const { tenant, deliveries } = await old(0);
    expect(await removeAll(store.pool, tenant)).toBe(0);
    await store.pool.query(
      `insert into event_sweep_held (tenant_id, event_id, accepted_at, kept_for)
       values ($1, $2, now() - interval '40 days', 'open')`,
      [tenant.id, crypto.randomUUID()],
    );
    expect(await removeAll(store.pool, tenant)).toBe(0);
    expect(await keptFor(tenant)).toEqual(['open', 'open']);
    expect(deliveries).toHaveLength(2);
  });

  test('a row that somebody holds is not waited for', async () => {
    const { tenant, deliveries } = await old(404);
    await withTransaction(store.pool, async (tx) => {
      await tx.query('select from deliveries where id = $1 for no key update', [deliveries[0]]);
      expect(await removeAll(store.pool, tenant)).toBe(1);
      expect(await keptFor(tenant)).toEqual(['busy']);
    });
    expect(await removeAll(store.pool, tenant)).toBe(1);
  });

  test('a selection at work is not waited for where nothing is past its term', async () => {
    const tenant = await store.newTenant();
    await withTransaction(store.pool, async (tx) => {
      await keepFromRemoval(tx, tenant.id);
      expect(await removeOnce(store.pool, tenant.id, { waitMs: 20 })).toEqual({ events: 0, more: false });
    });
  });

  test('who names what is being removed is told that it is unknown, instead of an operation without it', async () => {
    const { tenant, deliveries } = await old(404);
    const asked = await withTransaction(store.pool, async (tx) => {
      expect(await removeEvents(tx, tenant.id, { events: 1, deliveries: 10, waitMs: 2_000 })).toMatchObject({
        events: 1,
      });
      const retry = store.retry(tenant, { deliveryIds: deliveries }).catch((error: unknown) => error);
      await eventually('it waits at the gate', async () => {
        const [{ waiting }] = await store.rows(
          `select exists (select from pg_stat_activity where datname = current_database()
             and wait_event_type = 'Lock' and wait_event = 'advisory') as waiting`,
        );
        return waiting;
      });
      return { retry };
    });
    expect(await asked.retry).toMatchObject({ message: 'not accepted: unknown_ids' });
    expect(await store.rows('select from operations where tenant_id = $1', [tenant.id])).toEqual([]);
  });

  test('a selection at work is waited for, but not for long, and a removal keeps another away', async () => {
    const { tenant } = await old(404);
    await withTransaction(store.pool, async (tx) => {
      await tx.query(`select pg_advisory_xact_lock_shared(hashtextextended('removal ' || $1, 4402))`, [
        tenant.id,
      ]);
      await expect(removeOnce(store.pool, tenant.id, { waitMs: 20 })).rejects.toMatchObject({
        code: '55P03',
      });
    });
    await store.pool.query('insert into event_sweeps (tenant_id) values ($1)', [tenant.id]);
    await withTransaction(store.pool, async (tx) => {
      await tx.query('select from event_sweeps where tenant_id = $1 for update', [tenant.id]);
      expect(await removeOnce(store.pool, tenant.id)).toBeUndefined();
    });
  });
});

test('Postgres removes no execution that is in the queue, and no item of an operation that has not ended', async () => {
  const { tenant, deliveries } = await old(0);
  await expect(
    store.pool.query('delete from execution_records where delivery_id = any($1::uuid[])', [deliveries]),
  ).rejects.toMatchObject({ code: 'RD013' });
  const failed = await old(404);
  const { operationId } = await store.retry(failed.tenant, { deliveryIds: failed.deliveries });
  await store.attempt(404, { endpointIds: [failed.endpoint], workedBy: operationId });
  await store.attempt(404, { endpointIds: [failed.endpoint] });
  await expect(
    store.pool.query('delete from execution_records where operation_id = $1', [operationId]),
  ).rejects.toMatchObject({ code: 'RD013' });
  expect(violationsOf(await readLedger(store.pool))).toEqual([]);
  expect(tenant.id).toBeDefined();
});
