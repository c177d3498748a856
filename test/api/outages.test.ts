import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { OUTAGE_RULES } from '../../src/domain/outages/outage-rules.ts';
import { lookAtOutage } from '../../src/operations/outages/look-at-outages.ts';
import { planNext } from '../../src/operations/plans/make-plan.ts';
import { useApi } from '../support/api/use-api.ts';
import { seedEndpoint } from '../support/engine/failed-deliveries.ts';

const api = useApi();
const PATH = '/api/v1/outages';

// biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
type Shown = any;

let endpointId: string;
let outage: Shown;
let missed: string[];

/** An endpoint that missed so many events while it was disabled; the ids of their deliveries. */
async function disabled(events: number, change: object = {}, key = api.key): Promise<[string, string[]]> {
  const type = `t-${randomUUID()}`;
  const id = await seedEndpoint(api, key, { eventTypes: [type], ...change });
  await api.call('POST', `/api/v1/endpoints/${id}/disable`, { key });
  const body = Array.from({ length: events }, (_, n) => ({ type, payload: { n } }));
  const deliveries: string[] = [];
  if (events === 0) return [id, deliveries];
  const accepted = await api.call('POST', '/api/v1/events', { key, body });
  for (const { eventId } of accepted.body) {
    const event = await api.call('GET', `/api/v1/events/${eventId}`, { key });
    deliveries.push(event.body.deliveries[0].id);
  }
  return [id, deliveries];
}

const outagesAt = async (of: string, key = api.key): Promise<Shown[]> =>
  (await api.call('GET', `${PATH}?endpointIds=${of}`, { key })).body.items;
const show = async (of: Shown): Promise<Shown> => (await api.call('GET', of.links.self)).body;

/** Enables an endpoint that has been so for a while; the sweeper looks at its outage. */
async function recovers(of: string): Promise<void> {
  await api.call('POST', `/api/v1/endpoints/${of}/enable`);
  const [found] = await outagesAt(of);
  const id = api.uuid(found.id);
  await api.database.pool.query(
    `update outages set enabled_at = enabled_at - interval '3 seconds' where id = $1`,
    [id],
  );
  await lookAtOutage(api.deps, OUTAGE_RULES, { id, endpointId: api.uuid(of) });
}

beforeAll(async () => {
  [endpointId, missed] = await disabled(3);
  [outage] = await outagesAt(endpointId);
});

