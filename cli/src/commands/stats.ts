import { answerOf } from '@redrive/client';
import { type Command, choice, command, list, value } from '../command/command.ts';
import { endpointColumn } from '../command/endpoint-column.ts';
import { whole } from '../core/text.ts';
import { parseWhen, shownTime } from '../core/times.ts';

const at = (text: string) => parseWhen(text, new Date());

const RANGE = {
  since: value('<when>', 'from then on: a duration (6h) or a time with its zone', at),
  until: value('<when>', 'until then', at),
  granularity: choice(['minute', 'hour', 'day'], 'how wide a bucket is'),
};

const rangeOf = (flags: {
  since: string | undefined;
  until: string | undefined;
  granularity: 'minute' | 'hour' | 'day' | undefined;
}) => ({
  ...(flags.since ? { from: flags.since } : {}),
  ...(flags.until ? { to: flags.until } : {}),
  ...(flags.granularity ? { granularity: flags.granularity } : {}),
});

const attempts = command({
  path: ['stats', 'attempts'],
  summary: 'Count attempts over time',
  examples: ['redrive stats attempts --since 24h --by endpoint,outcome'],
  flags: {
    ...RANGE,
    by: list('<member>', 'told apart by these', {
      choices: ['endpoint', 'outcome', 'fault', 'type'] as const,
    }),
    endpoint: list('<endpoint>', 'at these endpoints'),
  },
  covers: ['GET /api/v1/stats/attempts'],
  async run(context, { flags }) {
    const { api, out, speaker } = context;
    const { calls } = await api();
    const query = {
      ...rangeOf(flags),
      ...(flags.by ? { by: flags.by.join(',') } : {}),
      ...(flags.endpoint ? { endpointIds: flags.endpoint } : {}),
    };
    const shown = await answerOf(calls.GET('/api/v1/stats/attempts', { params: { query } }));
    if (out.form === 'json') return out.one(shown);
    await out.list(shown.series, [
      await endpointColumn(context),
      { head: 'outcome', cell: ({ outcome }) => outcome },
      { head: 'cause', cell: ({ faultCode }) => faultCode },
      { head: 'type', cell: ({ eventType }) => eventType },
      { head: 'attempts', cell: ({ total }) => whole(total), right: true },
    ]);
    speaker.say(
      `${whole(shown.total)} from ${shownTime(shown.from)} to ${shownTime(shown.to)}; -o json has them by ${shown.granularity}.${shown.truncated ? ` Counted since ${shownTime(shown.countedSince)} only.` : ''}`,
    );
  },
});

const events = command({
  path: ['stats', 'events'],
  summary: 'Count events that were accepted over time',
  flags: RANGE,
  covers: ['GET /api/v1/stats/events'],
  async run({ api, out, speaker }, { flags }) {
    const { calls } = await api();
    const shown = await answerOf(calls.GET('/api/v1/stats/events', { params: { query: rangeOf(flags) } }));
    if (out.form === 'json') return out.one(shown);
    await out.list(
      shown.buckets.map((bucket, index) => ({ bucket, count: shown.counts[index] ?? 0 })),
      [
        { head: shown.granularity ?? 'from', cell: ({ bucket }) => shownTime(bucket) },
        { head: 'events', cell: ({ count }) => whole(count), right: true },
      ],
    );
    if (shown.truncated) speaker.say(`Counted since ${shownTime(shown.countedSince)} only.`);
  },
});

/** The commands about figures over time. */
export const STATS: readonly Command[] = [attempts, events];
