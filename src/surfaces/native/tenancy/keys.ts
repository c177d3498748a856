import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { hashApiKey, makeApiKey } from '../../../api/authentication/api-key.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { GRANT_SCOPES, GRANTS } from '../../../domain/tenancy/grant.ts';
import { hasScope, SCOPES, TENANT_SCOPES } from '../../../domain/tenancy/scope.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import { type ApiKey, insertApiKey, listApiKeys, revokeApiKey } from '../../../store/tenancy/api-keys.ts';
import { idParams, shownId, shownTime, textField, timeField } from '../fields.ts';
import { ownerNamed } from '../owner.ts';
import { idCursor, pageFrom, pageOf, pageParameters } from '../page.ts';

const name = textField(200, 'Name for people: who or what uses the key.', 'orders service');

/** The form of an actor: a prefix that no other credential has, or the subject of a token, spelled as it is shown. */
const ACTOR = /^(?:actor:[!-~]{1,150}|jwt:iss_[0-7][0-9a-hjkmnp-tv-z]{25}:[!-~]{1,128})$/;

const actor = z
  .string()
  .max(200)
  .transform((text) => (text.startsWith('jwt:') || text.startsWith('actor:') ? text : `actor:${text}`))
  .refine((text) => ACTOR.test(text), {
    message:
      'Expected up to 150 visible ASCII characters, or the actor of a token as `GET /api/v1/me` shows it.',
    params: { code: 'wrong_format' },
  })
  .meta({
    description:
      'The person or service that the key stands for: two keys of one actor are one actor in approvals and in the audit. Shown as `actor:<name>`; the actor of a token, `jwt:iss_…:<subject>`, is taken as it is.',
    example: 'alice',
  });

const KeyView = z
  .strictObject({
    id: shownId('key', 'Id of the key; not the key itself.'),
    name,
    scopes: z
      .array(z.enum(SCOPES))
      .meta({ description: 'The scopes of the key.', example: ['write:events'] }),
    grant: z.enum(GRANTS).nullable().meta({
      description: 'The grant that it was made with; such a key reads no bodies.',
      example: 'observer',
    }),
    actor: z.string().nullable().meta({
      description: 'The person or service that it stands for; it approves nothing without one.',
      example: 'actor:alice',
    }),
    createdAt: shownTime('When it was made.'),
    expiresAt: shownTime('From when on it is refused.').nullable(),
    revokedAt: shownTime('When it was revoked.').nullable(),
  })
  .meta({ id: 'Key', description: 'An API key; the key itself is shown once only.' });

const CreatedKey = KeyView.extend({
  tenantId: shownId('tenant', 'The tenant it belongs to.'),
  key: z.string().meta({ description: 'The key. It is shown now and never again.', example: 'rdk_…' }),
}).meta({ id: 'CreatedKey' });

const NewKey = z
  .strictObject({
    tenantId: z.string().optional().meta({
      description: 'Id or handle of the tenant; of the calling key where left out.',
      example: 'acme',
    }),
    name,
    scopes: z
      .array(z.enum(TENANT_SCOPES))
      .min(1)
      .max(TENANT_SCOPES.length)
      .transform((scopes) => [...new Set(scopes)])
      .optional()
      .meta({
        description:
          'The scopes of the key; no more than those of the calling key. Required without a grant.',
        example: ['write:events'],
      }),
    grant: z.enum(GRANTS).optional().meta({
      description:
        'In the place of scopes: observer, operator, recovery_operator or admin (docs/credentials.md).',
      example: 'observer',
    }),
    actor: actor.optional(),
    expiresAt: timeField('From when on it is refused; never where left out.').optional(),
  })
  .superRefine(({ scopes, grant }, context) => {
    if (scopes === undefined && grant === undefined)
      context.addIssue({
        code: 'custom',
        path: ['scopes'],
        message: 'This member is required.',
        params: { code: 'required' },
      });
    if (scopes !== undefined && grant !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['grant'],
        message: 'Expected either scopes or a grant.',
        params: { code: 'exactly_one' },
      });
  })
  .meta({ id: 'NewKey' });

