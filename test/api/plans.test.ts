import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { canonicalJson } from '../../src/domain/json/canonical-json.ts';
import type { Id } from '../../src/domain/tenancy/typed-id.ts';
import { planNext } from '../../src/operations/plans/make-plan.ts';
import { uuidIn } from '../support/api/retries.ts';
import { useApi } from '../support/api/use-api.ts';
import {
  type SeededDelivery,
  seedEndpoint,
  seedFailedDeliveries,
} from '../support/engine/failed-deliveries.ts';

const PATH = '/api/v1/retries/plans';

const api = useApi();
let failures: SeededDelivery[];

beforeAll(async () => {
  await seedEndpoint(api);
  failures = await seedFailedDeliveries(api, 5);
});

/** Makes a plan as its workflow would. */
async function made(shownId: string): Promise<void> {
  const id = uuidIn('plan', shownId) as string as Id<'operation'>;
  while (await planNext(api.database.pool, id));
}

async function plan(body: object, path = PATH, key = api.key) {
  const asked = await api.call('POST', path, { key, body });
  expect(asked.status).toBe(201);
  await made(asked.body.id);
  return (await api.call('GET', `${PATH}/${asked.body.id}?wait=5`, { key })).body;
}

const ALL = { select: { filter: {} } };

describe('a plan', () => {
  test('is answered at once and made afterwards; the wait for it is bounded', async () => {
    const asked = await api.call('POST', PATH, { body: { ...ALL, reason: 'why', ticket: 'OPS-1' } });
    expect(asked).toMatchObject({
      status: 201,
      body: {
        id: expect.stringMatching(/^pln_/),
        operationId: expect.stringMatching(/^op_/),
        state: 'planning',
        count: { items: 0, basis: 'atLeast' },
        planHash: null,
        plannedAt: null,
        reason: 'why',
        ticket: 'OPS-1',
      },
    });
    const { id, operationId } = asked.body;
    expect(api.poked.started).toContain(uuidIn('plan', id));
    expect((await api.call('GET', `${PATH}/${id}?wait=1`)).body.state).toBe('planning');
    expect(await api.call('GET', `${PATH}/${id}?wait=11`)).toMatchObject({ status: 400 });
    await made(id);
    const shown = await api.call('GET', `${PATH}/${operationId}`);
    expect(shown.body).toMatchObject({
      id,
      state: 'planned',
      count: { items: 5, basis: 'exact', sends: 5 },
      endpointCount: 1,
      drift: null,
      executedAt: null,
      endedFor: null,
      liveHeadroomPercent: 25,
    });
    const operation = await api.call('GET', `/api/v1/retries/${operationId}`);
    expect(operation.body).toMatchObject({
      state: 'planned',
      counts: { expected: 0 },
      nothingSelected: false,
    });
  });

  test('is listed with its number, like the one that is shown by itself', async () => {
    const { id, operationId } = await plan(ALL);
    const { body: list } = await api.call('GET', '/api/v1/retries?state=planned');
    const listed = list.items.find((each: { id: string }) => each.id === operationId);
    expect(listed).toMatchObject({ counts: { expected: 0 }, plannedItems: 5 });
    const { body: shown } = await api.call('GET', `/api/v1/retries/${operationId}`);
    expect(shown).toMatchObject({ plannedItems: 5, plan: { id, items: 5 } });
    const { body: accepted } = await api.call('POST', '/api/v1/retries', {
      body: { select: { filter: { eventTypes: ['nothing.like.this'] } } },
      headers: { 'idempotency-key': 'without-a-plan' },
    });
    expect(accepted).toMatchObject({ plannedItems: null });
  });

  test('shows what its hash is made of', async () => {
    const { identity, planHash, itemsDigest } = await plan(ALL);
    expect(createHash('sha256').update(canonicalJson(identity)).digest('hex')).toBe(planHash);
    expect(identity).toMatchObject({ v: 1, items: 5, itemsDigest });
  });

  test('shows each endpoint as it was and as it is, to who may read endpoints', async () => {
    const { tenant, key } = await api.newTenant();
    const other = await seedEndpoint(api, key, { headers: { 'x-secret-name': 'hidden' }, timeoutMs: 1_000 });
    await seedFailedDeliveries(api, 2, key);
    await api.call('PATCH', `/api/v1/endpoints/${other}`, {
      key,
      body: { url: 'https://hooks.example/moved', timeoutMs: 2_000, ratePerSecond: 1 },
    });
    const shown = await plan(ALL, PATH, key);
    expect(shown.endpoints).toMatchObject([
      {
        endpointId: other,
        items: 2,
        originalVersions: [1],
        plannedVersion: 2,
        changed: ['url', 'timeoutMs', 'ratePerSecond'],
        was: { url: 'https://hooks.example/in', headerNames: ['x-secret-name'] },
        now: { url: 'https://hooks.example/moved', headerNames: ['x-secret-name'] },
        risks: { addressChanged: 2, filterChanged: 0 },
        timeToFinish: { minSeconds: 1, maxSeconds: 8 },
      },
    ]);
    expect(JSON.stringify(shown)).not.toContain('hidden');
    const reader = await api.newKey(tenant.id, ['read:deliveries']);
    const seen = await api.call('GET', `${PATH}/${shown.id}`, { key: reader });
    expect(seen.body.endpoints).toMatchObject([
      { was: null, now: null, changed: ['url', 'timeoutMs', 'ratePerSecond'] },
    ]);
    expect(JSON.stringify(seen.body)).not.toContain('https://hooks.example');
  });

  test('its deliveries are listed in pages, with what is so now beside what was', async () => {
    const shown = await plan(ALL);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query = new URLSearchParams({ limit: '2', ...(cursor ? { cursor } : {}) });
      const page: { body: { items: { deliveryId: string; risks: string[] }[]; nextCursor: string | null } } =
        await api.call('GET', `${shown.links.items}?${query}`);
      expect(page.body.items.every(({ risks }) => risks.length === 0)).toBe(true);
      seen.push(...page.body.items.map(({ deliveryId }) => deliveryId));
      cursor = page.body.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(failures.map(({ deliveryId }) => deliveryId));
    expect((await api.call('GET', `${shown.links.items}?risk=payloadExpired`)).body.items).toEqual([]);
    expect((await api.call('GET', `${shown.links.items}?risk=nothing`)).status).toBe(400);
  });

  test('under an idempotency key is made once', async () => {
    const send = () => api.call('POST', PATH, { body: ALL, headers: { 'idempotency-key': 'plan-once' } });
    const [first, second] = [await send(), await send()];
    expect(second).toMatchObject({ status: 201, text: first.text });
    expect(second.headers.get('idempotency-replayed')).toBe('true');
  });

  test('of unknown ids is refused, and so is one of another tenant', async () => {
    const { key } = await api.newTenant();
    const { id } = await plan(ALL);
    const [first] = failures;
    expect(
      await api.call('POST', PATH, { key, body: { select: { deliveryIds: [first?.deliveryId] } } }),
    ).toMatchObject({ status: 404, body: { code: 'unknown_ids' } });
    for (const [method, path, body] of [
      ['GET', `${PATH}/${id}`],
      ['GET', `${PATH}/${id}/items`],
      ['POST', `${PATH}/${id}/execute`, { planHash: 'f'.repeat(64) }],
      ['POST', `/api/v1/retries/${id.replace(/^pln/, 'op')}/cancel`],
    ] as const)
      expect(await api.call(method, path, { key, body })).toMatchObject({ status: 404 });
  });

  test('as a dry run of a retry lives for 15 minutes', async () => {
    const shown = await plan({ ...ALL, dryRun: true }, '/api/v1/retries');
    const lives = Date.parse(shown.expiresAt) - Date.parse(shown.plannedAt);
    expect(shown.origin).toBe('dry_run');
    expect(Math.abs(lives - 15 * 60_000)).toBeLessThan(5_000);
  });
});

