import { z } from 'zod';
import { ENDPOINT_STATES } from '../../../domain/endpoints/endpoint-state.ts';
import type { Operation } from '../../../domain/operations/operation.ts';
import { type TimeToFinish, timeToFinish } from '../../../domain/operations/plan-time.ts';
import { present } from '../../../domain/present.ts';
import { LIVE_HEADROOM } from '../../../domain/sending/pacing.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import type { Sealer } from '../../../sealing/sealing.ts';
import type { PlanEndpoint } from '../../../store/plans/plan-endpoints.ts';
import { changedMembers, configMembers } from '../endpoints/endpoint-view.ts';
import { shownId } from '../fields.ts';
import { Risks, risksView } from './plan-view.ts';

const TimeRange = z
  .strictObject({
    minSeconds: z
      .int()
      .meta({ description: 'At best, where nothing but its limits gets in the way.', example: 120 }),
    maxSeconds: z.int().nullable().meta({
      description:
        'Where each answer takes as long as it may, live traffic takes its headroom and the service is busy; null where nothing that is known limits it.',
      example: 900,
    }),
  })
  .meta({ description: 'How long it takes from now on, if it is executed now and no attempt fails.' });

const Config = z.looseObject({}).nullable();

/** The parts of a plan that are about its endpoints. */
export const PLAN_ENDPOINTS = {
  timeToFinish: TimeRange.nullable().meta({
    description: 'How long all of it takes; null where it has more endpoints than are shown.',
  }),
  liveHeadroomPercent: z.number().meta({
    description: 'The share of the pace of an endpoint that is left to live traffic.',
    example: 25,
  }),
  endpoints: z
    .array(
      z.strictObject({
        endpointId: shownId('endpoint', 'The endpoint.'),
        handle: z.string().meta({ description: 'Its handle.', example: 'warehouse' }),
        state: z.enum(ENDPOINT_STATES).meta({ description: 'Its state now.', example: 'enabled' }),
        items: z.int().meta({ description: 'Deliveries of the plan.', example: 700 }),
        sends: z.int().meta({ description: 'Those of them that would be sent.', example: 690 }),
        risks: Risks,
        originalVersions: z.array(z.int()).meta({
          description: 'The versions that they were first sent with; none where none of them was sent.',
          example: [2],
        }),
        plannedVersion: z.int().meta({
          description: 'Its version when the plan was made: the address of it is where they go.',
          example: 3,
        }),
        currentVersion: z.int().meta({ description: 'Its version now.', example: 3 }),
        changed: z.array(z.string()).meta({
          description: 'The members that differ between the first original version and the current one.',
          example: ['url', 'timeoutMs'],
        }),
        was: Config.meta({
          description:
            'The members of the first original version; headers by name only. Null without one, and for a credential without the scope `read:endpoints`.',
          example: { url: 'https://hooks.example/old' },
        }),
        now: Config.meta({
          description: 'The same of the current version.',
          example: { url: 'https://hooks.example/new' },
        }),
        timeToFinish: TimeRange,
      }),
    )
    .meta({ description: 'Its endpoints, the largest 100.' }),
};

const Parts = z.strictObject(PLAN_ENDPOINTS);

/** How the endpoints of a plan are shown. */
export interface EndpointsShown {
  sealer: Sealer;
  operation: Operation;
  endpointCount: number;
  /** The caller may read endpoints, and so what they were and are. */
  mayRead: boolean;
  /** All of it has to be approved first. */
  awaitsApproval: boolean;
}

/** Shows the endpoints of a plan, as they were and as they are, and how long it takes. */
export function planEndpointsView(
  endpoints: PlanEndpoint[],
  { sealer, operation, endpointCount, mayRead, awaitsApproval }: EndpointsShown,
): z.input<typeof Parts> {
  const { ratePerSecond, ramp, maxConcurrency, canary } = operation.options;
  const times = timeToFinish(
    endpoints.map(({ sends, now, window, latencyMs, rests }) => ({
      sends,
      timeoutMs: now.timeoutMs,
      ordered: now.ordered,
      rests,
      ...present({
        ratePerSecond: now.ratePerSecond,
        maxConcurrency: now.maxConcurrency,
        window,
        latencyMs,
      }),
    })),
    { canary: canary !== undefined, ...present({ ratePerSecond, ramp, maxConcurrency }) },
  );
  return {
    timeToFinish: endpoints.length < endpointCount ? null : rangeView(times.total),
    liveHeadroomPercent: LIVE_HEADROOM * 100,
    endpoints: endpoints.map((endpoint, n) => {
      const { endpointId: id } = endpoint;
      const was = endpoint.was && configMembers(sealer, { id, config: endpoint.was });
      const now = configMembers(sealer, { id, config: endpoint.now });
      return {
        endpointId: showId('endpoint', endpoint.endpointId),
        handle: endpoint.handle,
        state: endpoint.state,
        items: endpoint.items,
        sends: endpoint.sends,
        risks: risksView(endpoint.risks, awaitsApproval ? endpoint.items : 0),
        originalVersions: endpoint.originalVersions,
        plannedVersion: endpoint.plannedVersion,
        currentVersion: endpoint.currentVersion,
        changed: was ? changedMembers(was, now) : [],
        was: mayRead ? (was ?? null) : null,
        now: mayRead ? now : null,
        timeToFinish: rangeView(times.each[n] as TimeToFinish),
      };
    }),
  };
}

function rangeView({ minSeconds, maxSeconds }: TimeToFinish): z.input<typeof TimeRange> {
  return { minSeconds, maxSeconds: maxSeconds ?? null };
}
