import { z } from 'zod';
import type { ApiDeps } from '../../../api/api-deps.ts';
import { isProblem, type Problem, problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import {
  BUCKET_MS,
  bucketStarts,
  bucketsOf,
  filled,
  GRANULARITIES,
  MAX_BUCKETS,
  type TimeBuckets,
} from '../../../domain/figures/time-buckets.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import { type AcceptedEvents, acceptedEvents } from '../../../store/figures/accepted-events.ts';
import {
  ATTEMPT_DIMENSIONS,
  type AttemptFigures,
  type AttemptSeries,
  attemptFigures,
} from '../../../store/figures/attempt-figures.ts';
import { HOURS_KEPT_DAYS, MINUTES_KEPT_HOURS } from '../../../store/figures/attempt-folds.ts';
import { refuseReversedRanges } from '../deliveries/delivery-filter.ts';
import { shownId, shownTime, timeField } from '../fields.ts';
import { nameField, withNamedEndpoints } from '../names.ts';
import { listParameter } from '../page.ts';
import { byParameter } from './by.ts';

/** Series that are told apart; the rest is summed. */
const MAX_SERIES = 50;
const DAY_MS = 86_400_000;
/** Whole days, so that no bucket leaves the years that times are shown in. */
const FIRST_MS = Date.parse('0001-01-01T00:00:00Z');
const LAST_MS = Date.parse('9999-12-31T00:00:00Z');

const range = {
  from: timeField('Beginning of the range; a day before its end where left out.').optional(),
  to: timeField('End of the range, which does not belong to it; now where left out.').optional(),
  granularity: z
    .enum(GRANULARITIES)
    .default('minute')
    .meta({ description: 'The length of the buckets, in UTC.', example: 'minute' }),
};

const number = (description: string, example: number) => z.int().min(0).meta({ description, example });
const counts = z
  .array(z.int().min(0))
  .meta({ description: 'One number a bucket, 0 where there was none.', example: [12, 0, 7] });

const RangeView = {
  asOf: shownTime('The moment that all these numbers are of.'),
  from: shownTime('Beginning of the first bucket.'),
  to: shownTime('End of the last bucket.'),
  granularity: range.granularity,
  buckets: z
    .array(z.iso.datetime())
    .meta({ description: 'Beginning of each bucket.', example: ['2026-11-03T02:00:00.000Z'] }),
};

const SeriesView = z
  .strictObject({
    endpointId: shownId('endpoint', 'The endpoint, by `endpoint`.').optional(),
    outcome: z
      .string()
      .optional()
      .meta({ description: 'What the attempts meant, by `outcome`.', example: 'delivered' }),
    faultCode: z.string().nullable().optional().meta({
      description: 'Why they did not deliver, by `fault`; null for those that delivered.',
      example: 'http_5xx',
    }),
    eventType: z
      .string()
      .optional()
      .meta({ description: 'The type of their events, by `type`.', example: 'invoice.paid' }),
    total: number('All of them.', 19),
    counts,
  })
  .meta({ id: 'AttemptSeries' });

const AttemptStats = z
  .strictObject({
    ...RangeView,
    series: z
      .array(SeriesView)
      .meta({ description: `Attempts that agree in what was asked \`by\`, the largest ${MAX_SERIES}.` }),
    others: z
      .strictObject({
        groups: number('How many series that is.', 0),
        total: number('All of their attempts.', 0),
        counts,
      })
      .meta({ description: 'The sum of the series that are not shown: with it, the numbers add up.' }),
    total: number('All attempts of the range.', 19),
    truncated: z.boolean().meta({
      description: 'There are series that are not told apart, or the range begins before `countedSince`.',
      example: false,
    }),
    countedSince: shownTime('Attempts that began earlier are not counted here, or not any more.'),
    unfolded: number('Attempts among `total` that the worker has not summed up yet; they are counted.', 3),
  })
  .meta({ id: 'AttemptStats', description: 'Attempts by the time at which they began.' });

const EventStats = z
  .strictObject({
    ...RangeView,
    counts,
    total: number('All events of the range that are counted.', 19),
    truncated: z.boolean().meta({
      description: 'The range begins before `countedSince`: there may have been more.',
      example: false,
    }),
    countedSince: shownTime(
      'Events that were accepted until then are past their term and not counted any more; null while all are kept.',
    ).nullable(),
  })
  .meta({ id: 'EventStats', description: 'Events by the time at which they were accepted.' });

/** The figures of time: attempts and events of each minute, hour or day. */
export function statsRoutes({ pool }: ApiDeps): Route[] {
  const read = { tag: 'Figures', access: { of: 'tenant', scope: 'read:deliveries' } } as const;
  return [
    route({
      ...read,
      method: 'get',
      path: '/api/v1/stats/attempts',
      summary: 'Count attempts by time',
      description: `Every attempt that is recorded is counted, also the last of them. Minutes are kept for ${MINUTES_KEPT_HOURS} hours, hours and days for ${HOURS_KEPT_DAYS} days. One answer has at most ${MAX_BUCKETS} buckets.`,
      request: {
        query: z
          .strictObject({
            ...range,
            by: byParameter(
              ATTEMPT_DIMENSIONS,
              'What they are told apart by; one series where left out.',
              'outcome',
            ).optional(),
            endpointIds: listParameter(
              nameField('endpoint', 'An endpoint, by id or handle.'),
              'Only attempts at these endpoints.',
            ),
          })
          .superRefine(refuseReversedRanges),
      },
      responses: { 200: { description: 'The counts.', schema: AttemptStats } },
      problems: ['unknown_ids'],
      async handler({ query: { by = [], endpointIds, ...asked }, tenant }) {
        const buckets = bucketsAsked(asked, Date.now());
        if (isProblem(buckets)) return buckets;
        const named = await withNamedEndpoints(pool, tenant.id, { endpointIds }, () => ({
          parameter: 'endpointIds',
        }));
        if (isProblem(named)) return named;
        const figures = await attemptFigures(pool, tenant.id, buckets, {
          by,
          most: MAX_SERIES,
          ...(named.endpointIds ? { endpointIds: named.endpointIds } : {}),
        });
        return { status: 200, body: attemptStatsView(figures, buckets) };
      },
    }),
    route({
      ...read,
      method: 'get',
      path: '/api/v1/stats/events',
      summary: 'Count accepted events by time',
      description: `Events are numbered in the order of their acceptance: each count is the difference of two numbers, whatever the range. What is past its term is not counted any more. One answer has at most ${MAX_BUCKETS} buckets.`,
      request: { query: z.strictObject(range).superRefine(refuseReversedRanges) },
      responses: { 200: { description: 'The counts.', schema: EventStats } },
      async handler({ query, tenant }) {
        const buckets = bucketsAsked(query, Date.now());
        if (isProblem(buckets)) return buckets;
        return { status: 200, body: eventStatsView(await acceptedEvents(pool, tenant.id, buckets), buckets) };
      },
    }),
  ];
}

type Range = { from?: string | undefined; to?: string | undefined; granularity: TimeBuckets['granularity'] };

function bucketsAsked({ from, to, granularity }: Range, nowMs: number): TimeBuckets | Problem {
  const within = (ms: number) => Math.min(LAST_MS, Math.max(FIRST_MS, ms));
  const toMs = within(to === undefined ? nowMs : Date.parse(to));
  const fromMs = within(from === undefined ? toMs - DAY_MS : Date.parse(from));
  const buckets = bucketsOf(fromMs, Math.max(fromMs, toMs), granularity);
  if (buckets.count <= MAX_BUCKETS) return buckets;
  return problem('invalid_request', {
    errors: [
      {
        parameter: 'from',
        code: 'out_of_range',
        message: `Expected a range of at most ${MAX_BUCKETS} buckets: ask for a shorter one, or by the ${granularity === 'minute' ? 'hour' : 'day'}.`,
      },
    ],
  });
}

function rangeView(buckets: TimeBuckets, asOf: Date) {
  return {
    asOf: asOf.toISOString(),
    from: new Date(buckets.fromMs).toISOString(),
    to: new Date(buckets.toMs).toISOString(),
    granularity: buckets.granularity,
    buckets: bucketStarts(buckets).map((ms) => new Date(ms).toISOString()),
  };
}

function attemptStatsView(
  { asOf, countedSince, series, others, unfolded }: AttemptFigures,
  buckets: TimeBuckets,
): z.input<typeof AttemptStats> {
  const firstCounted = Math.floor(countedSince.getTime() / BUCKET_MS[buckets.granularity]);
  return {
    ...rangeView(buckets, asOf),
    series: series.map((each) => seriesView(each, buckets)),
    others: { groups: others.groups, total: others.total, counts: filled(buckets, others.counts) },
    total: series.reduce((sum, { total }) => sum + total, others.total),
    truncated: others.groups > 0 || buckets.fromMs / BUCKET_MS[buckets.granularity] < firstCounted,
    countedSince: countedSince.toISOString(),
    unfolded,
  };
}

function eventStatsView(
  { asOf, countedSince, counts: accepted }: AcceptedEvents,
  buckets: TimeBuckets,
): z.input<typeof EventStats> {
  return {
    ...rangeView(buckets, asOf),
    counts: accepted,
    total: accepted.reduce((sum, count) => sum + count, 0),
    truncated: countedSince !== undefined && buckets.fromMs <= countedSince.getTime(),
    countedSince: countedSince?.toISOString() ?? null,
  };
}

function seriesView(
  { endpointId, faultCode, counts: found, ...series }: AttemptSeries,
  buckets: TimeBuckets,
): z.input<typeof SeriesView> {
  return {
    ...(endpointId === undefined ? {} : { endpointId: showId('endpoint', endpointId) }),
    ...(faultCode === undefined ? {} : { faultCode: faultCode === '' ? null : faultCode }),
    ...series,
    counts: filled(buckets, found),
  };
}
