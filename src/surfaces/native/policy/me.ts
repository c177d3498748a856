import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { type Route, route } from '../../../api/route.ts';
import { GRANTS } from '../../../domain/tenancy/grant.ts';
import { SCOPES, type Scope } from '../../../domain/tenancy/scope.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { policyInForce } from '../../../store/policy/policies.ts';
import { shownId } from '../fields.ts';
import { inForceView, PolicyInForceView } from './policy-schema.ts';

const Me = z
  .strictObject({
    actor: z.string().meta({
      description:
        'Who one is, as audit, operations and approvals name it: a key, the actor that it carries, or the issuer and subject of a token.',
      example: 'actor:alice',
    }),
    keyId: shownId('key', 'The key, where the credential is one.').nullable(),
    grant: z
      .enum(GRANTS)
      .nullable()
      .meta({ description: 'The grant that the key was made with.', example: null }),
    tenant: z
      .strictObject({
        id: shownId('tenant', 'Its id.'),
        handle: z.string().meta({ description: 'Its handle.', example: 'acme' }),
      })
      .nullable()
      .meta({ description: 'The tenant of the call; null for a key of the installation that names none.' }),
    scopes: z.array(z.enum(SCOPES)).meta({ description: 'What one may do.', example: ['read:deliveries'] }),
    policy: PolicyInForceView.nullable().meta({
      description: 'The rules that hold for the tenant; null where there are none.',
    }),
  })
  .meta({ id: 'Me', description: 'The caller.' });

/** Who is calling. */
export function meRoutes({ pool }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/me',
      summary: 'Show who is calling',
      tag: 'Keys',
      access: { of: 'caller' },
      responses: { 200: { description: 'The caller.', schema: Me } },
      async handler({ caller, tenant }) {
        const policy = tenant && (await policyInForce(pool, tenant.id));
        return {
          status: 200,
          body: {
            actor: caller.actor,
            keyId: caller.keyId ? showId('key', caller.keyId) : null,
            grant: caller.grant ?? null,
            tenant: tenant ? { id: showId('tenant', tenant.id), handle: tenant.handle } : null,
            scopes: caller.scopes as Scope[],
            policy: policy ? inForceView(policy.rules, policy.digest) : null,
          },
        };
      },
    }),
  ];
}
