import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { namesOf } from '../../../domain/audit/audit-entry.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import { idParams, shownId, shownTime, textField } from '../../native/fields.ts';
import { ownerNamed } from '../../native/owner.ts';
import { idCursor, pageFrom, pageOf, pageParameters } from '../../native/page.ts';
import { ACCESS_ACTIONS, type AccessRule, ANY } from '../access-rule.ts';
import {
  deleteAccessRule,
  insertAccessRule,
  listAccessRules,
  MAX_ACCESS_RULES,
  type StoredAccessRule,
} from '../store/access-rules.ts';
import { lackedScope } from './granted-scopes.ts';
import { isPublicKey, isSignerHandle } from './signers.ts';

/** A value, or one of several. */
function accessValue<Value extends z.ZodType<string>>(value: Value, description: string, example: string) {
  const several = z.strictObject({
    $in: z
      .array(value)
      .min(1)
      .max(100)
      .meta({ description: 'Any of these.', example: [example] }),
  });
  return z.union([value, several]).meta({ description, example });
}

const KEY = 'dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=';

/** A name that no signer can have grants nothing. */
const neverMatches = (expected: string) => ({
  message: `No signer can be called so: expected ${expected}.`,
  params: { code: 'never_matches' },
});

const signerName = z.union([
  textField(81, 'Handle or public key of a signer, or `any`.', 'mint').refine(
    (name) => name === ANY || isSignerHandle(name) || isPublicKey(name),
    neverMatches('the handle or public key of a signer, or `any`'),
  ),
  z
    .strictObject({
      handle: textField(81, 'Its handle.', 'mint')
        .refine(isSignerHandle, neverMatches('the handle of a signer'))
        .optional(),
      public: textField(44, 'Its public key.', KEY)
        .refine(isPublicKey, neverMatches('the public key of a signer'))
        .optional(),
      format: z
        .literal('ed25519-raw')
        .optional()
        .meta({ description: 'How the key is written: there is one way.', example: 'ed25519-raw' }),
    })
    .refine((rule) => rule.handle !== undefined || rule.public !== undefined, {
      message: 'Expected `handle` or `public`, or both.',
      params: { code: 'required' },
    })
    .meta({ description: 'A signer in its parts: all that is said must be so.', example: { public: KEY } }),
]);

const signer = z.union([
  signerName,
  z.strictObject({
    $in: z
      .array(signerName)
      .min(1)
      .max(100)
      .meta({ description: 'Any of these.', example: ['mint'] }),
  }),
]);
const conditions = {
  action: accessValue(z.enum([...ACCESS_ACTIONS, ANY]), 'The action that is granted.', 'retry-event'),
  record: accessValue(
    z.enum(['bridge', ANY]),
    'The kind of record that it is granted on; any where left out.',
    'bridge',
  ).optional(),
  signer: signer
    .meta({
      description:
        'Who must have signed the request (a read or a list, which has no body to sign, its token); not asked for where left out.',
      example: 'mint',
    })
    .optional(),
  bearer: z
    .union([signer, z.strictObject({ $signer: signer.meta({ description: 'The same.', example: 'mint' }) })])
    .meta({
      description: 'Who must have signed the token; no token is needed where left out.',
      example: 'mint',
    })
    .optional(),
};

const AccessRuleView = z
  .strictObject({
    id: shownId('accessRule', 'Id of the rule.'),
    ...conditions,
    createdAt: shownTime('When it was made.'),
  })
  .meta({
    id: 'AccessRule',
    description: 'Grants an action on the Minka surface to those who meet all of its conditions.',
  });

const CreatedAccessRule = AccessRuleView.extend({
  tenantId: shownId('tenant', 'The tenant it belongs to.'),
}).meta({ id: 'CreatedAccessRule' });

const NewAccessRule = z
  .strictObject({
    ...conditions,
    tenantId: z.string().optional().meta({
      description: 'Id or handle of the tenant; of the calling key where left out.',
      example: 'acme',
    }),
  })
  .meta({ id: 'NewAccessRule' });

/** Access rules: what the signers of a tenant may do. Without rules they may do nothing. */
export function accessRuleRoutes({ pool }: ApiDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/access-rules',
      summary: 'Make an access rule',
      description:
        'It grants no more than the caller may do: `retry-event` needs `write:deliveries`, `query-event` `read:deliveries`, `read` `read:endpoints`, and `any` all three.',
      tag: 'Access rules',
      access: { of: 'tenant', scope: 'write:keys', tenant: 'optional' },
      request: { body: NewAccessRule },
      responses: { 201: { description: 'The rule, in force from now on.', schema: CreatedAccessRule } },
      problems: ['tenant_required', 'state_conflict'],
      async handler({ body: { tenantId, ...rule }, caller, tenant }) {
        const owner = await ownerNamed(pool, tenantId, caller, tenant);
        if (isProblem(owner)) return owner;
        const lacked = lackedScope([rule as AccessRule], caller.scopes);
        if (lacked)
          return problem('insufficient_scope', {
            detail: `A credential cannot grant \`${lacked}\`, which it does not have.`,
          });
        const made = await withTransaction(pool, async (db) => {
          const kept = await insertAccessRule(db, owner.id, rule as AccessRule);
          if (kept)
            await noteAct(db, {
              tenantId: owner.id,
              by: caller,
              action: 'access_rule.made',
              target: kept.id,
              detail: { action: rule.action, members: namesOf(rule) },
            });
          return kept;
        });
        return made
          ? { status: 201, body: { ...view(made), tenantId: showId('tenant', owner.id) } }
          : problem('state_conflict', { detail: `A tenant has at most ${MAX_ACCESS_RULES} rules.` });
      },
    }),
    route({
      method: 'get',
      path: '/api/v1/access-rules',
      summary: "List a tenant's access rules, newest first",
      tag: 'Access rules',
      access: { of: 'tenant', scope: 'write:keys' },
      request: { query: z.strictObject(pageParameters) },
      responses: { 200: { description: 'A page of rules.', schema: pageOf(AccessRuleView) } },
      problems: ['invalid_cursor'],
      async handler({ query: { limit, cursor }, tenant }) {
        const listed = ['access-rules', tenant.id];
        const position = idCursor('accessRule', listed, cursor);
        if (isProblem(position)) return position;
        const page = { limit: limit + 1, ...(position.id ? { before: position.id } : {}) };
        const rows = await listAccessRules(pool, tenant.id, page);
        return { status: 200, body: pageFrom(rows, limit, listed, ({ id }) => [id], view) };
      },
    }),
    route({
      method: 'delete',
      path: '/api/v1/access-rules/{id}',
      summary: 'Remove an access rule, at once',
      tag: 'Access rules',
      access: { of: 'tenant', scope: 'write:keys' },
      request: { params: idParams('accessRule', 'Id of the rule.') },
      responses: { 204: { description: 'It is removed.' } },
      async handler({ params: { id }, tenant, caller }) {
        const removed = await withTransaction(pool, async (db) => {
          if (!(await deleteAccessRule(db, tenant.id, id))) return false;
          await noteAct(db, { tenantId: tenant.id, by: caller, action: 'access_rule.removed', target: id });
          return true;
        });
        return removed ? { status: 204 } : problem('not_found');
      },
    }),
  ];
}

function view({ id, rule, createdAt }: StoredAccessRule): z.input<typeof AccessRuleView> {
  return {
    id: showId('accessRule', id),
    ...(rule as Omit<z.input<typeof AccessRuleView>, 'id' | 'createdAt'>),
    createdAt: createdAt.toISOString(),
  };
}
