import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { hashApiKey, makeApiKey } from '../../../src/api/authentication/api-key.ts';
import type { EndpointConfig } from '../../../src/domain/endpoints/endpoint.ts';
import { TENANT_SCOPES } from '../../../src/domain/tenancy/scope.ts';
import { alias, type Id, showId } from '../../../src/domain/tenancy/typed-id.ts';
import { createIngest } from '../../../src/ingest/create-ingest.ts';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { erasePayload } from '../../../src/store/settling/payload-retention.ts';
import { giveUpOverdue } from '../../../src/store/settling/settlement.ts';
import { insertApiKey } from '../../../src/store/tenancy/api-keys.ts';
import type { TestAnswer } from '../../support/api/test-api.ts';
import { useApi } from '../../support/api/use-api.ts';
import { NO_ID } from '../../support/store/any-id.ts';
import { age, keepFor, removeAll } from '../../support/store/retention.ts';
import type { TestTenant } from '../../support/store/test-store.ts';
import { useStore } from '../../support/store/use-store.ts';
import { receiptIdOf } from '../../support/surfaces/flowrelay-scene.ts';

const store = useStore({ checked: true });
const api = useApi(() => ({ pool: store.pool, acceptEvents: createIngest(store.deps) }));

interface Scene {
  tenant: TestTenant;
  key: string;
  endpointId: string;
  here: { endpointIds: Id<'endpoint'>[] };
  eventId: Id<'event'>;
  receiptId: string;
  send(payload: unknown): Promise<{ eventId: string; deliveries: number; suppressed: number }>;
  /** Repeats its event as a new one by Stedi's surface, once the old one has failed wherever it went. */
  repeat(): Promise<void>;
  get(path: string): Promise<TestAnswer>;
  act(path: string, key: string, body?: object): Promise<TestAnswer>;
}

async function scene(config: Partial<EndpointConfig> = {}, before?: (at: Scene) => Promise<unknown>) {
  const tenant = await store.newTenant();
  const key = makeApiKey();
  await insertApiKey(store.pool, {
    tenantId: tenant.id,
    name: 'test',
    hash: hashApiKey(key),
    scopes: TENANT_SCOPES,
  });
  const endpointId = await store.newEndpoint(tenant, {
    retry: { maxAttempts: 1, initialMs: 60_000, factor: 1, capMs: 60_000 },
    ...config,
  });
  const made: Scene = {
    tenant,
    key,
    endpointId,
    here: { endpointIds: [endpointId] },
    eventId: NO_ID,
    receiptId: '',
    async send(payload) {
      const answer = await api.call('POST', '/api/v1/events', {
        key,
        body: { id: 'x', type: 'a', payload },
      });
      expect(answer.status).toBe(202);
      return answer.body;
    },
    async repeat() {
      await store.attempt(422, made.here);
      const answer = await api.call('POST', `/events/${made.eventId}/retry`, {
        key: undefined,
        headers: { authorization: key },
      });
      expect(answer.status).toBe(200);
      made.eventId = answer.body.eventId;
      made.receiptId = showId('receipt', alias('receipt', made.eventId));
    },
    get: (path) => api.call('GET', `/flowrelay/v1${path}`, { key }),
    act: (path, idempotencyKey, body = {}) =>
      api.call('POST', `/flowrelay/v1${path}`, { key, body, headers: { 'idempotency-key': idempotencyKey } }),
  };
  await before?.(made);
  const { eventId } = await made.send(1);
  made.eventId = api.uuid(eventId);
  made.receiptId = receiptIdOf(eventId);
  return made;
}

async function setState({ endpointId }: Scene, state: string): Promise<void> {
  await store.rows(
    `update endpoints set state = $2, disabled_reason = case $2 when 'disabled' then 'operator' end where id = $1`,
    [endpointId, state],
  );
}

const deliveryOf = async ({ eventId }: Scene) =>
  (await store.rows('select id from deliveries where event_id = $1', [eventId]))[0]?.id as Id<'delivery'>;

/** Everything that a handoff can be, and how it comes to that. */
const HANDOFFS: Record<
  string,
  {
    config?: Partial<EndpointConfig>;
    before?: (at: Scene) => Promise<unknown>;
    after?: (at: Scene) => Promise<unknown>;
  }
