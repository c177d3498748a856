import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { RECOVERY_SITUATIONS } from '../../../src/surfaces/flowrelay/domain/recovery-guide.ts';
import { uuidIn } from '../../support/api/retries.ts';
import { useEngine } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import {
  type Behaviour,
  closeSilently,
  flaky,
  hang,
  ok,
  status,
} from '../../support/receivers/receiver-behaviour.ts';
import { createFlowRelayScene, type FlowRelayScene } from '../../support/surfaces/flowrelay-scene.ts';
import { closedAfterEach } from '../../support/use.ts';

const engine = useEngine();
const own = closedAfterEach();

async function scene(behaviour: Behaviour = ok, endpoint?: Record<string, unknown> | null) {
  return own(await createFlowRelayScene(engine, behaviour, endpoint));
}

const payloadOf = (receiptId: string) => `/api/v1/events/${receiptId.replace('rcp_', 'evt_')}/payload`;

describe('Choose the right recovery path', () => {
  test('FlowRelay rejected the request: Sender resend, for FlowRelay does not have a trusted accepted event to replay.', async () => {
    const it = await scene();
    const receiptId = await it.rejected();
    expect(await it.guide(receiptId)).toMatchObject({
      outcome: 'rejected',
      recommended: 'sender_resend',
      situation: 'rejected',
      why: 'FlowRelay does not have a trusted accepted event to replay.',
    });
    expect(await it.receipt(receiptId)).toMatchObject({
      outcome: 'rejected',
      rejectionCode: 'invalid_request',
      authentication: 'passed',
      validation: 'failed',
      recoveryCode: 'validation_failed',
      retention: { state: 'never_kept' },
      replay: { available: false, refusal: 'product_boundary', reason: 'rejected_request' },
      timeline: [{ event: 'rejected', code: 'invalid_request' }],
    });
    expect(await it.preview(receiptId)).toMatchObject({
      status: 422,
      body: { code: 'product_boundary', reason: 'rejected_request' },
    });
  });

  test('FlowRelay accepted the event but setup was not ready: FlowRelay replay after a fix, for the retained event can be handed over after endpoint or workflow readiness is corrected.', async () => {
    const it = await scene(status(422));
    const receiptId = await it.sent('failed');
    expect(await it.guide(receiptId)).toMatchObject({
      recommended: 'flowrelay_replay',
      situation: 'not_ready',
      why: 'The retained event can be handed to Shopify Flow after endpoint or workflow readiness is corrected.',
      explicitConfirmation: false,
    });
    it.receiver.switchTo(ok);
    const replay = await it.replay(receiptId);
    expect(replay).toMatchObject({ state: 'executed', operationId: expect.stringMatching(/^op_/) });
    await it.reaches(receiptId, 'delivered');
    expect(it.receiver.requests.map(({ id }) => id)).toEqual([
      it.receiver.requests[0]?.id,
      it.receiver.requests[0]?.id,
    ]);
  });

  test.each(['no endpoint', 'a disabled endpoint', 'an endpoint of another type'])(
    'FlowRelay accepted the event but setup was not ready: %s, and the replay after a fix is the first delivery.',
    async (setup) => {
      const it = await scene(ok, setup === 'no endpoint' ? null : { eventTypes: ['order.*'] });
      const endpoint = it.endpoint && `/api/v1/endpoints/${it.endpoint.id}`;
      if (setup === 'a disabled endpoint') await it.call('POST', `${endpoint}/disable`);
      if (setup === 'an endpoint of another type')
        await it.call('PATCH', endpoint, { body: { eventTypes: ['refund.*'] } });
      const receiptId = await it.send();
      expect(await it.receipt(receiptId)).toMatchObject({
        outcome: 'no_workflow',
        recoveryCode: 'no_workflow',
        replay: { available: true, needsDuplicateRiskConfirmation: false },
      });
      expect(await it.guide(receiptId)).toMatchObject({
        situation: 'not_ready',
        recommended: 'flowrelay_replay',
      });
      const key = randomUUID();
      const early = await it.preview(receiptId, { key });
      expect(early).toMatchObject({
        status: 201,
        body: { preview: { kind: 'afresh', readiness: { ready: false } } },
      });
      expect(await it.confirm(early.body.replayId, { key })).toMatchObject({
        status: 409,
        body: { code: 'unsafe_state', reason: 'not_ready', freshPreviewRequired: true },
      });
      if (setup === 'no endpoint')
        await engine.client.newEndpoint(it.tenant.key, { url: it.receiver.url('/new') });
      if (setup === 'a disabled endpoint') await it.call('POST', `${endpoint}/enable`);
      if (setup === 'an endpoint of another type')
        await it.call('PATCH', endpoint, { body: { eventTypes: null } });
      expect(await it.confirm(early.body.replayId, { key })).toMatchObject({
        status: 409,
        body: { reason: 'changed_since_preview', freshPreviewRequired: true },
      });
      await it.replay(receiptId);
      expect((await it.reaches(receiptId, 'delivered')).handoffs).toHaveLength(1);
      expect(it.receiver.requests).toHaveLength(1);
    },
  );

  test('Processing is not terminal yet: wait for FlowRelay reconciliation.', async () => {
    const it = await scene(status(503), { retry: { maxAttempts: 5, initialMs: 600_000, capMs: 600_000 } });
    const receiptId = await it.send();
    await it.receiver.waitFor(({ requests }) => requests.length === 1);
    await it.reaches(receiptId, 'processing');
    expect(await it.guide(receiptId)).toMatchObject({
      recommended: 'wait',
      situation: 'not_terminal',
      why: 'Automatic duplicate side effects are avoided when processing may already have started.',
    });
  });

  test('Processing is not terminal yet: or inspect diagnostics, where it may already have started.', async () => {
    const it = await scene(closeSilently);
    const receiptId = await it.send();
    await it.receiver.waitFor(({ requests }) => requests.length === 1);
    await untilStatus(it, receiptId, 'uncertain');
    expect(await it.guide(receiptId)).toMatchObject({
      outcome: 'processing',
      recommended: 'inspect_diagnostics',
      situation: 'not_terminal',
      why: 'Automatic duplicate side effects are avoided when processing may already have started.',
      explicitConfirmation: true,
    });
  });

  test('Retention expired or replay is unavailable: Sender resend, for FlowRelay no longer has replayable event material.', async () => {
    const it = await scene(status(422));
    const receiptId = await it.sent('failed');
    expect((await it.call('DELETE', payloadOf(receiptId))).status).toBe(204);
    expect(await it.guide(receiptId)).toMatchObject({
      recommended: 'sender_resend',
      situation: 'unavailable',
      why: 'FlowRelay no longer has replayable event material.',
    });
    expect(await it.preview(receiptId)).toMatchObject({
      status: 410,
      body: { code: 'expired_retention', reason: 'payload_gone' },
    });
  });

  test('The source system intentionally emits a new business event: Sender resend or new send, for that is a new source-owned event, not FlowRelay recovery.', async () => {
    const it = await scene();
    const receiptId = await it.sent('delivered');
    expect(await it.guide(receiptId, '?intent=new_business_event')).toMatchObject({
      recommended: 'sender_resend',
      situation: 'new_business_event',
      why: 'That is a new source-owned event, not FlowRelay recovery.',
    });
  });

  test('the guide holds the whole table, in the words of the document', async () => {
    const it = await scene();
    const { paths } = await it.guide(await it.sent('delivered'));
    expect(paths).toEqual(
      Object.entries(RECOVERY_SITUATIONS).map(([name, { situation, use, why }]) => ({
        situation: name,
        when: situation,
        use,
        why,
        applies: false,
      })),
    );
  });
});

