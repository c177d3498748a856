import { randomUUID } from 'node:crypto';
import type { AuditAction } from '../../../src/domain/audit/audit-action.ts';
import { planNext } from '../../../src/operations/plans/make-plan.ts';
import { type SeededDelivery, seedEndpoint, seedFailedDeliveries } from '../engine/failed-deliveries.ts';
import { newTestSigner, registrationOf } from '../surfaces/minka-client.ts';
import { createMinkaScene, type MinkaScene } from '../surfaces/minka-scene.ts';
import { signIn } from './console-client.ts';
import type { TestApi } from './test-api.ts';

/** A word of a customer, in every place of a request that takes one: it must be in no entry but as `words`. */
export const CANARY = 'canary-words';

/** The answer to a call, as far as its entry is looked for by it. */
type Answered = { status: number; headers: Headers; text: string };

/** A tenant with one failed delivery for each call. */
export interface AuditedWorld {
  api: TestApi;
  minka: MinkaScene;
  endpointId: string;
  /** A delivery that failed and that nobody has retried. */
  failed(): Promise<SeededDelivery>;
}

/** Furnishes the tenant of an API. */
export async function createAuditedWorld(api: TestApi): Promise<AuditedWorld> {
  const endpointId = await seedEndpoint(api);
  const { tenant, key } = await api.newTenant('ledger');
  return {
    api,
    endpointId,
    minka: await createMinkaScene(api, { id: tenant.id, handle: tenant.handle, key }),
    async failed() {
      const [delivery] = await seedFailedDeliveries(api, 1);
      if (!delivery) throw new Error('no delivery was seeded');
      return delivery;
    },
  };
}

type Call = (world: AuditedWorld) => Promise<Answered>;
/** A call of a route, and the acts that its entries name, in their order. */
type Audited = { acts: AuditAction[]; call: Call };

const once = () => ({ headers: { 'idempotency-key': randomUUID() } });
const named = `${CANARY}-named`;
const url = `https://hooks.example/${CANARY}?token=${CANARY}`;
const secret = `whsec_${Buffer.from(`${CANARY}-as-a-secret-of-32`).toString('base64')}`;

/** Makes something and does what is asked for to it. */
function made(path: string, body: object, then: (api: TestApi, path: string) => Promise<Answered>): Call {
  return async ({ api }) => {
    const answer = await api.call('POST', path, { body });
    if (answer.status >= 300) throw new Error(answer.text);
    return then(api, `${path}/${answer.body.id}`);
  };
}

const post = (verb: string, body?: object) => (api: TestApi, path: string) =>
  api.call('POST', `${path}/${verb}`, body ? { body } : {});
const remove = (api: TestApi, path: string) => api.call('DELETE', path);

const newEndpoint = () => ({ url, secret, filter: { a: CANARY }, headers: { 'x-key': CANARY } });
const newKey = { name: CANARY, scopes: ['read:audit'] };
const newIssuer = () => ({
  name: CANARY,
  issuer: `https://${CANARY}.example/`,
  audience: `${CANARY}-${randomUUID()}`,
  algorithm: 'HS256',
  secret: `${CANARY}-as-a-secret-of-32-bytes`,
  scopes: ['read:deliveries'],
});
const newSigner = () => registrationOf(newTestSigner(`${CANARY}-${randomUUID().slice(0, 8)}`), 'acme');
const newRule = { action: 'retry-event', signer: CANARY };
const PLANS = '/api/v1/retries/plans';
const aPlan = { select: { filter: { sources: [CANARY] } }, reason: CANARY, ticket: CANARY };
const later = () => ({ notBefore: new Date(Date.now() + 3_600_000).toISOString() });

/** Does something to an operation that begins in an hour. */
const steered =
  (verb: string, { body, before }: { body?: object; before?: string } = {}): Call =>
  async (world) => {
    const { deliveryId } = await world.failed();
    const retry = { select: { deliveryIds: [deliveryId] }, options: later() };
    return made('/api/v1/retries', retry, async (api, path) => {
      if (before) await api.call('POST', `${path}/${before}`);
      return post(verb, body)(api, path);
    })(world);
  };

