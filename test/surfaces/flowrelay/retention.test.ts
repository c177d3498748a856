import { describe, expect, test } from '@jest/globals';
import { withTransaction } from '../../../src/store/db/pool.ts';
import { expirePayloads } from '../../../src/store/settling/payload-retention.ts';
import { dropExpiredDiagnostics } from '../../../src/surfaces/flowrelay/store/receipt-diagnostics.ts';
import { uuidIn } from '../../support/api/retries.ts';
import { useEngine } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { type Behaviour, closeSilently, status } from '../../support/receivers/receiver-behaviour.ts';
import { createFlowRelayScene, type FlowRelayScene } from '../../support/surfaces/flowrelay-scene.ts';
import { closedAfterEach } from '../../support/use.ts';

const engine = useEngine();
const own = closedAfterEach();

async function scene(behaviour: Behaviour = status(422), endpoint?: Record<string, unknown>) {
  return own(await createFlowRelayScene(engine, behaviour, endpoint));
}

const sql = (text: string, values?: unknown[]) => engine.database.pool.query(text, values);

/** Lets everything that the tenant has sent be older by so many days. */
async function age(it: FlowRelayScene, days: number): Promise<void> {
  await sql(`update events set accepted_at = accepted_at - $2 * interval '1 day' where tenant_id = $1`, [
    uuidIn('tenant', it.tenant.id),
    days,
  ]);
}

async function keepFor(it: FlowRelayScene, settings: Record<string, number | null>): Promise<void> {
  await engine.client.expect(200, 'PATCH', `/api/v1/tenants/${it.tenant.id}`, { body: { settings } });
}

async function retention(it: FlowRelayScene, days: number | null): Promise<void> {
  await keepFor(it, { payloadRetentionDays: days });
}

