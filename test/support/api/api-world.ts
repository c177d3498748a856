import { randomBytes } from 'node:crypto';
import type { Route } from '../../../src/api/route.ts';
import { type SeededDelivery, seedEndpoint, seedFailedDeliveries } from '../engine/failed-deliveries.ts';
import { newTestSigner, registrationOf } from '../surfaces/minka-client.ts';
import { startTestApi, type TestApi } from './test-api.ts';

/** Something of each kind that one tenant has, by ids as they are shown. */
export type TenantThings = {
  tenantId: string;
  handle: string;
  key: string;
  keyId: string;
  jwtIssuerId: string;
  signerId: string;
  accessRuleId: string;
  /** Of the installation: there is one for each tenant here, of which the newest is active. */
  signingKeyId: string;
  endpointId: string;
  delivery: SeededDelivery;
  operationId: string;
  planId: string;
  outageId: string;
  listenerId: string;
  importId: string;
};

/** An API in which two tenants have the same things. */
export type ApiWorld = { api: TestApi; ours: TenantThings; theirs: TenantThings };

/** Starts an API with two tenants that both have something of each kind. */
export async function startApiWorld(overrides: Parameters<typeof startTestApi>[0] = {}): Promise<ApiWorld> {
  const api = await startTestApi(overrides);
  return { api, ours: await furnish(api, api.tenant.handle, api.key), theirs: await furnishNew(api) };
}

/** The path of a route with the ids of this tenant in it. */
export function pathFor({ path }: Pick<Route, 'path'>, things: TenantThings): string {
  return path.replace('{id}', idFor(path, things)).replace('{deliveryId}', things.delivery.deliveryId);
}

/** The key of whoever may call a route of this tenant's, and the headers that it takes with that. */
export function credentialsFor(
  { access }: Pick<Route, 'access'>,
  api: Pick<TestApi, 'adminKey'>,
  things: TenantThings,
): { key: string; headers: Record<string, string> } {
  if (access.of === 'installation') return { key: api.adminKey, headers: {} };
  return access.of === 'tenant' && access.scope === 'admin'
    ? { key: api.adminKey, headers: { 'redrive-tenant': things.handle } }
    : { key: things.key, headers: {} };
}