describe('an outage is shown', () => {
  test('with its endpoint, cause and window, and what the endpoint missed while it was disabled', async () => {
    expect(outage).toMatchObject({
      id: expect.stringMatching(/^out_/),
      endpointId,
      cause: 'disabled',
      state: 'open',
      window: { to: null },
      openings: 1,
      recoveredAt: null,
      onRecovered: null,
      endedAt: null,
      endedFor: null,
    });
    expect(await show(outage)).toMatchObject({
      ...outage,
      deliveries: {
        count: 3,
        basis: 'exact',
        byState: { pending: 0, delivered: 0, failed: 0, unknown: 0, cancelled: 0, ignored: 3 },
        byFault: {},
      },
      missedWhileDisabled: 3,
      operations: [],
    });
  });

  test('in a list by endpoint and by state, newest first, page by page', async () => {
    const [other] = await disabled(0, { handle: 'second' });
    const [second] = await outagesAt('second');
    expect(second.endpointId).toBe(other);
    const page = await api.call('GET', `${PATH}?limit=1`);
    expect(page.body.items).toEqual([second]);
    const next = await api.call('GET', `${PATH}?limit=1&cursor=${page.body.nextCursor}`);
    expect(next.body).toEqual({ items: [outage], nextCursor: null });
    expect((await api.call('GET', `${PATH}?state=recovered&state=closed`)).body.items).toEqual([]);
    expect(
      (await api.call('GET', `${PATH}?state=open&endpointIds=${other}&endpointIds=${endpointId}`)).body.items,
    ).toHaveLength(2);
    const elsewhere = await api.call('GET', `${PATH}?state=open&cursor=${page.body.nextCursor}`);
    expect(elsewhere).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } });
    expect(await api.call('GET', `${PATH}?endpointIds=nobody`)).toMatchObject({
      status: 404,
      body: { code: 'unknown_ids' },
    });
  });

  test('to its tenant only', async () => {
    const { key } = await api.newTenant();
    expect(await api.call('GET', outage.links.self, { key })).toMatchObject({ status: 404 });
    expect(await api.call('POST', outage.links.dismiss, { key })).toMatchObject({ status: 404 });
    expect((await api.call('GET', PATH, { key })).body.items).toEqual([]);
    expect(await outagesAt(endpointId, key)).toEqual([]);
    for (const path of ['/api/v1/retries', '/api/v1/retries/plans'])
      expect(
        await api.call('POST', path, {
          key,
          body: { select: { outage: outage.id } },
          headers: { 'idempotency-key': randomUUID() },
        }),
      ).toMatchObject({
        status: 404,
        body: { code: 'unknown_ids', errors: [{ pointer: '#/select/outage' }] },
      });
  });

  test('to who may read deliveries, and dismissed by who may write them', async () => {
    const reader = await api.newKey(api.tenant.id, ['read:deliveries']);
    expect(await api.call('GET', outage.links.self, { key: reader })).toMatchObject({ status: 200 });
    expect(await api.call('POST', outage.links.dismiss, { key: reader })).toMatchObject({ status: 403 });
    const other = await api.newKey(api.tenant.id, ['read:endpoints']);
    expect(await api.call('GET', PATH, { key: other })).toMatchObject({ status: 403 });
  });
});

