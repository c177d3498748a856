import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { hasScope, SCOPES } from '../../../domain/tenancy/scope.ts';
import { newId, showId } from '../../../domain/tenancy/typed-id.ts';
import { jwtIssuerSecretContext } from '../../../sealing/sealing-contexts.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import {
  insertJwtIssuer,
  type JwtIssuer,
  listJwtIssuers,
  revokeJwtIssuer,
} from '../../../store/tenancy/jwt-issuers.ts';
import { PLATFORM_TENANT } from '../../../store/tenancy/tenants.ts';
import { idParams, shownId, shownTime } from '../fields.ts';
import { ownerNamed } from '../owner.ts';
import { idCursor, pageFrom, pageOf, pageParameters } from '../page.ts';
import { issuerMembers, NewJwtIssuer, PublicKeys, publicKeys } from './jwt-issuer-body.ts';

const IssuerView = z
  .strictObject({
    id: shownId('jwtIssuer', 'Id of the issuer.'),
    tenantId: shownId('tenant', 'The tenant its tokens act for; null: the installation.').nullable(),
    ...issuerMembers,
    jwks: PublicKeys.nullable(),
    jwksUrl: z.string().nullable().meta({
      description: 'Where it publishes its keys.',
      example: 'https://id.acme.example/.well-known/jwks.json',
    }),
    scopes: z
      .array(z.enum(SCOPES))
      .meta({ description: 'The scopes that its tokens have at most.', example: ['write:deliveries'] }),
    createdAt: shownTime('When it was registered.'),
    revokedAt: shownTime('When it was revoked.').nullable(),
  })
  .meta({ id: 'JwtIssuer', description: 'An issuer whose tokens are accepted as credentials.' });

const CreatedIssuer = IssuerView.extend({
  secret: z.string().optional().meta({
    description: 'The secret that was made, as text. It is shown now and never again.',
    example: 'q3Jx…',
  }),
}).meta({ id: 'CreatedJwtIssuer' });