describe('executing a plan', () => {
  test('asks for its hash and goes on as its operation; a second time answers the same', async () => {
    const shown = await plan(ALL);
    const execute = (planHash: string) =>
      api.call('POST', shown.links.execute, { body: { planHash, maxDriftPercent: 0 } });
    expect(await execute('0'.repeat(64))).toMatchObject({ status: 412, body: { code: 'plan_changed' } });
    const done = await execute(shown.planHash.toUpperCase());
    expect(done).toMatchObject({
      status: 202,
      body: { id: shown.id, state: 'accepted', planHash: shown.planHash, maxDriftPercent: 0 },
    });
    expect(api.poked.nudged).toContain(uuidIn('plan', shown.id));
    expect((await execute(shown.planHash)).text).toBe(done.text);
    const operation = await api.call('GET', shown.links.operation);
    expect(operation.body.controls).toMatchObject([{ did: 'execute', by: done.body.executedBy }]);
    expect(operation.body.plan).toMatchObject({
      id: shown.id,
      items: 5,
      planHash: shown.planHash,
      drift: null,
    });
    const { rows: entered } = await api.database.pool.query(
      'select action, detail from audit_entries where target_id = $1 order by id',
      [uuidIn('plan', shown.id)],
    );
    expect(entered).toMatchObject([
      { action: 'operation.planned', detail: { plan: 'plan', select: 'filter' } },
      { action: 'operation.executed', detail: { planHash: shown.planHash, items: 5, maxDriftPercent: 0 } },
    ]);
  });

  test('beyond the drift that is allowed is refused with what has changed, and the plan stays', async () => {
    const { key } = await api.newTenant();
    await seedEndpoint(api, key);
    const [first] = await seedFailedDeliveries(api, 2, key);
    const shown = await plan(ALL, PATH, key);
    await api.call('POST', '/api/v1/retries', {
      key,
      body: { select: { deliveryIds: [first?.deliveryId] } },
    });
    const refused = await api.call('POST', shown.links.execute, {
      key,
      body: { planHash: shown.planHash, maxDriftPercent: 10 },
    });
    const drift = { gone: { coalesced: 1 }, endpointChanged: [], added: 0 };
    expect(refused).toMatchObject({ status: 409, body: { code: 'drift_too_large', drift } });
    expect((await api.call('GET', shown.links.self, { key })).body).toMatchObject({
      state: 'planned',
      driftTooLarge: drift,
    });
    const [item] = (await api.call('GET', `${shown.links.items}?limit=1`, { key })).body.items;
    expect(item).toMatchObject({
      risks: [],
      risksNow: ['openElsewhere'],
      leftOutFor: 'coalesced',
      openExecutionId: expect.stringMatching(/^exe_/),
      openOperationId: expect.stringMatching(/^op_/),
    });
  });

  test('while it is being made says so', async () => {
    const asked = await api.call('POST', PATH, { body: ALL });
    const early = await api.call('POST', asked.body.links.execute, { body: { planHash: 'a'.repeat(64) } });
    expect(early).toMatchObject({ status: 409, body: { code: 'state_conflict' } });
    expect(early.body.detail).toContain('still being made');
  });

  test('a plan that was cancelled is over', async () => {
    const shown = await plan(ALL);
    const cancelled = await api.call('POST', `${shown.links.operation}/cancel`);
    expect(cancelled).toMatchObject({ status: 200, body: { state: 'closing', control: 'cancel' } });
    const late = await api.call('POST', shown.links.execute, { body: { planHash: shown.planHash } });
    expect(late).toMatchObject({ status: 409, body: { code: 'state_conflict' } });
  });
});

describe('who may only recover by plans', () => {
  const grantKey = async (): Promise<string> => {
    const made = await api.call('POST', '/api/v1/keys', {
      body: { name: 'recovers', grant: 'recovery_operator' },
    });
    expect(made.status).toBe(201);
    return made.body.key;
  };

  test('plans, executes by hash and cancels what is its own, and nothing else', async () => {
    const key = await grantKey();
    const own = await plan(ALL, PATH, key);
    const others = await plan(ALL);
    expect(
      await api.call('POST', '/api/v1/retries', { key, body: { select: { deliveryIds: [] } } }),
    ).toMatchObject({
      status: 403,
    });
    expect(await api.call('POST', `${others.links.operation}/cancel`, { key })).toMatchObject({
      status: 403,
      body: { code: 'insufficient_scope' },
    });
    expect(
      await api.call('POST', own.links.execute, { key, body: { planHash: own.planHash } }),
    ).toMatchObject({ status: 202 });
    expect(await api.call('POST', `${own.links.operation}/cancel`, { key })).toMatchObject({ status: 200 });
  });
});