describe('What FlowRelay retries', () => {
  test('FlowRelay may retry queue processing or reconcile accepted events that have not reached a terminal handoff result.', async () => {
    const it = await scene(flaky(2, 503), { retry: { maxAttempts: 5, initialMs: 10, capMs: 20 } });
    const receiptId = await it.sent('delivered');
    const { timeline } = await it.receipt(receiptId);
    expect(timeline.map(({ event }: { event: string }) => event)).toEqual([
      'accepted',
      'failed_at_endpoint',
      'failed_at_endpoint',
      'accepted_by_endpoint',
      'handoff_ended',
    ]);
  });

  test('FlowRelay does not expose configurable retry schedules or per-endpoint retry policies.', async () => {
    const it = await scene(status(422), {
      retry: { maxAttempts: 1, initialMs: 4_321, factor: 7, capMs: 98_765 },
      giveUpAfterMs: 7_654_321,
      headers: { 'x-own': 'header-value' },
    });
    const receiptId = await it.sent('failed');
    const document = (await it.call('GET', '/openapi.json')).body;
    const shown = [
      JSON.stringify(await it.receipt(receiptId)),
      JSON.stringify(await it.guide(receiptId)),
      (await it.preview(receiptId)).text,
      (await it.call('POST', `/flowrelay/v1/receipts/${receiptId}/diagnostics/preview`)).text,
    ].join('\n');
    for (const policy of [
      '4321',
      '98765',
      '7654321',
      'maxAttempts',
      'giveUp',
      'onAmbiguous',
      'dueAt',
      'schedule',
      'policy',
      'backoff',
    ])
      expect(shown).not.toContain(policy);
    const members = Object.entries(document.components.schemas as Record<string, object>)
      .filter(([name]) => name.startsWith('FlowRelay'))
      .flatMap(([, schema]) =>
        [...JSON.stringify(schema).matchAll(/"(\w+)":\{"(?:type|\$ref|anyOf|allOf)"/g)].map(
          ([, name]) => name,
        ),
      );
    expect(members.length).toBeGreaterThan(50);
    expect(
      members.filter((name) => /retr[yi]|schedul|polic|backoff|dueAt|giveUp|nextAttempt/i.test(name ?? '')),
    ).toEqual([]);
  });

  test.each([
    { retry: { maxAttempts: 3 } },
    { retrySchedule: [1, 2] },
    { retry_policy: 'x' },
    { maxAttempts: 5 },
    { backoff: 2 },
    { notBefore: '2026-01-01T00:00:00Z' },
    { url: 'https://elsewhere.example/' },
    { target: 'elsewhere' },
    { payload: { n: 2 } },
    { headers: { a: 'b' } },
    { newIdentity: true },
  ])('a body that carries %j is refused as beyond the product', async (body) => {
    const it = await scene(status(422));
    const receiptId = await it.sent('failed');
    const [name] = Object.keys(body);
    for (const path of [
      `/flowrelay/v1/receipts/${receiptId}/replay/preview`,
      `/flowrelay/v1/receipts/${receiptId}/diagnostics/preview`,
    ])
      expect(
        await it.call('POST', path, { body, headers: { 'idempotency-key': randomUUID() } }),
      ).toMatchObject({
        status: 422,
        body: { code: 'product_boundary', reason: 'not_offered', errors: [{ pointer: `#/${name}` }] },
      });
  });
});

describe('What the sender owns', () => {
  test('The sender owns fresh sends and corrected resends: the corrected request is accepted and has a receipt of its own.', async () => {
    const it = await scene();
    const first = await it.rejected({ type: 'order.paid' });
    const second = await it.sent('delivered');
    expect(second).not.toBe(first);
    expect(await it.receipt(first)).toMatchObject({ outcome: 'rejected' });
  });

  test('Use sender resend when the source payload must change: a replay sends what was accepted, byte for byte.', async () => {
    const it = await scene(status(422));
    const receiptId = await it.sent('failed', { payload: { amount: 1.5, note: 'é' } });
    it.receiver.switchTo(ok);
    await it.replay(receiptId);
    await it.reaches(receiptId, 'delivered');
    const [first, second] = it.receiver.requests;
    expect(second?.body.equals(first?.body ?? Buffer.alloc(0))).toBe(true);
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
  });
});

describe('Decision guide', () => {
  test('Use the receipt to identify whether the sender request was rejected, accepted, delivered, failed, duplicate-suppressed, or unavailable for replay.', async () => {
    const it = await scene();
    const delivered = await it.sent('delivered', { id: 'order-1' });
    const duplicate = await it.send({ id: 'order-1' });
    const refused = await it.rejected();
    it.receiver.switchTo(status(422));
    const failed = await it.sent('failed');
    it.receiver.switchTo(hang);
    const waiting = await it.send();
    const listed = await it.call('GET', '/flowrelay/v1/receipts');
    const outcomes = new Map(
      listed.body.items.map((item: { receiptId: string; outcome: string }) => [item.receiptId, item.outcome]),
    );
    expect([delivered, duplicate, refused, failed].map((id) => outcomes.get(id))).toEqual([
      'delivered',
      'duplicate_suppressed',
      'rejected',
      'failed',
    ]);
    expect(['accepted', 'processing']).toContain(outcomes.get(waiting));
    await it.call('DELETE', payloadOf(failed));
    expect((await it.receipt(failed)).replay).toMatchObject({
      available: false,
      refusal: 'expired_retention',
    });
  });

  test('a suppressed duplicate points to the first receipt and cannot be replayed; the first one can', async () => {
    const it = await scene();
    const first = await it.sent('delivered', { id: 'order-2' });
    const duplicate = await it.send({ id: 'order-2' });
    expect(await it.receipt(duplicate)).toMatchObject({
      outcome: 'duplicate_suppressed',
      firstReceiptId: first,
      recoveryCode: 'duplicate_suppressed',
      retention: { state: 'never_kept' },
      handoffs: [{ status: 'suppressed' }],
      timeline: [{ event: 'accepted' }, { event: 'duplicate_suppressed' }, { event: 'handoff_ended' }],
    });
    expect(await it.guide(duplicate)).toMatchObject({ recommended: 'none', firstReceiptId: first });
    expect(await it.preview(duplicate)).toMatchObject({
      status: 409,
      body: { code: 'unsafe_state', reason: 'suppressed_duplicate', firstReceiptId: first },
    });
    await it.replay(first, { confirmDuplicateRisk: true });
    await it.receiver.waitFor(({ requests }) => requests.length === 2);
    expect(it.receiver.requests[1]?.id).toBe(it.receiver.requests[0]?.id);
  });

  test('Use replay only after previewing current endpoint configuration, Shopify Flow readiness, duplicate side-effect risk, and grant authority.', async () => {
    const it = await scene(status(422));
    const receiptId = await it.sent('failed');
    await it.call('PATCH', `/api/v1/endpoints/${it.endpoint.id}`, {
      body: { url: it.receiver.url('/moved?token=secret'), eventTypes: ['order.*'] },
    });
    const apiKey = await it.grant('recovery_operator');
    const { body } = await it.preview(receiptId, { apiKey });
    expect(body).toMatchObject({
      state: 'previewed',
      receiptId,
      confirmDuplicateRiskRequired: false,
      preview: {
        kind: 'handoff',
        event: { eventId: receiptId.replace('rcp_', 'evt_'), eventType: 'order.paid' },
        targets: [
          {
            deliveryId: expect.stringMatching(/^dlv_/),
            endpoint: {
              endpointId: it.endpoint.id,
              version: 2,
              url: it.receiver.url('/moved'),
              eventTypes: ['order.*'],
            },
            endpointState: 'enabled',
            readiness: { ready: true, reasons: [] },
          },
        ],
        sideEffects: { duplicateRisk: false },
        authority: { actor: expect.stringMatching(/^key_/), grant: 'recovery_operator', mayExecute: true },
        usage: { executedInLastDay: 0, limit: null },
      },
    });
    expect((await it.receipt(receiptId)).handoffs[0].endpointAtAcceptance).toMatchObject({
      version: 1,
      url: it.receiver.url('/hook'),
      eventTypes: null,
    });
    it.receiver.switchTo(ok);
    await it.replay(receiptId);
    await it.receiver.waitFor(({ requests }) => requests.length === 2);
    expect(it.receiver.requests[1]?.path).toBe('/moved?token=secret');
  });

  test('When processing may already have started, prefer manual review, diagnostics, and explicit replay confirmation over automatic retries.', async () => {
    const it = await scene(closeSilently, { onAmbiguous: 'resend' });
    const receiptId = await it.sent('failed');
    expect(await it.guide(receiptId)).toMatchObject({
      recommended: 'inspect_diagnostics',
      explicitConfirmation: true,
      why: 'When processing may already have started, prefer manual review, diagnostics, and explicit replay confirmation over automatic retries.',
    });
    const key = randomUUID();
    const { body } = await it.preview(receiptId, { key });
    expect(body).toMatchObject({
      confirmDuplicateRiskRequired: true,
      preview: { sideEffects: { duplicateRisk: true } },
    });
    expect(await it.confirm(body.replayId, { key })).toMatchObject({
      status: 409,
      body: { code: 'unsafe_state', reason: 'duplicate_risk_not_confirmed' },
    });
    expect(await it.execute(body.replayId, { key })).toMatchObject({
      status: 409,
      body: { code: 'unsafe_state', reason: 'not_confirmed' },
    });
    expect(it.receiver.requests).toHaveLength(1);
  });

  test('an unknown handoff is replayed after explicit confirmation, which is recorded as an operator’s resolution', async () => {
    const it = await scene(closeSilently);
    const receiptId = await it.send();
    await untilStatus(it, receiptId, 'uncertain');
    expect((await it.receipt(receiptId)).replay).toMatchObject({
      available: true,
      needsDuplicateRiskConfirmation: true,
    });
    it.receiver.switchTo(ok);
    await it.replay(receiptId, { confirmDuplicateRisk: true });
    const receipt = await it.reaches(receiptId, 'delivered');
    expect(
      receipt.timeline.map(({ event, code }: { event: string; code: string }) => `${event} ${code}`),
    ).toEqual(
      expect.arrayContaining([
        'handoff_uncertain connection_reset',
        'replay_previewed null',
        'replay_confirmed null',
        'handoff_ended resolved',
        'replay_executed null',
        'handoff_ended delivered',
      ]),
    );
    expect(it.receiver.requests).toHaveLength(2);
    const { rows } = await engine.database.pool.query(
      `select e.state, e.reason from executions e join deliveries d on d.id = e.delivery_id
       where d.event_id = $1 order by e.id`,
      [uuidIn('receipt', receiptId)],
    );
    expect(rows).toEqual([
      { state: 'failed', reason: 'resolved' },
      { state: 'delivered', reason: null },
    ]);
  });

  test.each(['queued', 'sending', 'scheduled'])(
    'a handoff that is %s is unsafe to replay, even if confirmed',
    async (state) => {
      const it = await scene(status(422));
      const receiptId = await it.sent('failed');
      const key = randomUUID();
      const { body } = await it.preview(receiptId, { key });
      expect((await it.confirm(body.replayId, { key, body: { confirmDuplicateRisk: true } })).status).toBe(
        200,
      );
      // As if somebody else retried it meanwhile; no lane works for this owner.
      const owner = randomUUID();
      await engine.database.pool.query(
        `insert into executions (tenant_id, delivery_id, endpoint_id, state, worked_by, due_at, give_up_at, lease_token)
       select d.tenant_id, d.id, d.endpoint_id, $2, $3, now() + interval '1 hour', now() + interval '1 day',
         case when $2 = 'sending' then uuidv7() end from deliveries d where d.event_id = $1`,
        [uuidIn('receipt', receiptId), state, owner],
      );
      for (const refused of [
        await it.execute(body.replayId, { key }),
        await it.confirm(body.replayId, { key, body: { confirmDuplicateRisk: true } }),
        await it.preview(receiptId),
      ])
        expect(refused).toMatchObject({
          status: 409,
          body: { code: 'unsafe_state', reason: 'not_terminal' },
        });
      expect(await it.receipt(receiptId)).toMatchObject({
        outcome: 'processing',
        replay: { available: false, reason: 'not_terminal' },
      });
      expect(it.receiver.requests).toHaveLength(1);
      await engine.database.pool.query(
        `update executions set state = 'sending', lease_token = uuidv7() where worked_by = $1 and state <> 'sending'`,
        [owner],
      );
      await engine.database.pool.query(
        `update executions set state = 'failed', lease_token = null, reason = 'test', finished_at = now() where worked_by = $1`,
        [owner],
      );
    },
  );

  test('Let FlowRelay retry handle processing gaps while retained material is available: without it nothing unsent goes out.', async () => {
    const it = await scene(status(503), { retry: { maxAttempts: 5, initialMs: 600_000, capMs: 600_000 } });
    const receiptId = await it.send();
    await eventually('it waits to be tried again', async () => {
      const { timeline } = await it.receipt(receiptId);
      return timeline.some(({ event }: { event: string }) => event === 'failed_at_endpoint');
    });
    expect((await it.call('DELETE', payloadOf(receiptId))).status).toBe(204);
    await engine.database.pool.query(
      `update executions e set due_at = now() from deliveries d
       where d.id = e.delivery_id and d.event_id = $1 and e.state = 'scheduled'`,
      [uuidIn('receipt', receiptId)],
    );
    const receipt = await it.reaches(receiptId, 'failed');
    expect(receipt).toMatchObject({
      recoveryCode: 'retention_expired',
      retention: { state: 'expired', removedFor: 'erasure' },
      handoffs: [{ status: 'retention_expired' }],
    });
    expect(it.receiver.requests).toHaveLength(1);
  });
});

describe('Handoff Boundary', () => {
  test('Delivered means that the endpoint accepted the handoff, nothing more: receipts, previews and diagnostics say so.', async () => {
    const it = await scene();
    const receiptId = await it.sent('delivered');
    const boundary =
      'Delivered means that the endpoint accepted the handoff. It does not mean that downstream branches, app calls, fulfillment changes, emails, or later systems completed.';
    const receipt = await it.receipt(receiptId);
    expect(receipt).toMatchObject({
      handoffBoundary: boundary,
      handoffs: [{ status: 'delivered', meaning: 'The endpoint accepted the handoff.', statusCode: 200 }],
    });
    expect((await it.preview(receiptId)).body.handoffBoundary).toBe(boundary);
    const diagnostics = await it.call('POST', `/flowrelay/v1/receipts/${receiptId}/diagnostics/preview`);
    expect(diagnostics.body.content.handoffBoundary).toBe(boundary);
    expect(await it.guide(receiptId)).toMatchObject({
      recommended: 'none',
      why: 'The endpoint accepted the handoff: there is nothing to recover.',
      handoffBoundary: boundary,
    });
  });
});

async function untilStatus(it: FlowRelayScene, receiptId: string, wanted: string): Promise<void> {
  await eventually(`the handoff is ${wanted}`, async () => {
    const { handoffs } = await it.receipt(receiptId);
    return handoffs[0]?.status === wanted;
  });
}
