import { describe, expect, test } from '@jest/globals';
import { retriesOf, uuidIn } from '../../support/api/retries.ts';
import { createScene, type Scene } from '../../support/engine/recovery-scene.ts';
import { useEngine } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import {
  type Behaviour,
  closeSilently,
  held,
  ok,
  slow,
  status,
} from '../../support/receivers/receiver-behaviour.ts';
import {
  BASE,
  faultsOf,
  type JackHenry,
  jackHenryAt,
  PRINTED,
  PRINTED_BODIES,
} from '../../support/surfaces/jack-henry.ts';
import { closedAfterEach } from '../../support/use.ts';

const engine = useEngine({ checked: true });
const own = closedAfterEach();

/** An institution with a subscription for each behaviour; what they answer can be changed. */
type Institution = Scene & {
  id: string;
  subscriptions: string[];
  api: JackHenry;
  /** Accepts events; their ids. */
  publish(events: Record<string, unknown>[]): Promise<string[]>;
  /** One more subscription; its id. */
  subscribe(config?: Record<string, unknown>, receiver?: number): Promise<string>;
  change(subscription: number, change: Record<string, unknown>): Promise<void>;
  /** The retry, once it has ended. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
  ended(retryId: string): Promise<any>;
  /** Waits until nothing of the institution is open. */
  settled(): Promise<void>;
  retriesPath: string;
};

async function institution(
  behaviours: Behaviour[],
  endpoint: Record<string, unknown> = {},
): Promise<Institution> {
  const scene = own(await createScene(engine, behaviours, endpoint));
  const id = uuidIn('tenant', scene.tenant.id);
  const { key } = scene.tenant;
  const subscriptions = scene.endpoints.map((each) => uuidIn('endpoint', each.id));
  return {
    ...scene,
    id,
    subscriptions,
    retriesPath: `/${id}/retries`,
    api: jackHenryAt(engine.service.url ?? '', key),
    async publish(events) {
      const body = events.map((event) => ({ type: 'account.opened', payload: { n: 1 }, ...event }));
      const answer = await engine.client.expect(202, 'POST', '/api/v1/events', { key, body });
      return answer.body.map((each: { eventId: string }) => uuidIn('event', each.eventId));
    },
    async subscribe(config = {}, receiver = 0) {
      const made = await engine.client.newEndpoint(key, {
        url: scene.receivers[receiver]?.url('/new'),
        retry: { maxAttempts: 1 },
        ...config,
      });
      return uuidIn('endpoint', made.id);
    },
    async change(subscription, change) {
      const path = `/api/v1/endpoints/${subscriptions[subscription]}`;
      await engine.client.expect(200, 'PATCH', path, { key, body: change });
    },
    ended: (retryId) => scene.retries.ended(retryId),
    settled: () =>
      eventually('nothing is open', async () => {
        const { rows } = await engine.database.pool.query(
          'select from executions where tenant_id = $1 and open',
          [id],
        );
        return rows.length === 0;
      }),
  };
}

/** The deliveries that a receiver got, by path, as `webhook-id`s. */
function got(of: Institution, receiver = 0, path?: string) {
  return (of.receivers[receiver]?.requests ?? [])
    .filter((request) => path === undefined || request.path === path)
    .map(({ id }) => id);
}

async function reasonsOf(of: Institution, retryId: string): Promise<(string | null)[]> {
  return (await of.retries.items(retryId)).map(({ reason }) => reason);
}

describe('every request that is printed', () => {
  test.each(PRINTED_BODIES)('$name, gets the answer that is printed there', async ({ path, body }) => {
    const it = await institution([ok]);
    const [eventId] = await it.publish([{}]);
    await it.settled();
    const filled = path
      .replace(BASE, '')
      .replace('{institutionId}', it.id)
      .replace('{subscriptionId}', it.subscriptions[0] ?? '')
      .replace('{eventId}', eventId ?? '');
    const key = path.includes('{institutionId}') ? it.tenant.key : engine.adminKey;
    const answer = await it.api.call(filled, { key, body });
    const accepted = path.endsWith('{subscriptionId}');
    expect(answer.status).toBe(accepted ? 202 : 200);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.text).toBe(
      `{"status":"${accepted ? 'accepted' : 'success'}","retryId":"${answer.body.retryId}"}`,
    );
  });

  test('and the bodies that are printed for answers are as their schemas say', () => {
    for (const { content = {} } of Object.values(PRINTED.components.responses ?? {}))
      for (const { schema, example, examples = {} } of Object.values(content))
        for (const value of [example, ...Object.values(examples).map((each) => each.value)])
          if (value !== undefined) expect(faultsOf(schema, value)).toBeUndefined();
  });
});

