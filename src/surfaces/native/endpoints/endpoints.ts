import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, type Problem, problem } from '../../../api/problem.ts';
import type { Reply } from '../../../api/reply.ts';
import { type Route, route } from '../../../api/route.ts';
import type { Endpoint } from '../../../domain/endpoints/endpoint.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { generateSecret } from '../../../outbound/signature.ts';
import { endpointSecretContext } from '../../../sealing/sealing-contexts.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import { forgetHealth } from '../../../store/sending/endpoint-health.ts';
import { expireEndpointSecrets, insertEndpointSecret } from '../../../store/tenancy/endpoint-secrets.ts';
import { insertEndpointVersion } from '../../../store/tenancy/endpoint-versions.ts';
import {
  advanceVersion,
  findEndpoint,
  listEndpoints,
  lockEndpoint,
  setEndpointState,
} from '../../../store/tenancy/endpoints.ts';
import { durationField } from '../fields.ts';
import { nameParams } from '../names.ts';
import { idCursor, pageFrom, pageOf, pageParameters } from '../page.ts';
import { createEndpoint } from './create-endpoint.ts';
import {
  changedConfig,
  endpointView,
  refusedProbeUrl,
  refusedProbing,
  refusedUrl,
} from './endpoint-config.ts';
import {
  CreatedEndpoint,
  EndpointChange,
  EndpointView,
  NewEndpoint,
  RotatedSecret,
  secretField,
} from './endpoint-schema.ts';

/** How long a rotated secret goes on signing beside the new one. */
const OLD_SECRET_VALID_MS = 24 * 60 * 60 * 1_000;

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
export function endpointRoutes({ pool, sealer, guard }: ApiDeps): Route[] {
  return [
    route({
      ...edit,
      method: 'post',
      path: '/api/v1/endpoints',
      summary: 'Make an endpoint',
      description: 'The answer holds the signing secret, once.',
      request: { body: NewEndpoint },
      responses: { 201: { description: 'The endpoint, with its secret.', schema: CreatedEndpoint } },
      problems: ['endpoint_url_refused', 'handle_taken'],
      async handler({ body, tenant }) {
        const made = await createEndpoint({ pool, sealer, guard }, tenant.id, body);
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
        const position = idCursor(listed, cursor);
        if (isProblem(position)) return position;
        const page = { limit: limit + 1, ...(position.id ? { after: position.id } : {}) };
        const rows = await listEndpoints(pool, tenant.id, page);
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
      responses: { 200: { description: 'The endpoint.', schema: EndpointView } },
      handler: ({ params: { id }, tenant }) => show(tenant.id, id),
    }),
    route({
      ...edit,
      method: 'patch',
      path: '/api/v1/endpoints/{id}',
      summary: 'Change an endpoint, which makes its next version',
      request: { params, body: EndpointChange },
      responses: { 200: { description: 'The endpoint with its new version.', schema: EndpointView } },
      problems: ['endpoint_url_refused', 'state_conflict'],
      async handler({ params: { id }, body, tenant }) {
        const refused =
          (body.url === undefined ? undefined : await refusedUrl(guard, body.url)) ??
          (await refusedProbeUrl(guard, body.probe));
        if (refused) return refused;
        const changed = await withTransaction(pool, async (db) => {
          const version = await lockEndpoint(db, tenant.id, id);
          const before = version === undefined ? undefined : await findEndpoint(db, tenant.id, id);
          if (version === undefined || before === undefined) return undefined;
          const config = changedConfig(sealer, id, body, before.config);
          const refusedToAsk = refusedProbing(config);
          if (refusedToAsk) return refusedToAsk;
          await insertEndpointVersion(db, tenant.id, id, version + 1, config);
          if (!(await advanceVersion(db, tenant.id, id, version + 1)))
            throw new Error('an endpoint that is held was changed by somebody else');
          return findEndpoint(db, tenant.id, id);
        });
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
        'Nothing is sent to it any more. What names it stays readable, and its handle is free again.',
      request: { params },
      responses: { 204: { description: 'It is deleted, now or since earlier.' } },
      problems: ['state_conflict'],
      async handler({ params: { id }, tenant, caller }) {
        const from = caller.grant ? (['disabled'] as const) : (['enabled', 'disabled'] as const);
        if (await setEndpointState(pool, tenant.id, id, 'deleted', from)) return { status: 204 };
        const endpoint = await findEndpoint(pool, tenant.id, id);
        if (!endpoint) return problem('not_found');
        if (endpoint.state === 'deleted') return { status: 204 };
        return problem('state_conflict', {
          detail: 'A key that was made with a grant deletes disabled endpoints only: disable it first.',
        });
      },
    }),
    ...(['enable', 'disable'] as const).map((verb) =>
      route({
        ...edit,
        method: 'post',
        path: `/api/v1/endpoints/{id}/${verb}`,
        summary: verb === 'enable' ? 'Enable an endpoint' : 'Disable an endpoint',
        description:
          verb === 'enable'
            ? 'Events from now on are delivered; what it missed can be retried. An open circuit is closed.'
            : 'Events for it are kept as ignored deliveries, which can be retried once it is enabled.',
        request: { params },
        responses: { 200: { description: 'The endpoint.', schema: EndpointView } },
        problems: ['state_conflict'],
        async handler({ params: { id }, tenant }) {
          const state = verb === 'enable' ? 'enabled' : 'disabled';
          if (!(await setEndpointState(pool, tenant.id, id, state))) return goneOrDeleted(tenant.id, id);
          if (state === 'enabled') await forgetHealth(pool, id);
          return show(tenant.id, id);
        },
      }),
    ),
    route({
      ...rotate,
      method: 'post',
      path: '/api/v1/endpoints/{id}/rotate-secret',
      summary: 'Give an endpoint a new signing secret',
      description:
        'Requests are signed with both secrets until the old one has run out. The answer holds the new one, once.',
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
      async handler({ params: { id }, body, tenant }) {
        const secret = body.secret ?? generateSecret();
        const sealed = sealer.seal(secret, endpointSecretContext(id));
        const rotated = await withTransaction(pool, async (db) => {
          if ((await lockEndpoint(db, tenant.id, id)) === undefined) return undefined;
          const until = await expireEndpointSecrets(db, id, body.oldValidForMs ?? OLD_SECRET_VALID_MS);
          await insertEndpointSecret(db, id, sealed);
          return { until };
        });
        if (!rotated) return goneOrDeleted(tenant.id, id);
        return { status: 200, body: { secret, previousValidUntil: rotated.until?.toISOString() ?? null } };
      },
    }),
  ];

  async function show(tenantId: string, id: string): Promise<Reply | Problem> {
    const endpoint = await findEndpoint(pool, tenantId, id);
    return endpoint ? { status: 200, body: endpointView(sealer, endpoint) } : problem('not_found');
  }

  async function goneOrDeleted(tenantId: string, id: string): Promise<Problem> {
    return (await findEndpoint(pool, tenantId, id))
      ? problem('state_conflict', { detail: 'The endpoint is deleted.' })
      : problem('not_found');
  }
}
