import { beforeEach, describe, expect, test } from '@jest/globals';
import { OUTAGE_RULES } from '../../../src/domain/outages/outage-rules.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { dismissOutage } from '../../../src/operations/outages/dismiss-outage.ts';
import { deleteEndpoint, disableEndpoint, enableEndpoint } from '../../../src/operations/switch-endpoint.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { openOutage, recoverOutage } from '../../../src/store/outages/outage-states.ts';
import { tellAttempts } from '../../../src/store/outages/told-attempts.ts';
import { outagesOf } from '../../support/store/outages.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';

const store = useStore({ connections: 12 });
const outages = outagesOf(store);

let tenant: TestTenant;
let endpointId: Id<'endpoint'>;

beforeEach(async () => {
  tenant = await store.newTenant();
  endpointId = await store.newEndpoint(tenant);
});

const MISSED_20 = Array.from({ length: 20 }, () => false);
const MINUTE_MS = 60_000;

const all = () =>
  store.rows('select id, cause, state, openings from outages where endpoint_id = $1 order by id', [
    endpointId,
  ]);
const pace = async () =>
  (
    await store.rows('select missed, missed_from, outage_id from endpoint_pacing where endpoint_id = $1', [
      endpointId,
    ])
  )[0];
const recover = (id: Id<'outage'>) =>
  withTransaction(store.pool, (tx) => recoverOutage(tx, id, { hadOpen: false }));

describe('attempts in a row that are not delivered', () => {
  test('are an outage from the 20th on, where the first is a minute ago, which is where its window begins', async () => {
    expect(await outages.tell(endpointId, MISSED_20.slice(0, 19), MINUTE_MS)).toEqual([]);
    const { missed_from: from } = await pace();
    const opened = await outages.tell(endpointId, [false]);
    expect(opened).toMatchObject([{ tenantId: tenant.id, endpointId, cause: 'not_delivered', now: 'open' }]);
    const outage = await outages.show(opened[0]?.outageId as Id<'outage'>);
    expect(outage.window.from).toEqual(from);
    expect(await pace()).toMatchObject({ missed: 20, outage_id: outage.id });
    expect(await outages.tell(endpointId, MISSED_20)).toEqual([]);
    expect(await all()).toHaveLength(1);
  });

  test('are none where they are many within less time, or one of them was delivered', async () => {
    expect(await outages.tell(endpointId, MISSED_20)).toEqual([]);
    expect(await outages.tell(endpointId, [...MISSED_20, true, ...MISSED_20.slice(1)], MINUTE_MS)).toEqual(
      [],
    );
    expect(await pace()).toMatchObject({ missed: 19, outage_id: null });
    await outages.tell(endpointId, [true]);
    expect(await pace()).toMatchObject({ missed: 0, missed_from: null });
  });

  test('grow older while their telling waits, so that the window begins no later than they did', async () => {
    const [{ at }] = (await store.rows('select clock_timestamp() as at')) as [{ at: Date }];
    const missed = { delivered: 0, missed: 1, trailing: 1, trailingForMs: 5 };
    const aMinuteAgoMs = performance.now() - MINUTE_MS;
    await withTransaction(store.pool, (tx) =>
      tellAttempts(tx, new Map([[endpointId, missed]]), OUTAGE_RULES, aMinuteAgoMs),
    );
    const { missed_from: from } = await pace();
    expect(from.getTime()).toBeLessThan(at.getTime() - MINUTE_MS / 2);
  });

  test('are counted over all senders', async () => {
    const senders = Array.from({ length: 10 }, () => outages.tell(endpointId, [false, false], MINUTE_MS));
    const opened = (await Promise.all(senders)).flat();
    expect(opened).toHaveLength(1);
    expect(await pace()).toMatchObject({ missed: 20 });
  });
});

test('however many find an endpoint down at one moment, it has one outage', async () => {
  const rules = OUTAGE_RULES;
  const openings = Array.from({ length: 8 }, (_, n) =>
    withTransaction(store.pool, (tx) =>
      openOutage(tx, endpointId, n % 2 === 0 ? 'circuit_open' : 'gone', rules),
    ),
  );
  expect((await Promise.all(openings)).filter((change) => change !== undefined)).toHaveLength(1);
  expect(await all()).toHaveLength(1);
});

describe('an endpoint that fails again', () => {
  test('soon after it was back has the same outage, whose window goes on', async () => {
    const id = await outages.opened(endpointId);
    const { window } = await outages.show(id);
    await recover(id);
    expect(await pace()).toMatchObject({ outage_id: null });
    await disableEndpoint(store.deps, tenant.id, endpointId);
    expect(await all()).toEqual([{ id, cause: 'circuit_open', state: 'open', openings: 2 }]);
    expect((await outages.show(id)).window.from).toEqual(window.from);
    expect(await pace()).toMatchObject({ outage_id: id });
  });

  test('a day after it was back has another one', async () => {
    const id = await outages.opened(endpointId);
    await recover(id);
    await outages.ages(id, '25 hours');
    const other = await outages.opened(endpointId);
    expect(await all()).toMatchObject([
      { id, state: 'recovered' },
      { id: other, state: 'open' },
    ]);
  });
});