const aPolicy = { reasonAbove: 0, ticketPattern: CANARY, approveAbove: 0 };

/** An operation of a tenant of its own that its policy holds, and what somebody else says to it. */
const heldAnd =
  (verb: string, body: (planHash: string) => object): Call =>
  async ({ api }) => {
    const { tenant, key } = await api.newTenant();
    const asAdmin = { key: api.adminKey, headers: { 'redrive-tenant': tenant.handle } };
    await api.call('PUT', '/api/v1/policy', { ...asAdmin, body: aPolicy });
    await seedEndpoint(api, key);
    const [delivery] = await seedFailedDeliveries(api, 1, key);
    const select = { deliveryIds: [delivery?.deliveryId] };
    const path = `/api/v1/retries/${(await api.call('POST', '/api/v1/retries', { key, body: { select } })).body.id}`;
    const person = await api.call('POST', '/api/v1/keys', {
      ...asAdmin,
      body: {
        name: CANARY,
        actor: 'bob',
        scopes: ['approve:retries', 'approve:emergency', 'write:deliveries'],
      },
    });
    const { approval } = (await api.call('GET', path, { key })).body;
    return api.call('POST', `${path}/${verb}`, { key: person.body.key, body: body(approval.planHash) });
  };

const NATIVE: Record<string, Audited> = {
  'put /api/v1/policy': {
    acts: ['policy.changed'],
    call: async ({ api }) =>
      api.call('PUT', '/api/v1/policy', {
        key: api.adminKey,
        headers: { 'redrive-tenant': (await api.newTenant()).tenant.handle },
        body: aPolicy,
      }),
  },
  'put /api/v1/platform/policy': {
    acts: ['policy.changed'],
    call: ({ api }) => api.call('PUT', '/api/v1/platform/policy', { key: api.adminKey, body: {} }),
  },
  'post /api/v1/retries/{id}/approve': {
    acts: ['operation.approved'],
    call: heldAnd('approve', (planHash) => ({ planHash, comment: CANARY })),
  },
  'post /api/v1/retries/{id}/reject': {
    acts: ['operation.rejected'],
    call: heldAnd('reject', () => ({ comment: CANARY })),
  },
  'post /api/v1/retries/{id}/emergency': {
    acts: ['operation.emergency'],
    call: heldAnd('emergency', () => ({ reason: CANARY })),
  },
  'post /api/v1/retries/{id}/explain': {
    acts: ['operation.explained'],
    call: heldAnd('explain', () => ({ reason: CANARY, ticket: CANARY })),
  },
  'post /api/v1/tenants': {
    acts: ['tenant.made'],
    call: ({ api }) =>
      api.call('POST', '/api/v1/tenants', {
        key: api.adminKey,
        body: { handle: `${CANARY}-${randomUUID().slice(0, 8)}`, name: CANARY, plan: 'pro' },
      }),
  },
  'patch /api/v1/tenants/{id}': {
    acts: ['tenant.changed'],
    call: ({ api }) =>
      api.call('PATCH', '/api/v1/tenants/acme', {
        key: api.adminKey,
        body: { name: CANARY, settings: { replaysPerDay: 9 } },
      }),
  },
  'put /api/v1/platform/limits': {
    acts: ['platform_limits.changed'],
    call: ({ api }) =>
      api.call('PUT', '/api/v1/platform/limits', { key: api.adminKey, body: { itemsPerDay: 1_000_000 } }),
  },
  'put /api/v1/platform/retention': {
    acts: ['retention_floors.changed'],
    call: ({ api }) =>
      api.call('PUT', '/api/v1/platform/retention', { key: api.adminKey, body: { reports: 7 } }),
  },
  'post /api/v1/keys': {
    acts: ['key.made'],
    call: ({ api }) => api.call('POST', '/api/v1/keys', { body: newKey }),
  },
  'delete /api/v1/keys/{id}': { acts: ['key.revoked'], call: made('/api/v1/keys', newKey, remove) },
  'post /api/v1/jwt-issuers': {
    acts: ['jwt_issuer.made'],
    call: ({ api }) => api.call('POST', '/api/v1/jwt-issuers', { body: newIssuer() }),
  },
  'delete /api/v1/jwt-issuers/{id}': {
    acts: ['jwt_issuer.revoked'],
    call: (world) => made('/api/v1/jwt-issuers', newIssuer(), remove)(world),
  },
  'post /api/v1/signing-keys/rotate': {
    acts: ['signing_key.rotated'],
    call: ({ api }) => api.call('POST', '/api/v1/signing-keys/rotate', { key: api.adminKey }),
  },
  'post /api/v1/signing-keys/{id}/revoke': {
    acts: ['signing_key.revoked'],
    async call({ api }) {
      const { body } = await api.call('POST', '/api/v1/signing-keys/rotate', { key: api.adminKey });
      return api.call('POST', `/api/v1/signing-keys/${body.id}/revoke`, { key: api.adminKey });
    },
  },
  'post /api/v1/signers': {
    acts: ['signer.made'],
    call: ({ api }) => api.call('POST', '/api/v1/signers', { body: newSigner() }),
  },
  'delete /api/v1/signers/{id}': {
    acts: ['signer.removed'],
    call: (world) => made('/api/v1/signers', newSigner(), remove)(world),
  },
  'post /api/v1/access-rules': {
    acts: ['access_rule.made'],
    call: ({ api }) => api.call('POST', '/api/v1/access-rules', { body: newRule }),
  },
  'delete /api/v1/access-rules/{id}': {
    acts: ['access_rule.removed'],
    call: made('/api/v1/access-rules', newRule, remove),
  },
  'post /api/v1/endpoints': {
    acts: ['endpoint.made'],
    call: ({ api }) =>
      api.call('POST', '/api/v1/endpoints', {
        body: { ...newEndpoint(), handle: named, eventTypes: [CANARY] },
      }),
  },
  'post /api/v1/listeners': {
    acts: ['endpoint.made'],
    call: ({ api }) => api.call('POST', '/api/v1/listeners', { body: { eventTypes: [CANARY], secret } }),
  },
  'patch /api/v1/endpoints/{id}': {
    acts: ['endpoint.changed'],
    call: made('/api/v1/endpoints', newEndpoint(), (api, path) =>
      api.call('PATCH', path, { body: { url: `${url}2`, headers: { 'x-key': `${CANARY}2` } } }),
    ),
  },
  'delete /api/v1/endpoints/{id}': {
    acts: ['endpoint.deleted'],
    call: made('/api/v1/endpoints', newEndpoint(), remove),
  },
  'post /api/v1/endpoints/{id}/test': {
    acts: ['endpoint.tested'],
    call: made('/api/v1/endpoints', newEndpoint(), post('test')),
  },
  'post /api/v1/endpoints/{id}/enable': {
    acts: ['endpoint.enabled'],
    call: made('/api/v1/endpoints', newEndpoint(), post('enable')),
  },
  'post /api/v1/endpoints/{id}/disable': {
    acts: ['endpoint.disabled'],
    call: made('/api/v1/endpoints', newEndpoint(), post('disable')),
  },
  'post /api/v1/endpoints/{id}/rotate-secret': {
    acts: ['endpoint.secret_rotated'],
    call: made('/api/v1/endpoints', newEndpoint(), post('rotate-secret', { secret, oldValidForMs: 0 })),
  },
  'delete /api/v1/events/{id}/payload': {
    acts: ['event.payload_erased'],
    async call({ api }) {
      const event = { id: `${CANARY}-${randomUUID()}`, type: CANARY, payload: { word: CANARY } };
      const { body } = await api.call('POST', '/api/v1/events', { body: event });
      return api.call('DELETE', `/api/v1/events/${body.eventId}/payload`);
    },
  },
  'post /api/v1/deliveries/resolve': {
    acts: ['resolution.begun', 'deliveries.resolved'],
    call: async ({ api, failed }) =>
      api.call('POST', '/api/v1/deliveries/resolve', {
        body: {
          select: { deliveryIds: [(await failed()).deliveryId] },
          outcome: 'delivered',
          reason: CANARY,
          confirm: true,
        },
      }),
  },
  'post /api/v1/deliveries/{id}/resolve': {
    acts: ['delivery.resolved'],
    async call({ api, failed }) {
      const { deliveryId } = await failed();
      await outcomeGetsUnknown(api, deliveryId);
      return api.call('POST', `/api/v1/deliveries/${deliveryId}/resolve`, {
        body: { outcome: 'delivered', reason: CANARY, confirm: true },
      });
    },
  },
  'post /api/v1/retries': {
    acts: ['operation.accepted'],
    call: ({ api }) =>
      api.call('POST', '/api/v1/retries', {
        body: {
          select: { filter: { sources: [CANARY], key: CANARY } },
          options: { ...later(), ratePerSecond: 0.5, canary: { count: 5, maxFailurePercent: 10 } },
          reason: CANARY,
          ticket: CANARY,
        },
        ...once(),
      }),
  },
  'post /api/v1/retries/plans': {
    acts: ['operation.planned'],
    call: ({ api }) => api.call('POST', PLANS, { body: aPlan }),
  },
  'post /api/v1/retries/plans/{id}/execute': {
    acts: ['operation.executed'],
    call: made(PLANS, aPlan, async (api, path) => {
      const id = api.uuid((await api.call('GET', path)).body.operationId);
      while (await planNext(api.database.pool, id));
      return post('execute', { planHash: (await api.call('GET', path)).body.planHash })(api, path);
    }),
  },
  'post /console/session': {
    acts: ['session.opened'],
    call: async ({ api }) => (await signIn(api, { credential: api.key })).answer,
  },
  'delete /console/session': {
    acts: ['session.ended'],
    call: async ({ api }) => (await signIn(api, { credential: api.key })).call('DELETE', '/console/session'),
  },
  'post /api/v1/retries/{id}/pause': { acts: ['operation.paused'], call: steered('pause') },
  'post /api/v1/retries/{id}/resume': {
    acts: ['operation.resumed'],
    call: steered('resume', { before: 'pause' }),
  },
  'post /api/v1/retries/{id}/cancel': { acts: ['operation.cancelled'], call: steered('cancel') },
  'post /api/v1/retries/{id}/rate': {
    acts: ['operation.paced'],
    call: steered('rate', { body: { ratePerSecond: 7 } }),
  },
  'post /api/v1/outages/{id}/dismiss': {
    acts: ['outage.dismissed'],
    call: async ({ api }) => {
      const endpoint = await api.call('POST', '/api/v1/endpoints', { body: newEndpoint() });
      await api.call('POST', `/api/v1/endpoints/${endpoint.body.id}/disable`);
      const { body } = await api.call('GET', `/api/v1/outages?endpointIds=${endpoint.body.id}`);
      return api.call('POST', body.items[0].links.dismiss, { body: { reason: CANARY } });
    },
  },
  'post /api/v1/imports': { acts: ['import.opened'], call: openImport },
  'put /api/v1/imports/{id}/lines': {
    acts: ['import.continued'],
    call: async (world) =>
      world.api.call('PUT', `${(await openImport(world)).path}/lines`, {
        body: `{"id":"${CANARY}","endpoint":"${CANARY}","payload":{"word":"${CANARY}"},"note":"${CANARY}"}\n`,
        headers: { 'content-type': 'application/x-ndjson' },
      }),
  },
  'post /api/v1/imports/{id}/close': {
    acts: ['import.closed'],
    call: async (world) => world.api.call('POST', `${(await openImport(world)).path}/close`),
  },
  'post /api/v1/imports/{id}/abandon': {
    acts: ['import.abandoned'],
    call: async (world) => world.api.call('POST', `${(await openImport(world)).path}/abandon`),
  },
};

