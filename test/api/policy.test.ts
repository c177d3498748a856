import { describe, expect, test } from '@jest/globals';
import { SignJWT } from 'jose';
import { WEEKDAYS } from '../../src/domain/policy/freeze-windows.ts';
import type { Scope } from '../../src/domain/tenancy/scope.ts';
import type { Id } from '../../src/domain/tenancy/typed-id.ts';
import { planNext } from '../../src/operations/plans/make-plan.ts';
import { uuidIn } from '../support/api/retries.ts';
import { useApi } from '../support/api/use-api.ts';
import { seedEndpoint, seedFailedDeliveries } from '../support/engine/failed-deliveries.ts';

/** Policies, and what others say to what they hold, over HTTP. */

const api = useApi();

// biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
type Shown = any;

/** A tenant with some failed deliveries, and a key of its own that the administrator made. */
async function scene(count = 2) {
  const { tenant, key } = await api.newTenant();
  const asAdmin = { key: api.adminKey, headers: { 'redrive-tenant': tenant.handle } };
  const endpointId = await seedEndpoint(api, key);
  const deliveries = count > 0 ? await seedFailedDeliveries(api, count, key) : [];
  const person = async (actor: string | undefined, scopes: Scope[], by: object = asAdmin) => {
    const body = { name: 'somebody', scopes, ...(actor === undefined ? {} : { actor }) };
    const made = await api.call('POST', '/api/v1/keys', { ...by, body });
    expect(made.status).toBe(201);
    return made.body.key as string;
  };
  return {
    tenant,
    key,
    endpointId,
    person,
    ids: deliveries.map(({ deliveryId }) => deliveryId),
    asAdmin,
    async set(policy: object): Promise<Shown> {
      const answer = await api.call('PUT', '/api/v1/policy', { ...asAdmin, body: policy });
      expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
      return answer.body;
    },
    async start(body: object, by = key): Promise<Shown> {
      const answer = await api.call('POST', '/api/v1/retries', {
        key: by,
        body,
        headers: { 'idempotency-key': Math.random().toString(36) },
      });
      expect(answer.status).toBe(202);
      return answer.body;
    },
    async show(id: string): Promise<Shown> {
      return (await api.call('GET', `/api/v1/retries/${id}`, { key })).body;
    },
    say: (id: string, verb: string, by: string, body: object) =>
      api.call('POST', `/api/v1/retries/${id}/${verb}`, { key: by, body }),
  };
}

const MAY_APPROVE: Scope[] = ['approve:retries'];

