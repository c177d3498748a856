import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { type Route, route } from '../../../api/route.ts';
import { AUDIT_ACTIONS } from '../../../domain/audit/audit-action.ts';
import { hasScope, type Scope } from '../../../domain/tenancy/scope.ts';
import { ID_PREFIXES, type IdKind, readId, showId } from '../../../domain/tenancy/typed-id.ts';
import { type Found, findExactly, type Sought } from '../../../store/reading/search.ts';
import { textField } from '../fields.ts';

/** Of each kind and name. */
const MOST = 10;

const KINDS = [
  'delivery',
  'execution',
  'event',
  'operation',
  'plan',
  'endpoint',
  'outage',
  'import',
  'key',
  'auditEntry',
  'action',
] as const satisfies readonly (Found['kind'] | 'action')[];

const FoundView = z
  .strictObject({
    kind: z.enum(KINDS).meta({ description: 'The kind of thing.', example: 'delivery' }),
    id: z
      .string()
      .meta({ description: 'Its id; of an action its name.', example: 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s' }),
    matched: z.enum(['id', 'externalId', 'webhookId', 'key', 'handle', 'ticket', 'listener', 'action']).meta({
      description:
        'What of it is as it was asked for; `listener` is the id of the listener whose endpoint it is.',
      example: 'id',
    }),
    title: z.string().meta({ description: 'A word that tells it from others.', example: 'invoice.paid' }),
    state: z.string().nullable().meta({ description: 'Its state, where it has one.', example: 'failed' }),
    link: z.string().meta({ description: 'Where it is shown.', example: '/api/v1/deliveries/dlv_…' }),
  })
  .meta({ id: 'Found' });

const SearchView = z
  .strictObject({
    items: z
      .array(FoundView)
      .meta({ description: `What was found, ids first; of each kind and name the newest ${MOST}.` }),
  })
  .meta({ id: 'SearchResult' });

/** Kinds that need a scope besides that of the route. */
const NEEDS: Partial<Record<(typeof KINDS)[number], Scope>> = {
  endpoint: 'read:endpoints',
  import: 'write:imports',
  key: 'write:keys',
  auditEntry: 'read:audit',
  action: 'read:audit',
};

/** The kinds of ids that name each thing: some have more than one name. */
const NAMED_BY: Record<Exclude<keyof Sought['ids'], 'plan'>, readonly IdKind[]> = {
  delivery: ['delivery'],
  execution: ['execution'],
  event: ['event', 'receipt'],
  operation: ['operation', 'plan', 'replay'],
  endpoint: ['endpoint'],
  outage: ['outage'],
  listener: ['listener'],
  import: ['import'],
  key: ['key'],
  auditEntry: ['auditEntry'],
};

/** Finds things by their exact names. */
export function searchRoutes({ pool }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/search',
      summary: 'Find something by an id or an exact name',
      description: `Takes the id of a delivery, execution, event, operation, plan, endpoint, listener, outage, import, key or act (${Object.values(ID_PREFIXES).slice(1, 4).join('_, ')}_ and so on, or a uuid), a \`webhook-id\`, also one that was kept by an import, your id of an event, the key of an event, the handle of an endpoint, a ticket of an operation, and the name of an action. Only exact names are found. Endpoints, imports, keys and acts are found by credentials that may read them.`,
      tag: 'Figures',
      access: { of: 'tenant', scope: 'read:deliveries' },
      request: {
        query: z.strictObject({ q: textField(500, 'The id or name, whole.', 'inv-2026-000123') }),
      },
      responses: { 200: { description: 'What was found.', schema: SearchView } },
      async handler({ query: { q }, tenant, caller }) {
        const text = q.trim();
        const may = (kind: (typeof KINDS)[number]) => {
          const scope = NEEDS[kind];
          return scope === undefined || hasScope(caller.scopes, scope);
        };
        const found = text === '' ? [] : await findExactly(pool, tenant.id, soughtBy(text), MOST);
        const action =
          text in AUDIT_ACTIONS && may('action')
            ? [
                {
                  kind: 'action' as const,
                  id: text,
                  matched: 'action' as const,
                  title: text,
                  state: null,
                  link: `/api/v1/audit?action=${text}`,
                },
              ]
            : [];
        return {
          status: 200,
          body: { items: [...found.filter(({ kind }) => may(kind)).map(view), ...action] },
        };
      },
    }),
  ];
}

function soughtBy(text: string): Sought {
  return {
    text,
    ids: Object.fromEntries(
      Object.entries(NAMED_BY).flatMap(([kind, names]) => {
        const id = names.map((name) => readId(name, text)).find((each) => each !== undefined);
        return id === undefined ? [] : [[kind, id]];
      }),
    ),
  };
}

/** As what each kind is shown, and where. */
const SHOWN: Record<Found['kind'], { as: IdKind; path: string; one: boolean }> = {
  delivery: { as: 'delivery', path: '/api/v1/deliveries', one: true },
  execution: { as: 'execution', path: '/api/v1/executions', one: true },
  event: { as: 'event', path: '/api/v1/events', one: true },
  operation: { as: 'operation', path: '/api/v1/retries', one: true },
  plan: { as: 'plan', path: '/api/v1/retries/plans', one: true },
  endpoint: { as: 'endpoint', path: '/api/v1/endpoints', one: true },
  outage: { as: 'outage', path: '/api/v1/outages', one: true },
  import: { as: 'import', path: '/api/v1/imports', one: true },
  // Only their lists are shown.
  key: { as: 'key', path: '/api/v1/keys', one: false },
  auditEntry: { as: 'auditEntry', path: '/api/v1/audit', one: false },
};

function view({ kind, matched, title, state, id: uuid }: Found): z.input<typeof FoundView> {
  const { as, path, one } = SHOWN[kind];
  const id = showId(as, uuid);
  return { kind, id, matched, title, state: state ?? null, link: one ? `${path}/${id}` : path };
}