describe('Retry Single Subscription Event', () => {
  const path = (it: Institution, eventId: string | undefined, subscription = 0) =>
    `${it.retriesPath}/subscriptions/${it.subscriptions[subscription]}/events/${eventId}`;

  test('Retries a single event for a specific subscription', async () => {
    const it = await institution([status(404), status(404)]);
    const [eventId] = await it.publish([{}, {}]);
    await it.settled();
    for (const receiver of it.receivers) receiver.switchTo(ok);
    const ended = await it.ended(await it.api.retry(path(it, eventId)));
    expect(ended).toMatchObject({ state: 'completed', counts: { expected: 1, delivered: 1 } });
    const [deliveryId] = await it.ids(`event_id = '${eventId}' and endpoint_id = '${it.subscriptions[0]}'`);
    expect(it.receivers.map(({ requests }) => requests.length)).toEqual([3, 2]);
    expect(got(it).at(-1)).toBe((await it.retries.items(ended.id))[0].deliveryId);
    expect(uuidIn('delivery', got(it).at(-1) ?? '')).toBe(deliveryId);
    expect(it.receivers[0]?.countOf(got(it).at(-1) ?? '')).toBe(2);
  });

  test('The event is republished: one that has succeeded, too', async () => {
    const it = await institution([ok]);
    const [eventId] = await it.publish([{}]);
    await it.settled();
    await it.ended(await it.api.retry(path(it, eventId), {}));
    expect(new Set(got(it)).size).toBe(1);
    expect(got(it)).toHaveLength(2);
  });

  test('The event is republished with refreshed subscription configuration', async () => {
    const it = await institution([status(404), ok]);
    const [eventId] = await it.publish([{}]);
    await it.settled();
    await it.change(0, { url: it.receivers[1]?.url('/moved'), headers: { 'x-new': 'yes' } });
    const before = got(it, 1).length;
    await it.ended(await it.api.retry(path(it, eventId), { bypassSubscriptionFilter: false }));
    expect(got(it)).toHaveLength(1);
    expect(got(it, 1)).toHaveLength(before + 1);
    expect(it.receivers[1]?.requests.at(-1)).toMatchObject({ path: '/moved', headers: { 'x-new': 'yes' } });
  });

  test('An event that no longer matches the current filter becomes ignored, with the reason', async () => {
    const it = await institution([status(404)]);
    const [eventId] = await it.publish([{}]);
    await it.settled();
    await it.change(0, { filter: { n: 2 } });
    const ended = await it.ended(await it.api.retry(path(it, eventId)));
    expect(ended.counts).toMatchObject({ expected: 1, ignored: 1 });
    expect(await reasonsOf(it, ended.id)).toEqual(['no_longer_matches']);
    expect(got(it)).toHaveLength(1);
  });

  test('bypassSubscriptionFilter: When true, forces the event to be replayed regardless of subscription filters', async () => {
    const it = await institution([ok]);
    const [eventId] = await it.publish([{}]);
    await it.settled();
    await it.change(0, { eventTypes: ['another'], filter: { n: 2 } });
    const ended = await it.ended(await it.api.retry(path(it, eventId), { bypassSubscriptionFilter: true }));
    expect(ended.counts).toMatchObject({ expected: 1, delivered: 1 });
    expect(got(it)).toHaveLength(2);
  });

  test('an event that the subscription never had is sent where it matches now, or where the filter is bypassed', async () => {
    const it = await institution([ok], { filter: { n: 2 } });
    const [eventId] = await it.publish([{}]);
    const none = await it.ended(await it.api.retry(path(it, eventId)));
    expect(none.counts).toMatchObject({ expected: 0 });
    expect(await it.ids()).toEqual([]);
    const forced = await it.ended(await it.api.retry(path(it, eventId), { bypassSubscriptionFilter: true }));
    expect(forced.counts).toMatchObject({ expected: 1, delivered: 1 });
    const [other] = await it.publish([{}]);
    await it.change(0, { filter: null });
    const matches = await it.ended(await it.api.retry(path(it, other)));
    expect(matches.counts).toMatchObject({ expected: 1, delivered: 1 });
    expect(new Set(got(it)).size).toBe(2);
  });

  test('takes over a scheduled delivery, sends it now, and starts its backoff again', async () => {
    const it = await institution([status(500)], {
      retry: { maxAttempts: 5, initialMs: 600_000, capMs: 600_000 },
    });
    const [eventId] = await it.publish([{}]);
    await eventually('it is scheduled', async () => {
      const { rows } = await engine.database.pool.query(
        `select from executions where tenant_id = $1 and state = 'scheduled'`,
        [it.id],
      );
      return rows.length === 1;
    });
    it.receivers[0]?.switchTo(ok);
    expect((await it.ended(await it.api.retry(path(it, eventId)))).counts).toMatchObject({ delivered: 1 });
    const sent = (name: string) => it.receivers[0]?.requests.map(({ headers }) => headers[name]);
    expect(sent('redrive-attempt')).toEqual(['1', '2']);
    expect(sent('redrive-execution-attempt')).toEqual(['1', '1']);
  });

  test('never sends a delivery that may have arrived and nobody has settled: it is excluded, with the reason', async () => {
    const it = await institution([closeSilently], { onAmbiguous: 'hold' });
    const [eventId] = await it.publish([{}]);
    await eventually(
      'nobody knows whether it arrived',
      async () => (await it.ids(`state = 'unknown'`)).length === 1,
    );
    it.receivers[0]?.switchTo(ok);
    for (const [where, body] of [
      [path(it, eventId), { bypassSubscriptionFilter: true }],
      [`${it.retriesPath}/subscriptions/${it.subscriptions[0]}`, { eventId: [eventId] }],
      [`${it.retriesPath}/events/${eventId}`, {}],
      [`${it.retriesPath}/events/${eventId}`, { replayMatchedSubscriptions: true }],
      [`${it.retriesPath}/events`, { replayMatchedSubscriptions: true }],
      [`${it.retriesPath}/events`, {}],
    ] as const) {
      const ended = await it.ended(await it.api.retry(where, body));
      expect(ended.counts).toMatchObject({ expected: 1, excluded: 1 });
      expect(await reasonsOf(it, ended.id)).toEqual(['outcome_unknown']);
    }
    expect(got(it)).toHaveLength(1);
  });

  test('asked for many times at once never sends one delivery twice at the same time', async () => {
    const it = await institution([slow(100)]);
    const [eventId] = await it.publish([{}]);
    const retries = await Promise.all(Array.from({ length: 8 }, () => it.api.retry(path(it, eventId))));
    for (const retryId of retries) expect((await it.ended(retryId)).counts.expected).toBe(1);
    await it.settled();
    expect(new Set(got(it)).size).toBe(1);
    expect(it.receivers[0]?.maxOverlap).toBe(1);
  });

  test('to a disabled subscription sends nothing, and says so', async () => {
    const it = await institution([ok, ok]);
    const [eventId] = await it.publish([{}]);
    await it.settled();
    const { key } = it.tenant;
    await engine.client.expect(200, 'POST', `/api/v1/endpoints/${it.subscriptions[0]}/disable`, { key });
    const ended = await it.ended(await it.api.retry(path(it, eventId)));
    expect(ended.counts).toMatchObject({ expected: 1, excluded: 1 });
    expect(await reasonsOf(it, ended.id)).toEqual(['endpoint_disabled']);
  });
});