describe('a policy', () => {
  test('is shown as it was set, with what holds; a member that is left out sets no limit', async () => {
    const it = await scene();
    const before = await api.call('GET', '/api/v1/policy', it.asAdmin);
    expect(before).toMatchObject({ status: 200, body: { inForce: null, changedAt: null } });
    const set = await it.set({
      reasonAbove: 10,
      ticketPattern: '[A-Z]{2,5}-\\d+',
      approveAbove: 100,
      approveWhen: ['replayOfDelivered', 'mayHaveArrived'],
      approvers: { count: 2 },
      quotas: { ratePerSecond: 50 },
      freezeWindows: [
        {
          zone: 'Europe/Berlin',
          days: ['sun', 'sat'],
          from: '22:00',
          to: '06:00',
          endpoints: [it.endpointId],
        },
      ],
    });
    expect(set).toMatchObject({
      policy: {
        reasonAbove: 10,
        ticketPattern: '[A-Z]{2,5}-\\d+',
        approveAbove: 100,
        approveWhen: ['mayHaveArrived', 'replayOfDelivered'],
        approvers: { count: 2 },
        quotas: { ratePerSecond: 50, itemsPerDay: null, openOperations: null, itemsPerOperation: null },
        freezeWindows: [{ days: ['sat', 'sun'], endpoints: [it.endpointId] }],
      },
      inForce: { ticketPatterns: ['[A-Z]{2,5}-\\d+'], digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
      changedBy: expect.stringMatching(/^key_/),
    });
    expect((await api.call('GET', '/api/v1/policy', it.asAdmin)).body).toEqual(set);
    const spans = async () =>
      (
        await api.database.pool.query('select from freeze_spans where tenant_id = $1 and to_at > now()', [
          uuidIn('tenant', it.tenant.id),
        ])
      ).rowCount;
    expect(await spans()).toBeGreaterThan(1);
    const again = await it.set({});
    expect(await spans()).toBe(0);
    expect(again.policy).toMatchObject({ reasonAbove: null, approveWhen: [], approvers: { count: 1 } });
    const { body } = await api.call('GET', '/api/v1/audit?action=policy.changed&order=newest', it.asAdmin);
    expect(JSON.stringify(body)).not.toContain('A-Z');
  });

  test('is the administrator’s alone, and no other tenant’s', async () => {
    const [it, other] = [await scene(), await scene()];
    await it.set({ approveAbove: 0 });
    for (const method of ['GET', 'PUT'])
      for (const path of ['/api/v1/policy', '/api/v1/platform/policy'])
        expect(
          await api.call(method, path, { key: it.key, ...(method === 'PUT' ? { body: {} } : {}) }),
        ).toMatchObject({ status: 403, body: { code: 'insufficient_scope' } });
    expect((await api.call('GET', '/api/v1/policy', other.asAdmin)).body.inForce).toBeNull();
    expect(await other.start({ select: { deliveryIds: other.ids } })).toMatchObject({ state: 'accepted' });
  });

  test.each([
    [{ ticketPattern: '.*', reasonAbove: 1 }, '#/ticketPattern'],
    [{ ticketPattern: 'OPS-\\d+' }, '#/ticketPattern'],
    [{ approvers: { count: 6 } }, '#/approvers/count'],
    [{ approvers: { count: 0 } }, '#/approvers/count'],
    [{ approveWhen: ['always'] }, '#/approveWhen/0'],
    [{ approveAbove: -1 }, '#/approveAbove'],
    [
      { freezeWindows: [{ zone: 'UTC', days: ['mon'], from: '25:00', to: '01:00' }] },
      '#/freezeWindows/0/from',
    ],
    [
      { freezeWindows: [{ zone: 'Mars/Base', days: ['mon'], from: '01:00', to: '02:00' }] },
      '#/freezeWindows/0/zone',
    ],
    [
      { freezeWindows: [{ zone: 'UTC', days: [...WEEKDAYS], from: '00:00', to: '24:00' }] },
      '#/freezeWindows',
    ],
    [{ quotas: { other: 1 } }, '#/quotas/other'],
  ])('that cannot be is refused: %j', async (body, pointer) => {
    const it = await scene(0);
    const answer = await api.call('PUT', '/api/v1/policy', { ...it.asAdmin, body });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(answer.body.errors.map((each: Shown) => each.pointer)).toContain(pointer);
  });

  test('names endpoints of its own tenant only', async () => {
    const [it, other] = [await scene(0), await scene(0)];
    const window = { zone: 'UTC', days: ['mon'], from: '01:00', to: '02:00', endpoints: [other.endpointId] };
    const answer = await api.call('PUT', '/api/v1/policy', {
      ...it.asAdmin,
      body: { freezeWindows: [window] },
    });
    expect(answer).toMatchObject({
      status: 404,
      body: { code: 'unknown_ids', errors: [{ pointer: '#/freezeWindows/0/endpoints/0' }] },
    });
  });
});

describe('a policy that was read before', () => {
  const put = (it: Awaited<ReturnType<typeof scene>>, body: object) =>
    api.call('PUT', '/api/v1/policy', { ...it.asAdmin, body });
  const digestOf = async (it: Awaited<ReturnType<typeof scene>>) =>
    (await api.call('GET', '/api/v1/policy', it.asAdmin)).body.digest as string;

  test('is replaced by its digest alone: of two who change it at once the second is told, and by whom', async () => {
    const it = await scene(0);
    const digest = await digestOf(it);
    const answers = await Promise.all(
      [{ approveAbove: 1 }, { reasonAbove: 2 }].map((body) => put(it, { ...body, digest })),
    );
    const refused = answers.find(({ status }) => status !== 200);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
    expect(refused?.body).toMatchObject({
      code: 'policy_changed',
      detail: expect.stringMatching(/^Nothing was set: key_\S+ set another policy at 20\S+Z\. /),
    });
    const kept = await api.call('GET', '/api/v1/policy', it.asAdmin);
    expect(kept.body).toEqual(answers.find(({ status }) => status === 200)?.body);
    expect(await put(it, { approveAbove: 3, digest: kept.body.digest.toUpperCase() })).toMatchObject({
      status: 200,
      body: { policy: { approveAbove: 3, reasonAbove: null } },
    });
  });

  test('is replaced as before without its digest, and by one that is there already', async () => {
    const it = await scene(0);
    const digest = await digestOf(it);
    await it.set({ approveAbove: 1 });
    expect(await put(it, { approveAbove: 1, digest })).toMatchObject({ status: 200 });
    expect(await put(it, { approveAbove: 2, digest })).toMatchObject({ status: 412 });
    expect(await put(it, { approveAbove: 2 })).toMatchObject({ status: 200 });
    expect(await put(it, { digest: 'abc' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '#/digest' }] },
    });
  });
});

