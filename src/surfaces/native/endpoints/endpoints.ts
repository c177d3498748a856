import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, type Problem, problem } from '../../../api/problems/problem.ts';
import type { Reply } from '../../../api/reply.ts';
import { type Route, route } from '../../../api/route.ts';
import type { Endpoint } from '../../../domain/endpoints/endpoint.ts';
import { hasScope } from '../../../domain/tenancy/scope.ts';
import { type Id, showId } from '../../../domain/tenancy/typed-id.ts';
import { rotateSecret } from '../../../operations/rotate-secret.ts';
import { deleteEndpoint, disableEndpoint, enableEndpoint } from '../../../operations/switch-endpoint.ts';
import { generateSecret } from '../../../outbound/signature.ts';
import { endpointSecretContext } from '../../../sealing/sealing-contexts.ts';
import { endpointPresent } from '../../../store/figures/endpoint-latency.ts';
import { countWaitingAt } from '../../../store/reading/waits.ts';
import { findEndpoint, listEndpoints } from '../../../store/tenancy/endpoints.ts';
import { durationField } from '../fields.ts';
import { nameParams } from '../names.ts';
import { idCursor, pageFrom, pageOf, pageParameters } from '../page.ts';
import { changeEndpoint } from './change-endpoint.ts';
import { createEndpoint } from './create-endpoint.ts';
import { readInTurns } from './endpoint-certificates.ts';
import {
  CreatedEndpoint,
  DisabledEndpoint,
  EndpointChange,
  EndpointDetails,
  EndpointView,
  NewEndpoint,
  RotatedSecret,
  secretField,
} from './endpoint-schema.ts';
import { endpointView } from './endpoint-view.ts';

/** How long a rotated secret goes on signing together with the new one. */
const OLD_SECRET_VALID_MS = 24 * 60 * 60 * 1_000;

/** So many deliveries that wait are counted. */
const MAX_COUNTED = 100_000;

const params = nameParams('endpoint', 'Id or handle of the endpoint.');
const read = { tag: 'Endpoints', access: { of: 'tenant', scope: 'read:endpoints' } } as const;
const edit = {
  tag: 'Endpoints',
  access: { of: 'tenant', scope: 'write:endpoints', part: 'edit:endpoints' },
} as const;
const remove = {
  tag: 'Endpoints',
  access: { of: 'tenant', scope: 'write:endpoints', part: 'delete:endpoints' },
} as const;
const rotate = {
  tag: 'Endpoints',
  access: { of: 'tenant', scope: 'write:endpoints', part: 'rotate:secrets' },
} as const;