describe('Retry Bulk Subscription Events', () => {
  const path = (it: Institution, subscription = 0) =>
    `${it.retriesPath}/subscriptions/${it.subscriptions[subscription]}`;

  test('Retries multiple events for a subscription based on filter criteria', async () => {
    const it = await institution([status(404), status(404)]);
    await it.publish([{}, {}, {}]);
    await it.settled();
    for (const receiver of it.receivers) receiver.switchTo(ok);
    const ended = await it.ended(await it.api.retry(path(it), { dispatchStatus: ['failed'] }));
    expect(ended.counts).toMatchObject({ expected: 3, delivered: 3 });
    expect(it.receivers.map(({ requests }) => requests.length)).toEqual([6, 3]);
  });

  test('Runs asynchronously and can handle large volumes of events', async () => {
    const receiver = held();
    const it = await institution([receiver], { timeoutMs: 60_000 });
    await it.seed(6_000);
    const answer = await it.api.call(path(it), {});
    expect(answer.status).toBe(202);
    expect((await it.retries.show(answer.body.retryId)).counts.delivered).toBe(0);
    receiver.release(ok);
    const ended = await it.retries.ended(answer.body.retryId, 35_000);
    expect(ended.counts).toMatchObject({ expected: 6_000, delivered: 6_000 });
    expect(new Set(got(it)).size).toBe(6_000);
  });

  test('uses the current filter of the subscription unless it is bypassed', async () => {
    const it = await institution([status(404)]);
    await it.publish([{ payload: { n: 1 } }, { payload: { n: 2 } }]);
    await it.settled();
    it.receivers[0]?.switchTo(ok);
    await it.change(0, { filter: { n: 2 } });
    const filtered = await it.ended(await it.api.retry(path(it), { dispatchStatus: ['failed'] }));
    expect(filtered.counts).toMatchObject({ expected: 2, delivered: 1, ignored: 1 });
    const bypassing = { dispatchStatus: ['failed'], bypassSubscriptionFilter: true };
    const forced = await it.ended(await it.api.retry(path(it), bypassing));
    expect(forced.counts).toMatchObject({ expected: 1, delivered: 1 });
  });

  test('sends a succeeded event again only where it is named, by its status or by itself', async () => {
    const it = await institution([ok]);
    const [eventId] = await it.publish([{}, {}]);
    await it.settled();
    const counts = async (body: object) => (await it.ended(await it.api.retry(path(it), body))).counts;
    expect(await counts({})).toMatchObject({ expected: 0 });
    expect(await counts({ dispatchStatus: ['failed', 'pending'] })).toMatchObject({ expected: 0 });
    expect(await counts({ dispatchStatus: ['failed'], eventId: [eventId] })).toMatchObject({ expected: 0 });
    expect(await counts({ eventId: [eventId] })).toMatchObject({ expected: 1, delivered: 1 });
    expect(await counts({ eventNum: ['2'] })).toMatchObject({ expected: 1, delivered: 1 });
    expect(await counts({ dispatchStatus: ['succeeded'] })).toMatchObject({ expected: 2, delivered: 2 });
    expect(got(it)).toHaveLength(6);
    expect(new Set(got(it)).size).toBe(2);
  });
});