> = {
  queued: {},
  sending: { after: ({ here }) => store.claim(here) },
  scheduled: {
    config: { retry: { maxAttempts: 3, initialMs: 60_000, factor: 1, capMs: 60_000 } },
    after: ({ here }) => store.attempt(503, here),
  },
  unknown: { config: { onAmbiguous: 'hold' }, after: ({ here }) => store.attempt('timeout', here) },
  delivered: { after: ({ here }) => store.attempt(200, here) },
  'delivered and on its way again': {
    after: async (at) => {
      await store.attempt(200, at.here);
      await store.retry(at.tenant, { deliveryIds: [await deliveryOf(at)] }, { kind: 'replay' });
    },
  },
  'refused by 422': { after: ({ here }) => store.attempt(422, here) },
  'refused by 429': { after: ({ here }) => store.attempt(429, here) },
  'failed by 500': { after: ({ here }) => store.attempt(500, here) },
  'failed by 502, then refused': {
    config: { retry: { maxAttempts: 2, initialMs: 1, factor: 1, capMs: 1 } },
    after: async ({ here }) => {
      await store.attempt(502, here);
      await store.timePasses();
      await store.attempt(422, here);
    },
  },
  'failed by 504': { after: ({ here }) => store.attempt(504, here) },
  'timed out': { after: ({ here }) => store.attempt('timeout', here) },
  'never reached': { after: ({ here }) => store.attempt('refused', here) },
  'given up': {
    after: async ({ endpointId }) => {
      await store.rows(`update executions set give_up_at = now() - interval '1 s' where endpoint_id = $1`, [
        endpointId,
      ]);
      await withTransaction(store.pool, (db) => giveUpOverdue(db, 100));
    },
  },
  'ignored at a disabled endpoint': {
    before: (at) => setState(at, 'disabled'),
    after: (at) => setState(at, 'enabled'),
  },
  'wanted by nobody': { config: { eventTypes: ['other'] } },
  'suppressed by one that was delivered': {
    before: async ({ send, here }) => {
      await send(1);
      await store.attempt(200, here);
    },
  },
};

/** The circumstances of a handoff. */
const AROUND: Record<string, (at: Scene) => Promise<unknown>> = {
  'as it is': async () => {},
  'its endpoint disabled': (at) => setState(at, 'disabled'),
  'its endpoint deleted': (at) => setState(at, 'deleted'),
  'its payload gone': ({ tenant, eventId }) => erasePayload(store.pool, tenant.id, eventId),
  'the limit reached': ({ tenant }) =>
    store.rows(`update tenants set settings = '{"replaysPerDay": 0}' where id = $1`, [tenant.id]),
  'sent again with another payload': async ({ send }) => send(2),
};

async function walk(
  handoff: string,
  around: string,
  { repeated = false }: { repeated?: boolean } = {},
): Promise<Scene> {
  const { config, before, after } = HANDOFFS[handoff] ?? {};
  const at = await scene(config, before);
  if (repeated) await at.repeat();
  await after?.(at);
  await AROUND[around]?.(at);
  return at;
}

/** Each handoff as that of a first event, and as that of one that repeats another; what is suppressed is not repeated. */
const EVERY_HANDOFF = Object.keys(HANDOFFS).flatMap((handoff) => [
  { title: handoff, handoff, repeated: false },
  ...(handoff.startsWith('suppressed')
    ? []
    : [{ title: `${handoff}, of an event that repeats another`, handoff, repeated: true }]),
]);