describe('the floor of the platform', () => {
  test('holds for tenants without a policy, and sharpens those that have one', async () => {
    const it = await scene();
    const floor = (body: object) => api.call('PUT', '/api/v1/platform/policy', { key: api.adminKey, body });
    expect(await floor({ approveAbove: 1, approvers: { count: 2 } })).toMatchObject({ status: 200 });
    try {
      expect(await it.start({ select: { deliveryIds: it.ids } })).toMatchObject({
        state: 'awaiting_approval',
      });
      const window = { zone: 'UTC', days: ['mon'], from: '01:00', to: '02:00' };
      expect(await floor({ freezeWindows: [window] })).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: '#/freezeWindows', code: 'not_allowed' }] },
      });
      const set = await it.set({ approveAbove: 500, reasonAbove: 7 });
      expect(set.inForce).toMatchObject({ approveAbove: 1, reasonAbove: 7, approvers: { count: 2 } });
      const me = await api.call('GET', '/api/v1/me', { key: it.key });
      expect(me.body.policy).toEqual(set.inForce);
    } finally {
      await floor({});
    }
  });
});

describe('who is calling', () => {
  test('is shown with what they may do, whatever that is', async () => {
    const it = await scene(0);
    const alice = await it.person('alice', ['write:events']);
    expect(await api.call('GET', '/api/v1/me', { key: alice })).toMatchObject({
      status: 200,
      body: {
        actor: 'actor:alice',
        keyId: expect.stringMatching(/^key_/),
        tenant: { handle: it.tenant.handle },
        scopes: ['write:events'],
        grant: null,
      },
    });
    const plain = await api.call('GET', '/api/v1/me', { key: it.key });
    expect(plain.body.actor).toBe(plain.body.keyId);
    expect((await api.call('GET', '/api/v1/me', { key: api.adminKey })).body).toMatchObject({
      tenant: null,
      scopes: ['admin'],
    });
    expect((await api.call('GET', '/api/v1/me', it.asAdmin)).body.tenant.handle).toBe(it.tenant.handle);
    expect(await api.call('GET', '/api/v1/me', { key: undefined })).toMatchObject({ status: 401 });
    const elsewhere = { key: it.key, headers: { 'redrive-tenant': api.tenant.handle } };
    expect(await api.call('GET', '/api/v1/me', elsewhere)).toMatchObject({ status: 404 });
  });

  test('a key carries an actor of its own form; the actor of a token is taken as it is', async () => {
    const it = await scene(0);
    const make = (actor: string) =>
      api.call('POST', '/api/v1/keys', {
        ...it.asAdmin,
        body: { name: 'x', scopes: ['write:events'], actor },
      });
    const token = `jwt:iss_01k9z3e5hbe7r9qk2m4n6p8r0s:alice@acme.example`;
    for (const [given, shown] of [
      ['alice@acme.example', 'actor:alice@acme.example'],
      ['actor:alice', 'actor:alice'],
      [token, token],
    ] as const)
      expect(await make(given)).toMatchObject({ status: 201, body: { actor: shown } });
    for (const refused of ['', 'two words', 'jwt:nobody', 'x'.repeat(160), 'naïve'])
      expect([refused, (await make(refused)).status]).toEqual([refused, 400]);
    // No credential of another kind can be spelled so.
    expect((await make('key_01k9z3e5hbe7r9qk2m4n6p8r0s')).body.actor).toBe(
      'actor:key_01k9z3e5hbe7r9qk2m4n6p8r0s',
    );
    expect((await make('redrive')).body.actor).toBe('actor:redrive');
  });
});