describe('Retry Single Raw Event', () => {
  test('By default, goes through fresh subscription matching', async () => {
    const it = await institution([status(404), ok, status(404)]);
    const [eventId] = await it.publish([{}]);
    await it.settled();
    await it.change(2, { eventTypes: ['another'] });
    for (const receiver of it.receivers) receiver.switchTo(ok);
    const fresh = await it.subscribe({}, 1);
    await it.subscribe({ eventTypes: ['another'] }, 1);
    const ended = await it.ended(await it.api.retry(`${it.retriesPath}/events/${eventId}`, {}));
    expect(ended.counts).toMatchObject({ expected: 4, delivered: 2, excluded: 2 });
    expect((await reasonsOf(it, ended.id)).filter(Boolean).sort()).toEqual([
      'already_delivered',
      'no_longer_matches',
    ]);
    expect(it.receivers.map(({ requests }) => requests.length)).toEqual([2, 2, 1]);
    expect(got(it, 1, '/new')).toHaveLength(1);
    expect(await it.ids(`endpoint_id = '${fresh}' and state = 'delivered'`)).toHaveLength(1);
    expect(got(it)[0]).toBe(got(it)[1]);
  });

  test('Use replayMatchedSubscriptions to replay to previously matched subscriptions instead; this may result in subscribers receiving duplicate events', async () => {
    const it = await institution([status(404), ok, ok]);
    const [eventId] = await it.publish([{}]);
    await it.settled();
    it.receivers[0]?.switchTo(ok);
    await it.change(1, { filter: { n: 2 } });
    await it.subscribe({}, 2);
    const body = { replayMatchedSubscriptions: true };
    const ended = await it.ended(await it.api.retry(`${it.retriesPath}/events/${eventId}`, body));
    expect(ended.counts).toMatchObject({ expected: 3, delivered: 3 });
    expect(got(it, 2, '/new')).toEqual([]);
    for (const receiver of [0, 1, 2]) {
      expect(got(it, receiver)).toHaveLength(2);
      expect(new Set(got(it, receiver)).size).toBe(1);
    }
  });

  test('replays nothing to subscriptions that are disabled or deleted: excluded, with the reason', async () => {
    const it = await institution([ok, ok]);
    const [eventId] = await it.publish([{}]);
    await it.settled();
    const { key } = it.tenant;
    await engine.client.expect(200, 'POST', `/api/v1/endpoints/${it.subscriptions[0]}/disable`, { key });
    await engine.client.expect(204, 'DELETE', `/api/v1/endpoints/${it.subscriptions[1]}`, { key });
    const body = { replayMatchedSubscriptions: true };
    const ended = await it.ended(await it.api.retry(`${it.retriesPath}/events/${eventId}`, body));
    expect(ended.counts).toMatchObject({ expected: 2, excluded: 2 });
    expect((await reasonsOf(it, ended.id)).sort()).toEqual(['endpoint_deleted', 'endpoint_disabled']);
    expect(it.sent()).toBe(2);
  });

  test('joins a delivery that will be sent without it, and does not hurry it', async () => {
    const it = await institution([status(500)], {
      retry: { maxAttempts: 5, initialMs: 600_000, capMs: 600_000 },
    });
    const [eventId] = await it.publish([{}]);
    await it.receivers[0]?.waitFor(({ requests }) => requests.length === 1);
    const path = `${it.retriesPath}/events/${eventId}`;
    const retryId = await it.api.retry(path, { replayMatchedSubscriptions: false });
    // It stays open for as long as the execution that it joined is to be sent.
    await eventually(
      'it waits for that',
      async () => (await it.retries.show(retryId)).nextEvent?.what === 'joined',
    );
    expect((await it.retries.show(retryId)).counts).toMatchObject({ expected: 1, excluded: 1 });
    // Of a replay only its own sends count: it waits for nobody.
    expect(await it.ended(await it.api.retry(path, { replayMatchedSubscriptions: true }))).toMatchObject({
      state: 'completed_with_failures',
      counts: { expected: 1, excluded: 1 },
      remainder: { count: 1, byReason: { coalesced: 1 } },
    });
    expect(got(it)).toHaveLength(1);
  });
});