/** Endpoints and their immutable versions. */
export function endpointRoutes(deps: ApiDeps): Route[] {
  const { pool, sealer, guard, presets } = deps;
  return [
    route({
      ...edit,
      method: 'post',
      path: '/api/v1/endpoints',
      summary: 'Make an endpoint',
      description:
        'The answer holds the signing secret, once. Its maker can receive the events that follow; an endpoint that is made with a grant, or without `write:endpoints`, never gets events that were accepted before.',
      request: { body: NewEndpoint },
      responses: { 201: { description: 'The endpoint, with its secret.', schema: CreatedEndpoint } },
      problems: ['endpoint_url_refused', 'handle_taken'],
      async handler({ body, tenant, caller }) {
        const made = await createEndpoint({ pool, sealer, guard, presets }, tenant.id, body, caller, {
          takesEarlier: hasScope(caller.scopes, 'write:endpoints'),
        });
        if (isProblem(made)) return made;
        const { endpoint, secret } = made;
        return {
          status: 201,
          body: { ...endpointView(sealer, endpoint), secret },
          headers: { location: `/api/v1/endpoints/${showId('endpoint', endpoint.id)}` },
        };
      },
    }),
    route({
      ...read,
      method: 'get',
      path: '/api/v1/endpoints',
      summary: 'List endpoints, oldest first, without those that are deleted',
      request: { query: z.strictObject(pageParameters) },
      responses: { 200: { description: 'A page of endpoints.', schema: pageOf(EndpointView) } },
      problems: ['invalid_cursor'],
      async handler({ query: { limit, cursor }, tenant }) {
        const listed = ['endpoints', tenant.id];
        const position = idCursor('endpoint', listed, cursor);
        if (isProblem(position)) return position;
        const page = { limit: limit + 1, ...(position.id ? { after: position.id } : {}) };
        const rows = await listEndpoints(pool, tenant.id, page);
        await readInTurns(rows.map(({ config }) => config));
        const view = (endpoint: Endpoint) => endpointView(sealer, endpoint);
        return { status: 200, body: pageFrom(rows, limit, listed, ({ id }) => [id], view) };
      },
    }),
    route({
      ...read,
      method: 'get',
      path: '/api/v1/endpoints/{id}',
      summary: 'Show an endpoint, deleted ones too',
      request: { params },
      responses: { 200: { description: 'The endpoint.', schema: EndpointDetails } },
      handler: ({ params: { id }, tenant }) => show(tenant.id, id),
    }),
    route({
      ...edit,
      method: 'patch',
      path: '/api/v1/endpoints/{id}',
      summary: 'Change an endpoint, which makes its next version',
      description:
        'With a key that was made with a grant, or any credential without `write:endpoints`: a new origin (scheme, host or port of the URL or of the status request) needs the custom headers sent again, certificates stay as they are, and events that were accepted before go on to the old URL until somebody with `write:endpoints` sets it.',
      request: { params, body: EndpointChange },
      responses: { 200: { description: 'The endpoint with its new version.', schema: EndpointView } },
      problems: ['endpoint_url_refused', 'state_conflict'],
      async handler({ params: { id }, body, tenant, caller }) {
        const changed = await changeEndpoint(deps, tenant.id, id, body, caller);
        if (changed === undefined) return goneOrDeleted(tenant.id, id);
        return isProblem(changed) ? changed : { status: 200, body: endpointView(sealer, changed) };
      },
    }),
    route({
      ...remove,
      method: 'delete',
      path: '/api/v1/endpoints/{id}',
      summary: 'Delete an endpoint',
      description:
        'Nothing is sent to it any more. Records that name it stay readable, and its handle is free again.',
      request: { params },
      responses: { 204: { description: 'It is deleted, now or since earlier.' } },
      problems: ['state_conflict'],
      async handler({ params: { id }, tenant, caller }) {
        const from = caller.grant ? (['disabled'] as const) : (['enabled', 'disabled'] as const);
        if (await deleteEndpoint(deps, tenant.id, id, from, caller)) return { status: 204 };
        const endpoint = await findEndpoint(pool, tenant.id, id);
        if (!endpoint) return problem('not_found');
        if (endpoint.state === 'deleted') return { status: 204 };
        return problem('state_conflict', {
          detail: 'A key that was made with a grant deletes disabled endpoints only: disable it first.',
        });
      },
    }),
    route({
      ...edit,
      method: 'post',
      path: '/api/v1/endpoints/{id}/enable',
      summary: 'Enable an endpoint',
      description:
        'Events from now on are delivered; those that it missed can be retried. All that is held against it is lifted, also where it is enabled already: an open circuit, a narrowed window, and the wait that it asked for in Retry-After. Deliveries that waited for it go on at once.',
      request: { params },
      responses: { 200: { description: 'The endpoint.', schema: EndpointDetails } },
      problems: ['state_conflict'],
      async handler({ params: { id }, tenant, caller }) {
        return (await enableEndpoint(deps, tenant.id, id, caller))
          ? show(tenant.id, id)
          : goneOrDeleted(tenant.id, id);
      },
    }),
    route({
      ...edit,
      method: 'post',
      path: '/api/v1/endpoints/{id}/disable',
      summary: 'Disable an endpoint',
      description:
        'Events for it are kept as ignored deliveries, which can be retried once it is enabled, and so are first deliveries and automatic retries that are under way. Items that operations have queued or scheduled there wait until it is enabled, and are ignored when the patience of their operation ends (`options.disabledPatienceMs`); deliveries that an operation selects from now on are excluded (`endpoint_disabled`).',
      request: { params },
      responses: {
        200: {
          description: 'The endpoint, and the items that wait for it to be enabled.',
          schema: DisabledEndpoint,
        },
      },
      problems: ['state_conflict'],
      async handler({ params: { id }, tenant, caller }) {
        const waiting = await disableEndpoint(deps, tenant.id, id, caller);
        const endpoint = waiting && (await findEndpoint(pool, tenant.id, id));
        if (!waiting || !endpoint) return goneOrDeleted(tenant.id, id);
        return {
          status: 200,
          body: {
            ...endpointView(sealer, endpoint),
            waitingItems: waiting.map(({ operationId, items }) => ({
              operationId: showId('operation', operationId),
              items,
            })),
          },
        };
      },
    }),
    route({
      ...rotate,
      method: 'post',
      path: '/api/v1/endpoints/{id}/rotate-secret',
      summary: 'Give an endpoint a new signing secret',
      description:
        'From the answer on requests are signed with both secrets until the old one has run out, and then with the new one alone. The answer holds the new one, once.',
      request: {
        params,
        body: z
          .strictObject({
            secret: secretField.optional(),
            oldValidForMs: durationField(
              0,
              OLD_SECRET_VALID_MS,
              'How long the old secret goes on signing; 0 where it has become known to others.',
              OLD_SECRET_VALID_MS,
            ).optional(),
          })
          .meta({ id: 'SecretRotation' }),
      },
      bodyOptional: true,
      responses: { 200: { description: 'The new secret, shown once.', schema: RotatedSecret } },
      problems: ['state_conflict'],
      async handler({ params: { id }, body, tenant, caller }) {
        const secret = body.secret ?? generateSecret();
        const sealed = sealer.seal(secret, endpointSecretContext(id));
        const oldValidForMs = body.oldValidForMs ?? OLD_SECRET_VALID_MS;
        const rotated = await rotateSecret({ pool }, tenant.id, id, { sealed, oldValidForMs }, caller);
        if (!rotated) return goneOrDeleted(tenant.id, id);
        const { oldValidUntil } = rotated;
        return { status: 200, body: { secret, previousValidUntil: oldValidUntil?.toISOString() ?? null } };
      },
    }),
  ];

  async function show(tenantId: Id<'tenant'>, id: Id<'endpoint'>): Promise<Reply | Problem> {
    const endpoint = await findEndpoint(pool, tenantId, id);
    if (!endpoint) return problem('not_found');
    const waiting = await countWaitingAt(pool, tenantId, id, MAX_COUNTED + 1);
    const { window, latency } = await endpointPresent(pool, tenantId, id);
    return {
      status: 200,
      body: {
        ...endpointView(sealer, endpoint),
        waiting: { deliveries: Math.min(waiting, MAX_COUNTED), more: waiting > MAX_COUNTED },
        window: window ?? null,
        latency: latency ?? null,
      },
    };
  }

  async function goneOrDeleted(tenantId: Id<'tenant'>, id: Id<'endpoint'>): Promise<Problem> {
    return (await findEndpoint(pool, tenantId, id))
      ? problem('state_conflict', { detail: 'The endpoint is deleted.' })
      : problem('not_found');
  }
}
