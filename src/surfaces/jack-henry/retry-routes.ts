import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { isProblem } from '../../api/problems/problem.ts';
import { type Route, type RouteResponse, route } from '../../api/route.ts';
import { PLATFORM_TENANT } from '../../store/tenancy/tenants.ts';
import { idsOf, PATH_IDS, PREFIX, uuidsIn } from './fields.ts';
import {
  AdminBulkRetryRequest,
  BulkRawEventRetryRequest,
  BulkSubscriptionEventRetryRequest,
  bulkSubscriptionRetry,
  rawRetry,
  SingleEventRetryRequest,
  SingleRawEventRetryRequest,
  singleSubscriptionRetry,
} from './retry-request.ts';
import { errorResponses } from './standard-error.ts';
import { startRetry } from './start-retry.ts';

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

const replayed = { 'Idempotency-Replayed': '`true` where this is the stored answer to an earlier request.' };
const SUCCESS: Record<number, RouteResponse> = {
  200: { description: 'Retry operation completed successfully', schema: RetryResponse, headers: replayed },
};
const ACCEPTED: Record<number, RouteResponse> = {
  202: {
    description: 'Bulk retry operation accepted and processing asynchronously',
    schema: RetryResponse,
    headers: replayed,
  },
};

const SUBSCRIPTION = `${PREFIX}/{institutionId}/retries/subscriptions/{subscriptionId}`;
const SINGLE_SUBSCRIPTION = `${SUBSCRIPTION}/events/{eventId}`;
const RAW = `${PREFIX}/{institutionId}/retries/events`;
const SINGLE_RAW = `${RAW}/{eventId}`;
const ADMIN = `${PREFIX}/retries/events`;

const { institutionId, subscriptionId, eventId } = PATH_IDS;

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
        const kind = { routeTemplate: SINGLE_SUBSCRIPTION, status: 'success', ...ids } as const;
        return startRetry(deps, call, kind, singleSubscriptionRetry(ids, call.body));
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
        const kind = { routeTemplate: SUBSCRIPTION, status: 'accepted', ...ids } as const;
        return startRetry(deps, call, kind, bulkSubscriptionRetry(ids.subscriptionId, call.body));
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
        const kind = { routeTemplate: SINGLE_RAW, status: 'success', ...ids } as const;
        const asked = rawRetry({ eventId: [ids.eventId] }, call.body.replayMatchedSubscriptions);
        return startRetry(deps, call, kind, asked);
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
      async handler(call) {
        const kind = { routeTemplate: RAW, status: 'success' } as const;
        return startRetry(deps, call, kind, rawRetry(call.body, call.body.replayMatchedSubscriptions));
      },
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
        const tenants = institutionIds ? uuidsIn('tenant', institutionIds) : 'all';
        const kind = { routeTemplate: ADMIN, status: 'success' } as const;
        const asked = rawRetry(events, replayMatchedSubscriptions, tenants);
        return startRetry(deps, { ...call, params: {}, tenant: PLATFORM_TENANT }, kind, asked);
      },
    }),
  ];
}