/** Opens an import, in the place of one that is open: a tenant has one at a time. */
async function openImport({ api, endpointId }: AuditedWorld): Promise<Answered & { path: string }> {
  const open = await api.call('GET', '/api/v1/imports');
  for (const { links } of open.body.items.filter(({ state }: { state: string }) => state === 'open'))
    await api.call('POST', `${links.self}/abandon`);
  const body = { from: 'ndjson', map: { [CANARY]: endpointId }, eventType: CANARY, ingestionBatchId: CANARY };
  const answer = await api.call('POST', '/api/v1/imports', { body });
  return { ...answer, path: answer.body.links.self };
}

/** The one execution of a delivery is of unknown outcome from now on. */
async function outcomeGetsUnknown({ database: { pool }, uuid }: TestApi, deliveryId: string): Promise<void> {
  const { rows } = await pool.query(
    `insert into executions (tenant_id, delivery_id, endpoint_id, state, due_at, give_up_at, parent_id)
     select tenant_id, delivery_id, endpoint_id, 'queued', now(), now() + interval '1 day', id
     from executions where delivery_id = $1 returning id`,
    [uuid(deliveryId)],
  );
  const { id } = rows[0];
  await pool.query(`update executions set state = 'sending', lease_token = uuidv7() where id = $1`, [id]);
  await pool.query(
    `update executions set state = 'unknown', lease_token = null, attempts = 1, may_have_arrived = true where id = $1`,
    [id],
  );
}

