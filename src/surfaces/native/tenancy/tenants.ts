import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { namesOf } from '../../../domain/audit/audit-entry.ts';
import type { Days } from '../../../domain/tenancy/retention.ts';
import { readId, showId } from '../../../domain/tenancy/typed-id.ts';
import { noteAct } from '../../../store/audit/entries.ts';
import { withTransaction } from '../../../store/db/pool.ts';
import type { Queryable } from '../../../store/db/queryable.ts';
import { retentionFloors } from '../../../store/retention/floors.ts';
import {
  findTenant,
  insertTenant,
  listTenants,
  settingsOfNewTenant,
  TENANT_PLANS,
  type Tenant,
  updateTenant,
} from '../../../store/tenancy/tenants.ts';
import { shownId, shownTime, textField } from '../fields.ts';
import { idCursor, pageFrom, pageOf, pageParameters } from '../page.ts';
import { RETENTION_SETTINGS, RetentionView, refusedTerms, retentionView } from './retention-settings.ts';

/** Never shaped like an id, so that one parameter can take id and handle. */
const ID_SHAPED = /^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z]{2,4}_[0-9a-hjkmnp-tv-z]{26})$/;

const handle = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,62}$/,
    'Expected 1 to 63 lower-case letters, digits, dots, dashes and underscores.',
  )
  .refine((text) => !ID_SHAPED.test(text), {
    message: 'A handle may not look like an id.',
    params: { code: 'wrong_format' },
  })
  .meta({
    description: 'Name that stands for the tenant in calls and in Temporal; it never changes.',
    example: 'acme',
  });
const name = textField(200, 'Name for people.', 'Acme Ltd');
const plan = z.enum(TENANT_PLANS).meta({
  description: 'Plan, which gates calls of surfaces that know plans; without one nothing is gated.',
  example: 'pro',
});

const replays = z
  .int()
  .min(0)
  .max(1_000_000)
  .nullable()
  .meta({ description: 'Replays of receipts in 24 hours at most. No limit where null.', example: 100 });

const Settings = z
  .strictObject({
    payloadRetentionDays: RETENTION_SETTINGS.payloadRetentionDays.optional(),
    eventRetentionDays: RETENTION_SETTINGS.eventRetentionDays.optional(),
    receiptRetentionDays: RETENTION_SETTINGS.receiptRetentionDays.optional(),
    ledgerRetentionDays: RETENTION_SETTINGS.ledgerRetentionDays.optional(),
    reportRetentionDays: RETENTION_SETTINGS.reportRetentionDays.optional(),
    replaysPerDay: replays.optional(),
  })
  .meta({
    id: 'TenantSettingsChange',
    description: 'Retention and quotas. A member that is left out stays as it is; null takes the limit away.',
  });

const TenantView = z
  .strictObject({
    id: shownId('tenant', 'Id of the tenant.'),
    handle,
    name: name.nullable(),
    plan: plan.nullable(),
    settings: z
      .strictObject({
        ...RETENTION_SETTINGS,
        replaysPerDay: replays,
      })
      .meta({ description: 'Retention and quotas.' }),
    retention: RetentionView,
    createdAt: shownTime('When it was made.'),
    updatedAt: shownTime('When it was last changed.'),
  })
  .meta({ id: 'Tenant', description: 'Owner of endpoints, events, deliveries and operations.' });

const params = z.strictObject({
  id: z.string().meta({ description: 'Id or handle of the tenant.', example: 'acme' }),
});

