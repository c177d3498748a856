import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Resolvable } from '../../../src/domain/operations/selection.ts';
import { type FreezeWindow, WEEKDAYS } from '../../../src/domain/policy/freeze-windows.ts';
import type { Policy } from '../../../src/domain/policy/policy.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import {
  type ResolveRequest,
  resolveDeliveries,
} from '../../../src/operations/deliveries/resolve-deliveries.ts';
import { resolveDelivery } from '../../../src/operations/deliveries/resolve-delivery.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { replaceFreezeSpans } from '../../../src/store/policy/freeze-spans.ts';
import { lastHold } from '../../../src/store/policy/holds.ts';
import { setPlatformLimits } from '../../../src/store/policy/platform-limits.ts';
import { insertEndpointVersion } from '../../../src/store/tenancy/endpoint-versions.ts';
import { policyOf, type TestPolicy } from '../../support/store/policies.ts';
import { ENDPOINT, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** What is unknown is sent again at once only where an operation of it would not have to wait. */

const store = useStore({ checked: true });
let tenant: TestTenant;
let policy: TestPolicy;
let endpointId: Id<'endpoint'>;

const HOLD = { onAmbiguous: 'hold' } as const;
const ALL: Resolvable = { filter: {} };
const ALWAYS: FreezeWindow = { zone: 'UTC', days: WEEKDAYS, from: '00:00', to: '24:00' };

beforeEach(async () => {
  tenant = await store.newTenant();
  policy = policyOf(store, tenant);
  endpointId = await store.newEndpoint(tenant, HOLD);
});
afterEach(() => setPlatformLimits(store.pool, {}));

async function unknown(count: number): Promise<Id<'delivery'>[]> {
  const ids = await store.ingest(tenant, count);
  await store.attempt('timeout', { endpointIds: [endpointId], count: 1_000 });
  return ids;
}

function resolve(selection: Resolvable, change: Partial<ResolveRequest> = {}) {
  return resolveDeliveries(store.deps, {
    tenantId: tenant.id,
    selection,
    outcome: 'retry',
    reason: 'the outage is over',
    by: { actor: 'test' },
    render: ({ resolved }) => ({ resolved }),
    ...change,
  });
}

const sent = (resolved: number) => ({ ok: true, body: JSON.stringify({ resolved }) });
const refused = (refusal: object) => ({ ok: false, code: 'not_at_once', refusal });
const held = (...because: string[]) => refused({ code: 'held', missing: [], because });

const states = async () =>
  (
    await store.rows('select state, count(*)::int as n from queue where tenant_id = $1 group by 1', [
      tenant.id,
    ])
  )
    .map(({ state, n }) => `${n} ${state}`)
    .join();

async function written(): Promise<number> {
  const [{ n }] = await store.rows(
    `select ((select count(*) from resolutions where tenant_id = $1)
       + (select count(*) from audit_entries where tenant_id = $1))::int as n`,
    [tenant.id],
  );
  return n;
}

async function freeze(windows: FreezeWindow[]): Promise<void> {
  await withTransaction(store.pool, (tx) => replaceFreezeSpans(tx, tenant.id, windows));
}

describe('three that are unknown are not sent again, and nothing is done', () => {
  const cases: [string, Partial<Policy>, object][] = [
    ['above the number that is approved', { approveAbove: 2 }, held('items')],
    ['as they may have arrived', { approveWhen: ['mayHaveArrived'] }, held('mayHaveArrived')],
    [
      'without a ticket',
      { reasonAbove: 2, ticketPattern: 'OPS-\\d+' },
      refused({ code: 'held', missing: ['ticket'], because: [] }),
    ],
    ['above the quota of an operation', { quotas: { itemsPerOperation: 2 } }, held('itemsPerOperation')],
    ['above the quota of a day', { quotas: { itemsPerDay: 2 } }, held('itemsPerDay')],
    ['without a rate', { quotas: { ratePerSecond: 5 } }, held('ratePerSecond')],
    ['with no operation to spare', { quotas: { openOperations: 0 } }, held('openOperations')],
  ];
  test.each(cases)('%s', async (_, rules, answer) => {
    const ids = await unknown(3);
    await policy.set(rules);
    const before = await written();
    for (const selection of [ALL, { deliveryIds: ids }])
      expect(await resolve(selection)).toMatchObject(answer);
    expect([await states(), await written()]).toEqual(['3 unknown', before]);
    // What is known of them is taken as ever.
    expect(await resolve(ALL, { outcome: 'failed' })).toMatchObject(sent(3));
  });

  test('as they were first sent to another address', async () => {
    await unknown(3);
    await policy.set({ approveWhen: ['endpointChanged'] });
    const moved = { ...ENDPOINT, url: 'http://127.0.0.1:9/b' };
    await withTransaction(store.pool, (tx) => insertEndpointVersion(tx, tenant.id, endpointId, 2, moved));
    await store.rows('update endpoints set current_version = 2 where id = $1', [endpointId]);
    expect(await resolve(ALL)).toMatchObject(held('endpointChanged'));
  });

  test('within a freeze window', async () => {
    const ids = await unknown(3);
    await freeze([ALWAYS]);
    expect(await resolve(ALL)).toMatchObject(refused({ code: 'frozen' }));
    expect(await states()).toBe('3 unknown');
    // A single one is under no window.
    expect(await resolve({ deliveryIds: ids.slice(0, 1) })).toMatchObject(sent(1));
    await freeze([{ ...ALWAYS, endpoints: [await store.newEndpoint(tenant)] }]);
    expect(await resolve(ALL)).toMatchObject(sent(2));
  });

  test('above a ceiling of the installation, which no approval helps', async () => {
    const ids = await unknown(3);
    await setPlatformLimits(store.pool, { itemsPerOperation: 2 });
    expect(await resolve(ALL)).toMatchObject(
      refused({ code: 'above_ceiling', beyond: [{ quota: 'itemsPerOperation', limit: 2, would: 3 }] }),
    );
    expect(await states()).toBe('3 unknown');
    expect(await resolve({ deliveryIds: ids.slice(0, 2) })).toMatchObject(sent(2));
  });
});

test('a replay of what was delivered, whose outcome is unknown, is a replay when it is sent again', async () => {
  const [id] = (await store.ingest(tenant, 1)) as [Id<'delivery'>];
  await store.attempt(200, { endpointIds: [endpointId] });
  await store.retry(tenant, { deliveryIds: [id] }, { kind: 'replay' });
  await store.attempt('timeout', { endpointIds: [endpointId] });
  expect(await states()).toBe('1 unknown');
  await policy.set({ approveWhen: ['replayOfDelivered'] });
  expect(await resolve({ deliveryIds: [id] })).toMatchObject(held('replayOfDelivered'));
});

describe('they are sent again', () => {
  test('where the policy lets an operation of them go, also a single one above quotas', async () => {
    const ids = await unknown(3);
    await policy.set({ approveAbove: 3, reasonAbove: 0, quotas: { itemsPerOperation: 0 } });
    expect(await resolve({ deliveryIds: ids.slice(0, 1) })).toMatchObject(sent(1));
    await policy.set({ approveAbove: 2, reasonAbove: 0 });
    expect(await resolve(ALL)).toMatchObject(sent(2));
    expect(await states()).toBe('3 scheduled');
  });

  test('and charged to their day, so that many small calls are no way around a quota', async () => {
    const ids = await unknown(4);
    await policy.set({ quotas: { itemsPerDay: 3 } });
    expect(await resolve({ deliveryIds: ids.slice(0, 2) })).toMatchObject(sent(2));
    expect(await resolve({ deliveryIds: ids.slice(2) })).toMatchObject(held('itemsPerDay'));
    expect(await states()).toContain('2 unknown');
  });

  test('by an act that was begun before the policy held it: a repeat is no second act', async () => {
    await unknown(2);
    const idempotency = { scope: 's', key: 'k', fingerprint: Buffer.from('f'), keep: { ms: 60_000 } };
    expect(await resolve(ALL, { idempotency })).toMatchObject(sent(2));
    await policy.set({ approveAbove: 0 });
    expect(await resolve(ALL, { idempotency })).toMatchObject({ ...sent(2), replayed: true });
  });
});

test('a single one is judged like many', async () => {
  const [id] = (await unknown(1)) as [Id<'delivery'>];
  const again = (reason?: string) =>
    resolveDelivery(store.deps, tenant.id, id, 'retry', { actor: 'test', reason });
  await policy.set({ approveAbove: 0 });
  expect(await again('why')).toMatchObject(held('items'));
  await policy.set({ reasonAbove: 0 });
  expect(await again()).toMatchObject(refused({ code: 'held', missing: ['reason'] }));
  expect(await states()).toBe('1 unknown');
  expect(await again('why')).toMatchObject({ ok: true, state: 'scheduled' });
});

test('the way that is named instead waits: settled as failed, it is retried as one that may have arrived', async () => {
  await unknown(2);
  await policy.set({ approveWhen: ['mayHaveArrived'] });
  expect(await resolve(ALL, { outcome: 'failed' })).toMatchObject(sent(2));
  const { operationId } = await store.retry(tenant, ALL);
  expect(await policy.judged(operationId)).toMatchObject({ state: 'awaiting_approval' });
  expect(await lastHold(store.pool, operationId)).toMatchObject({ because: ['mayHaveArrived'] });
});
