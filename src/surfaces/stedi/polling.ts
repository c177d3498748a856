import { z } from 'zod';
import type { ApiDeps } from '../../api/api-deps.ts';
import { isProblem, type Problem } from '../../api/problems/problem.ts';
import { type Route, route } from '../../api/route.ts';
import { millisecondEdge } from '../../domain/time/instant.ts';
import { timeField } from '../native/fields.ts';
import { FileExecutionSummary, fileExecutionSummary } from './execution-view.ts';
import { listedOrLater } from './listed-or-later.ts';
import { pageParameters, readPageToken, writePageToken } from './page-token.ts';
import { ERROR_RESPONSES, invalidParameter } from './stedi-error.ts';
import { readEndedHorizon } from './store/ended-horizon.ts';
import { type EndedPosition, endedExecutions, LAST_ID } from './store/file-executions.ts';

/** Executions that ended so short a time ago are not shown yet. */
const LAG_MS = 15_000;
/** Polling begins at least this long ago. */
const MIN_AGE_MS = 60_000;

const PolledExecutions = z
  .strictObject({
    items: z.array(FileExecutionSummary).meta({ description: 'Executions, oldest first.' }),
    nextPageToken: z.string().meta({
      description: 'Where the next page begins: always there, also behind an empty page, and good for ever.',
      example: 'WyI1dW1…',
    }),
  })
  .meta({ id: 'StediPolledExecutions', description: 'A page of executions that were processed.' });

/** `GET /polling/executions`. */
export function pollingRoutes({ pool }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/polling/executions',
      summary: 'Poll executions that were processed, oldest first',
      description:
        'Each execution is shown once, also while others are written. The last 15 seconds are left out; a database session that stays in a transaction holds the end of the list back for as long.',
      tag: 'Stedi',
      access: { of: 'tenant', scope: 'read:deliveries' },
      request: {
        query: z.strictObject({
          ...pageParameters,
          startDateTime: timeField(
            'Processed after this time, which is at least a minute ago. Needed where there is no page token, which wins.',
          ).optional(),
        }),
      },
      responses: { 200: { description: 'A page.', schema: PolledExecutions }, ...ERROR_RESPONSES },
      async handler({ query: { pageSize, pageToken, startDateTime }, tenant }) {
        const listed = ['stedi polling', tenant.id];
        // Before the page is read: see there why these are two statements.
        const { before, now } = await readEndedHorizon(pool, LAG_MS);
        const after = placeOf(listed, pageToken, startDateTime, now);
        if (isProblem(after)) return after;
        // Behind the horizon: what ended before that and is not listed yet is taken in here.
        const later = await listedOrLater(pool, tenant.id);
        if (later) return later;
        const rows = await endedExecutions(pool, tenant.id, { after, before, limit: pageSize });
        const last = rows.at(-1);
        const place = last?.processedAtMicros
          ? { processedAtMicros: last.processedAtMicros, id: last.id }
          : after;
        return {
          status: 200,
          body: { items: rows.map(fileExecutionSummary), nextPageToken: writePageToken(listed, place) },
        };
      },
    }),
  ];
}

function placeOf(
  listed: unknown,
  pageToken: string | undefined,
  startDateTime: string | undefined,
  now: Date,
): EndedPosition | Problem {
  if (startDateTime !== undefined && Date.parse(startDateTime) > now.getTime() - MIN_AGE_MS)
    return invalidParameter('startDateTime', 'Expected a time at least one minute in the past.');
  if (pageToken !== undefined) {
    const place = readPageToken(listed, pageToken);
    if (isProblem(place)) return place;
    return { processedAtMicros: place.processedAtMicros ?? '0', id: place.id };
  }
  if (startDateTime === undefined)
    return invalidParameter('startDateTime', 'Expected this or `pageToken`; one of the two is required.');
  return { processedAtMicros: lastMicrosOf(startDateTime), id: LAST_ID };
}

/** The last microsecond that is shown as this time, for polling begins behind it; nothing ended before 1970. */
function lastMicrosOf(time: string): string {
  const behind = Date.parse(millisecondEdge('start', { at: time, inclusive: false }));
  return String(Math.max(0, behind * 1_000 - 1));
}