/** Tenants, for keys of the installation. */
export function tenantRoutes({ pool }: ApiDeps): Route[] {
  const common = { tag: 'Tenants', access: { of: 'installation' } } as const;
  return [
    route({
      ...common,
      method: 'post',
      path: '/api/v1/tenants',
      summary: 'Make a tenant',
      request: {
        body: z
          .strictObject({
            handle,
            name: name.optional(),
            plan: plan.optional(),
            settings: Settings.optional(),
          })
          .meta({ id: 'NewTenant' }),
      },
      responses: { 201: { description: 'The tenant.', schema: TenantView } },
      problems: ['handle_taken', 'term_too_short'],
      async handler({ body, caller }) {
        const floors = await retentionFloors(pool);
        const refused = refusedTerms(settingsOfNewTenant(body.settings), body.settings, floors);
        if (refused) return refused;
        const tenant = await withTransaction(pool, async (db) => {
          const made = await insertTenant(db, body as Parameters<typeof insertTenant>[1]);
          if (made)
            await noteAct(db, {
              tenantId: made.id,
              by: caller,
              action: 'tenant.made',
              target: made.id,
              detail: { plan: body.plan, settings: body.settings },
            });
          return made;
        });
        if (!tenant)
          return problem('handle_taken', {
            errors: [{ pointer: '#/handle', code: 'taken', message: 'This handle is taken.' }],
          });
        return {
          status: 201,
          body: view(tenant, floors),
          headers: { location: `/api/v1/tenants/${showId('tenant', tenant.id)}` },
        };
      },
    }),
    route({
      ...common,
      method: 'get',
      path: '/api/v1/tenants',
      summary: 'List tenants, oldest first',
      request: { query: z.strictObject(pageParameters) },
      responses: { 200: { description: 'A page of tenants.', schema: pageOf(TenantView) } },
      problems: ['invalid_cursor'],
      async handler({ query: { limit, cursor } }) {
        const listed = 'tenants';
        const position = idCursor('tenant', listed, cursor);
        if (isProblem(position)) return position;
        const rows = await listTenants(pool, {
          limit: limit + 1,
          ...(position.id ? { after: position.id } : {}),
        });
        const floors = await retentionFloors(pool);
        return {
          status: 200,
          body: pageFrom(
            rows,
            limit,
            listed,
            ({ id }) => [id],
            (tenant) => view(tenant, floors),
          ),
        };
      },
    }),
    route({
      ...common,
      method: 'get',
      path: '/api/v1/tenants/{id}',
      summary: 'Show a tenant',
      request: { params },
      responses: { 200: { description: 'The tenant.', schema: TenantView } },
      async handler({ params: { id } }) {
        const tenant = await tenantNamed(pool, id);
        return tenant
          ? { status: 200, body: view(tenant, await retentionFloors(pool)) }
          : problem('not_found');
      },
    }),
    route({
      ...common,
      method: 'patch',
      path: '/api/v1/tenants/{id}',
      summary: "Change a tenant's name, plan or settings",
      request: {
        params,
        body: z
          .strictObject({
            name: name.nullable().optional(),
            plan: plan.nullable().optional(),
            settings: Settings.optional(),
          })
          .meta({
            id: 'TenantChange',
            description: 'A member that is left out stays as it is; null takes the value away.',
          }),
      },
      responses: { 200: { description: 'The tenant.', schema: TenantView } },
      problems: ['term_too_short'],
      async handler({ params: { id }, body, caller }) {
        const floors = await retentionFloors(pool);
        const tenant = await withTransaction(pool, async (db) => {
          const found = await tenantNamed(db, id);
          const refused = found && refusedTerms(found.settings, body.settings, floors);
          if (refused) return refused;
          const changed = found && (await updateTenant(db, found.id, body));
          if (changed)
            await noteAct(db, {
              tenantId: changed.id,
              by: caller,
              action: 'tenant.changed',
              target: changed.id,
              detail: { members: namesOf(body), plan: body.plan, settings: body.settings },
            });
          return changed;
        });
        if (!tenant) return problem('not_found');
        return isProblem(tenant) ? tenant : { status: 200, body: view(tenant, floors) };
      },
    }),
  ];
}

async function tenantNamed(db: Queryable, text: string): Promise<Tenant | undefined> {
  // A NUL cannot be compared in Postgres; no handle has one.
  if (text.includes('\0')) return undefined;
  const id = readId('tenant', text);
  return findTenant(db, id === undefined ? { handle: text } : { id });
}

function view(tenant: Tenant, floors: Days): z.input<typeof TenantView> {
  return {
    id: showId('tenant', tenant.id),
    handle: tenant.handle,
    name: tenant.name ?? null,
    plan: tenant.plan ?? null,
    settings: {
      payloadRetentionDays: tenant.settings.payloadRetentionDays ?? null,
      eventRetentionDays: tenant.settings.eventRetentionDays ?? null,
      receiptRetentionDays: tenant.settings.receiptRetentionDays ?? null,
      ledgerRetentionDays: tenant.settings.ledgerRetentionDays ?? null,
      reportRetentionDays: tenant.settings.reportRetentionDays ?? null,
      replaysPerDay: tenant.settings.replaysPerDay ?? null,
    },
    retention: retentionView(tenant.settings, floors),
    createdAt: tenant.createdAt.toISOString(),
    updatedAt: tenant.updatedAt.toISOString(),
  };
}
