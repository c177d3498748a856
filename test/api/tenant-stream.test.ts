import { get, type IncomingMessage } from 'node:http';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { ChangeTeller } from '../../src/worker/change-teller.ts';
import { useApi } from '../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../support/engine/failed-deliveries.ts';
import { eventually } from '../support/eventually.ts';
import { closeOperation } from '../support/store/close-operation.ts';

const api = useApi({
  streamLimits: { exportsOfTenant: 4, eventsOfCredential: 3, eventsOfTenant: 50, checkEveryMs: 50 },
});
let stranger: string;
const open: IncomingMessage[] = [];

beforeAll(async () => {
  await seedEndpoint(api);
  stranger = (await api.newTenant()).key;
});
afterEach(() => {
  for (const response of open.splice(0)) response.destroy();
});

interface Told {
  event: string;
  id: string;
  data: {
    asOf: string;
    operations: { id: string; state: string; counts: { expected: number } }[];
    outages: { id: string; state: string }[];
  };
}

/** Follows a tenant; what was told so far, as it comes. */
function follow(
  key = api.key,
  headers: Record<string, string> = {},
): Promise<{ status: number; told: Told[] }> {
  return new Promise((resolve, reject) => {
    get(
      `${api.url}/api/v1/stream`,
      { agent: false, headers: { authorization: `Bearer ${key}`, ...headers } },
      (response) => {
        open.push(response);
        response.on('error', () => {});
        const told: Told[] = [];
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
          const blocks = text.split('\n\n');
          text = blocks.pop() ?? '';
          for (const block of blocks.filter((each) => each.startsWith('event:')))
            told.push({
              event: /^event: (.*)$/m.exec(block)?.[1] ?? '',
              id: /^id: (.*)$/m.exec(block)?.[1] ?? '',
              data: JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? '{}'),
            });
        });
        resolve({ status: response.statusCode ?? 0, told });
      },
    ).on('error', reject);
  });
}

async function startRetry(key = api.key): Promise<string> {
  const [seeded] = key === api.key ? await seedFailedDeliveries(api, 1) : [];
  const select = { deliveryIds: seeded ? [seeded.deliveryId] : [] };
  return (await api.call('POST', '/api/v1/retries', { key, body: { select } })).body.id;
}

/** A worker's look, which tells of what has moved. */
const teller = { of: undefined as ChangeTeller | undefined };
const look = () => {
  teller.of ??= new ChangeTeller(api.database.pool);
  return teller.of.look();
};

const latest = (told: Told[], id: string) =>
  told.flatMap(({ data }) => data.operations.filter((each) => each.id === id)).at(-1);

