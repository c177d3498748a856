import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { uuidIn } from '../../support/api/retries.ts';
import { useEngine } from '../../support/engine/use-engine.ts';
import { type Behaviour, ok, status } from '../../support/receivers/receiver-behaviour.ts';
import { createFlowRelayScene, type FlowRelayScene } from '../../support/surfaces/flowrelay-scene.ts';
import { closedAfterEach } from '../../support/use.ts';

const engine = useEngine();
const own = closedAfterEach();

async function scene(behaviour: Behaviour = status(422), endpoint?: Record<string, unknown>) {
  return own(await createFlowRelayScene(engine, behaviour, endpoint));
}

/** A failed receipt with a replay that was previewed and, unless told otherwise, confirmed. */
async function prepared(it: FlowRelayScene, { confirmed = true } = {}) {
  const receiptId = await it.sent('failed');
  const key = randomUUID();
  const { replayId } = (await it.preview(receiptId, { key })).body;
  if (confirmed) expect((await it.confirm(replayId, { key })).status).toBe(200);
  return { receiptId, key, replayId };
}

async function settings(it: FlowRelayScene, change: object): Promise<void> {
  await engine.client.expect(200, 'PATCH', `/api/v1/tenants/${it.tenant.id}`, { body: { settings: change } });
}

describe('one idempotency key goes from the preview to the execution', () => {
  test('each of the three needs one', async () => {
    const it = await scene();
    const { receiptId, replayId } = await prepared(it);
    for (const path of [
      `receipts/${receiptId}/replay/preview`,
      `replays/${replayId}/confirm`,
      `replays/${replayId}/execute`,
    ])
      expect(await it.call('POST', `/flowrelay/v1/${path}`, { body: {} })).toMatchObject({
        status: 400,
        body: { code: 'idempotency_key_required' },
      });
    expect(
      await it.call('POST', `/flowrelay/v1/replays/${replayId}/execute`, {
        headers: { 'idempotency-key': 'a b' },
      }),
    ).toMatchObject({ status: 400, body: { code: 'idempotency_key_invalid' } });
  });

  test('another key in between is a conflict: stop', async () => {
    const it = await scene();
    const { replayId } = await prepared(it, { confirmed: false });
    for (const act of [it.confirm, it.execute])
      expect(await act(replayId, { key: 'another' })).toMatchObject({
        status: 409,
        body: {
          code: 'idempotency_conflict',
          detail: expect.stringMatching(/^Stop.*stands for nothing yet/),
        },
      });
    const other = await prepared(it, { confirmed: false });
    for (const act of [it.confirm, it.execute])
      expect(await act(replayId, { key: other.key })).toMatchObject({
        status: 409,
        body: {
          code: 'idempotency_conflict',
          detail: expect.stringMatching(/^Stop.*belongs to another replay/),
        },
      });
  });

  test('the same key for another receipt, target or actor is a conflict: stop', async () => {
    const it = await scene();
    const { receiptId, key } = await prepared(it, { confirmed: false });
    const other = await it.sent('failed');
    const apiKey = await it.grant('recovery_operator');
    for (const conflict of [
      await it.preview(other, { key }),
      await it.preview(receiptId, { key, body: { endpointId: it.endpoint.id } }),
      await it.preview(receiptId, { key, apiKey }),
    ])
      expect(conflict).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
  });

  test('repeats of each step get the same answer, and one thing is sent', async () => {
    const it = await scene();
    const receiptId = await it.sent('failed');
    it.receiver.switchTo(ok);
    const key = randomUUID();
    const previews = [await it.preview(receiptId, { key }), await it.preview(receiptId, { key })];
    expect(previews[1]?.text).toBe(previews[0]?.text);
    expect(previews.map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true']);
    const { replayId } = previews[0]?.body ?? {};
    const confirmed = [await it.confirm(replayId, { key }), await it.confirm(replayId, { key })];
    expect(confirmed[1]?.text).toBe(confirmed[0]?.text);
    const executed = await Promise.all(Array.from({ length: 5 }, () => it.execute(replayId, { key })));
    await it.reaches(receiptId, 'delivered');
    executed.push(await it.execute(replayId, { key }));
    expect(new Set(executed.map(({ status: code, text }) => `${code} ${text}`)).size).toBe(1);
    expect(executed[0]).toMatchObject({ status: 202, body: { state: 'executed' } });
    const { results, ...shown } = (await it.call('GET', `/flowrelay/v1/replays/${replayId}`)).body;
    expect(shown).toEqual(executed[0]?.body);
    expect(results).toMatchObject([{ status: 'delivered', statusCode: 200, requests: 1 }]);
    expect((await it.preview(receiptId, { key })).text).toBe(executed[0]?.text);
    expect(it.receiver.requests).toHaveLength(2);
    const { rows } = await engine.database.pool.query(
      `select kind, target, surface from operations where tenant_id = $1`,
      [uuidIn('tenant', it.tenant.id)],
    );
    expect(rows).toEqual([{ kind: 'replay', target: 'current', surface: 'flowrelay' }]);
  });

  test('previews at the same moment under one key are one replay', async () => {
    const it = await scene();
    const receiptId = await it.sent('failed');
    const key = randomUUID();
    const answers = await Promise.all(Array.from({ length: 6 }, () => it.preview(receiptId, { key })));
    expect(new Set(answers.map(({ body }) => body.replayId)).size).toBe(1);
    expect(answers.every(({ status: code }) => code === 201)).toBe(true);
  });

  test('of several confirmed replays of one receipt one is executed', async () => {
    const it = await scene();
    const receiptId = await it.sent('failed');
    const replays = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const key = randomUUID();
        const { replayId } = (await it.preview(receiptId, { key })).body;
        await it.confirm(replayId, { key });
        return { replayId, key };
      }),
    );
    it.receiver.switchTo(ok);
    const executed = await Promise.all(replays.map(({ replayId, key }) => it.execute(replayId, { key })));
    expect(executed.map(({ status: code }) => code).sort()).toEqual([202, 409, 409, 409]);
    await it.reaches(receiptId, 'delivered');
    expect(it.receiver.requests).toHaveLength(2);
  });
});