describe('an operation that a policy holds', () => {
  test('is answered as ever, and says what it waits for and for whom', async () => {
    const it = await scene();
    await it.set({ approveAbove: 1, reasonAbove: 1, approvers: { count: 2 } });
    const started = await it.start({ select: { deliveryIds: it.ids } });
    expect(started).toMatchObject({
      state: 'awaiting_approval',
      items: [{ became: 'queued' }, { became: 'queued' }],
      counts: { expected: 2, queued: 2 },
    });
    const shown = await it.show(started.id);
    expect(shown).toMatchObject({
      state: 'awaiting_approval',
      waitingFor: [
        { what: 'approval', scope: 'approve:retries', missing: 2, until: expect.any(String) },
        { what: 'reason', until: expect.any(String) },
      ],
      plan: { items: 2, planHash: expect.any(String) },
      approval: {
        because: ['items'],
        missing: ['reason'],
        approvers: { needed: 2, given: 0, scope: 'approve:retries' },
        verdicts: [],
        endedFor: null,
      },
    });
    const { items } = (await api.call('GET', `${shown.links.items}`, { key: it.key })).body;
    expect(items[0].waitingFor).toMatchObject([{ what: 'approval' }]);
    const plan = await api.call('GET', `/api/v1/retries/plans/${shown.plan.id}`, { key: it.key });
    expect(plan.body).toMatchObject({ origin: 'policy', risks: { awaitsApproval: 2 } });

    const [bob, carol] = [await it.person('bob', MAY_APPROVE), await it.person('carol', MAY_APPROVE)];
    const body = { planHash: shown.plan.planHash, comment: 'looked at it' };
    expect(await it.say(started.id, 'approve', bob, body)).toMatchObject({
      status: 200,
      body: { waitingFor: [{ what: 'approval', missing: 1 }, { what: 'reason' }] },
    });
    for (const reason of [' ', '\u200b', '\u3000'])
      expect(await it.say(started.id, 'explain', it.key, { reason })).toMatchObject({
        status: 400,
        body: { errors: [{ pointer: '#/reason', code: 'wrong_format' }] },
      });
    expect(await it.say(started.id, 'explain', it.key, { reason: 'it was down' })).toMatchObject({
      status: 200,
      body: { reason: 'it was down', approval: { missing: [] } },
    });
    expect(await it.say(started.id, 'approve', carol, { planHash: body.planHash })).toMatchObject({
      status: 200,
      body: {
        state: 'accepted',
        approval: {
          endedFor: 'approved',
          verdicts: [
            { verdict: 'approve', by: 'actor:bob', comment: 'looked at it' },
            { verdict: 'approve', by: 'actor:carol', comment: null, commentDigest: null },
          ],
        },
      },
    });
    expect(api.poked.nudged).toContain(uuidIn('operation', started.id));
  });

  test('is approved by nobody who asked for it, administrators included', async () => {
    const it = await scene();
    await it.set({ approveAbove: 1 });
    const alice = await it.person('alice', ['write:deliveries', 'write:keys', 'approve:retries']);
    const { id } = await it.start({ select: { deliveryIds: it.ids } }, alice);
    const { planHash } = (await it.show(id)).approval;
    const puppet = await it.person('bob', MAY_APPROVE, { key: alice });
    const nameless = await it.person(undefined, MAY_APPROVE);
    for (const by of [alice, puppet, nameless])
      expect(await it.say(id, 'approve', by, { planHash })).toMatchObject({
        status: 403,
        body: { code: 'approver_refused' },
      });
    expect(await it.say(id, 'approve', it.key, { planHash })).toMatchObject({
      status: 403,
      body: { code: 'approver_refused', detail: expect.stringContaining('actor') },
    });
    // What the administrator starts, neither the administrator approves, nor whom the administrator has made.
    const own = await api.call('POST', '/api/v1/retries', {
      ...it.asAdmin,
      body: { select: { deliveryIds: it.ids }, options: { takeOverScheduled: true } },
    });
    const ofOwn = { planHash: (await it.show(own.body.id)).approval.planHash };
    expect(
      await api.call('POST', `/api/v1/retries/${own.body.id}/approve`, { ...it.asAdmin, body: ofOwn }),
    ).toMatchObject({ status: 403, body: { code: 'approver_refused' } });
    expect(await it.say(own.body.id, 'approve', await it.person('carol', MAY_APPROVE), ofOwn)).toMatchObject({
      status: 403,
    });
    const without = await it.person('dora', ['write:deliveries', 'read:deliveries']);
    expect(await it.say(id, 'approve', without, { planHash })).toMatchObject({
      status: 403,
      body: { code: 'insufficient_scope' },
    });
  });

  test('is approved by tokens of a person, but of no issuer that the requester has registered', async () => {
    const it = await scene();
    await it.set({ approveAbove: 1 });
    const alice = await it.person('alice', ['write:deliveries', 'write:keys', 'approve:retries']);
    const { id } = await it.start({ select: { deliveryIds: it.ids } }, alice);
    const { planHash } = (await it.show(id)).approval;
    const secret = 'a-secret-of-at-least-thirty-two-bytes';
    const token = async (by: object, audience: string) => {
      const issuer = 'https://id.example/';
      const scopes = ['approve:retries', 'write:keys'];
      const body = { name: 'idp', issuer, audience, algorithm: 'HS256', secret, scopes };
      expect((await api.call('POST', '/api/v1/jwt-issuers', { ...by, body })).status).toBe(201);
      return new SignJWT({ sub: 'bob' })
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setExpirationTime('5m')
        .sign(Buffer.from(secret));
    };
    const approve = (key: string) =>
      api.call('POST', `/api/v1/retries/${id}/approve`, {
        key,
        headers: { 'redrive-tenant': it.tenant.handle },
        body: { planHash },
      });
    const eve = await token({ key: alice }, `own-${it.tenant.handle}`);
    const asEve = { key: eve, headers: { 'redrive-tenant': it.tenant.handle } };
    for (const by of [eve, await it.person('zoe', MAY_APPROVE, asEve)])
      expect(await approve(by)).toMatchObject({ status: 403, body: { code: 'approver_refused' } });
    expect(await approve(await token(it.asAdmin, `others-${it.tenant.handle}`))).toMatchObject({
      status: 200,
      body: { approval: { verdicts: [{ by: expect.stringMatching(/^jwt:iss_\w+:bob$/) }] } },
    });
  });

  test('is approved by its hash alone, and by no other tenant', async () => {
    const [it, other] = [await scene(), await scene()];
    await it.set({ approveAbove: 1 });
    const { id } = await it.start({ select: { deliveryIds: it.ids } });
    const bob = await it.person('bob', MAY_APPROVE);
    expect(await it.say(id, 'approve', bob, { planHash: 'a'.repeat(64) })).toMatchObject({
      status: 412,
      body: { code: 'plan_changed' },
    });
    const { planHash } = (await it.show(id)).approval;
    const theirs = await other.person('bob', ['approve:retries', 'approve:emergency', 'write:deliveries']);
    for (const [verb, body] of [
      ['approve', { planHash }],
      ['reject', { comment: 'no' }],
      ['emergency', { reason: 'now' }],
      ['explain', { reason: 'why' }],
    ] as const)
      expect(await it.say(id, verb, theirs, body)).toMatchObject({
        status: 404,
        body: { code: 'not_found' },
      });
    expect((await it.show(id)).state).toBe('awaiting_approval');
  });

  test('is ended by one rejection, which is named', async () => {
    const it = await scene();
    await it.set({ approveAbove: 1 });
    const { id } = await it.start({ select: { filter: {} } });
    while (await planNext(api.database.pool, uuidIn('operation', id) as Id<'operation'>));
    expect((await it.show(id)).state).toBe('awaiting_approval');
    const bob = await it.person('bob', MAY_APPROVE);
    expect(await it.say(id, 'reject', bob, { comment: 'not at noon' })).toMatchObject({
      status: 200,
      body: {
        state: 'closing',
        approval: { endedFor: 'rejected', verdicts: [{ verdict: 'reject', comment: 'not at noon' }] },
      },
    });
    expect(await it.say(id, 'reject', bob, { comment: 'again' })).toMatchObject({ status: 409 });
    const { plan } = await it.show(id);
    expect((await api.call('GET', `/api/v1/retries/plans/${plan.id}`, { key: it.key })).body).toMatchObject({
      endedFor: 'rejected',
      origin: 'policy',
    });
  });

  test('runs at once as an emergency, of those who may say so, with a reason', async () => {
    const it = await scene();
    await it.set({ approveAbove: 1 });
    const select = { deliveryIds: it.ids };
    const refused = await api.call('POST', '/api/v1/retries', {
      key: await it.person('alice', ['write:deliveries']),
      body: { select, emergency: true, reason: 'down' },
    });
    expect(refused).toMatchObject({ status: 403, body: { code: 'insufficient_scope' } });
    const mayRush = await it.person('bob', ['write:deliveries', 'approve:emergency']);
    expect(
      await api.call('POST', '/api/v1/retries', { key: mayRush, body: { select, emergency: true } }),
    ).toMatchObject({ status: 400, body: { errors: [{ pointer: '#/reason' }] } });
    expect(
      await api.call('POST', '/api/v1/retries/plans', {
        key: mayRush,
        body: { select, emergency: true, reason: 'down' },
      }),
    ).toMatchObject({ status: 400, body: { errors: [{ pointer: '#/emergency' }] } });
    const { id } = await it.start({ select, emergency: true, reason: 'the shop is down' }, mayRush);
    expect(await it.show(id)).toMatchObject({
      state: 'accepted',
      approval: { endedFor: 'emergency', verdicts: [{ verdict: 'emergency', by: 'actor:bob' }] },
      controls: [{ did: 'hold' }, { did: 'emergency', by: 'actor:bob' }],
    });
    const later = await it.start({ select, options: { takeOverScheduled: true } }, mayRush);
    expect(await it.say(later.id, 'emergency', mayRush, { reason: 'still down' })).toMatchObject({
      status: 200,
      body: { state: 'accepted', approval: { endedFor: 'emergency' } },
    });
  });

  test('that was approved is not made sharper; slower it can be made', async () => {
    const it = await scene();
    await it.set({ approveAbove: 1 });
    const { id } = await it.start({ select: { deliveryIds: it.ids }, options: { ratePerSecond: 5 } });
    const { planHash } = (await it.show(id)).approval;
    await it.say(id, 'approve', await it.person('bob', MAY_APPROVE), { planHash });
    expect(await it.say(id, 'rate', it.key, { ratePerSecond: 50 })).toMatchObject({
      status: 409,
      body: { code: 'needs_approval' },
    });
    expect(await it.say(id, 'rate', it.key, { ratePerSecond: 1 })).toMatchObject({ status: 200 });
  });
});