const JACK_HENRY = '/a/api/enterprise-event/v1';
const accepted = (call: Call): Audited => ({ acts: ['operation.accepted'], call });
const jackHenry = (
  path: (ids: { institution: string; subscription: string; event: string }) => string,
  key?: (api: TestApi) => string,
): Audited =>
  accepted(async ({ api, endpointId, failed }) => {
    const ids = {
      institution: api.tenant.id,
      subscription: api.uuid(endpointId),
      event: api.uuid((await failed()).eventId),
    };
    return api.call('POST', `${JACK_HENRY}${path(ids)}`, { body: {}, ...(key ? { key: key(api) } : {}) });
  });

const stedi = (prefix: string): Record<string, Audited> => ({
  [`post ${prefix}/executions/retry`]: accepted(async ({ api, failed }) =>
    api.call('POST', `${prefix}/executions/retry`, {
      key: undefined,
      body: { condition: { executionIds: [api.uuid((await failed()).executionId)] } },
      headers: { authorization: api.key },
    }),
  ),
  [`post ${prefix}/events/{eventId}/retry`]: {
    acts: ['event.repeated'],
    call: async ({ api, failed }) =>
      api.call('POST', `${prefix}/events/${(await failed()).eventId}/retry`, {
        key: undefined,
        headers: { authorization: api.key },
      }),
  },
});

