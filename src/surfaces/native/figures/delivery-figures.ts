import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, type Problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { BASES, COUNTED_EXACTLY } from '../../../domain/figures/bounded-count.ts';
import type { DeliveryFilter } from '../../../domain/operations/selection.ts';
import { DELIVERY_STATES } from '../../../domain/sending/delivery-state.ts';
import { type Id, showId } from '../../../domain/tenancy/typed-id.ts';
import {
  DELIVERY_DIMENSIONS,
  type DeliveryDimension,
  type DeliveryGroup,
  type DeliveryGroups,
  groupDeliveries,
} from '../../../store/figures/delivery-groups.ts';
import {
  deliveryFilter,
  deliveryFilterParameters,
  refuseReversedRanges,
} from '../deliveries/delivery-filter.ts';
import { shownId, shownTime } from '../fields.ts';
import { withNamedEndpoints } from '../names.ts';
import { byParameter } from './by.ts';

/** A count is answered within half a second: what was counted by then is a lower bound. */
const COUNTS_WITHIN_MS = 450;
/** Groups that are told apart; the rest is summed. */
const MAX_GROUPS = 500;
const GROUPED_BY: readonly DeliveryDimension[] = ['endpoint', 'fault'];

const CountView = {
  count: z.int().min(0).meta({ description: 'Deliveries that match.', example: 12_431 }),
  basis: z.enum(BASES).meta({
    description: `\`exact\`, or \`atLeast\` where there are more than ${COUNTED_EXACTLY.toLocaleString('en-US')}, or counting took too long.`,
    example: 'exact',
  }),
  asOf: shownTime('The moment that all these numbers are of.'),
};

const DeliveryCount = z.strictObject(CountView).meta({ id: 'DeliveryCount' });

const FailureGroup = z
  .strictObject({
    endpointId: shownId('endpoint', 'The endpoint, by `endpoint`.').optional(),
    faultCode: z.string().nullable().optional().meta({
      description: 'Why the last attempts did not deliver, by `fault`.',
      example: 'http_5xx',
    }),
    httpStatus: z
      .int()
      .nullable()
      .optional()
      .meta({ description: 'Status of the last answers, by `status`.', example: 503 }),
    eventType: z
      .string()
      .nullable()
      .optional()
      .meta({ description: 'Type of the events, by `type`.', example: 'invoice.paid' }),
    hour: shownTime('Beginning of the hour in which the events were accepted, by `hour`.').optional(),
    count: z.int().min(1).meta({ description: 'Deliveries of the group.', example: 700 }),
  })
  .meta({ id: 'FailureGroup' });

const FailureGroups = z
  .strictObject({
    ...CountView,
    groups: z
      .array(FailureGroup)
      .meta({ description: `Deliveries that agree in what was asked \`by\`, the largest ${MAX_GROUPS}.` }),
    others: z
      .strictObject({
        groups: z.int().min(0).meta({ description: 'How many groups that is.', example: 0 }),
        count: z.int().min(0).meta({ description: 'Their deliveries.', example: 0 }),
      })
      .meta({ description: 'The groups that are not shown: with them, the numbers add up to `count`.' }),
  })
  .meta({ id: 'FailureGroups' });

/** How many deliveries a filter selects, in all and by group. */
export function deliveryFigureRoutes({ pool }: ApiDeps): Route[] {
  const read = { tag: 'Figures', access: { of: 'tenant', scope: 'read:deliveries' } } as const;
  return [
    route({
      ...read,
      method: 'get',
      path: '/api/v1/deliveries/count',
      summary: 'Count deliveries',
      description:
        'Counts what `GET /api/v1/deliveries` lists with the same filter, within half a second. A number that is `atLeast` is never too large.',
      request: { query: z.strictObject(deliveryFilterParameters).superRefine(refuseReversedRanges) },
      responses: { 200: { description: 'The count.', schema: DeliveryCount } },
      problems: ['unknown_ids'],
      async handler({ query, tenant }) {
        const filter = await named(tenant.id, query);
        if (isProblem(filter)) return filter;
        const all = { ...filter, state: filter.state ?? [...DELIVERY_STATES] };
        const found = await groupDeliveries(pool, tenant.id, all, { by: [], withinMs: COUNTS_WITHIN_MS });
        return { status: 200, body: countView(found) };
      },
    }),
    route({
      ...read,
      method: 'get',
      path: '/api/v1/failures/groups',
      summary: 'Group what failed',
      description:
        'Groups the deliveries that a filter selects, the failed ones where it names no state, within half a second. Where the numbers are `atLeast` they are those of the newest deliveries. The answer is one snapshot: the groups add up to `count`.',
      request: {
        query: z
          .strictObject({
            by: byParameter(
              DELIVERY_DIMENSIONS,
              'What they are grouped by; `endpoint,fault` where left out.',
              'endpoint,fault',
            ).optional(),
            ...deliveryFilterParameters,
          })
          .superRefine(refuseReversedRanges),
      },
      responses: { 200: { description: 'The groups.', schema: FailureGroups } },
      problems: ['unknown_ids'],
      async handler({ query: { by = GROUPED_BY, ...query }, tenant }) {
        const filter = await named(tenant.id, query);
        if (isProblem(filter)) return filter;
        const found = await groupDeliveries(pool, tenant.id, filter, { by, withinMs: COUNTS_WITHIN_MS });
        const shown = found.groups.slice(0, MAX_GROUPS);
        const others = found.groups.slice(MAX_GROUPS);
        return {
          status: 200,
          body: {
            ...countView(found),
            groups: shown.map(groupView),
            others: { groups: others.length, count: others.reduce((sum, { count }) => sum + count, 0) },
          },
        };
      },
    }),
  ];

  async function named(
    tenantId: Id<'tenant'>,
    query: Parameters<typeof withNamedEndpoints>[2] & object,
  ): Promise<DeliveryFilter | Problem> {
    const found = await withNamedEndpoints(pool, tenantId, query, () => ({ parameter: 'endpointIds' }));
    return isProblem(found) ? found : deliveryFilter(found);
  }
}

function countView({ count, basis, asOf }: DeliveryGroups): z.input<typeof DeliveryCount> {
  return { count, basis, asOf: asOf.toISOString() };
}

function groupView({ endpointId, hour, ...group }: DeliveryGroup): z.input<typeof FailureGroup> {
  return {
    ...(endpointId === undefined ? {} : { endpointId: showId('endpoint', endpointId) }),
    ...(hour === undefined ? {} : { hour: hour.toISOString() }),
    ...group,
  };
}
