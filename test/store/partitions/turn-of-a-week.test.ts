import { expect, test } from '@jest/globals';
import { nameOfWeek, weekOf } from '../../../src/domain/partitions/weeks.ts';
import { findPayload } from '../../../src/store/reading/event-reads.ts';
import { executionsOfDelivery } from '../../../src/store/reading/execution-reads.ts';
import { dropEmpty, partitionsOf, playWeeks, WEEK_MS } from '../../support/partitions/weeks.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import { readLedger, violationsOf } from '../../support/store/ledger.ts';
import { age, eventsOf, keepFor, removeAll } from '../../support/store/retention.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore();

test('what is accepted on both sides of a Monday midnight lies in two weeks, and is retried, read and removed as one', async () => {
  const weeks = await playWeeks(store, 6);
  const tenant = await store.newTenant();
  const endpointId = await store.newEndpoint(tenant, {
    retry: { maxAttempts: 1, initialMs: 1, factor: 1, capMs: 1 },
  });
  const monday = weekOf(Date.now() - 3 * WEEK_MS);
  const names = [monday - WEEK_MS, monday].map((week) => nameOfWeek('payloads', week));
  const counts = async (table: string) => {
    const found: number[] = [];
    for (const name of names) {
      const [row] = await store.rows(`select count(*)::int as n from ${name.replace('payloads', table)}`);
      found.push(row.n);
    }
    return found;
  };
  // A minute on each side, which is longer than this takes.
  await weeks.idsAgo(Date.now() - (monday - 60_000));
  const sunday = await store.ingest(tenant, 3);
  await weeks.idsAgo(Date.now() - monday);
  const deliveries = [...sunday, ...(await store.ingest(tenant, 4))];
  expect(await counts('payloads')).toEqual([3, 4]);
  await store.attempt(500, { endpointIds: [endpointId] });
  expect(await counts('attempts')).toEqual([3, 4]);

  const { operationId } = await store.retry(tenant, { filter: {} });
  await store.select(operationId, 2);
  // Small ones are sent by the live lane.
  const recorded = [
    ...(await store.attempt(200, { workedBy: operationId, endpointIds: [endpointId] })),
    ...(await store.attempt(200, { endpointIds: [endpointId] })),
  ];
  expect(recorded.map(({ state }) => state)).toEqual(Array.from({ length: 7 }, () => 'delivered'));
  expect(await counts('attempts')).toEqual([3, 11]);
  const events = await eventsOf(store, deliveries);
  for (const eventId of events)
    expect(await findPayload(store.pool, tenant.id, eventId)).toEqual({ body: '{"n":1}' });
  for (const delivery of deliveries) {
    const executions = await executionsOfDelivery(store.pool, tenant.id, delivery, 10);
    expect(executions.flatMap(({ attempts }) => attempts.map(({ outcome }) => outcome)).sort()).toEqual([
      'delivered',
      'retryable',
    ]);
  }
  expect(violationsOf(await readLedger(store.pool))).toEqual([]);

  await age(store, 31, { deliveries });
  await keepFor(store, tenant, { eventRetentionDays: 30 });
  // The operation keeps them until it has closed.
  expect(await removeAll(store.pool, tenant)).toBe(0);
  expect(await dropEmpty(store.pool)).not.toContainEqual(expect.objectContaining({ partition: names[0] }));
  expect(await partitionsOf(store.pool, 'payloads')).toEqual(expect.arrayContaining(names));

  expect(await closeOperation(store.pool, operationId)).toMatchObject({ closed: true });
  expect(await removeAll(store.pool, tenant)).toBe(7);
  const dropped = await dropEmpty(store.pool);
  for (const table of ['payloads', 'attempts'])
    for (const name of names)
      expect(dropped).toContainEqual({ did: 'dropped', table, partition: name.replace('payloads', table) });
});
