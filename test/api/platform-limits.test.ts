import { randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Id } from '../../src/domain/tenancy/typed-id.ts';
import { planNext } from '../../src/operations/plans/make-plan.ts';
import { uuidIn } from '../support/api/retries.ts';
import { useApi } from '../support/api/use-api.ts';
import {
  type SeededDelivery,
  seedEndpoint,
  seedFailedDeliveries,
} from '../support/engine/failed-deliveries.ts';
import { BASE as JACK_HENRY } from '../support/surfaces/jack-henry.ts';

const PATH = '/api/v1/platform/limits';
const NONE = { itemsPerOperation: null, itemsPerDay: null, openOperations: null, ratePerSecond: null };

const api = useApi();
let failures: SeededDelivery[];
const first = (count: number) => failures.slice(0, count).map(({ deliveryId }) => deliveryId);

beforeAll(async () => {
  await seedEndpoint(api);
  failures = await seedFailedDeliveries(api, 12);
});
beforeEach(async () => {
  await api.call('PUT', PATH, { key: api.adminKey, body: {} });
  await api.database.pool.query('delete from quota_charges');
  await api.database.pool.query('update quota_days set items = 0');
});

async function set(body: object) {
  const answer = await api.call('PUT', PATH, { key: api.adminKey, body });
  expect(answer).toMatchObject({ status: 200, body: { ...NONE, ...body } });
}

const once = () => ({ 'idempotency-key': randomUUID() });
const retry = (select: object, options: object = {}) =>
  api.call('POST', '/api/v1/retries', { body: { select, options }, headers: once() });

async function written(): Promise<number> {
  const { rows } = await api.database.pool.query(
    `select (select count(*) from operations) + (select count(*) from executions) + (select count(*) from audit_entries) as n`,
  );
  return Number(rows[0].n);
}

describe('the ceilings of the installation', () => {
  test('are set as a whole by its keys alone', async () => {
    await set({ itemsPerOperation: 5, ratePerSecond: 2.5 });
    expect((await api.call('GET', PATH, { key: api.adminKey })).body).toEqual({
      ...NONE,
      digest: expect.any(String),
      itemsPerOperation: 5,
      ratePerSecond: 2.5,
    });
    await set({ openOperations: 3 });
    for (const method of ['GET', 'PUT'] as const)
      expect((await api.call(method, PATH, method === 'PUT' ? { body: {} } : {})).status).toBe(403);
    expect(
      await api.call('PUT', PATH, { key: api.adminKey, body: { itemsPerDay: 0, size: 1 } }),
    ).toMatchObject({
      status: 400,
      body: { errors: expect.arrayContaining([expect.objectContaining({ pointer: '#/itemsPerDay' })]) },
    });
  });

  test('refuse a list that is longer, name themselves, and write nothing', async () => {
    await set({ itemsPerOperation: 2 });
    const before = await written();
    const refused = await retry({ deliveryIds: first(3) });
    expect(refused).toMatchObject({ status: 403, body: { code: 'quota_exceeded' } });
    expect(refused.body.detail).toContain('`itemsPerOperation`: at most 2 ');
    expect(refused.body.detail).toContain('there would be 3');
    expect(await written()).toBe(before);
    expect((await retry({ deliveryIds: first(2) })).status).toBe(202);
  });

  test('count the lists of a day together, and single retries not', async () => {
    await set({ itemsPerDay: 3 });
    const [one, two, ...others] = failures.slice(6).map(({ deliveryId }) => deliveryId);
    expect((await retry({ deliveryIds: [one, two] })).status).toBe(202);
    expect(await retry({ deliveryIds: others.slice(0, 2) })).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining('`itemsPerDay`') },
    });
    for (const deliveryId of others.slice(0, 2))
      expect((await retry({ deliveryIds: [deliveryId] })).status).toBe(202);
  });

  test('refuse a rate that is higher, and one that is not named', async () => {
    await set({ ratePerSecond: 10 });
    const accepted = await retry({ filter: {} }, { ratePerSecond: 10 });
    expect(accepted.status).toBe(202);
    expect(await retry({ filter: {} }, { ratePerSecond: 11 })).toMatchObject({ status: 403 });
    const pace = (ratePerSecond: number | null) =>
      api.call('POST', `/api/v1/retries/${accepted.body.id}/rate`, { body: { ratePerSecond } });
    for (const faster of [11, null])
      expect(await pace(faster)).toMatchObject({ status: 403, body: { code: 'quota_exceeded' } });
    expect(await pace(9)).toMatchObject({ status: 200 });
    expect(await retry({ filter: {} })).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining('names no rate') },
    });
  });

  test('are looked at when a plan is executed, and not when it is made', async () => {
    await set({ itemsPerOperation: 2 });
    const plans = '/api/v1/retries/plans';
    const asked = await api.call('POST', plans, { body: { select: { filter: {} } } });
    expect(asked.status).toBe(201);
    const id = uuidIn('plan', asked.body.id) as string as Id<'operation'>;
    while (await planNext(api.database.pool, id));
    const { planHash } = (await api.call('GET', `${plans}/${asked.body.id}`)).body;
    const execute = () => api.call('POST', `${plans}/${asked.body.id}/execute`, { body: { planHash } });
    expect(await execute()).toMatchObject({ status: 403, body: { code: 'quota_exceeded' } });
    expect((await api.call('GET', `${plans}/${asked.body.id}`)).body).toMatchObject({ state: 'planned' });
    await set({ itemsPerOperation: 12 });
    expect((await execute()).status).toBe(202);
  });

  test('are told by the other surfaces as what they forbid', async () => {
    await set({ ratePerSecond: 10 });
    const { tenant, key } = api;
    const tenantId = uuidIn(
      'tenant',
      (await api.call('GET', `/api/v1/tenants/${tenant.handle}`, { key: api.adminKey })).body.id,
    );
    const two = failures.slice(0, 2);
    const refused = [
      await api.call('POST', `/v1/tenants/${tenant.handle}/retry/batch`, {
        body: { delivery_ids: first(2) },
      }),
      await api.call('POST', '/executions/retry', {
        headers: { authorization: key },
        body: { condition: { executionIds: two.map(({ executionId }) => api.uuid(executionId)) } },
      }),
      await api.call('POST', `${JACK_HENRY}/${tenantId}/retries/events`, {
        body: {},
      }),
    ];
    expect(refused.map(({ status }) => status)).toEqual([429, 403, 403]);
    // The third has no words for what it forbids.
    for (const { text } of refused.slice(0, 2)) expect(text).toContain('ratePerSecond');
  });
});
