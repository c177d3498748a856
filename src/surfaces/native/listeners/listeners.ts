import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import {
  EXCERPT_BYTES,
  LISTENER_ASKED_EVERY_MS,
  LISTENER_LASTS_MS,
  LISTENERS_OF_TENANT,
} from '../../../domain/listeners/listener.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { answerHanded, handedNotices } from '../../../store/listeners/handed-requests.ts';
import { findListener, keepListener } from '../../../store/listeners/listeners.ts';
import { idParams } from '../fields.ts';
import { followListener, hashToken } from './follow-listener.ts';
import { ListenerAnswerBody, NewListener, OpenedListener } from './listener-schema.ts';
import { openListener } from './open-listener.ts';

const params = idParams('listener', 'Id of the listener.');
// No grant has this scope: payloads go down the stream.
const common = { tag: 'Listeners', access: { of: 'tenant', scope: 'write:endpoints' } } as const;

/** Listeners: new events of a tenant, received by a program that no sender could reach. */
export function listenerRoutes(deps: ApiDeps): Route[] {
  const notices = handedNotices(deps.pool);
  return [
    route({
      ...common,
      method: 'post',
      path: '/api/v1/listeners',
      summary: 'Open a listener',
      description: `Makes an endpoint of its own that gets the events which are accepted from now on, signed with the secret of the answer. It ends with its connection, or after ${LISTENER_LASTS_MS / 1_000} seconds without a word of whoever listens. What fails there is not tried again by itself, opens no outage, and is marked \`test\`. ${LISTENERS_OF_TENANT} of a tenant are open at a time.`,
      request: { body: NewListener },
      responses: { 201: { description: 'The listener, with its secret.', schema: OpenedListener } },
      problems: ['state_conflict'],
      async handler({ body, tenant, caller }) {
        const opened = await openListener(deps, tenant.id, body, caller);
        if (isProblem(opened)) return opened;
        const { listener, secret } = opened;
        const path = `/api/v1/listeners/${showId('listener', listener.id)}`;
        return {
          status: 201,
          body: {
            id: showId('listener', listener.id),
            endpointId: showId('endpoint', listener.endpointId),
            secret,
            expiresAt: listener.expiresAt.toISOString(),
            links: { stream: `${path}/stream`, answers: `${path}/answers` },
          },
        };
      },
    }),
    route({
      ...common,
      method: 'get',
      path: '/api/v1/listeners/{id}/stream',
      summary: 'Receive the requests of a listener (server-sent events)',
      description: `Holds the listener: it ends with this connection, and cannot be connected to again. Sends an event \`listening\`, and then for each request an event \`request\` with \`{token, deliveryId, headers, body, answerBy, answerWithinMs}\`: the headers with the signature, and the body as text, to be sent byte for byte in UTF-8. Each is answered with its token at \`…/answers\`; where that does not come until \`answerBy\`, which is \`answerWithinMs\` from when the event was sent, the request has failed and may have arrived. An event \`check\` asks every ${LISTENER_ASKED_EVERY_MS / 1_000} seconds whether somebody is there: answer it by \`{"here": true}\` at \`…/answers\`. Where nobody has for ${LISTENER_LASTS_MS / 1_000} seconds, the listener ends. An event \`ended\` says that it has ended, and \`why\`: \`expired\`, \`endpoint_deleted\` or \`connected_elsewhere\`.`,
      request: { params },
      responses: {
        200: { description: 'The stream.', schema: z.string(), contentType: 'text/event-stream' },
      },
      problems: ['state_conflict'],
      async handler({ params: { id }, tenant, caller }) {
        const listener = await findListener(deps.pool, tenant.id, id);
        if (!listener) return problem('not_found');
        if (listener.connected)
          return problem('state_conflict', {
            detail: 'This listener has a connection already: open another listener.',
          });
        return {
          status: 200,
          kind: 'events',
          contentType: 'text/event-stream',
          // nginx would keep events back until its buffer is full.
          headers: { 'x-accel-buffering': 'no' },
          stream: (output) => followListener(deps, notices, output, listener, caller),
        };
      },
    }),
    route({
      ...common,
      method: 'post',
      path: '/api/v1/listeners/{id}/answers',
      summary: 'Answer a request of a listener',
      description:
        'Hands the answer of the receiver to the sender, which treats it as that of any endpoint. An answer counts once, and in time. `{"here": true}` answers an event `check` of the stream.',
      request: { params, body: ListenerAnswerBody },
      responses: { 204: { description: 'It is taken.' } },
      problems: ['state_conflict'],
      async handler({ params: { id }, body, tenant }) {
        if (!(await findListener(deps.pool, tenant.id, id))) return problem('not_found');
        if (body.token === undefined)
          return (await keepListener(deps.pool, id)) ? { status: 204 } : problem('not_found');
        const answer =
          body.status === undefined
            ? ('unreachable' as const)
            : {
                status: body.status,
                excerpt: Buffer.from(body.body ?? '', 'base64').subarray(0, EXCERPT_BYTES),
              };
        return (await answerHanded(deps.pool, id, hashToken(body.token), answer))
          ? { status: 204 }
          : problem('state_conflict', {
              detail:
                'No request of this listener waits for an answer with this token: its time is over, it was answered, or it is another’s.',
            });
      },
    }),
  ];
}