describe('Retry Bulk Raw Events', () => {
  test('Retries multiple raw events for an institution based on filter criteria, through fresh subscription matching', async () => {
    const it = await institution([status(404), ok]);
    const source = 'core-banking-system';
    await it.publish([{ source }, { source }, { source: 'another' }]);
    await it.settled();
    it.receivers[0]?.switchTo(ok);
    await it.subscribe({}, 1);
    const ended = await it.ended(await it.api.retry(`${it.retriesPath}/events`, { eventSource: source }));
    expect(ended.counts).toMatchObject({ expected: 6, delivered: 4, excluded: 2 });
    expect(it.receivers.map(({ requests }) => requests.length)).toEqual([5, 5]);
    expect(got(it, 1, '/new')).toHaveLength(2);
  });

  test('Use replayMatchedSubscriptions to replay to previously matched subscriptions instead', async () => {
    const it = await institution([status(404), ok]);
    const source = 'core-banking-system';
    await it.publish([{ source }, { source }, { source: 'another' }]);
    await it.settled();
    it.receivers[0]?.switchTo(ok);
    await it.subscribe({}, 1);
    const body = { eventSource: source, replayMatchedSubscriptions: true };
    const ended = await it.ended(await it.api.retry(`${it.retriesPath}/events`, body));
    expect(ended.counts).toMatchObject({ expected: 4, delivered: 4 });
    expect(it.receivers.map(({ requests }) => requests.length)).toEqual([5, 5]);
    expect(got(it, 1, '/new')).toEqual([]);
  });

  test('that meet each other over the same events send each of them once', async () => {
    const it = await institution([status(404)]);
    await it.seed(300);
    const fresh = await it.subscribe();
    it.receivers[0]?.switchTo(ok);
    const ids = await Promise.all([0, 1, 2].map(() => it.api.retry(`${it.retriesPath}/events`, {})));
    for (const id of ids) {
      const ended = await it.ended(id);
      expect(ended.counts.expected).toBe(600);
      expect(ended.counts.delivered + ended.counts.excluded).toBe(600);
    }
    expect(got(it)).toHaveLength(600);
    expect(await it.ids(`endpoint_id = '${fresh}' and state = 'delivered'`)).toHaveLength(300);
  });
});