describe.each(EVERY_HANDOFF)('of a handoff that is $title', ({ handoff, repeated }) => {
  test.each(Object.keys(AROUND))(
    '%s: list, receipt, guide, preview, confirmation and execution agree',
    async (around) => {
      const at = await walk(handoff, around, { repeated });
      const { receiptId, get, act } = at;
      const receipt = (await get(`/receipts/${receiptId}`)).body;
      const { ready, notReady, ...available } = receipt.replay;
      // It has no id of its sender's.
      if (repeated)
        expect(receipt.senderResend).toEqual({ samePayload: 'new_event', changedPayload: 'new_event' });
      const listed = (await get(`/receipts?eventId=${receiptId.replace('rcp_', 'evt_')}`)).body.items[0];
      expect(listed.replay).toEqual(available);
      for (const name of ['outcome', 'recoveryCode', 'firstReceiptId', 'resentReceiptId'])
        expect(listed[name]).toEqual(receipt[name]);
      for (const { replay, endpointAtAcceptance } of receipt.handoffs) {
        // Where nothing was ready the receipt is about every endpoint, and the handoff about its own.
        if (receipt.outcome !== 'no_workflow') expect(replay).toEqual(receipt.replay);
        const { endpointId } = endpointAtAcceptance;
        const named = await act(`/receipts/${receiptId}/replay/preview`, randomUUID(), { endpointId });
        expect([named.status === 201, named.body.reason ?? null]).toEqual([replay.available, replay.reason]);
        if (replay.available)
          expect(named.body.preview.readiness).toEqual({ ready: replay.ready, reasons: replay.notReady });
      }
      const guide = (await get(`/receipts/${receiptId}/guide`)).body;
      expect(guide).toMatchObject({
        outcome: receipt.outcome,
        replay: receipt.replay,
        senderResend: receipt.senderResend,
        handoffBoundary: receipt.handoffBoundary,
        explicitConfirmation: available.needsDuplicateRiskConfirmation,
      });
      if (guide.recommended === 'flowrelay_replay') expect(available.available).toBe(true);

      const key = randomUUID();
      const preview = await act(`/receipts/${receiptId}/replay/preview`, key);
      expect(preview.status === 201).toBe(available.available);
      if (preview.status !== 201) {
        expect(preview.body).toMatchObject({ code: available.refusal, reason: available.reason });
        if (available.reason === 'payload_gone')
          expect(preview.body.senderResend).toEqual(receipt.senderResend);
        return;
      }
      const { replayId } = preview.body;
      expect(preview.body.confirmDuplicateRiskRequired).toBe(available.needsDuplicateRiskConfirmation);
      expect(preview.body.preview.sideEffects.duplicateRisk).toBe(available.needsDuplicateRiskConfirmation);
      expect(preview.body.preview.readiness).toEqual({ ready, reasons: notReady });

      const bare = await act(`/replays/${replayId}/confirm`, key);
      expect([bare.status, bare.body.reason]).toEqual(
        !ready
          ? [409, 'not_ready']
          : available.needsDuplicateRiskConfirmation
            ? [409, 'duplicate_risk_not_confirmed']
            : [200, undefined],
      );
      const confirmed = await act(`/replays/${replayId}/confirm`, key, { confirmDuplicateRisk: true });
      expect(confirmed.status === 200).toBe(ready);
      const executed = await act(`/replays/${replayId}/execute`, key);
      expect(executed.status).toBe(ready ? 202 : 409);
      if (!ready) return;
      expect((await get(`/replays/${replayId}`)).body.results).toMatchObject([
        { status: 'queued', requests: 0 },
      ]);
      const sent = await store.attempt(200, at.here);
      expect(sent.filter(({ operationId }) => operationId !== undefined)).toMatchObject([
        { state: 'delivered' },
      ]);
      const [result] = (await get(`/replays/${replayId}`)).body.results;
      expect(result).toMatchObject({ status: 'delivered', statusCode: 200, requests: 1 });
      const after = (await get(`/receipts/${receiptId}`)).body;
      expect(after.outcome).toBe('delivered');
      expect(after.replays.find((each: { replayId: string }) => each.replayId === replayId)).toMatchObject({
        state: 'executed',
        results: [result],
      });
      expect(
        after.timeline
          .filter((entry: { replayId: string | null }) => entry.replayId === replayId)
          .map(({ event }: { event: string }) => event),
      ).toEqual([
        'replay_previewed',
        'replay_confirmed',
        'replay_executed',
        'accepted_by_endpoint',
        'handoff_ended',
      ]);
      const times = after.timeline.map((entry: { at: string }) => entry.at);
      expect(times).toEqual([...times].sort());
      expect(after.timeline[0].event).toBe('accepted');
    },
  );
});

