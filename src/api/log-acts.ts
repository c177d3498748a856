import { AUDIT_ACTIONS, type AuditAction } from '../domain/audit/audit-action.ts';
import { type Id, type IdKind, readId, showId } from '../domain/tenancy/typed-id.ts';
import { PLATFORM_TENANT } from '../store/tenancy/tenants.ts';
import { logAct } from '../telemetry/act-log.ts';
import type { Log } from '../telemetry/log.ts';
import type { Reply } from './reply.ts';
import type { Route } from './route.ts';

/** The changes, by route (`post /path`): the event of the line in the log, which the audit has, too. */
export type Acts = Readonly<Record<string, AuditAction>>;

/** Lets routes that change something write one line for each change. */
export function logActs(log: Log, acts: Acts, routes: readonly Route[]): Route[] {
  return routes.map((each) => {
    const act = acts[`${each.method} ${each.path}`];
    if (!act) return each;
    const kind = AUDIT_ACTIONS[act];
    return {
      ...each,
      async handler(call) {
        const outcome = await each.handler(call);
        if ('status' in outcome && call.caller)
          logAct(
            log,
            act,
            { actor: call.caller.actor, requestId: call.requestId },
            {
              ...(call.tenant ? { tenantId: showId('tenant', call.tenant.id) } : {}),
              [`${kind}Id`]: subjectOf(kind, outcome, call.params) ?? ownerOf(kind, call.tenant),
            },
          );
        return outcome;
      },
    };
  });
}

/** The id of a tenant that changes something of its own; what is the installation's belongs to the platform. */
function ownerOf(kind: IdKind, tenant: { id: Id<'tenant'> } | undefined): string | undefined {
  return kind === 'tenant' ? showId('tenant', tenant?.id ?? PLATFORM_TENANT.id) : undefined;
}

/** The id of the subject: the one that was made, as it is answered, or the one that the path names. */
function subjectOf(kind: IdKind, outcome: Reply, params: unknown): string | undefined {
  const body = 'body' in outcome ? (outcome.body as Record<string, unknown> | undefined) : undefined;
  const answered = body?.[`${kind}Id`] ?? body?.id;
  if (typeof answered === 'string') return answered;
  const { id = '' } = (params ?? {}) as { id?: string };
  const read = readId(kind, id);
  return read === undefined ? undefined : showId(kind, read);
}
