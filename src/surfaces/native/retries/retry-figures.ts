import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import { ENDPOINT_STATES } from '../../../domain/endpoints/endpoint-state.ts';
import { BASES, COUNTED_EXACTLY } from '../../../domain/figures/bounded-count.ts';
import type { Operation } from '../../../domain/operations/operation.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import {
  MOST_SAMPLES,
  type OperationSample,
  operationSamples,
} from '../../../store/figures/operation-samples.ts';
import {
  type CanaryStanding,
  type OperationEndpoint,
  type OperationEndpoints,
  operationEndpoints,
} from '../../../store/operations/operation-endpoints.ts';
import { findOperation } from '../../../store/operations/operations.ts';
import { idParams, shownId, shownTime } from '../fields.ts';
import { Counts, countsView } from './operation-view.ts';
import { RecentAnswers } from './recent-answers.ts';

/** Endpoints that are told apart; the rest is summed. */
const MAX_ENDPOINTS = 500;

const Canary = z
  .strictObject({
    state: z.enum(['testing', 'passed', 'held']).meta({
      description: '`testing` until it is judged; `held`: nothing more is sent there until it is resumed.',
      example: 'passed',
    }),
    allowed: z.int().meta({ description: 'Items that go first.', example: 25 }),
    claimed: z.int().meta({ description: 'Those of them that were taken.', example: 25 }),
    attempts: z.int().nullable().meta({
      description: 'First attempts, so far or when it was judged; null where it was held by hand.',
      example: 25,
    }),
    bad: z
      .int()
      .nullable()
      .meta({ description: 'Those of them that did not deliver; null like `attempts`.', example: 0 }),
  })
  .meta({ id: 'OperationCanary' });

const OperationEndpointsView = z
  .strictObject({
    asOf: shownTime('The moment that all these numbers are of.'),
    basis: z.enum(BASES).meta({
      description: `\`exact\`, or \`atLeast\` where it has more than ${COUNTED_EXACTLY.toLocaleString('en-US')} items or exclusions.`,
      example: 'exact',
    }),
    counts: Counts.meta({ description: 'The sum over all endpoints.' }),
    endpointCount: z.int().meta({ description: 'How many endpoints they are.', example: 3 }),
    endpoints: z
      .array(
        z.strictObject({
          endpointId: shownId('endpoint', 'The endpoint.'),
          handle: z.string().meta({ description: 'Its handle.', example: 'warehouse' }),
          state: z.enum(ENDPOINT_STATES).meta({ description: 'Its state now.', example: 'enabled' }),
          counts: Counts,
          canary: z
            .union([Canary, z.null()])
            .meta({ description: 'Its canary; null where the operation has none, or it has not begun.' }),
        }),
      )
      .meta({ description: `The largest ${MAX_ENDPOINTS}.` }),
    others: Counts.meta({ description: 'The sum over the endpoints that are not shown.' }),
  })
  .meta({ id: 'OperationEndpoints' });

const OperationSamples = z
  .strictObject({
    asOf: shownTime('The moment of the last point, unless the operation has ended before.'),
    points: z.array(z.strictObject({ at: shownTime('When.'), counts: Counts })).meta({
      description: `Its counts over time, oldest first: when it was accepted, at most ${MOST_SAMPLES} points in between, and now or when it ended.`,
    }),
  })
  .meta({ id: 'OperationSamples' });

const params = idParams('operation', 'Id of the operation.');

/** An operation by endpoint, and over time. */
export function retryFigureRoutes({ pool }: ApiDeps): Route[] {
  const read = { tag: 'Retries', access: { of: 'tenant', scope: 'read:deliveries' } } as const;
  const recent = new RecentAnswers<OperationEndpoints>();
  return [
    route({
      ...read,
      method: 'get',
      path: '/api/v1/retries/{id}/endpoints',
      summary: 'Show an operation by endpoint',
      description:
        'The counts of each endpoint and how its canary stands. Of an operation that has closed they are as they were then. Counting reads its items: an answer is given again for a second, or for ten times as long as it took.',
      request: { params },
      responses: { 200: { description: 'Its endpoints.', schema: OperationEndpointsView } },
      async handler({ params: { id }, tenant }) {
        if (!(await findOperation(pool, tenant.id, id))) return problem('not_found');
        const found = await recent.get(id, () =>
          operationEndpoints(pool, id, { items: COUNTED_EXACTLY, endpoints: MAX_ENDPOINTS }),
        );
        return { status: 200, body: endpointsView(found) };
      },
    }),
    route({
      ...read,
      method: 'get',
      path: '/api/v1/retries/{id}/samples',
      summary: "Show an operation's counts over time",
      description:
        'Samples are taken at most once a second while the counts move, and thinned out: the longer it takes, the further apart they are.',
      request: { params },
      responses: { 200: { description: 'Its samples.', schema: OperationSamples } },
      async handler({ params: { id }, tenant }) {
        // Read first: what was sampled meanwhile is left out, so that no point is behind the last one.
        const samples = await operationSamples(pool, id);
        const operation = await findOperation(pool, tenant.id, id);
        return operation ? { status: 200, body: samplesView(operation, samples) } : problem('not_found');
      },
    }),
  ];
}

function endpointsView(found: OperationEndpoints): z.input<typeof OperationEndpointsView> {
  const all = [...found.endpoints.map(({ counts }) => counts), found.others].map(countsView);
  return {
    asOf: found.asOf.toISOString(),
    basis: found.basis,
    counts: all.reduce((sum, counts) => plus(sum, counts)),
    endpointCount: found.endpointCount,
    endpoints: found.endpoints.map(endpointView),
    others: countsView(found.others),
  };
}

function plus(one: z.input<typeof Counts>, other: z.input<typeof Counts>): z.input<typeof Counts> {
  return Object.fromEntries(
    Object.entries(one).map(([part, count]) => [part, count + other[part as keyof typeof other]]),
  ) as z.input<typeof Counts>;
}

function endpointView({ endpointId, handle, state, counts, canary }: OperationEndpoint) {
  return {
    endpointId: showId('endpoint', endpointId),
    handle,
    state,
    counts: countsView(counts),
    canary: canary ? canaryView(canary) : null,
  };
}

function canaryView({ tally, ...canary }: CanaryStanding): z.input<typeof Canary> {
  return { ...canary, attempts: tally?.attempts ?? null, bad: tally?.bad ?? null };
}

function samplesView(operation: Operation, samples: OperationSample[]): z.input<typeof OperationSamples> {
  const lastAt = operation.closedAt ?? new Date();
  const nothing = Object.fromEntries(
    Object.keys(countsView(operation.counts)).map((part) => [part, 0]),
  ) as z.input<typeof Counts>;
  return {
    asOf: lastAt.toISOString(),
    points: [
      { at: operation.createdAt.toISOString(), counts: nothing },
      ...samples
        .filter(({ at }) => at > operation.createdAt && at < lastAt)
        .map(({ at, counts }) => ({ at: at.toISOString(), counts: countsView(counts) })),
      { at: lastAt.toISOString(), counts: countsView(operation.counts) },
    ],
  };
}