const FLOWRELAY = '/flowrelay/v1';

/** Goes through the steps of a replay up to one of them. */
const replayed =
  (last: 'preview' | 'confirm' | 'execute'): Call =>
  async ({ api, failed }) => {
    const receipt = (await failed()).eventId.replace(/^evt/, 'rcp');
    const key = once();
    const preview = await api.call('POST', `${FLOWRELAY}/receipts/${receipt}/replay/preview`, key);
    if (last === 'preview') return preview;
    const path = `${FLOWRELAY}/replays/${preview.body.replayId}`;
    const body = { confirmDuplicateRisk: true };
    const confirmation = await api.call('POST', `${path}/confirm`, { body, ...key });
    return last === 'confirm' ? confirmation : api.call('POST', `${path}/execute`, key);
  };

const previewed: (world: AuditedWorld) => ReturnType<TestApi['call']> = async ({ api, failed }) =>
  api.call(
    'POST',
    `${FLOWRELAY}/receipts/${(await failed()).eventId.replace(/^evt/, 'rcp')}/diagnostics/preview`,
  );

/** Every route by which a person or a client does something, by `method path`. */
export const AUDITED: Record<string, Audited> = {
  ...NATIVE,
  'post /v1/tenants/{tid}/events/{eid}/retry': accepted(async ({ api, failed }) =>
    api.call('POST', `/v1/tenants/acme/events/${(await failed()).eventId}/retry`, { body: {} }),
  ),
  'post /v1/tenants/{tid}/retry/batch': accepted(async ({ api, failed }) =>
    api.call('POST', '/v1/tenants/acme/retry/batch', {
      body: { delivery_ids: [(await failed()).deliveryId] },
    }),
  ),
  'post /v1/replays': accepted(({ api }) =>
    api.call('POST', '/v1/replays', {
      body: {
        source_id: CANARY,
        time_range: { since: '2026-01-01T00:00:00Z', until: '2026-02-01T00:00:00Z' },
      },
    }),
  ),
  'post /v2/bridges/{id}/events/retry': accepted(({ minka }) => minka.retry({ maxAge: 0 })),
  [`post ${JACK_HENRY}/{institutionId}/retries/subscriptions/{subscriptionId}/events/{eventId}`]: jackHenry(
    ({ institution, subscription, event }) =>
      `/${institution}/retries/subscriptions/${subscription}/events/${event}`,
  ),
  [`post ${JACK_HENRY}/{institutionId}/retries/subscriptions/{subscriptionId}`]: jackHenry(
    ({ institution, subscription }) => `/${institution}/retries/subscriptions/${subscription}`,
  ),
  [`post ${JACK_HENRY}/{institutionId}/retries/events/{eventId}`]: jackHenry(
    ({ institution, event }) => `/${institution}/retries/events/${event}`,
  ),
  [`post ${JACK_HENRY}/{institutionId}/retries/events`]: jackHenry(
    ({ institution }) => `/${institution}/retries/events`,
  ),
  [`post ${JACK_HENRY}/retries/events`]: jackHenry(
    () => '/retries/events',
    (api) => api.adminKey,
  ),
  [`post ${JACK_HENRY}/{institutionId}/subscriptions`]: {
    acts: ['endpoint.made'],
    call: ({ api }) =>
      api.call('POST', `${JACK_HENRY}/${api.tenant.id}/subscriptions`, {
        body: { name: CANARY, url, eventTypes: [CANARY], secret },
      }),
  },
  ...stedi(''),
  ...stedi('/2023-08-01'),
  [`post ${FLOWRELAY}/receipts/{id}/replay/preview`]: {
    acts: ['receipt_replay.previewed'],
    call: replayed('preview'),
  },
  [`post ${FLOWRELAY}/replays/{id}/confirm`]: {
    acts: ['receipt_replay.confirmed'],
    call: replayed('confirm'),
  },
  [`post ${FLOWRELAY}/replays/{id}/execute`]: {
    acts: ['operation.accepted', 'receipt_replay.executed'],
    call: replayed('execute'),
  },
  [`post ${FLOWRELAY}/receipts/{id}/diagnostics/preview`]: {
    acts: ['diagnostics.previewed'],
    call: previewed,
  },
  [`post ${FLOWRELAY}/diagnostics/{id}/freeze`]: {
    acts: ['diagnostics.frozen'],
    async call(world) {
      const { body } = await previewed(world);
      return world.api.call('POST', `${FLOWRELAY}/diagnostics/${body.diagnosticsId}/freeze`);
    },
  },
};

/** Routes that are no act of a person or a client, each with the reason. */
export const NOT_AUDITED: Record<string, string> = {
  'post /api/v1/events': 'data, and no act: each event is a row of its own, numbered within the tenant',
  'post /api/v1/listeners/{id}/answers':
    'the word of a receiver about what it got; it is part of the attempt',
  'post /api/v1/acks': 'the word of a receiver about what it got; it is part of the delivery',
  [`post ${JACK_HENRY}/{institutionId}/events/{subscriptionId}/search`]: 'reads',
};
