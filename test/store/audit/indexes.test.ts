import { randomUUID } from 'node:crypto';
import { beforeAll, expect, test } from '@jest/globals';
import { type AuditFilter, listAuditEntries } from '../../../src/store/audit/reading.ts';
import { tenantsToSeal } from '../../../src/store/audit/sealing.ts';
import type { Transaction } from '../../../src/store/db/queryable.ts';
import { anyId } from '../../support/store/any-id.ts';
import { newSealer } from '../../support/store/audit.ts';
import { planOf } from '../../support/store/query-plan.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();
let tenant: TestTenant;

beforeAll(async () => {
  await store.rows('alter table audit_entries set (autovacuum_enabled = false)');
  tenant = await store.newTenant();
  for (const each of [tenant, await store.newTenant(), await store.newTenant()])
    await store.rows(
      `insert into audit_entries (tenant_id, at, actor, action, target_kind, target_id)
       select $1, date_trunc('milliseconds', now() - n * interval '1 minute'), 'test', 'endpoint.enabled', 'endpoint', uuidv7()
       from generate_series(1, 5000) as n`,
      [each.id],
    );
  await newSealer(store.pool).sealer.seal();
  await store.rows('checkpoint');
  await store.rows('vacuum analyze');
});

async function expectPlan(run: (db: Transaction) => Promise<unknown>, index: string): Promise<void> {
  const { scanned, indexes } = await planOf(store.pool, run);
  expect(scanned.filter((table) => table === 'audit_entries')).toEqual([]);
  expect(indexes).toContain(index);
}

const listing = (filter: AuditFilter) => (db: Transaction) =>
  listAuditEntries(db, tenant.id, filter, { order: 'oldest', after: 10, limit: 50 });

test('a page, an export, an id and a time are looked up, and so is what is not sealed', async () => {
  await expectPlan(listing({}), 'audit_entries_tenant_id_number_key');
  await expectPlan(listing({ targets: [anyId(randomUUID())] }), 'audit_entries_by_target');
  await expectPlan(
    listing({ from: { at: new Date(Date.now() - 300_000).toISOString(), inclusive: true } }),
    'audit_entries_by_time',
  );
  await expectPlan((db) => tenantsToSeal(db, { limit: 200 }), 'audit_entries_unsealed');
});
