import { describe, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { acceptOperation } from '../../../src/operations/accept-operation.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();
let tenant: TestTenant;

async function failures(count: number): Promise<Id<'delivery'>[]> {
  tenant = await store.newTenant();
  await store.newEndpoint(tenant, { retry: { maxAttempts: 1, initialMs: 1, factor: 1, capMs: 1 } });
  const deliveries = await store.ingest(tenant, count);
  await store.attempt(500);
  return deliveries;
}

describe('an operation', () => {
  test('that its caller takes back when it sees the items leaves nothing behind, and its key is free', async () => {
    const deliveryIds = await failures(2);
    const seen: unknown[] = [];
    const request = (after: 'takes back' | 'keeps') =>
      acceptOperation<'no'>(store.deps, {
        tenant,
        surface: 'native',
        caller: { actor: 'test' },
        kind: 'retry',
        target: 'current',
        selection: { deliveryIds },
        options: {},
        idempotency: { scope: tenant.id, key: 'k', fingerprint: Buffer.alloc(32), keep: 'for_ever' },
        after: async (_, { operationId, items }) => {
          seen.push(...items.map(({ became }) => became));
          expect(operationId).toMatch(/^[0-9a-f-]{36}$/);
          return after === 'takes back' ? 'no' : undefined;
        },
        render: () => ({}),
      });
    expect(await request('takes back')).toEqual({ ok: false, code: 'refused', refusal: 'no' });
    expect(seen).toEqual(['queued', 'queued']);
    const left = `select (select count(*)::int from operations) as operations,
      (select count(*)::int from idempotency_keys) as keys,
      (select count(*)::int from executions where operation_id is not null) as items`;
    expect(await store.rows(left)).toEqual([{ operations: 0, keys: 0, items: 0 }]);
    expect(await request('keeps')).toMatchObject({ ok: true, replayed: false });
    expect(await store.rows(left)).toEqual([{ operations: 1, keys: 1, items: 2 }]);
    expect(await request('takes back')).toMatchObject({ ok: true, replayed: true });
  });
});

describe('fresh matching that is bound to endpoints', () => {
  test('makes first deliveries there only, and leaves the deliveries of others alone', async () => {
    const [deliveryId] = await failures(1);
    const [event] = await store.rows('select event_id as id from deliveries where id = $1', [deliveryId]);
    const wanted = await store.newEndpoint(tenant);
    await store.newEndpoint(tenant);
    const { items } = await store.retry(tenant, {
      afresh: { eventIds: [event.id] },
      endpoints: { ids: [wanted] },
    });
    expect(items).toHaveLength(1);
    const made = await store.rows('select endpoint_id from deliveries where id = $1', [items[0]?.deliveryId]);
    expect(made).toEqual([{ endpoint_id: wanted }]);
    const none = await store.retry(tenant, { afresh: { eventIds: [event.id] }, endpoints: { ids: [] } });
    expect(none.items).toEqual([]);
  });
});
