import { describe, expect, test } from '@jest/globals';
import { uuidIn } from '../../support/api/retries.ts';
import { useEngine } from '../../support/engine/use-engine.ts';
import { type Behaviour, ok, status } from '../../support/receivers/receiver-behaviour.ts';
import { createFlowRelayScene, receiptIdOf } from '../../support/surfaces/flowrelay-scene.ts';
import { closedAfterEach } from '../../support/use.ts';

const engine = useEngine();
const own = closedAfterEach();

async function scene(behaviour: Behaviour = ok) {
  return own(await createFlowRelayScene(engine, behaviour));
}

describe('A receipt', () => {
  test('is found by the event, in either spelling of its id, and not by another kind of id', async () => {
    const it = await scene();
    const receiptId = await it.sent('delivered');
    const uuid = uuidIn('receipt', receiptId);
    expect((await it.call('GET', `/flowrelay/v1/receipts/${uuid}`)).body.receiptId).toBe(receiptId);
    const eventId = receiptId.replace('rcp_', 'evt_');
    const listed = await it.call('GET', `/flowrelay/v1/receipts?eventId=${eventId}`);
    expect(listed.body.items.map((item: { receiptId: string }) => item.receiptId)).toEqual([receiptId]);
    expect((await it.call('GET', `/flowrelay/v1/receipts/${eventId}`)).status).toBe(404);
  });

  test('shows a handoff for each endpoint, of which a replay names one', async () => {
    const it = await scene(status(422));
    const other = await engine.client.newEndpoint(it.tenant.key, {
      url: it.receiver.url('/second'),
      retry: { maxAttempts: 1 },
    });
    it.receiver.switchTo(ok, '/second');
    const receiptId = await it.sent('failed');
    const receipt = await it.receipt(receiptId);
    expect(receipt.handoffs.map(({ status: each }: { status: string }) => each).sort()).toEqual([
      'delivered',
      'failed',
    ]);
    expect(await it.preview(receiptId)).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '#/endpointId', code: 'required' }] },
    });
    const chosen = await it.preview(receiptId, { body: { endpointId: it.endpoint.id } });
    expect(chosen).toMatchObject({
      status: 201,
      body: { preview: { sideEffects: { duplicateRisk: false } } },
    });
    const delivered = await it.preview(receiptId, { body: { endpointId: other.id } });
    expect(delivered).toMatchObject({ status: 201, body: { confirmDuplicateRiskRequired: true } });
    const elsewhere = await engine.client.newEndpoint(it.tenant.key, { url: it.receiver.url('/third') });
    for (const endpointId of [elsewhere.id, 'end_01k9z3e5hbe7r9qk2m4n6p8r0s'])
      expect(await it.preview(receiptId, { body: { endpointId } })).toMatchObject({
        status: 422,
        body: { code: 'product_boundary', reason: 'other_target' },
      });
  });

  test('of a rejected request exists once the tenant is known, whatever refused it', async () => {
    const it = await scene();
    const observer = await it.grant('observer');
    const ids: string[] = [];
    for (const [body, key, code] of [
      ['{', it.tenant.key, 'malformed_json'],
      [{ type: 'a', payload: 1, extra: 1 }, it.tenant.key, 'invalid_request'],
      [{ type: 'a', payload: 'x'.repeat(1_100_000) }, it.tenant.key, 'payload_too_large'],
      [`{"a":"${'x'.repeat(8 * 1024 * 1024)}"}`, it.tenant.key, 'body_too_large'],
      [{ type: 'a', payload: 1 }, observer, 'insufficient_scope'],
    ] as const) {
      const refused = await engine.client.call('POST', '/api/v1/events', { key, body });
      expect(refused.body.code).toBe(code);
      const { body: page } = await it.call(
        'GET',
        `/flowrelay/v1/receipts?requestId=${refused.body.instance}`,
      );
      expect(page.items).toMatchObject([{ outcome: 'rejected', rejectionCode: code }]);
      ids.push(page.items[0].receiptId);
    }
    expect(await it.receipt(ids.at(-1) ?? '')).toMatchObject({
      authentication: 'failed',
      validation: 'not_reached',
      recoveryCode: 'authentication_failed',
    });
    const unknown = await engine.client.call('POST', '/api/v1/events', { key: 'rdk_nobody', body: {} });
    expect(unknown.status).toBe(401);
    const { rows } = await engine.database.pool.query(
      'select count(*)::int as found from rejections where request_id = $1',
      [unknown.body.instance],
    );
    expect(rows[0].found).toBe(0);
  });

  test('is listed with the others, newest first, page by page, accepted and rejected together', async () => {
    const it = await scene();
    const expected: string[] = [];
    for (let n = 0; n < 3; n++) {
      expected.unshift(await it.send());
      expected.unshift(await it.rejected());
    }
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await it.call('GET', `/flowrelay/v1/receipts?limit=2${cursor ? `&cursor=${cursor}` : ''}`);
      expect(page.status).toBe(200);
      seen.push(...page.body.items.map(({ receiptId }: { receiptId: string }) => receiptId));
      cursor = page.body.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(expected);
    const only = await it.call('GET', '/flowrelay/v1/receipts?request=rejected');
    expect(only.body.items).toHaveLength(3);
  });
});

test('the id of a receipt is that of its event', () => {
  expect(receiptIdOf('evt_01k9z3e5hbe7r9qk2m4n6p8r0s')).toBe('rcp_01k9z3e5hbe7r9qk2m4n6p8r0s');
});
