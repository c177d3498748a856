import { describe, expect, test } from '@jest/globals';
import { bucketsOf } from '../../../src/domain/figures/time-buckets.ts';
import { windowFilter } from '../../../src/domain/outages/outage-window.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { closeImport } from '../../../src/ingest/imports/open-import.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { acceptedEvents } from '../../../src/store/figures/accepted-events.ts';
import { endpointPresent } from '../../../src/store/figures/endpoint-latency.ts';
import { cancelUnsent } from '../../../src/store/operations/cancelling.ts';
import { listDeliveries } from '../../../src/store/reading/delivery-reads.ts';
import { acknowledge, findAcknowledgeable } from '../../../src/store/settling/acknowledgements.ts';
import { erasePayload, expirePayloads } from '../../../src/store/settling/payload-retention.ts';
import { tellFailedFiles } from '../../../src/surfaces/stedi/failed-file-feed.ts';
import { goodLine } from '../../support/imports/awkward-lines.ts';
import { lines, openTestImport } from '../../support/imports/take.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** What an import must not look like to the rest of Redrive. */

const store = useStore({ checked: true });

const ATTEMPTS = [{ at: '2026-11-03T02:00:00Z', error: 'timeout' }];

async function imported(
  { config = {}, count = 1, asked = {} }: { config?: object; count?: number; asked?: object } = {},
  line: object = {},
) {
  const tenant = await store.newTenant();
  const endpointId = await store.newEndpoint(tenant, config);
  const it = await openTestImport(store, tenant, endpointId, 'ndjson', asked);
  const values = Array.from({ length: count }, (_, n) => ({
    ...goodLine('ndjson', n),
    key: 'k',
    attempts: ATTEMPTS,
    ...line,
  }));
  await it.send(lines(values));
  return { tenant, endpointId, it, ids: await idsOf(endpointId) };
}

async function idsOf(endpointId: Id<'endpoint'>): Promise<Id<'delivery'>[]> {
  const rows = await store.rows('select id from deliveries where endpoint_id = $1 order by id', [endpointId]);
  return rows.map(({ id }) => id);
}

/** The deliveries of an outage that has lasted for an hour. */
async function caught({ id }: TestTenant, endpointId: Id<'endpoint'>): Promise<Id<'delivery'>[]> {
  const now = Date.now();
  const window = {
    endpointId,
    from: new Date(now - 3_600_000),
    to: new Date(now + 60_000),
    reachesBackTo: new Date(now - 86_400_000),
  };
  const found = await listDeliveries(store.pool, id, windowFilter(window), { limit: 10 });
  return found.map((delivery) => delivery.id);
}

test('nothing is sent: no execution is open, and nothing can be claimed', async () => {
  const { endpointId } = await imported({ count: 3 });
  expect((await store.claim({ endpointIds: [endpointId] })).items).toEqual([]);
});

test('it keeps nobody waiting in the order of its key', async () => {
  const { tenant, endpointId } = await imported({ config: { ordered: true } });
  await store.ingest(tenant, 1, { key: 'k' });
  expect(await store.attempt(200, { grants: [{ endpointId, count: 9, ordered: true }] })).toHaveLength(1);
});

test('it is of no outage, until a retry of it fails during one', async () => {
  const { tenant, endpointId, ids } = await imported();
  expect(await caught(tenant, endpointId)).toEqual([]);
  await store.retry(tenant, { deliveryIds: ids });
  await store.attempt(404, { endpointIds: [endpointId] });
  expect(await caught(tenant, endpointId)).toEqual(ids);
});

test('it opens no outage and no circuit, and leaves the pace of its endpoint alone', async () => {
  const { endpointId } = await imported({ count: 40 });
  expect(await store.rows('select 1 from outages where endpoint_id = $1', [endpointId])).toEqual([]);
  expect(
    await store.rows('select openings, missed, outage_id from endpoint_pacing where endpoint_id = $1', [
      endpointId,
    ]),
  ).toEqual([{ openings: 0, missed: 0, outage_id: null }]);
});

test('it counts among neither attempts nor accepted events nor the times of answers', async () => {
  const { tenant, endpointId } = await imported(
    { count: 5 },
    { attempts: [{ at: '2026-11-03T02:00:00Z', status: 404 }] },
  );
  await store.ingest(tenant, 2);
  expect(await store.rows('select 1 from attempt_deltas where tenant_id = $1', [tenant.id])).toEqual([]);
  const at = Date.now();
  const buckets = bucketsOf(at - 3_600_000, at + 60_000, 'minute');
  const { counts } = await acceptedEvents(store.pool, tenant.id, buckets);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(2);
  expect((await endpointPresent(store.pool, tenant.id, endpointId)).latency).toBeUndefined();
  await store.attempt(200);
});

test('its retention runs from the import, whatever its age there', async () => {
  const { tenant, endpointId } = await imported({ count: 2 }, { occurredAt: '2020-01-01T00:00:00Z' });
  await store.rows(`update tenants set settings = '{"payloadRetentionDays": 1}' where id = $1`, [tenant.id]);
  const expire = () => withTransaction(store.pool, (tx) => expirePayloads(tx, tenant.id, 100));
  expect(await expire()).toEqual({ removed: 0, examined: 0 });
  await store.rows(`update events set accepted_at = accepted_at - interval '2 days' where tenant_id = $1`, [
    tenant.id,
  ]);
  expect(await expire()).toEqual({ removed: 2, examined: 2 });
  expect(await store.rows('select 1 from payloads where tenant_id = $1', [tenant.id])).toEqual([]);
  expect(await idsOf(endpointId)).toHaveLength(2);
});

