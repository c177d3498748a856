import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { createTurns } from '../../../api/limits/turns.ts';
import { problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import type { Operation } from '../../../domain/operations/operation.ts';
import { hasEnded } from '../../../domain/operations/operation-state.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import { findOperation } from '../../../store/operations/operations.ts';
import { withWaits } from '../../../store/reading/waits.ts';
import { EVENT_STREAM_HEADERS, sendEvents } from '../event-stream.ts';
import { idParams } from '../fields.ts';
import { operationSummary } from './operation-view.ts';
import { fingerprintOf, OperationWatch } from './operation-watch.ts';
import type { ProgressRate } from './progress-rate.ts';

/** Operations that are looked at at a time, of all that are followed in a process: others want connections, too. */
const LOOKS_AT_ONCE = 4;

/** An operation's progress as it happens. */
export function retryProgressRoutes({ pool }: ApiDeps, rate: ProgressRate): Route[] {
  const inTurn = createTurns(LOOKS_AT_ONCE);
  const watch = new OperationWatch((tenantId, id) =>
    inTurn(async () => {
      const operation = await findOperation(pool, tenantId, id);
      return operation && (await withWaits(pool, [operation]))[0];
    }),
  );
  const common = { tag: 'Retries', access: { of: 'tenant', scope: 'read:deliveries' } } as const;
  const params = idParams('operation', 'Id of the operation.');
  return [
    route({
      ...common,
      method: 'get',
      path: '/api/v1/retries/{id}/stream',
      summary: "Follow an operation's progress (server-sent events)",
      description:
        'Sends an event `progress` with the whole operation, but for its selection, now and after each change; at the end an event `closed`, which is the last. Comments in between keep the connection open. Each event has an id: with the last one in `Last-Event-ID` a stream that was cut begins with the events that are new, and one that had ended is answered 204. It ends when its credential does. 20 go on at a time for a credential and 200 for a tenant; a further one is `rate_limited`.',
      request: { params },
      headers: {
        'Last-Event-ID': { description: 'Id of the last event that was received.', example: 'q1Zk0Xh2bT5c' },
      },
      responses: {
        200: { description: 'The stream.', schema: z.string(), contentType: 'text/event-stream' },
        204: { description: 'Nothing will follow the event that `Last-Event-ID` names.' },
      },
      async handler({ params: { id }, tenant, header }) {
        const operation = await findOperation(pool, tenant.id, id);
        if (!operation) return problem('not_found');
        const lastSeen = header('last-event-id');
        if (hasEnded(operation.state) && lastSeen === closedId(operation)) return { status: 204 };
        return {
          status: 200,
          kind: 'events',
          contentType: 'text/event-stream',
          headers: EVENT_STREAM_HEADERS,
          stream: (output) => sendEvents(output, eventsOf(tenant.id, id, lastSeen, output.ended)),
        };
      },
    }),
  ];

  async function* eventsOf(
    tenantId: Id<'tenant'>,
    id: Id<'operation'>,
    lastSeen: string | undefined,
    left: AbortSignal,
  ): AsyncGenerator<string> {
    for await (const operation of watch.changes(tenantId, id, left)) {
      const data = JSON.stringify(operationSummary(operation, rate.observe(operation, performance.now())));
      const ended = hasEnded(operation.state);
      const events = [
        { id: revisionOf(operation), event: 'progress' },
        ...(ended ? [{ id: closedId(operation), event: 'closed' }] : []),
      ];
      // Events that were seen before a gap are not sent again; where that cannot be told, all are.
      const unseen = events.slice(events.findIndex((each) => each.id === lastSeen) + 1);
      const text = unseen.map((each) => `event: ${each.event}\ndata: ${data}\nid: ${each.id}\n\n`).join('');
      if (text !== '') yield text;
      if (ended) return;
    }
  }
}

/** Names a state of an operation, in every process alike. */
function revisionOf(operation: Operation): string {
  return createHash('sha256').update(fingerprintOf(operation)).digest('base64url').slice(0, 12);
}

function closedId(operation: Operation): string {
  return `${revisionOf(operation)}-closed`;
}
