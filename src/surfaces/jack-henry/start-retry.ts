import type { ApiDeps } from '../../api/api-deps.ts';
import type { Caller, TenantRef } from '../../api/authentication/caller.ts';
import { type Problem, problem } from '../../api/problems/problem.ts';
import { quotaExceeded } from '../../api/problems/quota-exceeded.ts';
import type { Reply } from '../../api/reply.ts';
import { keyedRequest, readIdempotencyKey, replayedHeaders } from '../../api/requests/idempotency.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { acceptOperation } from '../../operations/accept-operation.ts';
import type { Queryable } from '../../store/db/queryable.ts';
import { findEvent } from '../../store/reading/event-reads.ts';
import { findEndpoint } from '../../store/tenancy/endpoints.ts';
import type { AskedRetry } from './retry-request.ts';
import { operationFailed } from './standard-error.ts';

/** Why a retry cannot be accepted. */
type Refusal = 'not_found' | 'payload_expired';

/** The parts of a call that a retry is started with. */
export interface RetryCall {
  tenant: TenantRef;
  caller: Caller;
  params: Record<string, string | undefined>;
  rawBody: unknown;
  header(name: string): string | undefined;
}

/** How a retry is answered, and what must be there for it. */
export interface RetryKind {
  routeTemplate: string;
  status: 'success' | 'accepted';
  subscriptionId?: Id<'endpoint'>;
  eventId?: Id<'event'>;
}

/** Accepts a retry. It is durable once it is answered, and the answer never waits for its items. */
export async function startRetry(
  deps: ApiDeps,
  { tenant, caller, params, rawBody, header }: RetryCall,
  { routeTemplate, status, subscriptionId, eventId }: RetryKind,
  asked: AskedRetry,
): Promise<Reply | Problem> {
  const key = readIdempotencyKey(header('idempotency-key'));
  if (typeof key === 'object') return key;
  const ids = Object.fromEntries(Object.entries(params).map(([name, id]) => [name, id ?? '']));
  const result = await acceptOperation<Refusal>(deps, {
    ...asked,
    tenant,
    caller,
    surface: 'jack-henry',
    target: 'current',
    before: async (db) =>
      (subscriptionId && (await refusedSubscription(db, tenant, subscriptionId))) ||
      (eventId && (await refusedEvent(db, tenant, eventId))) ||
      undefined,
    ...(key === undefined
      ? {}
      : {
          idempotency: keyedRequest(
            key,
            { tenantId: tenant.id, surface: 'jack-henry', path: routeTemplate },
            { params: ids, body: rawBody },
          ),
        }),
    render: ({ operation }) => ({ status, retryId: operation.id }),
  });
  if (result.ok)
    return {
      status: status === 'accepted' ? 202 : 200,
      text: result.body,
      contentType: 'application/json',
      headers: replayedHeaders(result.replayed),
    };
  if (result.code === 'idempotency_key_reused') return problem('idempotency_key_reused');
  if (result.code === 'quota_exceeded') return quotaExceeded(result.beyond);
  return result.code === 'refused' && result.refusal === 'payload_expired'
    ? operationFailed('The payload of this event is not kept any more: there is nothing to send.')
    : problem('not_found');
}

async function refusedSubscription(
  db: Queryable,
  tenant: TenantRef,
  id: Id<'endpoint'>,
): Promise<Refusal | undefined> {
  const endpoint = await findEndpoint(db, tenant.id, id);
  return endpoint === undefined || endpoint.state === 'deleted' ? 'not_found' : undefined;
}

async function refusedEvent(db: Queryable, tenant: TenantRef, id: Id<'event'>): Promise<Refusal | undefined> {
  const event = await findEvent(db, tenant.id, id);
  if (!event) return 'not_found';
  // A suppressed repeat never had a payload of its own: there is nothing to do for it, which is no failure.
  return event.payloadKept || event.suppressed ? undefined : 'payload_expired';
}
