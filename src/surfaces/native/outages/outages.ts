import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { OUTAGE_STATES } from '../../../domain/outages/outage-state.ts';
import { dismissOutage } from '../../../operations/outages/dismiss-outage.ts';
import { operationsOfOutage } from '../../../store/outages/outage-operations.ts';
import { countWindow, findOutage, listOutages, type Outage } from '../../../store/outages/outages.ts';
import { idParams, wordsField } from '../fields.ts';
import { nameField, withNamedEndpoints } from '../names.ts';
import { idCursor, listParameter, pageFrom, pageOf, pageParameters } from '../page.ts';
import { OutageSummary, OutageView, outageSummary, outageView } from './outage-view.ts';

const PATH = '/api/v1/outages';
const MAX_COUNTED = 100_000;
const MAX_OPERATIONS = 50;

const params = idParams('outage', 'Id of the outage.');

/** Outages of endpoints: listed, shown and dismissed. */
export function outageRoutes(deps: ApiDeps): Route[] {
  const { pool } = deps;
  const tag = 'Outages';
  const read = { tag, access: { of: 'tenant', scope: 'read:deliveries' } } as const;
  return [
    route({
      ...read,
      method: 'get',
      path: PATH,
      summary: 'List outages, newest first',
      request: {
        query: z.strictObject({
          endpointIds: listParameter(nameField('endpoint', 'An endpoint, by id or handle.'), 'Endpoints.'),
          state: listParameter(
            z.enum(OUTAGE_STATES).meta({ description: 'A state of outages.', example: 'open' }),
            'States; all where left out.',
          ),
          ...pageParameters,
        }),
      },
      responses: { 200: { description: 'A page of outages.', schema: pageOf(OutageSummary) } },
      problems: ['invalid_cursor', 'unknown_ids'],
      async handler({ query: { limit, cursor, state, ...named }, tenant }) {
        const filter = await withNamedEndpoints(pool, tenant.id, named, () => ({ parameter: 'endpointIds' }));
        if (isProblem(filter)) return filter;
        const { endpointIds } = filter;
        const listed = ['outages', tenant.id, endpointIds ?? null, state ?? null];
        const position = idCursor('outage', listed, cursor);
        if (isProblem(position)) return position;
        const page = { endpointIds, state, before: position.id, limit: limit + 1 };
        const rows = await listOutages(pool, tenant.id, page);
        return { status: 200, body: pageFrom(rows, limit, listed, ({ id }) => [id], outageSummary) };
      },
    }),
    route({
      ...read,
      method: 'get',
      path: `${PATH}/{id}`,
      summary: 'Show an outage, with what it left',
      request: { params },
      responses: { 200: { description: 'The outage.', schema: OutageView } },
      async handler({ params: { id }, tenant }) {
        const outage = await findOutage(pool, tenant.id, id);
        return outage ? { status: 200, body: await viewOf(outage) } : problem('not_found');
      },
    }),
    route({
      tag,
      access: { of: 'tenant', scope: 'write:deliveries' },
      method: 'post',
      path: `${PATH}/{id}/dismiss`,
      summary: 'Dismiss an outage',
      description:
        'Nothing more follows from it, and a plan that its recovery has led to and that nobody has executed is cancelled. Its deliveries stay as they are and can still be selected by it. While its endpoint stays down no other outage is opened.',
      request: {
        params,
        body: z
          .strictObject({
            reason: wordsField(
              1_000,
              'The reason, which the record keeps.',
              'the customer has it from elsewhere',
            ).optional(),
          })
          .meta({ id: 'OutageDismissal' }),
      },
      bodyOptional: true,
      responses: { 200: { description: 'It is dismissed, now or since earlier.', schema: OutageView } },
      problems: ['state_conflict'],
      async handler({ params: { id }, body, tenant, caller }) {
        const result = await dismissOutage(deps, tenant.id, id, { ...caller, reason: body.reason });
        if (result.ok) return { status: 200, body: await viewOf(result.outage) };
        return result.code === 'not_found'
          ? problem('not_found')
          : problem('state_conflict', {
              detail: `The outage is \`${result.state}\`: nothing follows from it.`,
            });
      },
    }),
  ];

  async function viewOf(outage: Outage) {
    const counted = await countWindow(pool, outage.tenantId, outage.window, MAX_COUNTED);
    return outageView(outage, counted, await operationsOfOutage(pool, outage.id, MAX_OPERATIONS));
  }
}