describe.each(Object.keys(HANDOFFS))('of a handoff that is %s', (handoff) => {
  test.each(['same', 'changed'])(
    'a resend of the sender with the %s payload becomes what the receipt said',
    async (payload) => {
      for (const around of Object.keys(AROUND)) {
        const at = await walk(handoff, around);
        const { senderResend, handoffs } = (await at.get(`/receipts/${at.receiptId}`)).body;
        const stored = around === 'sent again with another payload' ? 2 : 1;
        const again = await at.send(payload === 'same' ? stored : 'other');
        if (around === 'its endpoint deleted' || handoffs.length === 0) {
          expect(again.suppressed).toBe(0);
          continue;
        }
        const said = payload === 'same' ? senderResend.samePayload : senderResend.changedPayload;
        expect([around, said, again.suppressed]).toEqual([
          around,
          again.suppressed === 1 ? 'suppressed' : 'new_delivery',
          again.suppressed,
        ]);
      }
    },
  );
});

describe('after an answer of the endpoint', () => {
  test.each([
    ['failed by 500', true],
    ['failed by 502, then refused', true],
    ['failed by 504', true],
    ['timed out', true],
    ['refused by 422', false],
    ['refused by 429', false],
    ['never reached', false],
    ['given up', false],
  ])('a handoff that is %s needs an explicit confirmation: %s', async (handoff, needed) => {
    const at = await walk(handoff, 'as it is');
    const receipt = (await at.get(`/receipts/${at.receiptId}`)).body;
    expect(receipt.replay.needsDuplicateRiskConfirmation).toBe(needed);
    if (needed) expect(receipt.handoffs[0].meaning).toContain('may already have started');
    const guide = (await at.get(`/receipts/${at.receiptId}/guide`)).body;
    expect(guide.recommended).toBe(needed ? 'inspect_diagnostics' : 'flowrelay_replay');
  });
});

test('the sender resends an event that can no longer be delivered, and both receipts say which is which', async () => {
  const at = await walk('refused by 422', 'its payload gone');
  expect((await at.get(`/receipts/${at.receiptId}/guide`)).body).toMatchObject({
    recommended: 'sender_resend',
    situation: 'unavailable',
    senderResend: { samePayload: 'new_delivery', changedPayload: 'new_delivery' },
  });
  const again = await at.send(1);
  expect(again).toMatchObject({ deliveries: 1, suppressed: 0 });
  await store.attempt(200, at.here);
  const later = receiptIdOf(again.eventId);
  expect((await at.get(`/receipts/${later}`)).body).toMatchObject({
    outcome: 'delivered',
    firstReceiptId: at.receiptId,
    retention: { state: 'retained' },
    senderResend: { samePayload: 'suppressed', changedPayload: 'suppressed' },
  });
  const first = (await at.get(`/receipts/${at.receiptId}`)).body;
  expect(first).toMatchObject({
    outcome: 'failed',
    recoveryCode: null,
    resentReceiptId: later,
    handoffs: [{ status: 'failed', resentReceiptId: later }],
  });
  expect((await at.get(`/receipts/${at.receiptId}/guide`)).body).toMatchObject({
    recommended: 'none',
    resentReceiptId: later,
  });
  const retried = await api.call('POST', '/api/v1/retries', {
    key: at.key,
    body: { select: { deliveryIds: [showId('delivery', await deliveryOf(at))] } },
  });
  expect(retried.body.items).toMatchObject([{ became: 'excluded', reason: 'resent' }]);
  const third = receiptIdOf((await at.send(1)).eventId);
  expect((await at.get(`/receipts/${third}/guide`)).body).toMatchObject({
    outcome: 'duplicate_suppressed',
    recommended: 'none',
    firstReceiptId: at.receiptId,
    standingReceiptId: later,
  });
});

test('a suppressed duplicate of an event that is past its term points at nothing, and its sender resends', async () => {
  const at = await walk('delivered', 'as it is');
  await keepFor(store, at.tenant, { eventRetentionDays: 30 });
  const duplicate = await at.send(1);
  const receiptId = receiptIdOf(duplicate.eventId);
  const path = `/receipts/${receiptId}`;
  expect((await at.get(`${path}/guide`)).body).toMatchObject({
    recommended: 'none',
    firstReceiptId: at.receiptId,
    standingReceiptId: at.receiptId,
  });
  await age(store, 31, { events: [at.eventId] });
  expect(await removeAll(store.pool, at.tenant)).toBe(1);
  const newDelivery = { samePayload: 'new_delivery', changedPayload: 'new_delivery' };
  expect((await at.get(path)).body).toMatchObject({ outcome: 'duplicate_suppressed', firstReceiptId: null });
  expect((await at.get(`${path}/guide`)).body).toMatchObject({
    recommended: 'sender_resend',
    situation: 'unavailable',
    firstReceiptId: null,
    standingReceiptId: null,
    senderResend: newDelivery,
  });
  const refused = await at.act(`${path}/replay/preview`, randomUUID());
  expect(refused).toMatchObject({
    status: 409,
    body: { reason: 'suppressed_duplicate', senderResend: newDelivery },
  });
  expect(refused.body).not.toHaveProperty('firstReceiptId');
  const [{ id }] = await store.rows('select id from deliveries where event_id = $1', [
    api.uuid(duplicate.eventId),
  ]);
  const advice = await api.call('GET', `/api/v1/deliveries/${id}/advice`, { key: at.key });
  expect(advice.body).toMatchObject({ step: 'send_again', retry: { reason: 'suppressed_duplicate' } });
  expect(await at.send(1)).toMatchObject({ deliveries: 1, suppressed: 0 });
});

