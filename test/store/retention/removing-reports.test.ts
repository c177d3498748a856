import { expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { insertRejection } from '../../../src/store/ingest/rejections.ts';
import { removeOperations, removeRejections } from '../../../src/store/retention/remove-operations.ts';
import { repeatEvent } from '../../../src/surfaces/stedi/store/repeated-events.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import { plansOf } from '../../support/store/plans.ts';
import { age, eventsOf, keepFor, removeAll } from '../../support/store/retention.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();
/** A term of reports, which there is only together with one of lines. */
const REPORTS = { ledgerRetentionDays: 365, reportRetentionDays: 365 };

/** Tables with a column `operation_id`, which says whose their rows are; the audit is not among them. */
async function tablesLeft(operationId: Id<'operation'>): Promise<string[]> {
  const tables = await store.rows(
    `select c.table_name as name from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
     where c.table_schema = 'public' and c.column_name = 'operation_id' and t.table_type = 'BASE TABLE'
       and c.table_name not in ('report_sweeps', 'ledger_sweeps') order by 1`,
  );
  const left: string[] = [];
  for (const { name } of tables)
    if ((await store.rows(`select from ${name} where operation_id = $1 limit 1`, [operationId])).length > 0)
      left.push(name);
  return left;
}

/** A closed operation over so many deliveries of a tenant, of which each line is a chunk of its own. */
async function closed(
  tenant: TestTenant,
  items: number,
): Promise<{ id: Id<'operation'>; deliveries: Id<'delivery'>[] }> {
  const endpoint = await store.newEndpoint(tenant);
  const deliveries = await store.ingest(tenant, items);
  await store.attempt(404, { endpointIds: [endpoint] });
  const plans = plansOf(store, tenant);
  const plan = await plans.make({ deliveryIds: deliveries });
  await plans.execute(plan);
  await plans.freeze(plan);
  await store.attempt(200, { endpointIds: [endpoint], workedBy: plan.operationId });
  await store.attempt(200, { endpointIds: [endpoint] });
  expect(await closeOperation(store.pool, plan.operationId, { linesOfChunk: 1 })).toMatchObject({
    closed: true,
  });
  await store.pool.query(
    `update operations set created_at = created_at - interval '400 days', closed_at = closed_at - interval '400 days' where id = $1`,
    [plan.operationId],
  );
  return { id: plan.operationId, deliveries };
}

const remove = (tenant: TestTenant, limit = 10) =>
  withTransaction(store.pool, (tx) => removeOperations(tx, tenant.id, limit), { lookUps: true });

test('a closed operation goes at its term, whole, once nothing of its items is kept', async () => {
  const tenant = await store.newTenant();
  await keepFor(store, tenant, { eventRetentionDays: 30, ...REPORTS });
  const old = await closed(tenant, 3);
  const kept = await closed(tenant, 2);
  expect(await remove(tenant)).toEqual({ operations: 0, more: false });
  expect(await tablesLeft(old.id)).toContain('closure_reports');
  await age(store, 31, { deliveries: old.deliveries });
  expect(await removeAll(store.pool, tenant)).toBe(3);
  await remove(tenant);
  expect(await tablesLeft(old.id)).toEqual([]);
  expect(await store.rows('select id from operations where tenant_id = $1', [tenant.id])).toEqual([
    { id: kept.id },
  ]);
});

test('the lines of a large one go before it, a part at a time', async () => {
  const tenant = await store.newTenant();
  await keepFor(store, tenant, { eventRetentionDays: 30, ...REPORTS });
  const { id, deliveries } = await closed(tenant, 3);
  await age(store, 31, { deliveries });
  await removeAll(store.pool, tenant);
  await store.pool.query(
    `insert into ledger_chunks (operation_id, number, lines, last_position, states, hash, packed)
     select $1, n, 1, 'x' || n, '{}', sha256('x'::bytea), 'x' from generate_series(10, 300) n`,
    [id],
  );
  expect(await remove(tenant)).toEqual({ operations: 0, more: true });
  expect(await remove(tenant)).toMatchObject({ operations: 1 });
  expect(await tablesLeft(id)).toEqual([]);
});

test('one that an outage names stays until that is over, and without a term all stay', async () => {
  const tenant = await store.newTenant();
  await keepFor(store, tenant, { eventRetentionDays: 30 });
  const { id, deliveries } = await closed(tenant, 1);
  await age(store, 31, { deliveries });
  await removeAll(store.pool, tenant);
  expect(await remove(tenant)).toBeUndefined();
  await keepFor(store, tenant, REPORTS);
  const [endpoint] = await store.rows('select id from endpoints where tenant_id = $1', [tenant.id]);
  const [outage] = await store.rows(
    `insert into outages (tenant_id, endpoint_id, cause, began_at, reaches_back_to) values ($1, $2, 'gone', now(), now())
     returning id`,
    [tenant.id, endpoint.id],
  );
  await store.pool.query('insert into outage_operations (outage_id, operation_id) values ($1, $2)', [
    outage.id,
    id,
  ]);
  expect(await remove(tenant)).toMatchObject({ operations: 0 });
  await store.pool.query('delete from outage_operations');
  await store.pool.query('delete from outages');
  await remove(tenant);
  expect(await remove(tenant)).toMatchObject({ operations: 0 });
  expect(await tablesLeft(id)).toEqual([]);
});

test('receipts of refused requests go at the term of receipts, with the diagnostics of them', async () => {
  const tenant = await store.newTenant();
  const other = await store.newTenant();
  await keepFor(store, tenant, { receiptRetentionDays: 10 });
  for (const { id } of [tenant, other]) {
    await insertRejection(store.pool, id, { requestId: 'old', code: 'x' });
    await store.pool.query(
      `update rejections set rejected_at = now() - interval '11 days' where tenant_id = $1`,
      [id],
    );
    await insertRejection(store.pool, id, { requestId: 'young', code: 'x' });
  }
  await store.pool.query(
    `insert into receipt_diagnostics (tenant_id, receipt_id, actor, state, content, expires_at, frozen_at)
     select tenant_id, id, 'a', 'frozen', '{}', now(), now() from rejections where request_id = 'old'`,
  );
  const removed = (limit: number) =>
    withTransaction(store.pool, (tx) => removeRejections(tx, tenant.id, limit));
  expect([await removed(10), await removed(10)]).toEqual([1, 0]);
  expect(await store.rows('select tenant_id from receipt_diagnostics')).toEqual([{ tenant_id: other.id }]);
  await expect(store.pool.query('delete from receipt_diagnostics')).rejects.toMatchObject({ code: 'RD002' });
});

test('what was accepted once more is as old as its first, for fences, also when the first is gone', async () => {
  const tenant = await store.newTenant();
  await keepFor(store, tenant, { eventRetentionDays: 30 });
  const endpoint = await store.newEndpoint(tenant);
  const deliveries = await store.ingest(tenant, 1);
  await store.attempt(200, { endpointIds: [endpoint] });
  await age(store, 31, { deliveries });
  const [first] = await eventsOf(store, deliveries);
  const repeated = await withTransaction(store.pool, (tx) =>
    repeatEvent(tx, tenant.id, first as Id<'event'>),
  );
  if (!repeated.ok) throw new Error(repeated.why);
  const again = await withTransaction(store.pool, (tx) => repeatEvent(tx, tenant.id, repeated.eventId));
  if (!again.ok) throw new Error(again.why);
  const firstAt = async () =>
    (
      await store.rows('select first_accepted_at($1)::text as a, first_accepted_at($2)::text as b', [
        repeated.eventId,
        again.eventId,
      ])
    )[0];
  const before = await firstAt();
  expect(before.a).toBe(before.b);
  expect(await removeAll(store.pool, tenant)).toBe(1);
  expect(await firstAt()).toEqual(before);
});