/** A body that the route takes, or undefined where it takes none. */
export function bodyFor(
  { method, path }: Pick<Route, 'method' | 'path'>,
  things: TenantThings,
): object | undefined {
  switch (`${method} ${path}`) {
    case 'post /api/v1/tenants':
      return { handle: `fresh-${Math.random().toString(36).slice(2)}`, name: 'Fresh', plan: 'pro' };
    case 'patch /api/v1/tenants/{id}':
      return { name: 'Renamed' };
    case 'put /api/v1/platform/limits':
      return { itemsPerOperation: 1_000_000, ratePerSecond: 100_000 };
    case 'put /api/v1/platform/retention':
      return { events: 1 };
    case 'post /api/v1/keys':
      return { name: 'another', scopes: ['read:deliveries'], expiresAt: '2126-01-01T00:00:00Z' };
    case 'post /api/v1/jwt-issuers':
      return {
        name: 'idp',
        issuer: 'https://id.example/',
        audience: `redrive-${Math.random()}`,
        algorithm: 'HS256',
        secret: 'a-secret-of-at-least-thirty-two-bytes',
        scopes: ['read:deliveries'],
      };
    case 'post /api/v1/signers':
      return newSigner(things.handle);
    case 'post /api/v1/access-rules':
      return { action: 'retry-event', record: 'bridge', signer: { $in: ['mint', 'any'] } };
    case 'post /api/v1/endpoints':
      return {
        url: 'https://hooks.example/more',
        eventTypes: ['a.*'],
        filter: { a: { $gt: 1 } },
        timeoutMs: 500,
        retry: { factor: 2 },
      };
    case 'post /api/v1/listeners':
      return { eventTypes: ['a.*'], filter: { a: { $gt: 1 } }, timeoutMs: 500 };
    case 'post /api/v1/listeners/{id}/answers':
      return { token: 'of-no-request', status: 200, body: 'b2s=' };
    case 'patch /api/v1/endpoints/{id}':
      return { timeoutMs: 700, headers: { 'x-a': 'b' } };
    case 'post /api/v1/endpoints/{id}/rotate-secret':
      return { oldValidForMs: 1_000 };
    case 'post /api/v1/events':
      return {
        id: `e-${Math.random()}`,
        type: 'a',
        key: 'k',
        occurredAt: '2026-11-03T02:00:00Z',
        payload: { a: 1 },
      };
    case 'post /api/v1/deliveries/resolve':
      return {
        select: { deliveryIds: [things.delivery.deliveryId] },
        outcome: 'delivered',
        reason: 'a test',
        confirm: true,
      };
    case 'post /api/v1/deliveries/{id}/resolve':
      return { outcome: 'delivered', confirm: true };
    case 'post /api/v1/retries':
      return {
        select: { deliveryIds: [things.delivery.deliveryId] },
        mode: 'retry',
        options: { ratePerSecond: 5 },
        reason: 'a test',
      };
    case 'post /api/v1/retries/plans':
      return { select: { filter: { eventTypes: ['nobody.asks'] } }, reason: 'a test' };
    case 'post /api/v1/retries/plans/{id}/execute':
      return { planHash: 'f'.repeat(64) };
    case 'post /api/v1/retries/{id}/rate':
      return { ratePerSecond: 5 };
    case 'post /api/v1/imports':
      return { from: 'ndjson', map: { theirs: things.endpointId } };
    case 'post /api/v1/imports/{id}/close':
      return { lines: 0 };
    case 'post /api/v1/outages/{id}/dismiss':
      return { reason: 'a test' };
    case 'put /api/v1/policy':
    case 'put /api/v1/platform/policy':
      return { approveWhen: [], approvers: { count: 2 } };
    case 'post /api/v1/retries/{id}/approve':
      return { planHash: 'f'.repeat(64), comment: 'a test' };
    case 'post /api/v1/retries/{id}/reject':
      return { comment: 'a test' };
    case 'post /api/v1/retries/{id}/emergency':
      return { reason: 'a test' };
    case 'post /api/v1/retries/{id}/explain':
      return { reason: 'a test', ticket: 'OPS-1' };
    default:
      return undefined;
  }
}

/** How many rows every table has: an error must leave them as they were. */
export async function rowCounts({ database }: TestApi): Promise<Record<string, number>> {
  const tables = [
    'tenants',
    'api_keys',
    'jwt_issuers',
    'console_sessions',
    'sign_in_codes',
    'signers',
    'access_rules',
    'endpoints',
    'endpoint_versions',
    'endpoint_secrets',
    'endpoint_pacing',
    'listeners',
    'operation_traces',
    'listener_requests',
    'events',
    'event_identities',
    'event_resends',
    'payloads',
    'deliveries',
    'execution_records',
    'queue',
    'attempts',
    'operations',
    'operation_counts',
    'exclusions',
    'idempotency_keys',
    'operation_controls',
    'plans',
    'plan_pages',
    'plan_endpoints',
    'freeze_calendars',
    'freeze_spans',
    'quota_days',
    'quota_charges',
    'platform_limits',
    'outages',
    'outage_operations',
    'tenant_policies',
    'operation_holds',
    'operation_verdicts',
    'resolutions',
    'resolved_executions',
    'signing_keys',
    'report_drafts',
    'frozen_items',
    'ledger_chunks',
    'closure_reports',
    'late_changes',
    'report_addenda',
    'audit_entries',
    'audit_heads',
    'audit_checkpoints',
    'attempt_deltas',
    'attempt_minutes',
    'attempt_hours',
    'operation_endpoints',
    'operation_samples',
    'imports',
    'import_targets',
    'import_lines',
    'import_batches',
  ];
  const { rows } = await database.pool.query(
    `select ${tables.map((table) => `(select count(*)::int from ${table}) as ${table}`).join(', ')},
      (select count(*)::int from api_keys where revoked_at is not null) as revoked,
      (select count(*)::int from signing_keys where retired_at is not null) as retired_keys,
      (select count(*)::int from jwt_issuers where revoked_at is not null) as revoked_issuers,
      (select sum(last_event_number)::int from tenant_counters) as numbers,
      (select sum(control_revision)::int from operations) as controls,
      (select count(*)::int from imports where ended_at is not null) as ended_imports`,
  );
  return rows[0];
}