test('a replay and a native retry at the same moment send one thing, and neither loses it', async () => {
  const it = await scene();
  for (let round = 0; round < 6; round++) {
    it.receiver.switchTo(status(422));
    const { receiptId, key, replayId } = await prepared(it);
    const before = it.receiver.requests.length;
    it.receiver.switchTo(ok);
    const [executed, retried] = await Promise.all([
      it.execute(replayId, { key }),
      it.call('POST', '/api/v1/retries', {
        body: { select: { eventIds: [receiptId.replace('rcp_', 'evt_')] } },
      }),
    ]);
    expect([202, 409]).toContain(executed.status);
    if (executed.status === 409)
      expect(['not_terminal', 'changed_since_preview', 'nothing_to_send']).toContain(executed.body.reason);
    expect(retried.status).toBe(202);
    await it.reaches(receiptId, 'delivered');
    expect(it.receiver.requests.length).toBe(before + 1);
  }
});

describe('a change of anything it is bound to demands a fresh preview', () => {
  const changes: [string, (it: FlowRelayScene, receiptId: string) => Promise<unknown>, object][] = [
    [
      'the endpoint version',
      (it) => it.call('PATCH', `/api/v1/endpoints/${it.endpoint.id}`, { body: { timeoutMs: 500 } }),
      { status: 409, body: { code: 'unsafe_state', reason: 'changed_since_preview' } },
    ],
    [
      'the target, which is disabled',
      (it) => it.call('POST', `/api/v1/endpoints/${it.endpoint.id}/disable`),
      { status: 409, body: { code: 'unsafe_state', reason: 'changed_since_preview' } },
    ],
    [
      'the target, which is deleted',
      (it) => it.call('DELETE', `/api/v1/endpoints/${it.endpoint.id}`),
      { status: 409, body: { code: 'unsafe_state', reason: 'endpoint_deleted' } },
    ],
    [
      'the payload, which is gone',
      (it, receiptId) => it.call('DELETE', `/api/v1/events/${receiptId.replace('rcp_', 'evt_')}/payload`),
      { status: 410, body: { code: 'expired_retention', reason: 'payload_gone' } },
    ],
    [
      'the payload',
      (_, receiptId) =>
        engine.database.pool.query(`update payloads set body = '{"n":2}' where event_id = $1`, [
          uuidIn('receipt', receiptId),
        ]),
      { status: 409, body: { code: 'unsafe_state', reason: 'changed_since_preview' } },
    ],
    [
      'the state of the event’s handoff',
      async (it, receiptId) => {
        it.receiver.switchTo(ok);
        await it.replay(receiptId);
        await it.reaches(receiptId, 'delivered');
      },
      { status: 409, body: { code: 'unsafe_state', reason: 'changed_since_preview' } },
    ],
  ];

  test.each(changes)('%s', async (_, change, refusal) => {
    const it = await scene();
    const previewed = await prepared(it, { confirmed: false });
    const key = randomUUID();
    const confirmed = { key, ...(await it.preview(previewed.receiptId, { key })).body };
    expect((await it.confirm(confirmed.replayId, { key })).status).toBe(200);
    await change(it, previewed.receiptId);
    const before = it.receiver.requests.length;
    for (const refused of [
      await it.execute(confirmed.replayId, confirmed),
      await it.confirm(previewed.replayId, previewed),
      await it.preview(previewed.receiptId, previewed),
    ]) {
      expect(refused).toMatchObject(refusal);
      expect(refused.body.freshPreviewRequired).toBe(true);
    }
    expect(it.receiver.requests).toHaveLength(before);
    expect((await it.call('GET', `/flowrelay/v1/replays/${confirmed.replayId}`)).body.state).toBe(
      'confirmed',
    );
  });

  test('the actor', async () => {
    const it = await scene();
    const { replayId, key } = await prepared(it);
    const apiKey = await it.grant('recovery_operator');
    for (const act of [it.confirm, it.execute])
      expect(await act(replayId, { key, apiKey })).toMatchObject({
        status: 409,
        body: { code: 'unsafe_state', reason: 'actor_changed', freshPreviewRequired: true },
      });
  });

  test('time: a preview does not stay true for ever', async () => {
    const it = await scene();
    const { replayId, key, receiptId } = await prepared(it);
    await engine.database.pool.query(`update receipt_replays set expires_at = now() where id = $1`, [
      uuidIn('receiptReplay', replayId),
    ]);
    expect(await it.execute(replayId, { key })).toMatchObject({
      status: 409,
      body: { reason: 'preview_expired', freshPreviewRequired: true },
    });
    expect((await it.preview(receiptId)).status).toBe(201);
  });

  test('an endpoint that is made later is not part of what was previewed', async () => {
    const it = await scene(ok, { eventTypes: ['order.*'] });
    await it.call('POST', `/api/v1/endpoints/${it.endpoint.id}/disable`);
    const receiptId = await it.send();
    await it.call('POST', `/api/v1/endpoints/${it.endpoint.id}/enable`);
    const key = randomUUID();
    const { replayId } = (await it.preview(receiptId, { key })).body;
    await it.confirm(replayId, { key });
    await engine.client.newEndpoint(it.tenant.key, { url: it.receiver.url('/later') });
    expect(await it.execute(replayId, { key })).toMatchObject({
      status: 409,
      body: { reason: 'changed_since_preview' },
    });
    const chosen = await it.preview(receiptId, { body: { endpointId: it.endpoint.id } });
    expect(chosen.body.preview.targets).toHaveLength(1);
  });
});

