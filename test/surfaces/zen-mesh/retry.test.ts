import { describe, expect, test } from '@jest/globals';
import { SignJWT } from 'jose';
import { Webhook } from 'standardwebhooks';
import { uuidIn } from '../../support/api/retries.ts';
import { createScene, type Scene } from '../../support/engine/recovery-scene.ts';
import { useEngine } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { type Receiver, startReceiver } from '../../support/receivers/receiver.ts';
import { type Behaviour, flaky, held, ok, slow, status } from '../../support/receivers/receiver-behaviour.ts';
import { createZenClient, type ZenClient } from '../../support/surfaces/zen-mesh.ts';
import { closedAfterEach } from '../../support/use.ts';

/** The document from top to bottom; each title is its sentence. Cases that it leaves open are in the other files. */

const REQUEST_ID = /^req_[0-9a-f]{32}$/;
const UNKNOWN_EVENT = 'evt_01k9z3e5hbe7r9qk2m4n6p8r0s';

const engine = useEngine();
const own = closedAfterEach();

async function another(behaviour: Behaviour): Promise<Receiver> {
  const receiver = own(await startReceiver(behaviour));
  return receiver;
}

type World = { scene: Scene; zen: ZenClient; tenant: string };

/** A tenant with one endpoint. */
async function world(behaviour: Behaviour = ok, endpoint: Record<string, unknown> = {}): Promise<World> {
  const scene = own(await createScene(engine, [behaviour], endpoint));
  const zen = await createZenClient(engine.service.url ?? '', scene.tenant.key);
  return { scene, zen, tenant: scene.tenant.id };
}

type Failed = { eventId: string; deliveryId: string };

/** Deliveries of the tenant with their events, as they are shown, oldest first. */
async function deliveries({ zen, tenant }: World): Promise<Failed[]> {
  const { body } = await zen('GET', `/v1/tenants/${tenant}/deliveries?limit=100`);
  return body.deliveries
    .map((each: { id: string; event_id: string }) => ({ eventId: each.event_id, deliveryId: each.id }))
    .reverse();
}

/** A tenant with failed deliveries. */
async function failures(count: number, behaviour: Behaviour = ok, endpoint: Record<string, unknown> = {}) {
  const made = await world(behaviour, endpoint);
  await made.scene.seed(count);
  const failed = await deliveries(made);
  return { ...made, failed, first: failed[0] as Failed };
}

async function counted(
  table: 'events' | 'deliveries' | 'executions' | 'attempts',
  { tenant }: World,
): Promise<number> {
  const { rows } = await engine.database.pool.query(
    `select count(*) as n from ${table} where tenant_id = $1`,
    [uuidIn('tenant', tenant)],
  );
  return Number(rows[0].n);
}

const retry = ({ zen, tenant }: World, eventId: string, headers: Record<string, string> = {}) =>
  zen('POST', `/v1/tenants/${tenant}/events/${eventId}/retry`, { headers });
const batch = ({ zen, tenant }: World, ids: unknown, headers: Record<string, string> = {}) =>
  zen('POST', `/v1/tenants/${tenant}/retry/batch`, { body: { delivery_ids: ids }, headers });
const show = async ({ zen, tenant }: World, id: string) =>
  (await zen('GET', `/v1/tenants/${tenant}/deliveries/${id}`)).body;

async function delivered(it: World, id: string): Promise<void> {
  await eventually('it is delivered', async () => (await show(it, id)).status === 'delivered');
}