function idFor(path: string, things: TenantThings): string {
  if (path.includes('/tenants/')) return things.tenantId;
  if (path.includes('/signing-keys/')) return things.signingKeyId;
  if (path.includes('/keys/')) return things.keyId;
  if (path.includes('/jwt-issuers/')) return things.jwtIssuerId;
  if (path.includes('/signers/')) return things.signerId;
  if (path.includes('/access-rules/')) return things.accessRuleId;
  if (path.includes('/endpoints/')) return things.endpointId;
  if (path.includes('/events/')) return things.delivery.eventId;
  if (path.includes('/deliveries/')) return things.delivery.deliveryId;
  if (path.includes('/executions/')) return things.delivery.executionId;
  if (path.includes('/plans/')) return things.planId;
  if (path.includes('/outages/')) return things.outageId;
  if (path.includes('/listeners/')) return things.listenerId;
  if (path.includes('/imports/')) return things.importId;
  return things.operationId;
}

async function furnishNew(api: TestApi): Promise<TenantThings> {
  const { tenant, key } = await api.newTenant();
  return furnish(api, tenant.handle, key);
}

async function furnish(api: TestApi, handle: string, key: string): Promise<TenantThings> {
  const endpointId = await seedEndpoint(api, key);
  const [delivery] = await seedFailedDeliveries(api, 1, key);
  if (!delivery) throw new Error('no delivery was seeded');
  const tenant = await api.call('GET', `/api/v1/tenants/${handle}`, { key: api.adminKey });
  const made = await api.call('POST', '/api/v1/keys', {
    key,
    body: { name: 'spare', scopes: ['write:events'] },
  });
  const issuer = await api.call('POST', '/api/v1/jwt-issuers', {
    key,
    body: bodyFor({ method: 'post', path: '/api/v1/jwt-issuers' }, {} as TenantThings) ?? {},
  });
  const signer = await api.call('POST', '/api/v1/signers', { key, body: newSigner(handle) });
  const rule = await api.call('POST', '/api/v1/access-rules', { key, body: { action: 'any' } });
  const signingKey = await api.call('POST', '/api/v1/signing-keys/rotate', { key: api.adminKey });
  const operation = await api.call('POST', '/api/v1/retries', {
    key,
    body: { select: { deliveryIds: [delivery.deliveryId] } },
  });
  if (operation.status !== 202) throw new Error(operation.text);
  const plan = await api.call('POST', '/api/v1/retries/plans', {
    key,
    body: { select: { deliveryIds: [delivery.deliveryId] } },
  });
  const down = await seedEndpoint(api, key, { eventTypes: ['nobody.sends'] });
  await api.call('POST', `/api/v1/endpoints/${down}/disable`, { key });
  const outages = await api.call('GET', '/api/v1/outages', { key });
  const listener = await api.call('POST', '/api/v1/listeners', {
    key,
    body: { eventTypes: ['nobody.sends'] },
  });
  if (listener.status !== 201) throw new Error(listener.text);
  const imported = await api.call('POST', '/api/v1/imports', {
    key,
    body: { from: 'svix', map: { ep_1: endpointId } },
  });
  return {
    tenantId: tenant.body.id,
    handle,
    key,
    keyId: made.body.id,
    jwtIssuerId: issuer.body.id,
    signerId: signer.body.id,
    accessRuleId: rule.body.id,
    signingKeyId: signingKey.body.id,
    endpointId,
    delivery,
    operationId: operation.body.id,
    planId: plan.body.id,
    outageId: outages.body.items[0].id,
    listenerId: listener.body.id,
    importId: imported.body.id,
  };
}

function newSigner(tenant: string) {
  return registrationOf(newTestSigner(`signer-${randomBytes(4).toString('hex')}`), tenant);
}