/** API keys of a tenant. */
export function keyRoutes({ pool }: ApiDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/keys',
      summary: 'Make an API key',
      description: 'The answer holds the key, once: only its hash is kept.',
      tag: 'Keys',
      access: { of: 'tenant', scope: 'write:keys', tenant: 'optional' },
      request: { body: NewKey },
      responses: { 201: { description: 'The key, shown once.', schema: CreatedKey } },
      problems: ['tenant_required'],
      async handler({ body, caller, tenant }) {
        const owner = await ownerNamed(pool, body.tenantId, caller, tenant);
        if (isProblem(owner)) return owner;
        const scopes = body.grant === undefined ? (body.scopes ?? []) : GRANT_SCOPES[body.grant];
        const beyond = scopes.find((scope) => !hasScope(caller.scopes, scope));
        if (beyond)
          return problem('insufficient_scope', {
            detail: `A key cannot grant \`${beyond}\`, which it does not have.`,
          });
        const key = makeApiKey();
        const made = await withTransaction(pool, async (db) => {
          const inserted = await insertApiKey(db, {
            tenantId: owner.id,
            name: body.name,
            hash: hashApiKey(key),
            scopes,
            grant: body.grant,
            actor: body.actor,
            expiresAt: body.expiresAt === undefined ? undefined : new Date(body.expiresAt),
            maker: caller,
          });
          if (inserted)
            await noteAct(db, {
              tenantId: owner.id,
              by: caller,
              action: 'key.made',
              target: inserted.id,
              detail: {
                scopes: inserted.scopes,
                grant: body.grant,
                expiresAt: body.expiresAt,
                // A name may be a person's: whether there is one is a fact, which one is not told here.
                actor: body.actor !== undefined,
              },
            });
          return inserted;
        });
        if (!made)
          return problem('invalid_request', {
            errors: [{ pointer: '#/expiresAt', code: 'out_of_range', message: 'Expected a time to come.' }],
          });
        return { status: 201, body: { ...view(made), tenantId: showId('tenant', owner.id), key } };
      },
    }),
    route({
      method: 'get',
      path: '/api/v1/keys',
      summary: "List a tenant's API keys, newest first",
      tag: 'Keys',
      access: { of: 'tenant', scope: 'write:keys' },
      request: { query: z.strictObject(pageParameters) },
      responses: { 200: { description: 'A page of keys.', schema: pageOf(KeyView) } },
      problems: ['invalid_cursor'],
      async handler({ query: { limit, cursor }, tenant }) {
        const listed = ['keys', tenant.id];
        const position = idCursor('key', listed, cursor);
        if (isProblem(position)) return position;
        const page = { limit: limit + 1, ...(position.id ? { before: position.id } : {}) };
        const rows = await listApiKeys(pool, tenant.id, page);
        return { status: 200, body: pageFrom(rows, limit, listed, ({ id }) => [id], view) };
      },
    }),
    route({
      method: 'delete',
      path: '/api/v1/keys/{id}',
      summary: 'Revoke an API key, at once',
      tag: 'Keys',
      access: { of: 'tenant', scope: 'write:keys' },
      request: { params: idParams('key', 'Id of the key.') },
      responses: { 204: { description: 'It is revoked, now or since earlier.' } },
      async handler({ params: { id }, tenant, caller }) {
        const revoked = await withTransaction(pool, async (db) => {
          if (!(await revokeApiKey(db, tenant.id, id))) return false;
          await noteAct(db, { tenantId: tenant.id, by: caller, action: 'key.revoked', target: id });
          return true;
        });
        return revoked ? { status: 204 } : problem('not_found');
      },
    }),
  ];
}

function view(key: ApiKey): z.input<typeof KeyView> {
  return {
    id: showId('key', key.id),
    name: key.name,
    scopes: key.scopes,
    grant: key.grant ?? null,
    actor: key.actor ?? null,
    createdAt: key.createdAt.toISOString(),
    expiresAt: key.expiresAt?.toISOString() ?? null,
    revokedAt: key.revokedAt?.toISOString() ?? null,
  };
}