describe('Retry API', () => {
  test('Retry re-attempts delivery of a failed event to the original target.', async () => {
    const it = await failures(1);
    const elsewhere = await another(ok);
    const endpoint = `/api/v1/endpoints/${it.scene.endpoints[0].id}`;
    const { key } = it.scene.tenant;
    await engine.client.expect(200, 'PATCH', endpoint, { key, body: { url: elsewhere.url('/new') } });
    const rotated = await engine.client.expect(200, 'POST', `${endpoint}/rotate-secret`, {
      key,
      body: { oldValidForMs: 0 },
    });
    expect((await retry(it, it.first.eventId)).status).toBe(202);
    await delivered(it, it.first.deliveryId);
    expect(elsewhere.requests).toHaveLength(0);
    const [sent] = it.scene.receivers[0]?.requests ?? [];
    expect(sent).toMatchObject({ path: '/hook', id: it.first.deliveryId });
    // The version that was first used, but the secret of now.
    const headers = sent?.headers as Record<string, string>;
    expect(() => new Webhook(rotated.body.secret).verify(sent?.body ?? '', headers)).not.toThrow();
  });

  test('Retry differs from Replay — replay recreates delivery from retained payload/context', async () => {
    const it = await failures(1);
    const elsewhere = await another(ok);
    await engine.client.expect(200, 'PATCH', `/api/v1/endpoints/${it.scene.endpoints[0].id}`, {
      key: it.scene.tenant.key,
      body: { url: elsewhere.url('/new') },
    });
    await engine.database.pool.query(`update events set source = 'billing' where tenant_id = $1`, [
      uuidIn('tenant', it.tenant),
    ]);
    const accepted = await it.zen('POST', '/v1/replays', {
      body: {
        source_id: 'billing',
        time_range: { since: '2020-01-01T00:00:00Z', until: '2100-01-01T00:00:00Z' },
      },
      headers: { 'x-tenant-id': it.tenant },
    });
    expect(accepted).toMatchObject({ status: 202, body: { status: 'queued', estimated_events: 1 } });
    await delivered(it, it.first.deliveryId);
    expect(elsewhere.requests).toHaveLength(1);
  });

  test('while retry re-uses the original delivery attempt.', async () => {
    const it = await failures(1);
    const before = { events: await counted('events', it), deliveries: await counted('deliveries', it) };
    const answer = await retry(it, it.first.eventId);
    expect(answer.body.delivery_id).toBe(it.first.deliveryId);
    await delivered(it, it.first.deliveryId);
    expect(it.scene.receivers[0]?.requests.map(({ id }) => id)).toEqual([it.first.deliveryId]);
    expect({ events: await counted('events', it), deliveries: await counted('deliveries', it) }).toEqual(
      before,
    );
  });
});

describe('Canonical retry path', () => {
  test('POST /v1/tenants/{tenant_id}/events/{event_id}/retry', async () => {
    const it = await failures(2);
    const [one, other] = it.failed as [Failed, Failed];
    expect((await retry(it, one.eventId)).status).toBe(202);
    const byHandle = `/v1/tenants/${it.scene.tenant.handle}/events/${uuidIn('event', other.eventId)}/retry`;
    expect((await it.zen('POST', byHandle)).body.delivery_id).toBe(other.deliveryId);
  });

  test('The path /events/retry/batch is not canonical and must not be used.', async () => {
    const it = await failures(1);
    for (const path of [
      `/v1/tenants/${it.tenant}/events/retry/batch`,
      '/v1/events/retry/batch',
      '/events/retry/batch',
    ]) {
      const answer = await it.zen('POST', path, { body: { delivery_ids: [it.first.deliveryId] } });
      expect(answer.status).toBe(404);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(Object.keys(answer.body)).toEqual(['type', 'title', 'status', 'detail', 'instance']);
      expect(answer.body.type).toBe('https://api.zen-mesh.io/errors/not-found');
      expect(answer.body.detail).toContain(
        `POST /v1/tenants/${path.includes(it.tenant) ? it.tenant : '{tenant_id}'}/retry/batch`,
      );
    }
    expect(it.scene.sent()).toBe(0);
  });
});

describe('Endpoint table', () => {
  test.each([
    ['POST /tenants/{tid}/events/{eid}/retry | Retry an event | write:deliveries | Supported', 'single'],
    ['POST /tenants/{tid}/retry/batch | Batch retry | write:deliveries | Supported', 'batch'],
  ])('%s', async (_, route) => {
    const it = await failures(1);
    const send = (headers: Record<string, string>) =>
      route === 'single' ? retry(it, it.first.eventId, headers) : batch(it, [it.first.deliveryId], headers);
    const first = await send({ 'idempotency-key': 'idem_key_1' });
    expect(first.status).toBe(202);
    await delivered(it, it.first.deliveryId);
    const repeat = await send({ 'idempotency-key': 'idem_key_1' });
    expect([repeat.status, repeat.text]).toEqual([202, first.text]);
    expect(it.scene.sent()).toBe(1);
  });

  test('Read support for retryable attempts is available through the Delivery Attempts API.', async () => {
    const it = await failures(1, status(503));
    await retry(it, it.first.eventId);
    await eventually(
      'it failed again',
      async () => (await show(it, it.first.deliveryId)).attempt_number === 2,
    );
    expect((await show(it, it.first.deliveryId)).attempts).toHaveLength(2);
  });

  test('Write (retry) requires tenant authorization, event-level authorization, and idempotency safety.', async () => {
    const [ours, theirs] = await Promise.all([failures(1), failures(1)]);
    const foreignTenant = await ours.zen(
      'POST',
      `/v1/tenants/${theirs.tenant}/events/${theirs.first.eventId}/retry`,
    );
    expect(foreignTenant).toMatchObject({
      status: 404,
      body: { detail: `Tenant ${theirs.tenant} not found.` },
    });
    const foreignEvent = await retry(ours, theirs.first.eventId);
    expect(foreignEvent).toMatchObject({
      status: 404,
      body: { detail: `Event ${theirs.first.eventId} not found.` },
    });
    expect((await batch(ours, [theirs.first.deliveryId])).status).toBe(404);
    expect(theirs.scene.sent()).toBe(0);
  });
});

