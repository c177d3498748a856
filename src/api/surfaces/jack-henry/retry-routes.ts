import { z } from 'zod';
import { acceptOperation } from '../../../recovery/accept-operation.ts';
import { findEndpoint } from '../../../store/endpoints.ts';
import { findEvent } from '../../../store/event-reads.ts';
import type { Queryable } from '../../../store/queryable.ts';
import { PLATFORM_TENANT } from '../../../store/tenants.ts';
import type { ApiDeps } from '../../api-deps.ts';
import type { Caller } from '../../authentication.ts';
import {
  IDEMPOTENCY_KEEP_MS,
  idempotencyScope,
  readIdempotencyKey,
  requestFingerprint,
} from '../../idempotency.ts';
import { isProblem, type Problem, problem } from '../../problem.ts';
import type { Reply } from '../../reply.ts';
import { type Route, type RouteResponse, route, type TenantRef } from '../../route.ts';
import { idsOf, PATH_IDS, PREFIX, uuidsIn } from './fields.ts';
import {
  AdminBulkRetryRequest,
  type AskedRetry,
  BulkRawEventRetryRequest,
  BulkSubscriptionEventRetryRequest,
  bulkSubscriptionRetry,
  rawRetry,
  SingleEventRetryRequest,
  SingleRawEventRetryRequest,
  singleSubscriptionRetry,
} from './retry-request.ts';
import { errorResponses, operationFailed } from './standard-error.ts';

const RetryResponse = z
  .strictObject({
    status: z
      .enum(['success', 'accepted'])
      .meta({ description: 'Status of the retry operation', example: 'success' }),
    retryId: z.uuid().meta({
      description: 'Unique identifier for tracking this retry operation: GET /api/v1/retries/{id} shows it.',
      example: '550e8400-e29b-41d4-a716-446655440000',
    }),
  })
  .meta({ id: 'JackHenryRetryResponse' });

const SUCCESS: Record<number, RouteResponse> = {
  200: { description: 'Retry operation completed successfully', schema: RetryResponse },
};
const ACCEPTED: Record<number, RouteResponse> = {
  202: { description: 'Bulk retry operation accepted and processing asynchronously', schema: RetryResponse },
};

const SUBSCRIPTION = `${PREFIX}/{institutionId}/retries/subscriptions/{subscriptionId}`;
const SINGLE_SUBSCRIPTION = `${SUBSCRIPTION}/events/{eventId}`;
const RAW = `${PREFIX}/{institutionId}/retries/events`;
const SINGLE_RAW = `${RAW}/{eventId}`;
const ADMIN = `${PREFIX}/retries/events`;

const { institutionId, subscriptionId, eventId } = PATH_IDS;

/** Why a retry cannot be accepted. */
type Refusal = 'not_found' | 'payload_expired';

