import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import type { Caller } from '../../../api/authentication/caller.ts';
import { type Problem, problem } from '../../../api/problems/problem.ts';
import type { Reply } from '../../../api/reply.ts';
import { type Route, route } from '../../../api/route.ts';
import { namesOf } from '../../../domain/audit/audit-entry.ts';
import { NO_POLICY, type Policy } from '../../../domain/policy/policy.ts';
import { type Id, showId } from '../../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import { findPolicy, type KeptPolicy, policyInForce, writePolicy } from '../../../store/policy/policies.ts';
import { unknownInFilter } from '../../../store/selection/known-ids.ts';
import { PLATFORM_TENANT } from '../../../store/tenancy/tenants.ts';
import { shownId, shownTime } from '../fields.ts';
import {
  inForceView,
  PolicyBody,
  PolicyInForceView,
  PolicyView,
  policyOf,
  policyView,
} from './policy-schema.ts';

const PATH = '/api/v1/policy';
const PLATFORM_PATH = '/api/v1/platform/policy';

const Shown = z
  .strictObject({
    id: shownId('tenant', 'The tenant whose policy it is; that of the platform for the floor.'),
    policy: PolicyView,
    inForce: PolicyInForceView.nullable().meta({
      description: 'What holds, with the floor of the platform; null where neither has ever been set.',
    }),
    changedAt: shownTime('When it was set.').nullable(),
    changedBy: z.string().nullable().meta({
      description: 'By whom, as the credential names them.',
      example: 'key_01k9z3e5hbe7r9qk2m4n6p8r0s',
    }),
  })
  .meta({ id: 'TenantPolicy', description: 'The rules for what may run by itself.' });

const RESPONSES = { 200: { description: 'The policy.', schema: Shown } };

/** Policies of tenants, and of the platform, which sharpens each of them. */
export function policyRoutes({ pool }: ApiDeps): Route[] {
  const tag = 'Policy';
  const ofTenant = { tag, access: { of: 'tenant', scope: 'admin' } } as const;
  const ofPlatform = { tag, access: { of: 'installation' } } as const;
  return [
    route({
      ...ofTenant,
      method: 'get',
      path: PATH,
      summary: 'Show the policy of a tenant',
      responses: RESPONSES,
      handler: ({ tenant }) => show(tenant.id),
    }),
    route({
      ...ofTenant,
      method: 'put',
      path: PATH,
      summary: 'Set the policy of a tenant',
      description:
        'Takes the place of the one before, as a whole: what is left out sets no limit. It counts for operations that are accepted, or plans that are executed, from then on. The floor of the platform can only be sharper.',
      request: { body: PolicyBody },
      responses: RESPONSES,
      handler: ({ tenant, body, caller }) => set(tenant.id, body, caller),
    }),
    route({
      ...ofPlatform,
      method: 'get',
      path: PLATFORM_PATH,
      summary: 'Show the floor under all policies',
      responses: RESPONSES,
      handler: () => show(PLATFORM_TENANT.id),
    }),
    route({
      ...ofPlatform,
      method: 'put',
      path: PLATFORM_PATH,
      summary: 'Set the floor under all policies',
      description: 'Holds for every tenant, with its own policy: of each member the sharper one.',
      request: { body: PolicyBody },
      responses: RESPONSES,
      handler: ({ body, caller }) => set(PLATFORM_TENANT.id, body, caller),
    }),
  ];

  async function show(tenantId: Id<'tenant'>): Promise<Reply> {
    const kept = await findPolicy(pool, tenantId);
    const forced = await policyInForce(pool, tenantId);
    return { status: 200, body: view(tenantId, kept, forced && inForceView(forced.rules, forced.digest)) };
  }

  async function set(
    tenantId: Id<'tenant'>,
    body: z.output<typeof PolicyBody>,
    by: Caller,
  ): Promise<Reply | Problem> {
    const policy = policyOf(body);
    const refused = await refusedEndpoints(tenantId, body);
    if (refused) return refused;
    await withTransaction(pool, (tx) => setPolicy(tenantId, policy, by, tx));
    return show(tenantId);
  }

  /** Windows name endpoints of the tenant; the platform has none. */
  async function refusedEndpoints(
    tenantId: Id<'tenant'>,
    { freezeWindows = [] }: z.output<typeof PolicyBody>,
  ): Promise<Problem | undefined> {
    const named = freezeWindows.flatMap(({ endpoints = [] }) => endpoints);
    const unknown = new Set<string>(
      (await unknownInFilter(pool, tenantId, { endpointIds: named })).map(({ id }) => id),
    );
    if (unknown.size === 0) return undefined;
    return problem('unknown_ids', {
      errors: freezeWindows.flatMap(({ endpoints = [] }, window) =>
        endpoints.flatMap((id, index) =>
          unknown.has(id)
            ? [
                {
                  pointer: `#/freezeWindows/${window}/endpoints/${index}`,
                  code: 'unknown',
                  message: 'Expected an endpoint of the tenant.',
                },
              ]
            : [],
        ),
      ),
    });
  }
}

/** Sets a policy, and enters that: by its digest and the names of its members, for a form of tickets may be words. */
async function setPolicy(
  tenantId: Id<'tenant'>,
  policy: Policy,
  by: Caller,
  tx: Parameters<typeof writePolicy>[0],
): Promise<void> {
  const { digest } = await writePolicy(tx, tenantId, policy, by.actor);
  // The spans of its freeze windows are made anew here, in the same transaction.
  await noteAct(tx, {
    tenantId,
    by,
    action: 'policy.changed',
    target: tenantId,
    detail: { digest, members: namesOf(policy) },
  });
}

function view(
  tenantId: Id<'tenant'>,
  kept: KeptPolicy | undefined,
  forced: z.input<typeof PolicyInForceView> | undefined,
): z.input<typeof Shown> {
  return {
    id: showId('tenant', tenantId),
    policy: policyView(kept?.policy ?? NO_POLICY),
    inForce: forced ?? null,
    changedAt: kept?.changedAt.toISOString() ?? null,
    changedBy: kept?.changedBy ?? null,
  };
}