test('what was kept of its line goes with its payload, and so do answers', async () => {
  const { tenant, endpointId } = await imported(
    {},
    { note: 'hidden', attempts: [{ at: '2026-11-03T02:00:00Z', status: 500, response: 'hidden' }] },
  );
  const [{ event_id: eventId }] = await store.rows('select event_id from deliveries where endpoint_id = $1', [
    endpointId,
  ]);
  await erasePayload(store.pool, tenant.id, eventId);
  for (const table of ['payloads', 'attempts', 'import_lines', 'events', 'imports'])
    expect(JSON.stringify(await store.rows(`select * from ${table}`))).not.toContain('hidden');
});

test('nobody is told of it as of a file that failed', async () => {
  const { tenant, endpointId } = await imported();
  await store.newEndpoint(tenant, { eventTypes: ['file.failed.v2'] });
  await store.rows(
    `insert into failed_file_feeds (tenant_id, finished_at, execution_id)
     values ($1, now() - interval '1 hour', '00000000-0000-0000-0000-000000000000')`,
    [tenant.id],
  );
  expect(await tellFailedFiles(store.pool, tenant.id)).toBe(0);
  expect(await idsOf(endpointId)).toHaveLength(1);
});

describe('its receiver', () => {
  test('acknowledges it by the id that was kept, or by ours', async () => {
    const { endpointId, ids } = await imported({ asked: { keepIds: true } });
    const asked = [
      { endpointId, webhookId: 'n-0' },
      { endpointId, webhookId: 'x', deliveryId: ids[0] },
      { endpointId, webhookId: 'n-1' },
    ];
    const found = await findAcknowledgeable(store.pool, asked);
    expect(found.map((each) => each?.deliveryId)).toEqual([ids[0], ids[0], undefined]);
    const became = await withTransaction(store.pool, (tx) => acknowledge(tx, ids));
    expect([...became.values()]).toEqual(['settled']);
  });

  test('acknowledges also what no attempt is told of, unless it was never sent', async () => {
    const tenant = await store.newTenant();
    const acknowledged = async (format: 'sqs' | 'convoy', line: object) => {
      const endpointId = await store.newEndpoint(tenant);
      const it = await openTestImport(store, tenant, endpointId, format);
      await it.send(lines([line]));
      await closeImport(store.pool, tenant.id, it.id, 'closed', { actor: 'test' });
      const ids = await idsOf(endpointId);
      const became = await withTransaction(store.pool, (tx) => acknowledge(tx, ids));
      return [...became.values()];
    };
    const discarded = {
      ...goodLine('convoy', 2),
      status: 'Discarded',
      metadata: { data: {}, num_trials: 0 },
    };
    expect(await acknowledged('sqs', goodLine('sqs', 1))).toEqual(['settled']);
    expect(await acknowledged('convoy', goodLine('convoy', 1))).toEqual(['settled']);
    expect(await acknowledged('convoy', discarded)).toEqual(['never_sent']);
  });

  test.each(['queued', 'sending', 'cancelled'])(
    'acknowledges what no attempt is told of while a retry of it is %s',
    async (state) => {
      const tenant = await store.newTenant();
      const endpointId = await store.newEndpoint(tenant);
      const it = await openTestImport(store, tenant, endpointId, 'sqs');
      await it.send(lines([goodLine('sqs', 1)]));
      const ids = await idsOf(endpointId);
      const { operationId } = await store.retry(tenant, { deliveryIds: ids });
      const settle = async () =>
        [...(await withTransaction(store.pool, (tx) => acknowledge(tx, ids))).values()][0];
      const claimed = () => store.claim({ endpointIds: [endpointId] });
      if (state === 'queued') expect(await settle()).toBe('settled');
      if (state === 'sending') {
        const claim = await claimed();
        expect(await settle()).toBe('remembered');
        await store.record(claim, 'released');
      }
      if (state === 'cancelled') {
        await controlOperation(store.deps, tenant.id, operationId, { do: 'cancel' });
        await withTransaction(store.pool, (tx) => cancelUnsent(tx, operationId, 10));
        expect(await settle()).toBe('settled');
      }
      expect((await claimed()).items).toEqual([]);
      expect(await store.rows('select state from deliveries where id = $1', [ids[0]])).toEqual([
        { state: 'delivered' },
      ]);
    },
  );

  test('gets the id that was kept, and in a new delivery a new one', async () => {
    const { tenant, endpointId, ids } = await imported({ asked: { keepIds: true } });
    await store.retry(tenant, { deliveryIds: ids });
    const claim = await store.claim({ endpointIds: [endpointId] });
    expect(claim.items).toMatchObject([{ webhookId: 'n-0', deliveryAttempts: 1 }]);
    await store.record(claim, 500);
    await store.timePasses();
    await store.attempt(200, { endpointIds: [endpointId] });
    const { operationId } = await store.retry(
      tenant,
      { deliveryIds: ids },
      { kind: 'replay', newIdentity: true },
    );
    await store.select(operationId);
    const again = await store.claim({ endpointIds: [endpointId] });
    expect(again.items.map(({ webhookId }) => webhookId)).toEqual([undefined]);
    await store.record(again, 200);
  });
});
