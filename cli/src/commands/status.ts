import { answerOf } from '@redrive/client';
import { type Command, command, onOff } from '../command/command.ts';
import type { Column } from '../core/table.ts';
import { safe, whole } from '../core/text.ts';
import { shownTime } from '../core/times.ts';
import type { Context } from '../shell/context.ts';
import { OUTAGE_COLUMNS, type OutageSummary } from './outages.ts';
import { OPERATION_COLUMNS } from './retry/look.ts';
import type { Progress } from './retry/progress-view.ts';

const OPEN = [
  'awaiting_approval',
  'accepted',
  'selecting',
  'running',
  'paused',
  'halted',
  'closing',
] as const;
const STATES = ['pending', 'failed', 'unknown'] as const;

const status = command({
  path: ['status'],
  summary: 'Show how the service is, and what is under way',
  details: ['Exits with 1 where a part of the service is not ready.'],
  flags: { follow: onOff('then say what moves, as it moves') },
  covers: [
    'GET /healthz',
    'GET /readyz',
    'GET /api/v1/deliveries/count',
    'GET /api/v1/retries',
    'GET /api/v1/outages',
    'GET /api/v1/stream',
  ],
  async run(context, { flags }) {
    const { out, speaker } = context;
    const { calls } = await context.api();
    const health = await answerOf(calls.GET('/healthz'));
    // What is not ready is told by 503, with the same body.
    const { data, error } = await calls.GET('/readyz');
    const ready = (data ?? error) as {
      ready: boolean;
      parts: { name: string; ready: boolean; state: string }[];
    };
    const [counts, operations, outages] = await Promise.all([
      Promise.all(
        STATES.map((state) =>
          answerOf(calls.GET('/api/v1/deliveries/count', { params: { query: { state: [state] } } })),
        ),
      ),
      answerOf(calls.GET('/api/v1/retries', { params: { query: { state: [...OPEN], limit: 50 } } })),
      answerOf(
        calls.GET('/api/v1/outages', { params: { query: { state: ['open', 'recovered'], limit: 50 } } }),
      ),
    ]);
    const deliveries = Object.fromEntries(STATES.map((state, at) => [state, counts[at]]));
    if (out.form !== 'table')
      await out.one({
        version: health.version,
        ...ready,
        deliveries,
        operations: operations.items,
        outages: outages.items,
      });
    else {
      await out.one(ready, [
        ['version', health.version],
        ...(ready.parts ?? []).map(
          ({ name, ready: isReady, state }) =>
            [name, `${isReady ? 'ready' : 'NOT READY'}: ${state}`] as const,
        ),
        ...STATES.map(
          (state, at) =>
            [
              state,
              `${counts[at]?.basis === 'atLeast' ? '≥ ' : ''}${whole(counts[at]?.count ?? 0)}`,
            ] as const,
        ),
      ]);
      await section(context, 'Open operations', operations.items, OPERATION_COLUMNS);
      await section(context, 'Outages', outages.items, OUTAGE_COLUMNS);
    }
    if (flags.follow) await follow(context);
    if (!ready.ready) speaker.say('Not every part is ready.');
    return ready.ready ? 'done' : 'failed';
  },
});

async function section<Row>(
  { out }: Context,
  title: string,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
) {
  await out.lines(['', `${title}: ${rows.length === 0 ? 'none' : rows.length}`]);
  if (rows.length > 0) await out.list(rows, columns);
}

/** Says what moves until it is interrupted. */
async function follow(context: Context): Promise<void> {
  const { out, speaker } = context;
  const { watch } = await context.api();
  const now = () => shownTime(context.now().toISOString());
  const stream = watch('/api/v1/stream', {
    onConnection: (connection) => {
      if (!connection.up) speaker.say('The connection was lost: once more.');
    },
  });
  for await (const { event, data } of stream) {
    if (event === 'snapshot') continue;
    const { operations, outages } = data as { operations: Progress[]; outages: OutageSummary[] };
    if (out.form !== 'table') await out.one({ operations, outages });
    else
      await out.lines([
        ...operations.map(
          ({ id, state, counts }) =>
            `${now()}  ${safe(id)}  ${safe(state)}  ${whole(counts.delivered)} of ${whole(counts.expected)} delivered, ${whole(counts.failed)} failed`,
        ),
        ...outages.map(
          ({ id, state, endpointId }) => `${now()}  ${safe(id)}  ${safe(state)}  ${safe(endpointId)}`,
        ),
      ]);
  }
}

export const STATUS: readonly Command[] = [status];
