import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, problem } from '../../../api/problems/problem.ts';
import { readCursor, writeCursor } from '../../../api/requests/cursor.ts';
import { type Route, route } from '../../../api/route.ts';
import { risksIn } from '../../../domain/operations/plan-risks.ts';
import { retryWords } from '../../../domain/operations/retry-words.ts';
import { EXCLUSION_REASONS } from '../../../domain/operations/selection.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { findOperation } from '../../../store/operations/operations.ts';
import { listPlanItems, type PlanItem } from '../../../store/plans/plan-items.ts';
import { findPlan } from '../../../store/plans/plans.ts';
import { pagesAreGone } from '../../../store/proof/ledger-retention.ts';
import { shownId } from '../fields.ts';
import { listParameter, pageOf, pageParameters } from '../page.ts';
import { planPolicy } from './plan-policy.ts';
import { AskedRisk, ListedRisk } from './plan-view.ts';
import { planParams } from './plans.ts';

const risks = (description: string) => z.array(ListedRisk).meta({ description, example: ['mayHaveArrived'] });

const PlanItemView = z
  .strictObject({
    deliveryId: shownId('delivery', 'The delivery.'),
    endpointId: shownId('endpoint', 'The endpoint it is for.'),
    eventId: shownId('event', 'The event it delivers.'),
    externalId: z
      .string()
      .nullable()
      .meta({ description: 'Your id of the event.', example: 'inv-2026-000123' }),
    eventType: z.string().meta({ description: 'Its type.', example: 'invoice.paid' }),
    risks: risks('Its risks when it was planned.'),
    risksNow: risks('Its risks now.'),
    leftOutFor: z.enum(EXCLUSION_REASONS).nullable().meta({
      description: 'Why it would not be sent now; null where it would.',
      example: null,
    }),
    why: z.string().nullable().meta({ description: 'That reason as a sentence.', example: null }),
    openExecutionId: shownId('execution', 'The execution of it that is open.').nullable(),
    openOperationId: shownId('operation', 'The operation that works that one.').nullable(),
  })
  .meta({ id: 'PlanItem', description: 'A delivery of a plan, as it was planned and as it is.' });

const PlanItemsPage = pageOf(PlanItemView).extend({
  gone: z.int().min(0).meta({
    description:
      'Deliveries that belong here and are not listed: their events were past their term and are gone. The plan counts them as before.',
    example: 0,
  }),
});

/** The deliveries of a plan, in the order in which they were selected. */
export function planItemRoutes({ pool }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/retries/plans/{id}/items',
      summary: 'List the deliveries of a plan',
      description:
        'With `risk` those that had it when the plan was made: exactly as many as the plan counts, with those that are `gone`. What is so now stands beside it.',
      tag: 'Plans',
      access: { of: 'tenant', scope: 'read:deliveries' },
      request: {
        params: planParams,
        query: z.strictObject({
          risk: listParameter(AskedRisk, 'Risks; all deliveries where left out.'),
          ...pageParameters,
        }),
      },
      responses: { 200: { description: 'A page of them.', schema: PlanItemsPage } },
      problems: ['invalid_cursor', 'pruned'],
      async handler({ params: { id }, query: { risk, limit, cursor }, tenant }) {
        const listed = ['plan-items', tenant.id, id, risk ?? null];
        const position = cursor === undefined ? undefined : readCursor(listed, cursor, [/^\d{1,9}$/]);
        if (position && isProblem(position)) return position;
        const plan = await findPlan(pool, tenant.id, id);
        const operation = plan && (await findOperation(pool, tenant.id, id));
        if (!operation || !plan) return problem('not_found');
        if (await pagesAreGone(pool, id, plan)) return problem('pruned');
        // All of a plan has to be approved, or nothing.
        const all =
          risk?.includes('awaitsApproval') && (await planPolicy(pool, operation, plan)).awaitsApproval;
        const risks = all ? undefined : risk?.filter((each) => each !== 'awaitsApproval');
        const found = await listPlanItems(pool, operation, plan, {
          limit,
          ...(risks ? { risks } : {}),
          ...(position ? { after: Number(position[0]) } : {}),
        });
        return {
          status: 200,
          body: {
            items: found.items.map(planItemView),
            gone: found.gone,
            nextCursor: found.next === undefined ? null : writeCursor(listed, [String(found.next)]),
          },
        };
      },
    }),
  ];
}

function planItemView(item: PlanItem): z.input<typeof PlanItemView> {
  const { deliveryId, endpointId, leftOutFor } = item;
  const shown = { deliveryId: showId('delivery', deliveryId), endpointId: showId('endpoint', endpointId) };
  return {
    ...shown,
    eventId: showId('event', item.eventId),
    externalId: item.externalId ?? null,
    eventType: item.eventType,
    risks: risksIn(item.planned),
    risksNow: risksIn(item.now),
    leftOutFor: leftOutFor ?? null,
    why: leftOutFor === undefined ? null : retryWords(leftOutFor, shown).why,
    openExecutionId: item.openExecutionId ? showId('execution', item.openExecutionId) : null,
    openOperationId: item.openOperationId ? showId('operation', item.openOperationId) : null,
  };
}