describe('Single retry', () => {
  test('curl -X POST -H "Authorization: Bearer <api_key>" -H "Idempotency-Key: <unique_key>"', async () => {
    const it = await failures(1);
    const url = `${engine.service.url}/v1/tenants/${it.tenant}/events/${it.first.eventId}/retry`;
    const response = await fetch(url, {
      method: 'POST',
      headers: { Authorization: `Bearer ${it.scene.tenant.key}`, 'Idempotency-Key': '<unique_key>' },
    });
    expect(response.status).toBe(202);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await response.text()).toBe(
      `{"status":"queued","delivery_id":"${it.first.deliveryId}","message":"Retry initiated"}`,
    );
    await delivered(it, it.first.deliveryId);
  });
});

describe('Batch retry', () => {
  test(`-d '{"delivery_ids": ["del_abc123", "del_def456"]}'`, async () => {
    const it = await failures(2);
    const [one, other] = it.failed.map(({ deliveryId }) => deliveryId.replace('dlv_', 'del_')) as [
      string,
      string,
    ];
    const response = await fetch(`${engine.service.url}/v1/tenants/${it.tenant}/retry/batch`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${it.scene.tenant.key}`,
        'Content-Type': 'application/json',
        'Idempotency-Key': '<unique_key>',
      },
      body: `{"delivery_ids": ["${one}", "${other}"]}`,
    });
    expect(response.status).toBe(202);
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await response.text()).toBe(
      `{"queued":2,"deliveries":[{"delivery_id":"${one}","status":"queued"},{"delivery_id":"${other}","status":"queued"}]}`,
    );
    for (const { deliveryId } of it.failed) await delivered(it, deliveryId);
  });
});

describe('Error examples', () => {
  test('403 Insufficient scope', async () => {
    const it = await failures(1);
    const { body } = await engine.client.expect(201, 'POST', '/api/v1/keys', {
      body: { tenantId: it.tenant, name: 'reader', scopes: ['read:deliveries'] },
    });
    const answers = [
      await it.zen('POST', `/v1/tenants/${it.tenant}/events/${it.first.eventId}/retry`, { key: body.key }),
      await it.zen('POST', `/v1/tenants/${it.tenant}/retry/batch`, { key: body.key, body: { nonsense: 1 } }),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(403);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(answer.text).toBe(
        '{"type":"https://api.zen-mesh.io/errors/insufficient-scope","title":"Insufficient Scope","status":403,"detail":"API key does not have write:deliveries scope.","required_scope":"write:deliveries"}',
      );
    }
  });

  test('404 Event not found', async () => {
    const it = await world();
    for (const id of ['evt_abc123', UNKNOWN_EVENT]) {
      const answer = await retry(it, id);
      expect(answer.status).toBe(404);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(answer.body.instance).toMatch(REQUEST_ID);
      expect(answer.body.instance).toBe(answer.headers.get('request-id'));
      expect(answer.text).toBe(
        `{"type":"https://api.zen-mesh.io/errors/not-found","title":"Not Found","status":404,"detail":"Event ${id} not found.","instance":"${answer.body.instance}"}`,
      );
    }
  });

  test('409 Idempotency conflict', async () => {
    const it = await failures(2);
    const [one, other] = it.failed.map(({ deliveryId }) => deliveryId);
    const headers = { 'idempotency-key': 'idem_key_1' };
    expect((await batch(it, [one], headers)).status).toBe(202);
    const answer = await batch(it, [one, other], headers);
    expect(answer.status).toBe(409);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.text).toBe(
      '{"type":"https://api.zen-mesh.io/errors/idempotency-conflict","title":"Idempotency Conflict","status":409,"detail":"Idempotency-Key was used with a different set of delivery IDs.","idempotency_key":"idem_key_1"}',
    );
  });
});

describe('Idempotency and safety', () => {
  test('Retry is idempotent.', async () => {
    const it = await failures(1, slow(300));
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => retry(it, it.first.eventId, { 'idempotency-key': 'once' })),
    );
    expect(new Set(answers.map(({ status: code, text }) => `${code} ${text}`)).size).toBe(1);
    await delivered(it, it.first.deliveryId);
    expect(it.scene.sent()).toBe(1);
    expect(it.scene.receivers[0]?.maxOverlap).toBe(1);
  });

  test('Calling retry on an already-retried delivery does not create duplicate deliveries.', async () => {
    const receiver = held();
    const it = await failures(1, receiver, { timeoutMs: 60_000 });
    for (let n = 0; n < 4; n += 1)
      expect((await retry(it, it.first.eventId)).body).toEqual({
        status: 'queued',
        delivery_id: it.first.deliveryId,
        message: 'Retry initiated',
      });
    expect((await batch(it, [it.first.deliveryId])).body.queued).toBe(1);
    await it.scene.receivers[0]?.waitFor(({ requests }) => requests.length === 1);
    receiver.release(ok);
    await delivered(it, it.first.deliveryId);
    expect((await retry(it, it.first.eventId)).body).toEqual({
      status: 'delivered',
      delivery_id: it.first.deliveryId,
      message: 'Already delivered',
    });
    expect((await batch(it, [it.first.deliveryId])).body).toEqual({
      queued: 0,
      deliveries: [{ delivery_id: it.first.deliveryId, status: 'delivered' }],
    });
    expect(await counted('deliveries', it)).toBe(1);
    expect(it.scene.receivers[0]?.maxOverlap).toBe(1);
    expect(it.scene.sent()).toBe(1);
  });
});

describe('Auth', () => {
  test('Bearer JWT or API key in Authorization header.', async () => {
    const it = await failures(1);
    const secret = 'a-secret-of-at-least-thirty-two-bytes';
    const claims = { issuer: 'https://id.example/', audience: `zen-${it.scene.tenant.handle}` };
    await engine.client.expect(201, 'POST', '/api/v1/jwt-issuers', {
      body: {
        tenantId: it.tenant,
        name: 'idp',
        ...claims,
        algorithm: 'HS256',
        secret,
        scopes: ['write:deliveries'],
      },
    });
    const token = (scope: string) =>
      new SignJWT({ sub: 'alice', scope })
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuer(claims.issuer)
        .setAudience(claims.audience)
        .setExpirationTime('5m')
        .sign(Buffer.from(secret));
    const path = `/v1/tenants/${it.tenant}/events/${it.first.eventId}/retry`;
    expect(await it.zen('POST', path, { key: await token('read:deliveries') })).toMatchObject({
      status: 403,
      body: { detail: 'Token does not have write:deliveries scope.', required_scope: 'write:deliveries' },
    });
    expect((await it.zen('POST', path, { key: await token('write:deliveries') })).status).toBe(202);
    await delivered(it, it.first.deliveryId);
  });

  test('X-API-Key, beside what the document says, carries an API key, too', async () => {
    const it = await failures(1);
    const path = `/v1/tenants/${it.tenant}/events/${it.first.eventId}/retry`;
    const headers = { 'x-api-key': it.scene.tenant.key };
    expect((await it.zen('POST', path, { key: undefined, headers })).status).toBe(202);
  });

  test('Tenant-scoped via path parameter.', async () => {
    const it = await failures(1);
    const path = (tid: string) => `/v1/tenants/${tid}/deliveries`;
    for (const tid of [it.tenant, uuidIn('tenant', it.tenant), it.scene.tenant.handle]) {
      expect((await it.zen('GET', path(tid))).body.deliveries).toHaveLength(1);
      expect((await it.zen('GET', path(tid), { key: engine.adminKey })).body.deliveries).toHaveLength(1);
    }
    for (const tid of ['nobody', 'ten_abc', '%00', UNKNOWN_EVENT])
      for (const key of [it.scene.tenant.key, engine.adminKey])
        expect((await it.zen('GET', path(tid), { key })).status).toBe(404);
  });

  test('Write operations require write:deliveries scope.', async () => {
    const it = await world();
    const { body } = await engine.client.expect(201, 'POST', '/api/v1/keys', {
      body: { tenantId: it.tenant, name: 'all but', scopes: ['read:deliveries', 'write:events'] },
    });
    const range = { since: '2020-01-01T00:00:00Z', until: '2020-01-02T00:00:00Z' };
    const writes: [string, unknown?][] = [
      [`/v1/tenants/${it.tenant}/events/${UNKNOWN_EVENT}/retry`],
      [`/v1/tenants/${it.tenant}/retry/batch`, { delivery_ids: ['del_abc123'] }],
      ['/v1/replays', { source_id: 'a', time_range: range }],
    ];
    for (const [path, sent] of writes)
      expect(await it.zen('POST', path, { key: body.key, body: sent })).toMatchObject({
        status: 403,
        body: { required_scope: 'write:deliveries' },
      });
  });
});

describe('Non-claims', () => {
  test('Automatic retry policy is configurable per flow.', async () => {
    const it = await world(flaky(1), { preset: 'zen-mesh', retry: { initialMs: 100 } });
    expect(it.scene.endpoints[0]).toMatchObject({
      preset: 'zen-mesh',
      retry: { maxAttempts: 5, initialMs: 100, capMs: 60_000 },
    });
    await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: it.scene.tenant.key,
      body: { type: 'a.b', payload: 1 },
    });
    const [only] = await deliveries(it);
    await delivered(it, only?.deliveryId ?? '');
    const { attempts } = await show(it, only?.deliveryId ?? '');
    expect(attempts.map((each: { response_code: number }) => each.response_code)).toEqual([500, 200]);
    const sent = it.scene.receivers[0]?.requests.map(
      ({ headers }) => headers['x-zen-delivery-idempotency-key'],
    );
    expect(sent).toEqual([only?.deliveryId, only?.deliveryId]);
  });

  test('Batch retry availability depends on plan (Basic Free, Advanced Pro, Bulk/team Business+).', async () => {
    const it = await failures(1);
    const on = (plan: string | null) =>
      engine.client.expect(200, 'PATCH', `/api/v1/tenants/${it.tenant}`, { body: { plan } });
    const ids = (n: number) =>
      Array.from({ length: n }, (_, index) => `del_01k9z3e5hbe7r9qk2m4n6p${String(index).padStart(4, '0')}`);
    const type = 'https://api.zen-mesh.io/errors/plan-required';

    await on('free');
    const refused = await batch(it, [it.first.deliveryId]);
    expect(refused.status).toBe(403);
    expect(refused.headers.get('content-type')).toBe('application/problem+json');
    expect(refused.text).toBe(
      `{"type":"${type}","title":"Plan Required","status":403,"detail":"Batch retry is not part of the plan free: it needs the plan pro.","required_plan":"pro"}`,
    );
    // Single retries are on every plan, and the plan is looked at before the body is.
    expect((await batch(it, 'nonsense')).body.type).toBe(type);
    expect((await retry(it, it.first.eventId)).status).toBe(202);

    await on('pro');
    expect((await batch(it, [it.first.deliveryId])).status).toBe(202);
    expect((await batch(it, ids(100))).status).toBe(404);
    expect(await batch(it, ids(101))).toMatchObject({
      status: 403,
      body: { type, required_plan: 'business' },
    });

    await on('business');
    expect((await batch(it, ids(1_000))).status).toBe(404);
    expect((await batch(it, ids(1_001))).status).toBe(422);
    await on(null);
    expect((await batch(it, ids(1_000))).status).toBe(404);
  });

  test('Retry re-uses the original delivery — it does not re-ingest the event from the source.', async () => {
    const it = await failures(3);
    expect(
      (
        await batch(
          it,
          it.failed.map(({ deliveryId }) => deliveryId),
        )
      ).body.queued,
    ).toBe(3);
    for (const { deliveryId } of it.failed) await delivered(it, deliveryId);
    expect(await counted('events', it)).toBe(3);
    expect(await counted('deliveries', it)).toBe(3);
    const ids = it.scene.receivers[0]?.requests.map(({ id }) => id).sort();
    expect(ids).toEqual(it.failed.map(({ deliveryId }) => deliveryId).sort());
  });
});
