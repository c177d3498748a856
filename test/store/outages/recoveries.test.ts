import { beforeEach, describe, expect, test } from '@jest/globals';
import type { EndpointConfig } from '../../../src/domain/endpoints/endpoint.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { controlOperation } from '../../../src/operations/control-operation.ts';
import { dismissOutage } from '../../../src/operations/outages/dismiss-outage.ts';
import { disableEndpoint, enableEndpoint } from '../../../src/operations/switch-endpoint.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { LIVE_LANE } from '../../../src/store/db/queryable.ts';
import { loadOperation } from '../../../src/store/operations/operations.ts';
import { newestMadePlan, operationsOfOutage } from '../../../src/store/outages/outage-operations.ts';
import { putOffBlocked } from '../../../src/store/sending/ordering.ts';
import { ignoreAtClosedEndpoints } from '../../../src/store/settling/settlement.ts';
import { closeOperation } from '../../support/store/close-operation.ts';
import { outagesOf } from '../../support/store/outages.ts';
import { plansOf } from '../../support/store/plans.ts';
import type { Ending, TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore({ checked: true, connections: 6 });
const outages = outagesOf(store);

let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

async function newEndpoint(config: Partial<EndpointConfig> = {}) {
  endpointId = await store.newEndpoint(tenant, {
    retry: { maxAttempts: 1, initialMs: 0, factor: 1, capMs: 0 },
    ...config,
  });
}

beforeEach(async () => {
  tenant = await store.newTenant();
  await newEndpoint();
});

/** Lets what is due end so, and tells it as the recorder does. */
async function attempt(ending: Ending, count = 100) {
  const recorded = await store.attempt(ending, { endpointIds: [endpointId], count });
  if (recorded.length > 0)
    await outages.tell(
      endpointId,
      recorded.map(() => ending === 200),
    );
  return recorded.length;
}

/** An outage in which so many events came and failed. */
async function failing(count: number): Promise<Id<'outage'>> {
  await outages.tell(endpointId, [false]);
  const id = await outages.opened(endpointId);
  await store.ingest(tenant, count);
  expect(await attempt(503)).toBe(count);
  return id;
}

/** Lets an endpoint do well for a minute, by an event of its own. */
async function doesWell(id: Id<'outage'>): Promise<void> {
  await store.ingest(tenant, 1);
  await attempt(200);
  await outages.ages(id, '1 minute');
}

const planOf = async (id: Id<'outage'>) => {
  const operationId = await outages.planned(id);
  if (!operationId) throw new Error('nothing was planned');
  return plansOf(store, tenant).show(operationId);
};
const made = (id: Id<'outage'>) => operationsOfOutage(store.pool, id, 50);
const idsOf = async (state: string) =>
  (
    await store.rows('select id from deliveries where endpoint_id = $1 and state = $2 order by id', [
      endpointId,
      state,
    ])
  ).map((row) => row.id);

/** Executes, sends and closes the plan of an outage. */
async function execute(id: Id<'outage'>, ending: Ending): Promise<void> {
  const plan = await planOf(id);
  const plans = plansOf(store, tenant);
  await plans.execute(plan);
  await plans.freeze(plan);
  for (;;) {
    const claim = await store.claim({ workedBy: plan.operationId, endpointIds: [endpointId] });
    if (claim.items.length === 0) break;
    await store.record(claim, ending);
  }
  await closeOperation(store.pool, plan.operationId);
}

describe('an endpoint that is back', () => {
  test('after a minute of good answers has a plan of exactly what its window left, with a canary and a ramp', async () => {
    await store.ingest(tenant, 3);
    await attempt(404);
    const before = await idsOf('failed');
    const id = await failing(30);
    await store.ingest(tenant, 1);
    await attempt(200);
    expect(await outages.look(id)).toMatchObject({ state: 'recovered' });
    const plan = await planOf(id);
    const planned = (await plansOf(store, tenant).ids(plan)).map((each) => each.id);
    expect(planned.sort()).toEqual((await idsOf('failed')).filter((each) => !before.includes(each)));
    expect(plan).toMatchObject({ items: 30, sends: 30 });
    const operation = await loadOperation(store.pool, plan.operationId);
    expect(operation).toMatchObject({
      state: 'planned',
      requestedBy: 'redrive',
      options: { canary: { count: 25, maxFailurePercent: 10 }, ramp: { startPerSecond: 10 } },
      selection: { outage: id, filter: { endpointIds: [endpointId] } },
    });
    expect(await made(id)).toEqual([
      { operationId: plan.operationId, kind: 'retry', state: 'planned', isPlan: true, made: true },
    ]);
  });

  test('is not back before that, where something is due that would show it', async () => {
    const id = await failing(3);
    await store.ingest(tenant, 2);
    await attempt(200, 1);
    expect(await outages.look(id)).toMatchObject({ state: 'open' });
    await outages.ages(id, '59 seconds');
    expect(await outages.look(id)).toMatchObject({ state: 'open' });
    await outages.ages(id, '1 second');
    expect(await outages.look(id)).toMatchObject({ state: 'recovered' });
  });

  test('has nothing planned where it asked for that, and its outage is closed when all has come', async () => {
    await newEndpoint({ onRecovered: 'none' });
    const id = await failing(2);
    await doesWell(id);
    expect(await outages.look(id)).toMatchObject({ state: 'recovered', onRecovered: 'none' });
    expect(await made(id)).toEqual([]);
    expect(await outages.look(id)).toMatchObject({ state: 'recovered' });
    const { operationId } = await store.retry(tenant, { deliveryIds: await idsOf('failed') });
    await store.attempt(200, { endpointIds: [endpointId] });
    await closeOperation(store.pool, operationId);
    expect(await outages.look(id)).toMatchObject({ state: 'closed', endedFor: 'nothing_left' });
  });

  test('has its plan executed once it is made where that is asked for, and once only', async () => {
    await newEndpoint({ onRecovered: 'run' });
    const id = await failing(4);
    await doesWell(id);
    await outages.look(id);
    await outages.look(id);
    const plan = await planOf(id);
    expect(plan.executed).toBeUndefined();
    await Promise.all([outages.look(id), outages.look(id)]);
    const executed = await plansOf(store, tenant).show(plan.operationId);
    expect(executed.executed).toMatchObject({ by: 'redrive' });
    expect(
      await store.rows(`select did, actor from operation_controls where operation_id = $1`, [
        plan.operationId,
      ]),
    ).toEqual([{ did: 'execute', actor: 'redrive' }]);
    const acts = await store.rows(
      'select action, actor from audit_entries where target_id = $1 order by id',
      [plan.operationId],
    );
    expect(acts).toEqual([
      { action: 'operation.planned', actor: 'redrive' },
      { action: 'operation.executed', actor: 'redrive' },
    ]);
  });

  test('after more than three days has its plan proposed only', async () => {
    await newEndpoint({ onRecovered: 'run' });
    const id = await failing(4);
    await outages.ages(id, '73 hours');
    await doesWell(id);
    await outages.look(id);
    await planOf(id);
    await outages.look(id);
    expect((await planOf(id)).executed).toBeUndefined();
  });

  test('keeps what it missed while it was disabled, which is planned when it is enabled', async () => {
    await store.ingest(tenant, 2);
    await disableEndpoint(store.deps, tenant.id, endpointId);
    const [{ id }] = await store.rows('select id from outages where endpoint_id = $1', [endpointId]);
    // Two were queued when it was disabled, three came then.
    await withTransaction(store.pool, (tx) => ignoreAtClosedEndpoints(tx, LIVE_LANE, [endpointId], 100));
    await store.ingest(tenant, 3);
    await outages.ages(id, '1 hour');
    expect(await outages.look(id)).toMatchObject({ state: 'open' });
    await enableEndpoint(store.deps, tenant.id, endpointId);
    expect(await outages.look(id)).toMatchObject({ state: 'open' });
    await outages.ages(id, '2 seconds');
    expect(await outages.look(id)).toMatchObject({ state: 'recovered' });
    expect(await planOf(id)).toMatchObject({ items: 5, sends: 5 });
    await execute(id, 200);
    expect(await outages.look(id)).toMatchObject({ state: 'closed' });
  });
});

describe('what automatic retries still hold', () => {
  const RETRYING = { retry: { maxAttempts: 2, initialMs: 3_600_000, factor: 1, capMs: 3_600_000 } };

  test('is not taken over, and is planned once more with the rest where it ends with failures', async () => {
    await newEndpoint(RETRYING);
    const id = await failing(3);
    await outages.tell(endpointId, [true]);
    expect(await outages.look(id)).toMatchObject({ state: 'recovered' });
    expect(await made(id)).toEqual([]);
    await outages.look(id);
    await store.timePasses();
    await attempt(404, 2);
    await outages.look(id);
    expect(await made(id)).toEqual([]);
    await attempt(200);
    await outages.look(id);
    expect(await planOf(id)).toMatchObject({ items: 2, sends: 2 });
    // Once only, whatever becomes of it.
    await execute(id, 404);
    await outages.look(id);
    expect(await made(id)).toHaveLength(1);
    expect(await outages.show(id)).toMatchObject({ state: 'recovered' });
  });

  test('renews a plan that nobody has executed', async () => {
    await newEndpoint(RETRYING);
    const id = await failing(2);
    await store.timePasses();
    await attempt(404, 1);
    await outages.tell(endpointId, [true]);
    await store.rows(
      "update executions set due_at = now() + interval '1 hour' where endpoint_id = $1 and open",
      [endpointId],
    );
    await outages.look(id);
    const first = await planOf(id);
    expect(first).toMatchObject({ items: 1 });
    await store.timePasses();
    await attempt(404);
    await outages.look(id);
    const renewed = await planOf(id);
    expect(renewed).toMatchObject({ items: 2 });
    expect(await made(id)).toMatchObject([
      { operationId: renewed.operationId, state: 'planned' },
      { operationId: first.operationId, state: 'closing' },
    ]);
  });
});

test('what is left when its plan has ended is planned once more, and no further', async () => {
  const id = await failing(5);
  await doesWell(id);
  await outages.look(id);
  await execute(id, 503);
  await outages.look(id);
  expect(await made(id)).toHaveLength(2);
  await execute(id, 503);
  await outages.look(id);
  await outages.look(id);
  expect(await made(id)).toHaveLength(2);
});

test('an endpoint that comes and goes has one outage, and its plan is made anew', async () => {
  const id = await failing(2);
  await doesWell(id);
  await outages.look(id);
  const first = await planOf(id);
  expect(await failing(3)).toBe(id);
  await doesWell(id);
  await outages.look(id);
  expect(await planOf(id)).toMatchObject({ items: 5 });
  expect(await loadOperation(store.pool, first.operationId)).toMatchObject({ control: 'cancel' });
  expect(await store.rows('select openings from outages where endpoint_id = $1', [endpointId])).toEqual([
    { openings: 2 },
  ]);
});

describe('where nothing is due', () => {
  test('one delivery of the window is sent as a trial, which shows that the endpoint is back', async () => {
    const id = await failing(4);
    expect(await outages.look(id)).toMatchObject({ state: 'open' });
    await outages.ages(id, '1 minute');
    await outages.look(id);
    await outages.look(id);
    // The oldest of it, alone, and by the live lane.
    const claim = await store.claim({ endpointIds: [endpointId] });
    const [oldest] = await idsOf('failed');
    expect(claim.items.map(({ deliveryId }) => deliveryId)).toEqual([oldest]);
    await store.record(claim, 503);
    await outages.tell(endpointId, [false]);
    await outages.ages(id, '1 minute');
    await outages.look(id);
    expect((await store.claim({ endpointIds: [endpointId] })).items).toEqual([]);
    await outages.ages(id, '1 minute');
    await outages.look(id);
    expect(await attempt(200)).toBe(1);
    expect(await outages.look(id)).toMatchObject({ state: 'recovered' });
    expect(await planOf(id)).toMatchObject({ items: 3, sends: 3 });
  });

  test('what waits for its order behind a failure keeps no trial back', async () => {
    await newEndpoint({ ordered: true });
    const id = await outages.opened(endpointId);
    await store.ingest(tenant, 2, { key: 'k' });
    await attempt(404, 1);
    await withTransaction(store.pool, (tx) => putOffBlocked(tx, LIVE_LANE, [endpointId]));
    await outages.ages(id, '1 minute');
    await outages.look(id);
    const [first] = await idsOf('failed');
    const queued = await store.rows(
      `select delivery_id from executions where endpoint_id = $1 and open and put_off_from is null`,
      [endpointId],
    );
    expect(queued).toEqual([{ delivery_id: first }]);
  });

  test('nothing is tried of an endpoint that asked for nothing, nor against its Retry-After', async () => {
    await newEndpoint({ onRecovered: 'none' });
    const quiet = await failing(1);
    await outages.ages(quiet, '1 hour');
    await outages.look(quiet);
    expect((await store.claim({ endpointIds: [endpointId] })).items).toEqual([]);

    await newEndpoint();
    const id = await failing(1);
    await outages.ages(id, '1 hour');
    await store.rows(
      `update endpoint_pacing set floor_until = now() + interval '1 hour' where endpoint_id = $1`,
      [endpointId],
    );
    await outages.look(id);
    expect(await idsOf('failed')).toHaveLength(1);
    expect(await store.rows('select from executions where endpoint_id = $1 and open', [endpointId])).toEqual(
      [],
    );
  });

  test('and nothing is left, the outage is closed: nothing could show whether the endpoint is back', async () => {
    const id = await outages.opened(endpointId);
    await outages.ages(id, '1 minute');
    expect(await outages.look(id)).toMatchObject({ state: 'closed', endedFor: 'nothing_left' });
  });
});

describe('an outage ends', () => {
  test('with the payloads of its tenant', async () => {
    await store.rows(`update tenants set settings = '{"payloadRetentionDays": 3}' where id = $1`, [
      tenant.id,
    ]);
    const id = await failing(1);
    await doesWell(id);
    await outages.look(id);
    const days = async (n: number) => {
      await outages.ages(id, `${n} days`);
      await store.rows(
        'update deliveries set accepted_at = accepted_at - $2::interval where endpoint_id = $1',
        [endpointId, `${n} days`],
      );
    };
    await days(2);
    expect(await outages.look(id)).toMatchObject({ state: 'recovered' });
    await days(1);
    expect(await outages.look(id)).toMatchObject({ state: 'closed', endedFor: 'retention' });
    expect(await made(id)).toMatchObject([{ state: 'closing' }]);
  });

  test('not while an operation that was paused holds something of it', async () => {
    await newEndpoint({ retry: { maxAttempts: 2, initialMs: 3_600_000, factor: 1, capMs: 3_600_000 } });
    const id = await failing(1);
    const held = await store.retry(
      tenant,
      { filter: { state: ['pending'], endpointIds: [endpointId] } },
      { options: { takeOverScheduled: true } },
    );
    await store.select(held.operationId);
    await controlOperation(store.deps, tenant.id, held.operationId, { do: 'pause' });
    await outages.tell(endpointId, [true]);
    expect(await outages.look(id)).toMatchObject({ state: 'recovered' });
    expect(await outages.look(id)).toMatchObject({ state: 'recovered' });
    await controlOperation(store.deps, tenant.id, held.operationId, { do: 'resume' });
    await store.attempt(200, { workedBy: held.operationId, endpointIds: [endpointId] });
    expect(await outages.look(id)).toMatchObject({ state: 'closed' });
  });

  test('where it is dismissed, with the plan that nobody has executed; a plan of a human stays', async () => {
    const id = await failing(1);
    await doesWell(id);
    await outages.look(id);
    const asked = await plansOf(store, tenant).ask({ outage: id, filter: {} });
    await dismissOutage(store.deps, tenant.id, id, { actor: 'test' });
    expect(await made(id)).toMatchObject([
      { operationId: asked, state: 'planned', made: false },
      { state: 'closing', made: true },
    ]);
    expect(await outages.look(id)).toMatchObject({ state: 'dismissed', endedFor: 'dismissed' });
  });

  test('not by what became of a plan that somebody cancelled', async () => {
    const id = await failing(1);
    await doesWell(id);
    await outages.look(id);
    const plan = await newestMadePlan(store.pool, id);
    if (plan) await controlOperation(store.deps, tenant.id, plan.operationId, { do: 'cancel' });
    await outages.look(id);
    expect(await outages.show(id)).toMatchObject({ state: 'recovered' });
    expect(await made(id)).toHaveLength(1);
  });
});
