import { beforeAll, expect, test } from '@jest/globals';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import type { Queryable } from '../../../src/store/db/queryable.ts';
import { idHistories } from '../../../src/store/ingest/resends.ts';
import { erasePayload } from '../../../src/store/settling/payload-retention.ts';
import { handoffsOfEvent } from '../../../src/surfaces/flowrelay/store/handoffs.ts';
import { findReceipt, listReceipts } from '../../../src/surfaces/flowrelay/store/receipts.ts';
import { handoffTips } from '../../../src/surfaces/flowrelay/store/replay-material.ts';
import { timelineSteps } from '../../../src/surfaces/flowrelay/store/timeline.ts';
import { seedFailures } from '../../support/engine/seed-failures.ts';
import { anyId } from '../../support/store/any-id.ts';
import { largeAmong } from '../../support/store/large-tables.ts';
import { planOf } from '../../support/store/query-plan.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

// Not the queue, in which nothing waits here: an empty table is read as it is.
const LARGE = [
  'execution_records',
  'deliveries',
  'payloads',
  'events',
  'attempts',
  'rejections',
  'receipt_replays',
];

const store = useStore();
let tenant: TestTenant;
let eventId: Id<'event'>;

beforeAll(async () => {
  for (let tenants = 0; tenants < 2; tenants++) {
    tenant = await store.newTenant();
    const endpointIds = [await store.newEndpoint(tenant)];
    await seedFailures(store.pool, { tenantId: tenant.id, endpointIds, count: 10_000, bodyBytes: 10 });
    await store.rows(
      `insert into rejections (tenant_id, request_id, code, rejected_at)
       select $1, 'req_' || n, 'invalid_request', now() - n * interval '1 second' from generate_series(1, 10000) n`,
      [tenant.id],
    );
  }
  await store.rows(
    `insert into receipt_replays (tenant_id, event_id, key_hash, actor, binding, kind, targets, duplicate_risk, preview,
       expires_at)
     select $1, uuidv7(), sha256(n::text::bytea), 'a', sha256(''), 'handoff', '[]', false, '{}', now()
     from generate_series(1, 5000) n`,
    [tenant.id],
  );
  [{ id: eventId }] = (await store.rows('select id from events where tenant_id = $1 limit 1', [
    tenant.id,
  ])) as [{ id: Id<'event'> }];
  await store.rows('vacuum analyze');
});

const after = { atMicros: String(Date.now() * 1_000), id: anyId('0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f') };

test.each<[string, (db: Queryable) => Promise<unknown>, string]>([
  ['one', (db) => findReceipt(db, tenant.id, eventId), 'events_pkey'],
  ['the first page', (db) => listReceipts(db, tenant.id, {}, { limit: 51 }), 'events_by_acceptance'],
  ['a later page', (db) => listReceipts(db, tenant.id, {}, { after, limit: 51 }), 'events_by_acceptance'],
  [
    'a page of a window',
    (db) =>
      listReceipts(
        db,
        tenant.id,
        { from: '2026-01-01T00:00:00Z', to: '2126-01-01T00:00:00Z' },
        { limit: 51 },
      ),
    'events_by_acceptance',
  ],
  [
    'a page of rejected ones',
    (db) => listReceipts(db, tenant.id, { request: 'rejected' }, { after, limit: 51 }),
    'rejections_by_time',
  ],
  [
    'that of a request',
    (db) => listReceipts(db, tenant.id, { requestId: 'req_7' }, { limit: 51 }),
    'rejections_by_request',
  ],
  ['its handoffs', (db) => handoffsOfEvent(db, tenant.id, eventId, 201), 'deliveries_once'],
  ['its steps', (db) => timelineSteps(db, tenant.id, eventId, 501), 'deliveries_once'],
  ['the search of its replay', (db) => handoffTips(db, tenant.id, eventId), 'deliveries_once'],
  ['the search of a repeat of it', (db) => idHistories(db, tenant.id, [eventId]), 'deliveries_once'],
  ['its erasure', (db) => erasePayload(db, tenant.id, eventId), 'payloads_before_pkey'],
])('of receipts, %s is read by an index', async (_, run, index) => {
  const { scanned, indexes } = await planOf(store.pool, run);
  expect({ index, scanned: largeAmong(scanned, LARGE) }).toEqual({
    index,
    scanned: [],
  });
  expect(indexes).toContain(index);
});