describe('a retry selects by an outage', () => {
  const post = (body: object, idempotencyKey?: string) =>
    api.call('POST', '/api/v1/retries', {
      body,
      ...(idempotencyKey ? { headers: { 'idempotency-key': idempotencyKey } } : {}),
    });

  test('and needs a key, for a repeat could select something else', async () => {
    const answer = await post({ select: { outage: outage.id } });
    expect(answer).toMatchObject({ status: 400, body: { code: 'idempotency_key_required' } });
    const both = await post({ select: { outage: outage.id, filter: {} } }, randomUUID());
    expect(both).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  test('which stands for its endpoint and absolute times from then on', async () => {
    const before = Date.now();
    const { body } = await post({ select: { outage: outage.id } }, randomUUID());
    const { filter } = body.select;
    expect(body.select).toEqual({
      outage: outage.id,
      filter: {
        endpointIds: [endpointId],
        state: ['failed', 'unknown', 'ignored'],
        ignoredFor: ['endpoint_disabled'],
        from: new Date(Date.parse(outage.window.from) - 86_400_000).toISOString(),
        to: filter.to,
        caughtBetween: { from: outage.window.from, to: filter.to },
      },
    });
    expect(Date.parse(filter.to)).toBeGreaterThanOrEqual(before - 1_000);
    expect((await show(outage)).operations).toMatchObject([
      { operationId: body.id, planId: null, kind: 'retry', state: 'accepted', madeByRecovery: false },
    ]);
    const entered = await api.database.pool.query(
      `select detail ->> 'select' as by from audit_entries where target_id = $1`,
      [api.uuid(body.id)],
    );
    expect(entered.rows).toEqual([{ by: 'outage' }]);
    await api.call('POST', `/api/v1/retries/${body.id}/cancel`);
  });

  test('and a plan shows exactly what the endpoint missed', async () => {
    const { body } = await api.call('POST', '/api/v1/retries/plans', {
      body: { select: { outage: outage.id } },
    });
    while (await planNext(api.database.pool, api.uuid(body.operationId)));
    const items = await api.call('GET', body.links.items);
    expect(items.body.items.map((item: Shown) => item.deliveryId).sort()).toEqual([...missed].sort());
    const { body: plan } = await api.call('GET', body.links.self);
    expect(plan).toMatchObject({ count: { items: 3 }, risks: { endpointDisabled: 3 } });
    expect(plan.identity.selection).toMatchObject({
      outage: api.uuid(outage.id),
      filter: { to: plan.select.filter.to && expect.anything() },
    });
  });
});

describe('an endpoint that is enabled', () => {
  test('has what it missed proposed, which the outage names', async () => {
    const [id] = await disabled(2);
    await recovers(id);
    const [found] = await outagesAt(id);
    expect(found).toMatchObject({
      state: 'recovered',
      onRecovered: 'propose',
      window: { to: found.recoveredAt },
    });
    const { operations } = await show(found);
    expect(operations).toMatchObject([
      { state: 'planned', madeByRecovery: true, planId: expect.stringMatching(/^pln_/) },
    ]);
    expect(api.poked.started).toContain(api.uuid(operations[0].operationId));
    const { body: plan } = await api.call('GET', `/api/v1/retries/plans/${operations[0].planId}`);
    expect(plan).toMatchObject({
      select: { outage: found.id },
      options: { canary: { count: 25 }, ramp: { startPerSecond: 10 } },
      requestedBy: 'redrive',
      reason: `recovery from ${found.id}`,
    });
  });

  test('has nothing proposed where it asked for that', async () => {
    const [id] = await disabled(2, { onRecovered: 'none' });
    await recovers(id);
    const [found] = await outagesAt(id);
    expect(found).toMatchObject({ state: 'recovered', onRecovered: 'none' });
    expect(await show(found)).toMatchObject({ operations: [], missedWhileDisabled: 2 });
  });

  test('shows what it asks for in each version of it', async () => {
    const { body } = await api.call('GET', `/api/v1/endpoints/${endpointId}`);
    expect(body).toMatchObject({ onRecovered: 'propose', version: 1 });
    const changed = await api.call('PATCH', `/api/v1/endpoints/${endpointId}`, {
      body: { onRecovered: 'run' },
    });
    expect(changed.body).toMatchObject({ onRecovered: 'run', version: 2 });
    const kept = await api.call('PATCH', `/api/v1/endpoints/${endpointId}`, { body: { timeoutMs: 900 } });
    expect(kept.body).toMatchObject({ onRecovered: 'run', version: 3 });
  });
});

describe('an outage is dismissed', () => {
  test('once, with a reason that the audit keeps by its digest; its plan is cancelled', async () => {
    const [id] = await disabled(1);
    await recovers(id);
    const [found] = await outagesAt(id);
    const dismiss = (body?: object) => api.call('POST', found.links.dismiss, body ? { body } : {});
    const first = await dismiss({ reason: 'they have it' });
    expect(first).toMatchObject({
      status: 200,
      body: { state: 'dismissed', endedFor: 'dismissed', operations: [{ state: 'closing' }] },
    });
    expect((await dismiss()).body).toEqual(first.body);
    const { rows } = await api.database.pool.query(
      'select action, words, detail from audit_entries where target_id = $1',
      [api.uuid(found.id)],
    );
    expect(rows).toMatchObject([
      {
        action: 'outage.dismissed',
        words: { reason: 'they have it' },
        detail: { cause: 'disabled', state: 'recovered' },
      },
    ]);
  });

  test('and not where it was closed', async () => {
    const [id] = await disabled(0);
    await recovers(id);
    await recovers(id);
    const [found] = await outagesAt(id);
    expect(found).toMatchObject({ state: 'closed', endedFor: 'nothing_left' });
    expect(await api.call('POST', found.links.dismiss)).toMatchObject({
      status: 409,
      body: { code: 'state_conflict', detail: 'The outage is `closed`: nothing follows from it.' },
    });
  });
});
