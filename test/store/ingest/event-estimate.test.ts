import { beforeAll, expect, test } from '@jest/globals';
import { DELIVERY_STATES } from '../../../src/domain/sending/delivery-state.ts';
import { estimateEvents } from '../../../src/surfaces/zen-mesh/event-estimate.ts';
import { seedFailures } from '../../support/engine/seed-failures.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const COUNT = 20_000;

const store = useStore();
let tenant: TestTenant;

beforeAll(async () => {
  tenant = await store.newTenant();
  const endpointIds = [await store.newEndpoint(tenant)];
  await seedFailures(store.pool, { tenantId: tenant.id, endpointIds, count: COUNT, bodyBytes: 10 });
});

test('events are counted where there is time for it, each once, and only those that can still be sent', async () => {
  await store.ingest(tenant, 3);
  expect(await estimateEvents(store.pool, tenant.id, {}, 30_000)).toBe(COUNT);
  expect(await estimateEvents(store.pool, tenant.id, { state: ['pending'] }, 30_000)).toBe(3);
  await store.rows('delete from payloads where event_id in (select event_id from deliveries limit 5)');
  const all = await estimateEvents(store.pool, tenant.id, { state: [...DELIVERY_STATES] }, 30_000);
  expect(all).toBe(COUNT + 3 - 5);
  const stranger = await store.newTenant();
  expect(await estimateEvents(store.pool, stranger.id, { state: [...DELIVERY_STATES] }, 30_000)).toBe(0);
});

test('events that take too long to count are estimated, and the connection is none the worse for it', async () => {
  const estimated = await estimateEvents(store.pool, tenant.id, {}, 1);
  expect(estimated).toBeGreaterThan(COUNT / 10);
  expect(estimated).toBeLessThan(COUNT * 10);
  const { rows } = await store.pool.query('show statement_timeout');
  expect(rows[0].statement_timeout).not.toBe('1ms');
});