describe('Retention', () => {
  test('the payload goes, the receipt stays, and says so', async () => {
    const it = await scene();
    await keepFor(it, { eventRetentionDays: 90 });
    const receiptId = await it.sent('failed');
    const before = await it.receipt(receiptId);
    expect(before.retention).toEqual({
      state: 'retained',
      // With its event.
      retainedUntil: new Date(Date.parse(before.receivedAt) + 90 * 86_400_000).toISOString(),
      removedAt: null,
      removedFor: null,
    });
    await retention(it, 30);
    expect((await it.receipt(receiptId)).retention).toMatchObject({
      state: 'retained',
      retainedUntil: new Date(Date.parse(before.receivedAt) + 30 * 86_400_000).toISOString(),
    });
    await age(it, 31);
    await eventually(
      'it has expired',
      async () => (await it.receipt(receiptId)).retention.state === 'expired',
    );
    const after = await it.receipt(receiptId);
    expect(after).toMatchObject({
      outcome: 'failed',
      recoveryCode: 'retention_expired',
      retention: { state: 'expired', retainedUntil: null, removedFor: 'retention' },
      replay: { available: false, refusal: 'expired_retention', reason: 'payload_gone' },
      handoffs: [{ recoveryCode: 'retention_expired', status: 'failed', statusCode: 422 }],
    });
    expect(after.timeline.at(-1)).toMatchObject({ event: 'payload_removed', code: 'retention' });
    const event = await it.call('GET', `/api/v1/events/${receiptId.replace('rcp_', 'evt_')}`);
    expect(event.body.payloadKept).toBe(false);
  });

  test('an event that is younger, belongs to a tenant without a setting or is open keeps its payload', async () => {
    const [it, unlimited] = [await scene(), await scene()];
    const open = await scene(closeSilently);
    const old = await it.sent('failed');
    const other = await unlimited.sent('failed');
    const unknown = await open.send();
    await eventually('its outcome is not known', async () => {
      const { handoffs } = await open.receipt(unknown);
      return handoffs[0]?.status === 'uncertain';
    });
    for (const each of [it, unlimited, open]) await age(each, 10);
    const young = await it.sent('failed');
    await retention(open, 1);
    await retention(it, 1);
    await eventually(
      'the old one has gone',
      async () => (await it.receipt(old)).retention.state === 'expired',
    );
    await eventually('the open one was looked at', async () => {
      const { rows } = await sql('select from payload_sweep_held where event_id = $1', [
        uuidIn('receipt', unknown),
      ]);
      return rows.length === 1;
    });
    expect((await it.receipt(young)).retention.state).toBe('retained');
    expect((await unlimited.receipt(other)).retention.state).toBe('retained');
    expect((await open.receipt(unknown)).retention.state).toBe('retained');
    const { deliveryId } = (await open.receipt(unknown)).handoffs[0];
    await open.call('POST', `/api/v1/deliveries/${deliveryId}/resolve`, {
      body: { outcome: 'failed', confirm: true },
    });
    await eventually(
      'it goes when it is settled',
      async () => (await open.receipt(unknown)).retention.state === 'expired',
    );
    const held = await sql('select from payload_sweep_held where event_id = $1', [
      uuidIn('receipt', unknown),
    ]);
    expect(held.rows).toHaveLength(0);
  });

  test('goes by small steps, each from where the last one stopped', async () => {
    const it = await scene();
    await it.call('POST', `/api/v1/endpoints/${it.endpoint.id}/disable`);
    const accepted = await it.call('POST', '/api/v1/events', {
      body: Array.from({ length: 25 }, (_, n) => ({ type: 'a', payload: n })),
    });
    expect(accepted.status).toBe(202);
    await age(it, 10);
    const tenantId = uuidIn('tenant', it.tenant.id);
    // Without the setting the sweeper leaves this tenant alone; the steps are taken here.
    const step = () =>
      withTransaction(engine.database.pool, async (db) => {
        await db.query(`update tenants set settings = '{"payloadRetentionDays":1}' where id = $1`, [
          tenantId,
        ]);
        const result = await expirePayloads(db, tenantId, 10);
        await db.query(`update tenants set settings = '{}' where id = $1`, [tenantId]);
        return result;
      });
    expect([await step(), await step(), await step(), await step()]).toEqual([
      { removed: 10, examined: 10 },
      { removed: 10, examined: 10 },
      { removed: 5, examined: 5 },
      { removed: 0, examined: 0 },
    ]);
  });

  test('erasure takes the payload at once, whatever the setting, and for the tenant only', async () => {
    const [it, stranger] = [await scene(), await scene()];
    const receiptId = await it.sent('failed');
    const path = `/api/v1/events/${receiptId.replace('rcp_', 'evt_')}/payload`;
    expect((await stranger.call('DELETE', path)).status).toBe(404);
    expect((await it.receipt(receiptId)).retention.state).toBe('retained');
    expect((await it.call('DELETE', path, { key: await it.grant('admin') })).status).toBe(403);
    const { deliveryId } = (await it.receipt(receiptId)).handoffs[0];
    const answered = async () =>
      (await it.call('GET', `/api/v1/deliveries/${deliveryId}`)).body.executions[0].attempts[0]
        .responseExcerpt;
    expect(await answered()).toBe('status 422');
    expect((await it.call('DELETE', path)).status).toBe(204);
    expect(await answered()).toBeNull();
    const { retention: first } = await it.receipt(receiptId);
    expect(first).toMatchObject({ state: 'expired', removedFor: 'erasure' });
    expect((await it.call('DELETE', path)).status).toBe(204);
    expect((await it.receipt(receiptId)).retention).toEqual(first);
  });
});

describe('Settings of a tenant', () => {
  const NEW = {
    payloadRetentionDays: null,
    eventRetentionDays: 90,
    receiptRetentionDays: null,
    ledgerRetentionDays: null,
    reportRetentionDays: null,
    replaysPerDay: null,
  };

  test('are set when it is made, changed one by one, and taken away by null', async () => {
    const made = await engine.client.expect(201, 'POST', '/api/v1/tenants', {
      body: { handle: 'with-settings', settings: { payloadRetentionDays: 7 } },
    });
    expect(made.body.settings).toEqual({
      ...NEW,
      payloadRetentionDays: 7,
    });
    const patch = async (settings: unknown) =>
      engine.client.call('PATCH', '/api/v1/tenants/with-settings', { body: { settings } });
    expect((await patch({ replaysPerDay: 0 })).body.settings).toEqual({
      ...NEW,
      payloadRetentionDays: 7,
      replaysPerDay: 0,
    });
    expect((await patch({ payloadRetentionDays: null })).body.settings).toEqual({
      ...NEW,
      replaysPerDay: 0,
    });
    for (const [wrong, pointer] of [
      [{ payloadRetentionDays: 0 }, '#/settings/payloadRetentionDays'],
      [{ ledgerRetentionDays: 6 }, '#/settings/ledgerRetentionDays'],
      [{ eventRetentionDays: 0 }, '#/settings/eventRetentionDays'],
      [{ reportRetentionDays: 6 }, '#/settings/reportRetentionDays'],
      [{ receiptRetentionDays: 3_651 }, '#/settings/receiptRetentionDays'],
      [{ replaysPerDay: -1 }, '#/settings/replaysPerDay'],
      [{ retries: 1 }, '#/settings/retries'],
      [null, '#/settings'],
    ] as const)
      expect(await patch(wrong)).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
  });
});

