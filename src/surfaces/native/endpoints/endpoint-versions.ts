import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import { type Form, readCursor } from '../../../api/requests/cursor.ts';
import { type Route, route } from '../../../api/route.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Sealer } from '../../../sealing/sealing.ts';
import { type EndpointVersion, listEndpointVersions } from '../../../store/tenancy/endpoint-versions.ts';
import { findEndpoint } from '../../../store/tenancy/endpoints.ts';
import { shownTime } from '../fields.ts';
import { nameParams } from '../names.ts';
import { pageFrom, pageOf, pageParameters } from '../page.ts';
import { readInTurns } from './endpoint-certificates.ts';
import { changedMembers, configMembers } from './endpoint-view.ts';

/** A number of a version in a cursor. */
const VERSION_FORM: Form<string> = /^[1-9]\d{0,8}$/;

const member = z.unknown();

const EndpointVersionView = z
  .strictObject({
    version: z.int().meta({ description: 'Its number.', example: 2 }),
    current: z.boolean().meta({ description: 'The endpoint has this version now.', example: true }),
    createdAt: shownTime('When it was made.'),
    config: z.looseObject({}).meta({
      description: 'Its members; headers by name only.',
      example: { url: 'https://hooks.example/new' },
    }),
    changed: z
      .array(
        z.strictObject({
          member: z.string().meta({ description: 'A member that differs.', example: 'url' }),
          was: member.meta({ description: 'Its value before.', example: 'https://hooks.example/old' }),
          now: member.meta({
            description: 'Its value in this version.',
            example: 'https://hooks.example/new',
          }),
        }),
      )
      .meta({
        description:
          'The members that differ from the version before, with both values; none in the first one.',
      }),
    headersChanged: z.boolean().meta({
      description: 'Its headers were set anew, whether their names differ or not.',
      example: false,
    }),
  })
  .meta({ id: 'EndpointVersion' });

/** The versions of endpoints, each with what it changed. */
export function endpointVersionRoutes({ pool, sealer }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/endpoints/{id}/versions',
      summary: 'List the versions of an endpoint, newest first',
      description:
        'Each with the members that it changed. Who changed them is in the audit (`endpoint.changed`).',
      tag: 'Endpoints',
      access: { of: 'tenant', scope: 'read:endpoints' },
      request: {
        params: nameParams('endpoint', 'Id or handle of the endpoint.'),
        query: z.strictObject(pageParameters),
      },
      responses: { 200: { description: 'A page of versions.', schema: pageOf(EndpointVersionView) } },
      problems: ['invalid_cursor'],
      async handler({ params: { id }, query: { limit, cursor }, tenant }) {
        const listed = ['endpoint-versions', tenant.id, id];
        const position = cursor === undefined ? undefined : readCursor(listed, cursor, [VERSION_FORM]);
        if (position && isProblem(position)) return position;
        const endpoint = await findEndpoint(pool, tenant.id, id);
        if (!endpoint) return problem('not_found');
        // One more than is shown: the last one on the page is compared with it.
        const rows = await listEndpointVersions(pool, tenant.id, id, {
          limit: limit + 1,
          ...(position ? { before: Number(position[0]) } : {}),
        });
        await readInTurns(rows.map(({ config }) => config));
        const before = new Map(rows.map((row, n) => [row.version, rows[n + 1]]));
        const view = (row: EndpointVersion) =>
          versionView(sealer, id, row, before.get(row.version), endpoint.version);
        return {
          status: 200,
          body: pageFrom(rows, limit, listed, ({ version }) => [String(version)], view),
        };
      },
    }),
  ];
}

function versionView(
  sealer: Sealer,
  id: Id<'endpoint'>,
  { version, createdAt, config }: EndpointVersion,
  before: EndpointVersion | undefined,
  current: number,
): z.input<typeof EndpointVersionView> {
  const now = configMembers(sealer, { id, config });
  const was = before && configMembers(sealer, { id, config: before.config });
  const sealed = (headers: Buffer | undefined) => headers?.toString('base64');
  return {
    version,
    current: version === current,
    createdAt: createdAt.toISOString(),
    config: now,
    changed: was
      ? changedMembers(was, now).map((name) => ({ member: name, was: was[name], now: now[name] }))
      : [],
    headersChanged:
      before !== undefined && sealed(config.sealedHeaders) !== sealed(before.config.sealedHeaders),
  };
}
