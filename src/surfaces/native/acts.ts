import type { Reply } from '../../api/reply.ts';
import type { Route } from '../../api/route.ts';
import { type IdKind, readId, showId } from '../../domain/tenancy/typed-id.ts';
import { logAct } from '../../telemetry/act-log.ts';
import type { Log } from '../../telemetry/log.ts';

/** What is changed, by route: each leaves one line in the log. Operations, resolutions and events say more themselves. */
export const ACTS: Record<string, { event: string; of: IdKind }> = {
  'post /api/v1/tenants': { event: 'tenant.made', of: 'tenant' },
  'patch /api/v1/tenants/{id}': { event: 'tenant.changed', of: 'tenant' },
  'post /api/v1/keys': { event: 'key.made', of: 'key' },
  'delete /api/v1/keys/{id}': { event: 'key.revoked', of: 'key' },
  'post /api/v1/jwt-issuers': { event: 'jwt_issuer.made', of: 'jwtIssuer' },
  'delete /api/v1/jwt-issuers/{id}': { event: 'jwt_issuer.revoked', of: 'jwtIssuer' },
  'post /api/v1/signers': { event: 'signer.made', of: 'signer' },
  'delete /api/v1/signers/{id}': { event: 'signer.removed', of: 'signer' },
  'post /api/v1/access-rules': { event: 'access_rule.made', of: 'accessRule' },
  'delete /api/v1/access-rules/{id}': { event: 'access_rule.removed', of: 'accessRule' },
  'post /api/v1/endpoints': { event: 'endpoint.made', of: 'endpoint' },
  'patch /api/v1/endpoints/{id}': { event: 'endpoint.changed', of: 'endpoint' },
  'post /api/v1/endpoints/{id}/enable': { event: 'endpoint.enabled', of: 'endpoint' },
  'post /api/v1/endpoints/{id}/disable': { event: 'endpoint.disabled', of: 'endpoint' },
  'post /api/v1/endpoints/{id}/rotate-secret': { event: 'endpoint.secret_rotated', of: 'endpoint' },
  'delete /api/v1/endpoints/{id}': { event: 'endpoint.deleted', of: 'endpoint' },
  'delete /api/v1/events/{id}/payload': { event: 'event.payload_erased', of: 'event' },
};

/** Lets routes that change something write one line for each time that they did. */
export function logActs(log: Log, routes: readonly Route[]): Route[] {
  return routes.map((each) => {
    const act = ACTS[`${each.method} ${each.path}`];
    if (!act) return each;
    return {
      ...each,
      async handler(call) {
        const outcome = await each.handler(call);
        if ('status' in outcome && call.caller)
          logAct(
            log,
            act.event,
            { actor: call.caller.actor, requestId: call.requestId },
            {
              ...(call.tenant ? { tenantId: showId('tenant', call.tenant.id) } : {}),
              [`${act.of}Id`]: subjectOf(act.of, outcome, call.params),
            },
          );
        return outcome;
      },
    };
  });
}

/** The id of what was made, as it is answered, or of what the path names. */
function subjectOf(kind: IdKind, outcome: Reply, params: unknown): string | undefined {
  const answered = 'body' in outcome ? (outcome.body as { id?: unknown } | undefined)?.id : undefined;
  if (typeof answered === 'string') return answered;
  const { id = '' } = (params ?? {}) as { id?: string };
  return readId(kind, id) === undefined ? undefined : showId(kind, id);
}