describe('Admin Retry Bulk Raw Events (Multi-Institution)', () => {
  const path = '/retries/events';
  const platform = () => {
    const retries = retriesOf(engine.client, engine.adminKey);
    return {
      api: jackHenryAt(engine.service.url ?? '', engine.adminKey),
      async ended(retryId: string) {
        let shown: Awaited<ReturnType<typeof retries.show>>;
        await eventually('the operation of the platform has ended', async () => {
          const answer = await engine.client.expect(200, 'GET', `/api/v1/retries/${retryId}`, {
            key: engine.adminKey,
            headers: { 'redrive-tenant': 'redrive.platform' },
          });
          shown = answer.body;
          return shown.closedAt !== null;
        });
        return shown;
      },
    };
  };

  test('Admin endpoint for retrying raw events across all institutions', async () => {
    const [one, two] = [await institution([status(404)]), await institution([status(404)])];
    const source = `everywhere-${one.id}`;
    for (const it of [one, two]) {
      await it.publish([{ source }, { source: 'another' }]);
      await it.settled();
      it.receivers[0]?.switchTo(ok);
    }
    const { api, ended } = platform();
    const shown = await ended(await api.retry(path, { eventSource: source }));
    expect(shown).toMatchObject({
      state: 'completed',
      counts: { expected: 2, delivered: 2 },
      select: { tenants: 'all' },
    });
    for (const it of [one, two]) {
      expect(got(it)).toHaveLength(3);
      // An institution sees its items, and never the whole.
      const [deliveryId] = await it.ids(`state = 'delivered'`);
      const { key } = it.tenant;
      const delivery = await engine.client.expect(200, 'GET', `/api/v1/deliveries/${deliveryId}`, { key });
      expect(delivery.body.executions.at(-1)).toMatchObject({ operationId: shown.id, state: 'delivered' });
      await engine.client.expect(404, 'GET', `/api/v1/retries/${shown.id}`, { key });
    }
  });

  test('institutionIds: Filter by specific institution IDs; one that is unknown, and what is no id, matches nothing', async () => {
    const [one, two] = [await institution([status(404)]), await institution([status(404)])];
    for (const it of [one, two]) {
      await it.publish([{}]);
      await it.settled();
      it.receivers[0]?.switchTo(ok);
    }
    const { api, ended } = platform();
    const counts = async (institutionIds: string[]) =>
      (await ended(await api.retry(path, { institutionIds }))).counts;
    expect(await counts([])).toMatchObject({ expected: 0 });
    expect(await counts(['nobody', '550e8400-e29b-41d4-a716-446655440000'])).toMatchObject({ expected: 0 });
    expect(await counts([one.id.toUpperCase(), 'nobody'])).toMatchObject({ expected: 1, delivered: 1 });
    expect([one.sent(), two.sent()]).toEqual([2, 1]);
  });

  test('Use replayMatchedSubscriptions to replay to previously matched subscriptions instead', async () => {
    const [one, two] = [await institution([ok]), await institution([status(404)])];
    for (const it of [one, two]) {
      await it.publish([{}]);
      await it.settled();
      await it.subscribe();
    }
    two.receivers[0]?.switchTo(ok);
    const { api, ended } = platform();
    const body = { institutionIds: [one.id, two.id], replayMatchedSubscriptions: true };
    expect((await ended(await api.retry(path, body))).counts).toMatchObject({ expected: 2, delivered: 2 });
    expect([one.sent(), two.sent()]).toEqual([2, 2]);
    expect(got(one, 0, '/new')).toEqual([]);
  });

  test('is refused with 403 to everyone but an administrator of the installation', async () => {
    const it = await institution([ok]);
    const answer = await it.api.call(path, { body: {} });
    expect(answer).toMatchObject({ status: 403, text: '' });
  });
});

test('the events of a subscription show what became of them', async () => {
  const it = await institution([status(404)]);
  const [failed] = await it.publish([{}]);
  await it.settled();
  it.receivers[0]?.switchTo(ok);
  const [succeeded] = await it.publish([{}]);
  await it.settled();
  const shown = async () =>
    (await it.api.call(`/${it.id}/events/${it.subscriptions[0]}`, { method: 'GET' })).body.events;
  expect(await shown()).toMatchObject([
    { eventId: succeeded, dispatchStatus: 'succeeded', attempts: 1, lastAttemptTime: expect.any(String) },
    { eventId: failed, dispatchStatus: 'failed', attempts: 1 },
  ]);
  const retryId = await it.api.retry(`${it.retriesPath}/subscriptions/${it.subscriptions[0]}`, {});
  await it.ended(retryId);
  expect(await shown()).toMatchObject([
    { eventId: succeeded, attempts: 1 },
    { eventId: failed, dispatchStatus: 'succeeded', dispatchBatchId: retryId, attempts: 2 },
  ]);
});
