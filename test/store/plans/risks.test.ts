import { randomUUID } from 'node:crypto';
import { beforeEach, expect, test } from '@jest/globals';
import type { EndpointConfig } from '../../../src/domain/endpoints/endpoint.ts';
import { PLAN_RISKS, type PlanRisk, risksIn } from '../../../src/domain/operations/plan-risks.ts';
import type { Selection } from '../../../src/domain/operations/selection.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { listPlanItems } from '../../../src/store/plans/plan-items.ts';
import { setEndpointState } from '../../../src/store/tenancy/endpoints.ts';
import { goodLine } from '../../support/imports/awkward-lines.ts';
import { lines, openTestImport } from '../../support/imports/take.ts';
import { type Plans, plansOf } from '../../support/store/plans.ts';
import { changeEndpoint, ENDPOINT, type Ending, type TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

/** For each risk, deliveries that have it and ones that nearly do. */

const store = useStore();
let tenant: TestTenant;
let plans: Plans;

const EVERY: Selection = {
  filter: { state: ['failed', 'pending', 'unknown', 'delivered', 'cancelled', 'ignored'] },
};
const ONCE = { retry: { maxAttempts: 1, initialMs: 0, factor: 1, capMs: 0 } };

beforeEach(async () => {
  tenant = await store.newTenant();
  plans = plansOf(store, tenant);
});

/** A delivery at an endpoint of its own, after an attempt that ended so. */
async function delivery(
  ending: Ending | 'never tried',
  config: Partial<EndpointConfig> = {},
): Promise<{ id: Id<'delivery'>; endpointId: Id<'endpoint'> }> {
  const type = `t.${randomUUID()}`;
  const endpointId = await store.newEndpoint(tenant, { ...ONCE, ...config, eventTypes: [type] });
  const [id] = await store.ingest(tenant, 1, { type });
  if (!id) throw new Error('no delivery');
  if (ending !== 'never tried') await store.attempt(ending, { endpointIds: [endpointId] });
  return { id, endpointId };
}

/** Which deliveries of a plan over everything have a risk; the plan counts as many, and lists exactly those. */
async function having(
  risk: PlanRisk,
  request: Parameters<Plans['make']>[1] = { kind: 'replay' },
): Promise<Id<'delivery'>[]> {
  const plan = await plans.make(EVERY, request);
  const ids = (await plans.ids(plan))
    .filter(({ risks }) => risksIn(risks).includes(risk))
    .map(({ id }) => id);
  expect({ risk, counted: plan.risks[risk] }).toEqual({ risk, counted: ids.length });
  const operation = await loadOperation(store.pool, plan.operationId);
  if (!operation) throw new Error('no operation');
  const { items: listed } = await listPlanItems(store.pool, operation, plan, { risks: [risk], limit: 100 });
  expect(listed.map(({ deliveryId }) => deliveryId)).toEqual(ids);
  // Nothing has changed since: what is so now is what was.
  if (risk !== 'payloadExpiresBeforeItsTurn')
    expect(listed.map(({ planned, now }) => [planned, now])).toEqual(
      listed.map(({ planned }) => [planned, planned]),
    );
  return ids;
}

const of = (...deliveries: { id: Id<'delivery'> }[]) => deliveries.map(({ id }) => id);

test('mayHaveArrived: it failed and nobody answered; not where nothing left, nor where its outcome is known or waited for', async () => {
  const lost = await delivery('timeout');
  await delivery('refused');
  await delivery(404);
  await delivery('timeout', { onAmbiguous: 'hold' });
  const { endpointId } = await delivery('timeout', { retry: { ...ONCE.retry, maxAttempts: 2 } });
  await store.timePasses();
  await store.attempt(200, { endpointIds: [endpointId] });
  expect(await having('mayHaveArrived')).toEqual(of(lost));
});

test('unknown: nobody knows yet; not where it is to be tried again', async () => {
  const held = await delivery('timeout', { onAmbiguous: 'hold' });
  await delivery('timeout', { retry: { ...ONCE.retry, maxAttempts: 2 } });
  await delivery('timeout');
  expect(await having('unknown')).toEqual(of(held));
});

test('openElsewhere and heldByPaused: by whether somebody sends it by himself; not where that was cancelled', async () => {
  const retried = async () => {
    const failed = await delivery(404);
    const { operationId } = await store.retry(tenant, { deliveryIds: [failed.id] });
    return { ...failed, operationId };
  };
  const control = (operationId: Id<'operation'>, command: 'pause' | 'cancel') =>
    controlOperation(store.deps, tenant.id, operationId, { do: command });
  const live = await delivery('never tried');
  const later = await delivery(500, { retry: { ...ONCE.retry, maxAttempts: 2 } });
  const running = await retried();
  const paused = await retried();
  await control(paused.operationId, 'pause');
  const cancelled = await retried();
  await control(cancelled.operationId, 'cancel');
  await delivery(404);
  expect(await having('openElsewhere')).toEqual(of(live, later, running));
  expect(await having('heldByPaused')).toEqual(of(paused));
});

test('alreadyDelivered: any execution of it was; not where it failed', async () => {
  const done = await delivery(200);
  await delivery(404);
  expect(await having('alreadyDelivered')).toEqual(of(done));
  const retry = await plans.make(EVERY);
  expect(retry).toMatchObject({ items: 2, sends: 1, risks: { alreadyDelivered: 1 } });
});

test('endpointDisabled and endpointDeleted: each its own; not one that is enabled again', async () => {
  const [disabled, deleted, again] = [await delivery(404), await delivery(404), await delivery(404)];
  await setEndpointState(store.pool, tenant.id, disabled.endpointId, 'disabled');
  await setEndpointState(store.pool, tenant.id, deleted.endpointId, 'deleted');
  await setEndpointState(store.pool, tenant.id, again.endpointId, 'disabled');
  await setEndpointState(store.pool, tenant.id, again.endpointId, 'enabled');
  expect(await having('endpointDisabled')).toEqual(of(disabled));
  expect(await having('endpointDeleted')).toEqual(of(deleted));
});

test('circuitOpen: its circuit is open or tried; not where its endpoint asked for patience', async () => {
  const [open, floored] = [await delivery(404), await delivery(404)];
  await store.rows('update endpoint_pacing set openings = 1 where endpoint_id = $1', [open.endpointId]);
  await store.rows(
    `update endpoint_pacing set floor_until = now() + interval '1 hour' where endpoint_id = $1`,
    [floored.endpointId],
  );
  expect(await having('circuitOpen')).toEqual(of(open));
});

test('payloadExpired: it is gone; not where only an older one of its tenant is', async () => {
  const [gone] = [await delivery(404), await delivery(404)];
  await store.rows('delete from payloads p using deliveries d where p.event_id = d.event_id and d.id = $1', [
    gone?.id,
  ]);
  expect(await having('payloadExpired')).toEqual(of(gone));
});

test('payloadExpiresBeforeItsTurn: by its term, the pin of the plan and the rate; not without a term', async () => {
  const [first, second] = [await delivery(404), await delivery(404)];
  const accepted = (ago: string) =>
    store.rows(
      `update deliveries set accepted_at = now() - $2::interval + (id = $3)::int * interval '1 second' where id = any($1)`,
      [of(first, second), ago, second.id],
    );
  const slowly = { kind: 'replay', options: { ratePerSecond: 0.01 } } as const;
  await accepted('7 days 23:57:30');
  expect(await having('payloadExpiresBeforeItsTurn', slowly)).toEqual([]);
  await store.rows(`update tenants set settings = '{"payloadRetentionDays": 1}' where id = $1`, [tenant.id]);
  // 150 seconds are left, and the second is sent after 200.
  expect(await having('payloadExpiresBeforeItsTurn', slowly)).toEqual(of(second));
  expect(
    await having('payloadExpiresBeforeItsTurn', { kind: 'replay', options: { ratePerSecond: 100 } }),
  ).toEqual([]);
  expect(await having('payloadExpiresBeforeItsTurn', { ...slowly, plan: 'dry_run' })).toEqual(
    of(first, second),
  );
});

test('addressChanged, filterChanged: by the version that it was first sent with; not for other members, nor what was never sent', async () => {
  const deliveries = {
    moved: await delivery(404),
    choosy: await delivery(404),
    patient: await delivery(404),
    unsent: await delivery('never tried'),
  };
  const types = async ({ endpointId }: { endpointId: Id<'endpoint'> }): Promise<string[]> =>
    (await store.rows('select event_types from endpoint_versions where endpoint_id = $1', [endpointId]))[0]
      .event_types;
  const change = async (one: { endpointId: Id<'endpoint'> }, config: Partial<EndpointConfig>) =>
    changeEndpoint(store.pool, tenant, one.endpointId, 2, {
      ...ENDPOINT,
      ...ONCE,
      eventTypes: await types(one),
      ...config,
    });
  const url = 'http://127.0.0.1:9/moved';
  await change(deliveries.moved, { url });
  await change(deliveries.choosy, { filter: { n: { $gt: 1 } } });
  await change(deliveries.patient, { timeoutMs: 2_000 });
  await change(deliveries.unsent, { url, eventTypes: ['others'] });
  expect(await having('addressChanged')).toEqual(of(deliveries.moved));
  expect(await having('filterChanged')).toEqual(of(deliveries.choosy));
});

test('secretRotated: since it was last sent; not before, nor where it was never sent', async () => {
  const deliveries = [await delivery(404), await delivery(404), await delivery('never tried')] as const;
  for (const [n, { endpointId }] of deliveries.entries())
    await store.rows(
      `insert into endpoint_secrets (endpoint_id, sealed, created_at) values ($1, '', now() + $2 * interval '1 hour')`,
      [endpointId, n === 1 ? -1 : 1],
    );
  expect(await having('secretRotated')).toEqual(of(deliveries[0]));
});

test('secretRotated: another system sent it last; not where Redrive has sent it since', async () => {
  const endpointId = await store.newEndpoint(tenant, ONCE);
  const it = await openTestImport(store, tenant, endpointId);
  const attempts = [{ at: '2026-11-03T02:00:00Z', status: 404 }];
  await it.send(lines([{ ...goodLine('ndjson', 1), attempts }, goodLine('ndjson', 2)]));
  const rows = await store.rows('select id from deliveries where endpoint_id = $1 order by id', [endpointId]);
  expect(await having('secretRotated')).toEqual(rows.map(({ id }) => id));
  const [first, second] = rows;
  await store.retry(tenant, { deliveryIds: [first.id] });
  await store.attempt(404, { endpointIds: [endpointId] });
  expect(await having('secretRotated')).toEqual([second.id]);
});

test('orderBlocked: one of its key before it is in the way; not of another key, nor where failures are passed', async () => {
  const blocked: Id<'delivery'>[] = [];
  for (const onExhausted of ['block', 'skip'] as const) {
    const type = `t.${randomUUID()}`;
    const endpointId = await store.newEndpoint(tenant, {
      ...ONCE,
      ordered: true,
      onExhausted,
      eventTypes: [type],
    });
    const ordered = (key: string) => store.ingest(tenant, 1, { type, key });
    await ordered('a');
    await store.attempt(404, { endpointIds: [endpointId] });
    const [behind] = await ordered('a');
    await ordered('b');
    if (onExhausted === 'block' && behind) blocked.push(behind);
  }
  expect(await having('orderBlocked')).toEqual(blocked);
});

test('the digest of the risks is part of the identity', async () => {
  const { endpointId } = await delivery(404);
  const before = await plans.make(EVERY);
  await setEndpointState(store.pool, tenant.id, endpointId, 'disabled');
  const after = await plans.make(EVERY);
  expect(after.planned?.itemsDigest).toBe(before.planned?.itemsDigest);
  expect(after.planned?.risksDigest).not.toBe(before.planned?.risksDigest);
  expect(PLAN_RISKS).toHaveLength(14);
});