/** Issuers of tokens (JWT) of a tenant or of the installation. */
export function jwtIssuerRoutes({ pool, sealer, guard }: ApiDeps): Route[] {
  const common = {
    tag: 'JWT issuers',
    access: { of: 'tenant', scope: 'write:keys', tenant: 'optional' },
  } as const;
  return [
    route({
      ...common,
      method: 'post',
      path: '/api/v1/jwt-issuers',
      summary: 'Register an issuer of tokens (JWT)',
      description:
        'Its tokens are credentials from then on, in every place where an API key is one. They must have `iss`, `aud` and `exp`. Tokens of an issuer that a tenant registers must come with the name of that tenant, by `Redrive-Tenant`, `X-Tenant-ID` or the path.',
      request: { body: NewJwtIssuer },
      responses: { 201: { description: 'The issuer.', schema: CreatedIssuer } },
      problems: ['state_conflict'],
      async handler({ body, caller, tenant }) {
        const owner =
          body.tenantId === undefined ? tenant : await ownerNamed(pool, body.tenantId, caller, tenant);
        if (owner && isProblem(owner)) return owner;
        const beyond = body.scopes.find((scope) => !hasScope(caller.scopes, scope));
        if (beyond)
          return problem('insufficient_scope', {
            detail: `A credential cannot grant \`${beyond}\`, which it does not have.`,
          });
        if (owner && body.scopes.includes('admin'))
          return invalid('#/scopes', 'not_allowed', 'A tenant has no scope `admin`.');
        const url = body.jwksUrl === undefined ? undefined : await guard.resolveAndCheck(body.jwksUrl);
        if (url && !url.ok) return invalid('#/jwksUrl', url.code, url.detail);
        const keys = body.jwks && (await publicKeys(body.jwks, body.algorithm));
        if (keys && !keys.ok) return problem('invalid_request', { errors: keys.errors });
        const id = newId('jwtIssuer');
        const generated = randomBytes(32).toString('base64url');
        const issuer = {
          id,
          name: body.name,
          issuer: body.issuer,
          audience: body.audience,
          algorithm: body.algorithm,
          scopes: body.scopes,
          ...(body.algorithm === 'HS256'
            ? { sealedSecret: sealer.seal(body.secret ?? generated, jwtIssuerSecretContext(id)) }
            : {}),
          ...(keys ? { jwks: keys.jwks } : {}),
          ...(url ? { jwksUrl: url.url.href } : {}),
          byInstallation: caller.tenant === undefined,
          ...(owner ? { tenant: owner } : {}),
        };
        const registered = await withTransaction(pool, async (db) => {
          const inserted = await insertJwtIssuer(db, issuer, caller);
          if (inserted)
            await noteAct(db, {
              tenantId: (owner ?? PLATFORM_TENANT).id,
              by: caller,
              action: 'jwt_issuer.made',
              target: id,
              detail: {
                algorithm: issuer.algorithm,
                scopes: issuer.scopes,
                byInstallation: issuer.byInstallation,
              },
            });
          return inserted;
        });
        if (!registered)
          return problem('state_conflict', {
            detail:
              'An issuer with this `issuer` and `audience` is registered with the tenant, or by the installation: choose another audience, or revoke it first.',
          });
        const secret = body.algorithm === 'HS256' && body.secret === undefined ? { secret: generated } : {};
        return { status: 201, body: { ...view(registered), ...secret } };
      },
    }),
    route({
      ...common,
      method: 'get',
      path: '/api/v1/jwt-issuers',
      summary: "List a tenant's issuers of tokens, newest first",
      description: 'Lists the issuers of the installation where the call names no tenant.',
      request: { query: z.strictObject(pageParameters) },
      responses: { 200: { description: 'A page of issuers.', schema: pageOf(IssuerView) } },
      problems: ['invalid_cursor'],
      async handler({ query: { limit, cursor }, tenant }) {
        const listed = ['jwt-issuers', tenant?.id ?? null];
        const position = idCursor('jwtIssuer', listed, cursor);
        if (isProblem(position)) return position;
        const page = { limit: limit + 1, ...(position.id ? { before: position.id } : {}) };
        const rows = await listJwtIssuers(pool, tenant?.id, page);
        return { status: 200, body: pageFrom(rows, limit, listed, ({ id }) => [id], view) };
      },
    }),
    route({
      ...common,
      method: 'delete',
      path: '/api/v1/jwt-issuers/{id}',
      summary: 'Revoke an issuer of tokens, at once',
      request: { params: idParams('jwtIssuer', 'Id of the issuer.') },
      responses: { 204: { description: 'It is revoked, now or since earlier: its tokens are refused.' } },
      async handler({ params: { id }, tenant, caller }) {
        const tenantId = (tenant ?? PLATFORM_TENANT).id;
        const revoked = await withTransaction(pool, async (db) => {
          if (!(await revokeJwtIssuer(db, tenant?.id, id))) return false;
          await noteAct(db, { tenantId, by: caller, action: 'jwt_issuer.revoked', target: id });
          return true;
        });
        return revoked ? { status: 204 } : problem('not_found');
      },
    }),
  ];
}

function invalid(pointer: string, code: string, message: string) {
  return problem('invalid_request', { errors: [{ pointer, code, message }] });
}

function view(issuer: JwtIssuer): z.input<typeof IssuerView> {
  return {
    id: showId('jwtIssuer', issuer.id),
    tenantId: issuer.tenant ? showId('tenant', issuer.tenant.id) : null,
    name: issuer.name,
    issuer: issuer.issuer,
    audience: issuer.audience,
    algorithm: issuer.algorithm,
    jwks: (issuer.jwks as z.input<typeof PublicKeys> | undefined) ?? null,
    jwksUrl: issuer.jwksUrl ?? null,
    scopes: issuer.scopes,
    createdAt: issuer.createdAt.toISOString(),
    revokedAt: issuer.revokedAt?.toISOString() ?? null,
  };
}