test('a suppressed duplicate of an event whose receipt is not shown any more points at nothing', async () => {
  const at = await walk('delivered', 'as it is');
  const duplicate = receiptIdOf((await at.send(1)).eventId);
  await keepFor(store, at.tenant, { receiptRetentionDays: 30 });
  await age(store, 31, { events: [at.eventId] });
  expect((await at.get(`/receipts/${at.receiptId}`)).status).toBe(404);
  expect((await at.get(`/receipts/${duplicate}/guide`)).body).toMatchObject({
    // The event stands for it all the same.
    recommended: 'none',
    firstReceiptId: null,
    standingReceiptId: null,
    senderResend: { samePayload: 'suppressed' },
  });
});

test('an executed replay that fails is shown, and its receipt stays delivered', async () => {
  const at = await walk('delivered', 'as it is');
  const key = randomUUID();
  const { replayId } = (await at.act(`/receipts/${at.receiptId}/replay/preview`, key)).body;
  await at.act(`/replays/${replayId}/confirm`, key, { confirmDuplicateRisk: true });
  expect((await at.act(`/replays/${replayId}/execute`, key)).status).toBe(202);
  await store.attempt(422, at.here);
  const result = {
    status: 'failed',
    meaning: 'The endpoint refused the handoff.',
    statusCode: 422,
    faultCode: 'http_4xx',
  };
  expect((await at.get(`/replays/${replayId}`)).body.results).toMatchObject([result]);
  expect((await at.get(`/receipts/${at.receiptId}`)).body).toMatchObject({
    outcome: 'delivered',
    handoffs: [{ status: 'delivered', statusCode: 200 }],
    replays: [{ results: [result] }],
  });
});

test('the limit of the tenant says when the next replay is possible, once enough of them are a day old', async () => {
  const at = await walk('refused by 422', 'as it is');
  await store.rows(`update tenants set settings = '{"replaysPerDay": 2}' where id = $1`, [at.tenant.id]);
  for (const hours of [23, 12, 6]) {
    await store.rows(
      `with o as (
         insert into operations (tenant_id, kind, workflow_id, interactive, target, selection, options, state, watermark,
           closed_at, report)
         values ($1, 'replay', $3, true, 'current', '{}', '{}', 'completed', now(), now(), '{}') returning id
       )
       insert into receipt_replays (tenant_id, event_id, key_hash, actor, binding, kind, targets, duplicate_risk, preview,
         state, expires_at, confirmed_at, executed_at, operation_id)
       select $1, uuidv7(), sha256($3::bytea), 'a', sha256(''), 'handoff', '[]', false, '{}', 'executed', now(), now(),
         now() - $2 * interval '1 hour', id from o`,
      [at.tenant.id, hours, randomUUID()],
    );
  }
  const { replay } = (await at.get(`/receipts/${at.receiptId}`)).body;
  expect(replay).toMatchObject({ available: false, refusal: 'usage_limit', reason: 'replays_per_day' });
  // Of three two must be a day old: the one of twelve hours ago is the second.
  expect(Math.round(replay.availableInSeconds / 3_600)).toBe(12);
  expect((await at.get(`/receipts/${at.receiptId}/guide`)).body.recommended).toBe('wait');
  const refused = await at.act(`/receipts/${at.receiptId}/replay/preview`, randomUUID());
  expect(refused.status).toBe(429);
  expect(Math.round(Number(refused.headers.get('retry-after')) / 3_600)).toBe(12);
});