describe('Diagnostics', () => {
  test('are previewed, then frozen as they were shown, and never change', async () => {
    const it = await scene();
    const receiptId = await it.sent('failed');
    const previewed = await it.call('POST', `/flowrelay/v1/receipts/${receiptId}/diagnostics/preview`);
    const { deliveryId } = previewed.body.content.handoffs[0];
    expect(previewed).toMatchObject({
      status: 201,
      body: {
        state: 'previewed',
        frozenAt: null,
        content: {
          schema: 'flowrelay.diagnostics.v1',
          receiptId,
          outcome: 'failed',
          recoveryCode: 'handoff_failed',
          authentication: 'passed',
          validation: 'passed',
          retention: { state: 'retained' },
          replay: { available: true },
          guidance: { recommended: 'flowrelay_replay', situation: 'not_ready' },
          handoffs: [
            {
              status: 'failed',
              statusCode: 422,
              faultCode: 'http_4xx',
              endpoint: {
                endpointId: it.endpoint.id,
                versionAtAcceptance: 1,
                currentVersion: 1,
                state: 'enabled',
              },
            },
          ],
        },
      },
    });
    await it.call('POST', `/api/v1/endpoints/${it.endpoint.id}/disable`);
    const path = `/flowrelay/v1/diagnostics/${previewed.body.diagnosticsId}`;
    const frozen = await it.call('POST', `${path}/freeze`, { body: {} });
    expect(frozen).toMatchObject({ status: 200, body: { state: 'frozen' } });
    expect(JSON.stringify(frozen.body.content)).toBe(JSON.stringify(previewed.body.content));
    expect((await it.call('POST', `${path}/freeze`)).text).toBe(frozen.text);
    await it.call('DELETE', `/api/v1/events/${receiptId.replace('rcp_', 'evt_')}/payload`);
    expect((await it.call('GET', path)).text).toBe(frozen.text);
    expect(deliveryId).toMatch(/^dlv_/);
    const id = uuidIn('diagnostics', previewed.body.diagnosticsId);
    for (const change of [
      `update receipt_diagnostics set content = '{}' where id = $1`,
      `update receipt_diagnostics set state = 'previewed', frozen_at = null where id = $1`,
      'delete from receipt_diagnostics where id = $1',
    ])
      await expect(sql(change, [id])).rejects.toMatchObject({ code: 'RD002' });
  });

  test('are shown to an Observer by their state only', async () => {
    const it = await scene();
    const receiptId = await it.sent('failed');
    const { body } = await it.call('POST', `/flowrelay/v1/receipts/${receiptId}/diagnostics/preview`);
    const path = `/flowrelay/v1/diagnostics/${body.diagnosticsId}`;
    const seen = await it.call('GET', path, { key: await it.grant('observer') });
    expect(seen.body).toMatchObject({ state: 'previewed', receiptId, content: null });
    const whole = await it.call('GET', path, { key: await it.grant('recovery_operator') });
    expect(whole.body.content).toEqual(body.content);
  });

  test('that nobody froze are forgotten', async () => {
    const it = await scene();
    const receiptId = await it.sent('failed');
    const { body } = await it.call('POST', `/flowrelay/v1/receipts/${receiptId}/diagnostics/preview`);
    const id = uuidIn('diagnostics', body.diagnosticsId);
    await sql(`update receipt_diagnostics set expires_at = now() - interval '1 second' where id = $1`, [id]);
    for (const [method, suffix] of [
      ['GET', ''],
      ['POST', '/freeze'],
    ] as const)
      expect((await it.call(method, `/flowrelay/v1/diagnostics/${body.diagnosticsId}${suffix}`)).status).toBe(
        404,
      );
    // The sweeper does the same, and either passes over what the other is removing.
    await eventually('they are gone', async () => {
      await dropExpiredDiagnostics(engine.database.pool, 100);
      return (await sql('select from receipt_diagnostics where id = $1', [id])).rows.length === 0;
    });
  });
});
