import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import type { Caller } from '../../../api/authentication/caller.ts';
import { isProblem, type Problem, problem } from '../../../api/problems/problem.ts';
import type { Reply } from '../../../api/reply.ts';
import { type Route, route } from '../../../api/route.ts';
import { namesOf } from '../../../domain/audit/audit-entry.ts';
import type { RunnableOperation } from '../../../domain/operations/operation.ts';
import { freezeWindowFaults } from '../../../domain/policy/freeze-windows.ts';
import { NO_POLICY, type Policy } from '../../../domain/policy/policy.ts';
import { mayTakeItsPlace } from '../../../domain/policy/whole.ts';
import { type Id, showId } from '../../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import type { Transaction } from '../../../store/db/queryable.ts';
import { replaceFreezeSpans } from '../../../store/policy/freeze-spans.ts';
import {
  findPolicy,
  holdPolicy,
  type KeptPolicy,
  policyInForce,
  writePolicy,
} from '../../../store/policy/policies.ts';
import { wholeDigest } from '../../../store/policy/whole-digest.ts';
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
import { replacedMeanwhile, shownDigest } from './whole.ts';

const PATH = '/api/v1/policy';
const PLATFORM_PATH = '/api/v1/platform/policy';

const Shown = z
  .strictObject({
    id: shownId('tenant', 'The tenant whose policy it is; that of the platform for the floor.'),
    policy: PolicyView,
    digest: shownDigest(
      'SHA-256 of `policy`, without the floor: sent with another one, it is set in the place of this one alone.',
    ),
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
export function policyRoutes(deps: ApiDeps): Route[] {
  const { pool } = deps;
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
        'Takes the place of the one before, as a whole: what is left out sets no limit. With `digest` it takes that of the one that was read, and of no other that somebody has set meanwhile. It counts for operations that are accepted, or plans that are executed, from then on. The floor of the platform can only be sharper.',
      request: { body: PolicyBody },
      responses: RESPONSES,
      problems: ['unknown_ids', 'policy_changed'],
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
      problems: ['policy_changed'],
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
    const refused = refusedWindows(tenantId, policy) ?? (await refusedEndpoints(tenantId, body));
    if (refused) return refused;
    const woken = await withTransaction(pool, async (tx) => {
      const kept = await holdPolicy(tx, tenantId);
      const digests = { read: body.digest, now: digestNow(kept), next: wholeDigest(policy) };
      return mayTakeItsPlace(digests) ? setPolicy(tenantId, policy, by, tx) : policyChanged(kept);
    });
    if (isProblem(woken)) return woken;
    await Promise.all(woken.map((operation) => deps.nudgeOperation(operation)));
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

/**
 * Sets a policy, and enters that: by its digest and the names of its members, for a form of tickets may be words. Returns
 * the operations that are to look again, since other windows hold them.
 */
async function setPolicy(
  tenantId: Id<'tenant'>,
  policy: Policy,
  by: Caller,
  tx: Transaction,
): Promise<RunnableOperation[]> {
  const { digest } = await writePolicy(tx, tenantId, policy, by.actor);
  const woken = await replaceFreezeSpans(tx, tenantId, policy.freezeWindows);
  await noteAct(tx, {
    tenantId,
    by,
    action: 'policy.changed',
    target: tenantId,
    detail: { digest, members: namesOf(policy) },
  });
  return woken;
}

/** Refuses windows of no zone, or that leave no time; and those of the platform, which has no endpoints of its own. */
function refusedWindows(tenantId: Id<'tenant'>, { freezeWindows }: Policy): Problem | undefined {
  if (freezeWindows.length === 0) return undefined;
  if (tenantId === PLATFORM_TENANT.id)
    return refusedWindow('#/freezeWindows', 'not_allowed', 'Windows are set by each tenant.');
  const [fault] = freezeWindowFaults(freezeWindows, Date.now());
  switch (fault?.code) {
    case 'unknown_zone':
      return refusedWindow(
        `#/freezeWindows/${fault.window}/zone`,
        fault.code,
        'Expected the name of a zone (IANA), such as Europe/Berlin.',
      );
    case 'no_hour_left': {
      const where = fault.at === 'all' ? 'all endpoints' : showId('endpoint', fault.at);
      return refusedWindow(
        '#/freezeWindows',
        fault.code,
        `Expected windows that leave an hour in each week of the next year at ${where}.`,
      );
    }
    default:
      return undefined;
  }
}

function refusedWindow(pointer: string, code: string, message: string): Problem {
  return problem('invalid_request', { errors: [{ pointer, code, message }] });
}

/** Of a tenant that has never set one, that of the policy which says nothing. */
function digestNow(kept: KeptPolicy | undefined): string {
  return kept?.digest ?? wholeDigest(NO_POLICY);
}

function policyChanged(kept: KeptPolicy | undefined): Problem {
  return replacedMeanwhile('policy_changed', {
    what: kept
      ? `${kept.changedBy} set another policy at ${kept.changedAt.toISOString()}`
      : 'no policy has ever been set here',
    advice: 'Look at it as it is now, and send its `digest` with all that is to hold.',
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
    digest: digestNow(kept),
    inForce: forced ?? null,
    changedAt: kept?.changedAt.toISOString() ?? null,
    changedBy: kept?.changedBy ?? null,
  };
}