describe('an endpoint that is disabled', () => {
  test('has an outage from then on, and no second one where it is disabled again', async () => {
    await disableEndpoint(store.deps, tenant.id, endpointId);
    await disableEndpoint(store.deps, tenant.id, endpointId);
    const [{ id, ...outage }, ...others] = await all();
    expect([outage, others]).toEqual([{ cause: 'disabled', state: 'open', openings: 1 }, []]);
    const [{ disabled_at: disabledAt }] = await store.rows(
      'select disabled_at from endpoints where id = $1',
      [endpointId],
    );
    expect((await outages.show(id)).window.from).toEqual(disabledAt);
  });

  test('keeps the outage that it had, which must do well again from the start', async () => {
    const id = await outages.opened(endpointId);
    await outages.tell(endpointId, [true]);
    await disableEndpoint(store.deps, tenant.id, endpointId);
    const [row] = await store.rows('select good_from, enabled_at, cause from outages where id = $1', [id]);
    expect(row).toEqual({ good_from: null, enabled_at: null, cause: 'circuit_open' });
    await enableEndpoint(store.deps, tenant.id, endpointId);
    const [enabled] = await store.rows(
      'select enabled_at is not null as enabled from outages where id = $1',
      [id],
    );
    expect(enabled).toEqual({ enabled: true });
    // It was not back after all.
    await outages.tell(endpointId, [false]);
    expect(await store.rows('select enabled_at from outages where id = $1', [id])).toEqual([
      { enabled_at: null },
    ]);
  });

  test('and deleted is the end of its outage', async () => {
    await disableEndpoint(store.deps, tenant.id, endpointId);
    await deleteEndpoint(store.deps, tenant.id, endpointId, ['disabled']);
    const [{ id }] = await all();
    expect(await outages.look(id)).toMatchObject({ state: 'closed', endedFor: 'endpoint_deleted' });
    expect(await pace()).toMatchObject({ outage_id: null });
  });
});

describe('a dismissed outage', () => {
  test('is followed by none while what led to it goes on, and by another one when it begins again', async () => {
    await outages.tell(endpointId, MISSED_20, MINUTE_MS);
    const [{ id }] = await all();
    expect(await dismissOutage(store.deps, tenant.id, id, { actor: 'test' })).toMatchObject({ ok: true });
    expect(await outages.tell(endpointId, MISSED_20)).toEqual([]);
    await expect(outages.opened(endpointId)).rejects.toThrow('no outage was opened');
    await outages.tell(endpointId, [true]);
    await outages.tell(endpointId, [false]);
    await outages.opened(endpointId);
    expect(await all()).toMatchObject([{ id, state: 'dismissed' }, { state: 'open' }]);
  });

  test('of an endpoint that is disabled stays the last one until it is disabled anew', async () => {
    await disableEndpoint(store.deps, tenant.id, endpointId);
    const [{ id }] = await all();
    await dismissOutage(store.deps, tenant.id, id, { actor: 'test' });
    await disableEndpoint(store.deps, tenant.id, endpointId);
    expect(await all()).toHaveLength(1);
    await enableEndpoint(store.deps, tenant.id, endpointId);
    await disableEndpoint(store.deps, tenant.id, endpointId);
    expect(await all()).toHaveLength(2);
  });
});

test('an endpoint that does well has its spell counted while its outage is open, and loses it by a tenth of misses', async () => {
  const id = await outages.opened(endpointId);
  const spell = async () => (await store.rows('select good, bad from outages where id = $1', [id]))[0];
  await outages.tell(endpointId, [false, false]);
  expect(await spell()).toEqual({ good: 0, bad: 0 });
  await outages.tell(
    endpointId,
    Array.from({ length: 15 }, () => true),
  );
  await outages.tell(endpointId, [false, true]);
  expect(await spell()).toEqual({ good: 16, bad: 1 });
  await outages.tell(endpointId, [false]);
  expect(await spell()).toEqual({ good: 0, bad: 0 });
});

test('attempts at several endpoints are told by any number of senders without a deadlock', async () => {
  const others = await Promise.all(Array.from({ length: 4 }, () => store.newEndpoint(tenant)));
  const ids = [endpointId, ...others];
  const missed = { delivered: 0, missed: 1, trailing: 1, trailingForMs: MINUTE_MS };
  const told = (order: Id<'endpoint'>[]) =>
    withTransaction(
      store.pool,
      (tx) => tellAttempts(tx, new Map(order.map((id) => [id, missed])), OUTAGE_RULES),
      { maxAttempts: 1 },
    );
  const rounds = Array.from({ length: 24 }, (_, n) => told(n % 2 === 0 ? ids : [...ids].reverse()));
  const opened = (await Promise.all(rounds)).flat();
  expect(new Set(opened.map((change) => change.endpointId)).size).toBe(5);
  expect(opened).toHaveLength(5);
});
