import { type IdKind, readId, showId } from '../domain/tenancy/typed-id.ts';
import { logAct } from '../telemetry/act-log.ts';
import type { Log } from '../telemetry/log.ts';
import type { Reply } from './reply.ts';
import type { Route } from './route.ts';

/** The changes, by route (`post /path`): the event of the line in the log, and the kind of its subject. */
export type Acts = Readonly<Record<string, { event: string; of: IdKind }>>;

/** Lets routes that change something write one line for each change. */
export function logActs(log: Log, acts: Acts, routes: readonly Route[]): Route[] {
  return routes.map((each) => {
    const act = acts[`${each.method} ${each.path}`];
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

/** The id of the subject: the one that was made, as it is answered, or the one that the path names. */
function subjectOf(kind: IdKind, outcome: Reply, params: unknown): string | undefined {
  const answered = 'body' in outcome ? (outcome.body as { id?: unknown } | undefined)?.id : undefined;
  if (typeof answered === 'string') return answered;
  const { id = '' } = (params ?? {}) as { id?: string };
  const read = readId(kind, id);
  return read === undefined ? undefined : showId(kind, read);
}
