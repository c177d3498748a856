import { beforeEach, describe, expect, test } from '@jest/globals';
import { OUTAGE_RULES } from '../../../src/domain/outages/outage-rules.ts';
import type { OutageWindow } from '../../../src/domain/outages/outage-window.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { testEndpoint } from '../../../src/ingest/test-endpoint.ts';
import { EndpointMemory } from '../../../src/sending/endpoint-memory.ts';
import { Recorder } from '../../../src/sending/recording/recorder.ts';
import { countWindow, findOutage } from '../../../src/store/outages/outages.ts';
import { findExactly } from '../../../src/store/reading/search.ts';
import { quietContext } from '../../support/engine/quiet-context.ts';
import { planOf } from '../../support/store/query-plan.ts';
import { type Ending, outcomeOf, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore({ checked: true });
let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant, {
    retry: { maxAttempts: 1, initialMs: 0, factor: 1, capMs: 0 },
  });
});

const tried = async () => {
  const result = await testEndpoint(store.deps, tenant.id, endpointId, { actor: 'test' }, new Date());
  if (!result.ok) throw new Error('it was not accepted');
  return result.deliveryId;
};

/** Sends what is due as a sender would, with all that follows from the outcomes. */
async function send(ending: Ending, agoMs = 0): Promise<void> {
  const claim = await store.claim({ endpointIds: [endpointId] });
  const { pool, log, metrics } = quietContext(store.pool);
  const recorder = new Recorder({ pool, log, metrics, memory: new EndpointMemory(), outages: OUTAGE_RULES });
  recorder.open({ token: claim.token, left: claim.items.length, slotted: false });
  for (const item of claim.items)
    recorder.add({
      ...outcomeOf(claim.token, item, ending),
      endpointId,
      slotted: false,
      inFlight: 1,
      beganMs: performance.now() - agoMs,
      ordered: false,
      test: item.test,
      onRecorded: () => {},
    });
  await recorder.drained();
}

async function health() {
  const [row] = await store.rows(
    `select n.state, p.openings, p.streak from endpoints n join endpoint_pacing p on p.endpoint_id = n.id where n.id = $1`,
    [endpointId],
  );
  return row;
}

describe('a delivery that tries its endpoint', () => {
  test('disables nothing and opens no circuit, where others would', async () => {
    await tried();
    await send(410);
    for (let n = 0; n < 25; n += 1) await tried();
    await send('refused');
    expect(await health()).toEqual({ state: 'enabled', openings: 0, streak: 0 });
    await store.ingest(tenant, 25);
    await send('refused');
    expect((await health()).openings).toBe(1);
  });

  test('opens no outage, and is of none, where others are', async () => {
    const outages = () => store.rows('select id from outages where endpoint_id = $1', [endpointId]);
    for (let n = 0; n < 25; n += 1) await tried();
    await send(500, 120_000);
    expect(await outages()).toEqual([]);
    await store.ingest(tenant, 25);
    await send(500, 120_000);
    const [outage] = await outages();
    await tried();
    await send(500);
    const found = await findOutage(store.pool, tenant.id, outage.id);
    const { counts } = await countWindow(store.pool, tenant.id, found?.window as OutageWindow, 100);
    expect(counts).toEqual([{ state: 'pending', faultCode: 'http_5xx', deliveries: 25 }]);
  });

  test('has a minute, whatever its endpoint gives others', async () => {
    const id = await tried();
    const [row] = await store.rows(
      'select extract(epoch from give_up_at - created_at)::int as seconds from executions where delivery_id = $1',
      [id],
    );
    expect(row).toEqual({ seconds: 60 });
  });
});

test('what is looked for by its exact words is looked up in indexes alone', async () => {
  const large = [
    'events',
    'deliveries',
    'execution_records',
    'operations',
    'event_identities',
    'audit_entries',
  ];
  await store.ingest(tenant, 1_000, { key: 'k' });
  await store.rows(
    `insert into audit_entries (tenant_id, at, actor, action, target_kind, target_id)
     select $1, date_trunc('milliseconds', now()), 'test', 'endpoint.enabled', 'endpoint', uuidv7() from generate_series(1, 1000)`,
    [tenant.id],
  );
  await store.rows(
    `insert into event_identities select $1, 'x' || n, 'a', '', uuidv7() from generate_series(1, 1000) n`,
    [tenant.id],
  );
  const { operationId } = await store.retry(tenant, { filter: {} });
  await store.rows(
    `insert into operations (tenant_id, kind, workflow_id, interactive, target, selection, options, ticket, state, watermark,
       next_event, next_event_at)
     select tenant_id, kind, 'w' || n, interactive, target, selection, options, 'T-' || n, state, watermark, 'due', now()
     from operations, generate_series(1, 1000) n where id = $1`,
    [operationId],
  );
  await store.rows('analyze');
  const sought = {
    text: 'T-7',
    ids: { delivery: operationId, event: operationId, execution: operationId, operation: operationId },
  };
  const { scanned, indexes } = await planOf(store.pool, (db) => findExactly(db, tenant.id, sought, 10));
  expect(scanned.filter((table) => large.includes(table))).toEqual([]);
  for (const index of ['operations_by_ticket', 'events_by_key', 'event_identities_pkey', 'deliveries_pkey'])
    expect(indexes).toContain(index);
});
