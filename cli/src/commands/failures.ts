import { answerOf } from '@redrive/client';
import { type Command, command, list } from '../command/command.ts';
import { endpointColumn } from '../command/endpoint-column.ts';
import { FILTER_FLAGS, filterQuery, filterWords } from '../command/filter-flags.ts';
import type { Column } from '../core/table.ts';
import { whole } from '../core/text.ts';

const BY = ['endpoint', 'cause', 'status', 'type', 'hour'] as const;
const API_NAMES: Readonly<Record<string, string>> = { cause: 'fault' };

type Group = {
  endpointId?: string;
  faultCode?: string | null;
  httpStatus?: number | null;
  eventType?: string | null;
  hour?: string;
  count: number;
};

const COLUMNS: Readonly<Record<Exclude<(typeof BY)[number], 'endpoint'>, Column<Group>>> = {
  cause: { head: 'cause', cell: ({ faultCode }) => faultCode },
  status: { head: 'status', cell: ({ httpStatus }) => httpStatus, right: true },
  type: { head: 'type', cell: ({ eventType }) => eventType },
  hour: { head: 'hour', cell: ({ hour }) => hour },
};

const failures = command({
  path: ['failures'],
  summary: 'Show what failed, in groups',
  examples: [
    'redrive failures --since 6h --by endpoint,cause',
    'redrive failures --by hour --endpoint warehouse',
  ],
  flags: {
    ...FILTER_FLAGS,
    by: list('<group>', 'told apart by these; endpoint,cause where left out', { choices: BY }),
  },
  covers: ['GET /api/v1/failures/groups'],
  async run(context, { flags }) {
    const { api, out, speaker } = context;
    const { by = ['endpoint', 'cause'], ...filter } = flags;
    const { calls } = await api();
    const query = filterQuery(filter);
    speaker.say(`Selected: ${filterWords({ state: ['failed'], ...query })}.`);
    const answer = await answerOf(
      calls.GET('/api/v1/failures/groups', {
        params: { query: { ...query, by: by.map((name) => API_NAMES[name] ?? name).join(',') } },
      }),
    );
    if (out.form === 'json') return out.one(answer);
    const endpoint = by.includes('endpoint') ? await endpointColumn(context) : undefined;
    await out.list<Group>(answer.groups, [
      ...by.flatMap((name) => (name === 'endpoint' ? (endpoint ?? []) : COLUMNS[name])),
      { head: 'deliveries', cell: ({ count }) => whole(count), right: true },
    ]);
    const { others } = answer;
    if (others.groups > 0)
      speaker.say(`… and ${whole(others.count)} in ${whole(others.groups)} other groups`);
    speaker.say(
      `${answer.basis === 'atLeast' ? 'At least ' : ''}${whole(answer.count)} in all, as of ${answer.asOf}.`,
    );
  },
});

/** The command that groups what has failed. */
export const FAILURES: readonly Command[] = [failures];