describe('GET /stream', () => {
  test('begins with everything and goes on with what has moved, each of one moment', async () => {
    const id = await startRetry();
    const { told } = await follow();
    await eventually('it has begun', () => told.length === 1);
    expect(told[0]).toMatchObject({ event: 'snapshot', id: expect.stringMatching(/^.{16}$/) });
    expect(latest(told, id)).toMatchObject({ state: expect.stringMatching(/accepted|running/) });
    await api.call('POST', `/api/v1/retries/${id}/pause`);
    await look();
    await eventually('the pause is told', () => latest(told, id)?.state === 'paused');
    const news = told.slice(1);
    expect(news.every(({ event }) => event === 'changes')).toBe(true);
    expect(news.flatMap(({ data }) => data.operations).every((each) => each.id === id)).toBe(true);
    const other = await startRetry();
    await look();
    await eventually('what is new is told', () => latest(told, other) !== undefined);
    expect(new Set(told.map((each) => each.id)).size).toBe(told.length);
  });

  test('tells the end of an operation, also of one that is older than those that are listed', async () => {
    const { body } = await api.call('POST', '/api/v1/retries', { body: { select: { deliveryIds: [] } } });
    const id = body.id as string;
    const { told } = await follow();
    await eventually('it has begun', () => told.length === 1);
    await api.database.pool.query(
      `insert into operations (tenant_id, kind, workflow_id, interactive, target, selection, options, state, watermark, closed_at, report)
       select tenant_id, kind, 'later/' || n, interactive, target, selection, options, 'completed', watermark, now(), '{}'
       from operations, generate_series(1, 60) n where id = $1`,
      [api.uuid(id)],
    );
    await api.database.pool.query(
      `insert into operation_counts (operation_id) select id from operations where workflow_id like 'later/%'`,
    );
    await closeOperation(api.database.pool, api.uuid(id));
    await look();
    await eventually('the end is told', () => /completed/.test(latest(told, id)?.state ?? ''));
  });

  test('goes on where it was cut, and begins with everything where something has moved meanwhile', async () => {
    const id = await startRetry();
    const first = await follow();
    await eventually('it has begun', () => first.told.length === 1);
    const lastSeen = first.told[0]?.id ?? '';
    const same = await follow(api.key, { 'last-event-id': lastSeen });
    const gap = await follow(api.key, { 'last-event-id': 'long-ago' });
    await eventually('all of it is there', () => gap.told.length === 1);
    expect(gap.told[0]?.event).toBe('snapshot');
    await api.call('POST', `/api/v1/retries/${id}/pause`);
    await look();
    await eventually('what is new is there', () => latest(same.told, id)?.state === 'paused');
    expect(same.told[0]?.event).toBe('changes');
  });

  test('shows nothing of another tenant, and is told nothing of it', async () => {
    const { told } = await follow(stranger);
    await eventually('it has begun', () => told.length === 1);
    await startRetry();
    await look();
    const own = await startRetry(stranger);
    await look();
    await eventually('its own is told', () => latest(told, own) !== undefined);
    expect(told.flatMap(({ data }) => data.operations.map((each) => each.id))).toEqual(
      expect.arrayContaining([own]),
    );
    expect(new Set(told.flatMap(({ data }) => data.operations.map((each) => each.id)))).toEqual(
      new Set([own]),
    );
  });

  test('tells of outages, and of their end', async () => {
    const { told } = await follow();
    await eventually('it has begun', () => told.length === 1);
    const id = await seedEndpoint(api, api.key, { eventTypes: ['never'] });
    await api.call('POST', `/api/v1/endpoints/${id}/disable`);
    await look();
    const states = () => told.flatMap(({ data }) => data.outages.map(({ state }) => state));
    await eventually('it is told', () => states().at(-1) === 'open');
    const outage = told.flatMap(({ data }) => data.outages).at(-1)?.id ?? '';
    await api.call('POST', `/api/v1/outages/${outage}/dismiss`);
    await look();
    await eventually('its end is told', () => states().at(-1) === 'dismissed');
    expect((await api.call('GET', `/api/v1/search?q=${outage}`)).body.items).toMatchObject([
      { kind: 'outage', id: outage, link: `/api/v1/outages/${outage}` },
    ]);
  });

  test('tells of what waits for approval, and of each word about it', async () => {
    const asAdmin = { key: api.adminKey, headers: { 'redrive-tenant': api.tenant.handle } };
    const { body: approver } = await api.call('POST', '/api/v1/keys', {
      key: api.adminKey,
      body: {
        ...{ tenantId: api.tenant.id, name: 'approver', actor: 'bob' },
        scopes: ['read:deliveries', 'approve:retries'],
      },
    });
    await api.call('PUT', '/api/v1/policy', {
      ...asAdmin,
      body: { approveAbove: 0, approvers: { count: 2 } },
    });
    const id = await startRetry();
    const { told } = await follow();
    await eventually('it has begun', () => told.length === 1);
    await look();
    await eventually('it waits', () => latest(told, id)?.state === 'awaiting_approval');
    const before = told.length;
    const { body } = await api.call('GET', `/api/v1/retries/${id}`);
    const { status } = await api.call('POST', `/api/v1/retries/${id}/approve`, {
      key: approver.key,
      body: { planHash: body.approval.planHash },
    });
    expect(status).toBe(200);
    await look();
    await eventually('the first of two approvals is told', () => told.length > before);
    expect(latest(told.slice(before), id)?.state).toBe('awaiting_approval');
    await api.call('POST', `/api/v1/retries/${id}/cancel`);
    await look();
    await eventually('its end is told', () => /closing|cancelled/.test(latest(told, id)?.state ?? ''));
    await api.call('PUT', '/api/v1/policy', { ...asAdmin, body: {} });
  });

  test('has so many places for a credential, and ends with it', async () => {
    const key = await api.newKey(api.tenant.id, ['read:deliveries']);
    const begun = await Promise.all([follow(key), follow(key), follow(key)]);
    expect(begun.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await follow(key)).status).toBe(429);
    const ended = Promise.all(
      open.slice(0, 3).map((response) => new Promise((resolve) => response.once('end', resolve))),
    );
    await api.database.pool.query(
      `update api_keys set revoked_at = now() where id = (select id from api_keys order by id desc limit 1)`,
    );
    await ended;
    expect((await follow(key)).status).toBe(401);
  });
});