describe('a plan under a policy', () => {
  test('says how many of it have to be approved, and waits for that once it is executed', async () => {
    const it = await scene(3);
    const asked = await api.call('POST', '/api/v1/retries/plans', {
      key: it.key,
      body: { select: { filter: {} } },
    });
    while (await planNext(api.database.pool, uuidIn('plan', asked.body.id) as string as Id<'operation'>));
    const path = `/api/v1/retries/plans/${asked.body.id}`;
    const seen = async () => (await api.call('GET', path, { key: it.key })).body;
    expect((await seen()).risks.awaitsApproval).toBe(0);
    await it.set({ approveAbove: 2 });
    const plan = await seen();
    expect(plan).toMatchObject({ state: 'planned', risks: { awaitsApproval: 3 } });
    expect(plan.endpoints).toMatchObject([{ risks: { awaitsApproval: 3 } }]);
    const listed = async () =>
      (await api.call('GET', `${path}/items?risk=awaitsApproval`, { key: it.key })).body.items;
    expect(await listed()).toHaveLength(3);
    await it.set({ approveAbove: 3 });
    expect(await listed()).toEqual([]);
    await it.set({ approveAbove: 2 });
    const { planHash } = plan;
    const executed = await api.call('POST', `${path}/execute`, { key: it.key, body: { planHash } });
    expect(executed).toMatchObject({
      status: 202,
      body: { state: 'awaiting_approval', planHash, executedAt: expect.any(String) },
    });
    expect(await api.call('POST', `${path}/execute`, { key: it.key, body: { planHash } })).toMatchObject({
      status: 202,
    });
    const bob = await it.person('bob', MAY_APPROVE);
    expect(await it.say(plan.operationId, 'approve', bob, { planHash })).toMatchObject({
      status: 200,
      body: { state: 'accepted' },
    });
  });
});