/** The five retries of the document. */
export function retryRoutes(deps: ApiDeps): Route[] {
  const retry = {
    method: 'post',
    tag: 'Jack Henry Modern Eventing',
    access: { of: 'tenant', scope: 'write:deliveries' },
    headers: {
      'Idempotency-Key': {
        description: 'Makes repeating the request safe for 24 hours.',
        example: 'a7f3c1d2-outage-2026-11-03',
      },
    },
  } as const;
  return [
    route({
      ...retry,
      path: SINGLE_SUBSCRIPTION,
      summary: 'Retry Single Subscription Event',
      description:
        'Retries a single event for a specific subscription. The event is republished with refreshed subscription configuration.',
      request: {
        params: z.strictObject({ institutionId, subscriptionId, eventId }),
        body: SingleEventRetryRequest,
      },
      bodyOptional: true,
      responses: { ...SUCCESS, ...errorResponses(400, 401, 403, 404, 500) },
      async handler(call) {
        const ids = idsOf(call.params);
        if (isProblem(ids)) return ids;
        const before = async (db: Queryable) =>
          (await refusedSubscription(db, call.tenant, ids.subscriptionId)) ??
          (await refusedEvent(db, call.tenant, ids.eventId));
        return start(SINGLE_SUBSCRIPTION, 'success', call, singleSubscriptionRetry(ids, call.body), before);
      },
    }),
    route({
      ...retry,
      path: SUBSCRIPTION,
      summary: 'Retry Bulk Subscription Events',
      description:
        'Retries multiple events for a subscription based on filter criteria. Runs asynchronously and can handle large volumes of events.',
      request: {
        params: z.strictObject({ institutionId, subscriptionId }),
        body: BulkSubscriptionEventRetryRequest,
      },
      bodyOptional: true,
      responses: { ...ACCEPTED, ...errorResponses(400, 401, 403, 404, 500) },
      async handler(call) {
        const ids = idsOf(call.params);
        if (isProblem(ids)) return ids;
        const before = (db: Queryable) => refusedSubscription(db, call.tenant, ids.subscriptionId);
        const asked = bulkSubscriptionRetry(ids.subscriptionId, call.body);
        return start(SUBSCRIPTION, 'accepted', call, asked, before);
      },
    }),
    route({
      ...retry,
      path: SINGLE_RAW,
      summary: 'Retry Single Raw Event',
      description:
        'Retries a single raw event: by fresh subscription matching, or with `replayMatchedSubscriptions` to the subscriptions that it was matched with.',
      request: { params: z.strictObject({ institutionId, eventId }), body: SingleRawEventRetryRequest },
      bodyOptional: true,
      responses: { ...SUCCESS, ...errorResponses(400, 401, 403, 404, 500) },
      async handler(call) {
        const ids = idsOf(call.params);
        if (isProblem(ids)) return ids;
        const before = (db: Queryable) => refusedEvent(db, call.tenant, ids.eventId);
        const asked = rawRetry({ eventId: [ids.eventId] }, call.body.replayMatchedSubscriptions);
        return start(SINGLE_RAW, 'success', call, asked, before);
      },
    }),
    route({
      ...retry,
      path: RAW,
      summary: 'Retry Bulk Raw Events',
      description:
        'Retries multiple raw events for an institution based on filter criteria, as it is done for one of them.',
      request: { params: z.strictObject({ institutionId }), body: BulkRawEventRetryRequest },
      responses: { ...SUCCESS, ...errorResponses(400, 401, 403, 500) },
      handler: (call) =>
        start(RAW, 'success', call, rawRetry(call.body, call.body.replayMatchedSubscriptions)),
    }),
    route({
      ...retry,
      access: { of: 'installation' },
      path: ADMIN,
      summary: 'Admin Retry Bulk Raw Events (Multi-Institution)',
      description: 'Admin endpoint for retrying raw events across all institutions.',
      request: { body: AdminBulkRetryRequest },
      responses: { ...SUCCESS, ...errorResponses(400, 401, 403, 500) },
      async handler(call) {
        const { institutionIds, replayMatchedSubscriptions, ...events } = call.body;
        const tenants = institutionIds ? uuidsIn(institutionIds) : 'all';
        const asked = rawRetry(events, replayMatchedSubscriptions, tenants);
        return start(ADMIN, 'success', { ...call, params: {}, tenant: PLATFORM_TENANT }, asked);
      },
    }),
  ];

  /** Accepts the operation; what is answered is durable, and whatever it selects, nobody waits for it. */
  async function start(
    routeTemplate: string,
    status: 'success' | 'accepted',
    call: {
      tenant: TenantRef;
      caller: Caller;
      params: Record<string, string | undefined>;
      rawBody: unknown;
      header(name: string): string | undefined;
    },
    asked: AskedRetry,
    before?: (db: Queryable) => Promise<Refusal | undefined>,
  ): Promise<Reply | Problem> {
    const { tenant, caller, rawBody } = call;
    const key = readIdempotencyKey(call.header('idempotency-key'));
    if (typeof key === 'object') return key;
    const params = Object.fromEntries(Object.entries(call.params).map(([name, id]) => [name, id ?? '']));
    const result = await acceptOperation<Refusal>(deps, {
      ...asked,
      tenant,
      caller,
      surface: 'jack-henry',
      target: 'current',
      ...(before ? { before } : {}),
      ...(key === undefined
        ? {}
        : {
            idempotency: {
              scope: idempotencyScope(tenant.id, 'jack-henry', `POST ${routeTemplate}`),
              key,
              fingerprint: requestFingerprint({ method: 'POST', routeTemplate, params, body: rawBody }),
              keep: { ms: IDEMPOTENCY_KEEP_MS },
            },
          }),
      render: ({ operation }) => ({ status, retryId: operation.id }),
    });
    if (result.ok)
      return {
        status: status === 'accepted' ? 202 : 200,
        text: result.body,
        contentType: 'application/json',
        headers: result.replayed ? { 'idempotency-replayed': 'true' } : {},
      };
    if (result.code === 'idempotency_key_reused') return problem('idempotency_key_reused');
    return result.code === 'refused' && result.refusal === 'payload_expired'
      ? operationFailed('The payload of this event is not kept any more: there is nothing to send.')
      : problem('not_found');
  }
}

async function refusedSubscription(
  db: Queryable,
  tenant: TenantRef,
  id: string,
): Promise<Refusal | undefined> {
  const endpoint = await findEndpoint(db, tenant.id, id);
  return endpoint === undefined || endpoint.state === 'deleted' ? 'not_found' : undefined;
}

async function refusedEvent(db: Queryable, tenant: TenantRef, id: string): Promise<Refusal | undefined> {
  const event = await findEvent(db, tenant.id, id);
  if (!event) return 'not_found';
  // A repeat of another event never had a payload of its own: there is nothing to do for it, which is no failure.
  return event.payloadKept || event.duplicateOf ? undefined : 'payload_expired';
}