describe('refusals by code', () => {
  test('missing_scope', async () => {
    const it = await scene();
    const { receiptId, replayId } = await prepared(it);
    const apiKey = await it.grant('operator');
    for (const refused of [
      await it.preview(receiptId, { apiKey }),
      await it.confirm(replayId, { apiKey }),
      await it.execute(replayId, { apiKey }),
    ])
      expect(refused).toMatchObject({
        status: 403,
        body: {
          code: 'missing_scope',
          requiredScope: 'replay:receipts',
          grants: ['recovery_operator', 'admin'],
          detail: expect.stringContaining('`replay:receipts`'),
        },
      });
  });

  test('unsafe_state: it is not confirmed, or the endpoint is not ready', async () => {
    const it = await scene();
    const { replayId, key, receiptId } = await prepared(it, { confirmed: false });
    expect(await it.execute(replayId, { key })).toMatchObject({
      status: 409,
      body: { reason: 'not_confirmed' },
    });
    await it.call('POST', `/api/v1/endpoints/${it.endpoint.id}/disable`);
    const fresh = randomUUID();
    const preview = await it.preview(receiptId, { key: fresh });
    expect(preview).toMatchObject({
      status: 201,
      body: { preview: { readiness: { ready: false, reasons: ['endpoint_disabled'] } } },
    });
    expect(await it.confirm(preview.body.replayId, { key: fresh })).toMatchObject({
      status: 409,
      body: { code: 'unsafe_state', reason: 'not_ready' },
    });
  });

  test('unsafe_state: the endpoint no longer wants the event', async () => {
    const it = await scene();
    const receiptId = await it.sent('failed');
    await it.call('PATCH', `/api/v1/endpoints/${it.endpoint.id}`, { body: { filter: { n: 2 } } });
    const key = randomUUID();
    const { body } = await it.preview(receiptId, { key });
    expect(body.preview.readiness).toEqual({ ready: false, reasons: ['no_longer_wants_event'] });
    expect((await it.confirm(body.replayId, { key })).body.reason).toBe('not_ready');
  });

  test('usage_limit: as many as the tenant may have in 24 hours were executed', async () => {
    const it = await scene();
    await settings(it, { replaysPerDay: 1 });
    const first = await prepared(it);
    const second = await prepared(it);
    expect((await it.execute(first.replayId, first)).status).toBe(202);
    const refused = await it.execute(second.replayId, second);
    expect(refused).toMatchObject({ status: 429, body: { code: 'usage_limit', reason: 'replays_per_day' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(86_000);
    expect((await it.preview(second.receiptId)).body.code).toBe('usage_limit');
    await engine.database.pool.query(
      `update receipt_replays set executed_at = executed_at - interval '24 hours' where id = $1`,
      [uuidIn('receiptReplay', first.replayId)],
    );
    expect((await it.execute(second.replayId, second)).status).toBe(202);
    await settings(it, { replaysPerDay: null });
    expect((await it.preview(await it.sent('failed'))).body.preview.usage).toEqual({
      executedInLastDay: 1,
      limit: null,
    });
  });

  test('usage_limit: holds however many are executed at the same moment', async () => {
    const it = await scene();
    await settings(it, { replaysPerDay: 2 });
    const all: { replayId: string; key: string }[] = [];
    for (let n = 0; n < 5; n++) all.push(await prepared(it));
    const answers = await Promise.all(all.map((each) => it.execute(each.replayId, each)));
    expect(answers.map(({ status: code }) => code).sort()).toEqual([202, 202, 429, 429, 429]);
  });
});

describe('ids', () => {
  test('of another tenant are as unknown as any', async () => {
    const [ours, theirs] = [await scene(), await scene()];
    const { receiptId, replayId, key } = await prepared(theirs);
    const diagnostics = await theirs.call('POST', `/flowrelay/v1/receipts/${receiptId}/diagnostics/preview`);
    const calls = (receipt: string, replay: string, diagnosticsId: string) =>
      Promise.all([
        ours.call('GET', `/flowrelay/v1/receipts/${receipt}`),
        ours.call('GET', `/flowrelay/v1/receipts/${receipt}/guide`),
        ours.preview(receipt),
        ours.confirm(replay, { key }),
        ours.execute(replay, { key }),
        ours.call('GET', `/flowrelay/v1/replays/${replay}`),
        ours.call('POST', `/flowrelay/v1/receipts/${receipt}/diagnostics/preview`),
        ours.call('POST', `/flowrelay/v1/diagnostics/${diagnosticsId}/freeze`),
        ours.call('GET', `/flowrelay/v1/diagnostics/${diagnosticsId}`),
      ]);
    const plain = ({ status: code, body }: { status: number; body: object }) => ({
      code,
      body: { ...body, instance: '' },
    });
    const foreign = await calls(receiptId, replayId, diagnostics.body.diagnosticsId);
    const unknown = await calls(
      'rcp_01k9z3e5hbe7r9qk2m4n6p8r0s',
      'rrp_01k9z3e5hbe7r9qk2m4n6p8r0s',
      'dgn_01k9z3e5hbe7r9qk2m4n6p8r0s',
    );
    expect(foreign.map(plain)).toEqual(unknown.map(plain));
    expect(foreign.every(({ status: code }) => code === 404)).toBe(true);
    expect((await ours.call('GET', '/flowrelay/v1/receipts')).body.items).toEqual([]);
    const listed = await ours.call(
      'GET',
      `/flowrelay/v1/receipts?eventId=${receiptId.replace('rcp_', 'evt_')}`,
    );
    expect(listed.body.items).toEqual([]);
  });
});
