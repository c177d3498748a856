import { answerOf, type components } from '@redrive/client';
import { argument, type Command, command, list, value } from '../command/command.ts';
import { endpointColumn } from '../command/endpoint-column.ts';
import { LIMIT_FLAG, writeList } from '../command/listing.ts';
import type { Column } from '../core/table.ts';
import { whole } from '../core/text.ts';
import { shownTime } from '../core/times.ts';
import type { Context } from '../shell/context.ts';

/** An outage in a list. */
export type OutageSummary = components['schemas']['OutageSummary'];

/** Columns of outages. */
export async function outageColumns(context: Context): Promise<Column<OutageSummary>[]> {
  return [
    { head: 'outage', cell: ({ id }) => id },
    await endpointColumn(context),
    { head: 'cause', cell: ({ cause }) => cause },
    { head: 'state', cell: ({ state }) => state },
    { head: 'from', cell: ({ window }) => shownTime(window.from) },
    { head: 'to', cell: ({ window }) => shownTime(window.to) },
  ];
}

const listing = command({
  path: ['outages', 'list'],
  summary: 'List outages, newest first',
  flags: {
    endpoint: list('<endpoint>', 'of these endpoints'),
    state: list('<state>', 'in these states', {
      choices: ['open', 'recovered', 'closed', 'dismissed'] as const,
    }),
    ...LIMIT_FLAG,
  },
  covers: ['GET /api/v1/outages'],
  async run(context, { flags }) {
    const { calls } = await context.api();
    const query = {
      ...(flags.endpoint ? { endpointIds: flags.endpoint } : {}),
      ...(flags.state ? { state: flags.state } : {}),
    };
    await writeList(
      context,
      flags,
      (page) => answerOf(calls.GET('/api/v1/outages', { params: { query: { ...query, ...page } } })),
      await outageColumns(context),
    );
  },
});

const get = command({
  path: ['outages', 'get'],
  summary: 'Show an outage with what it left, and what follows from it',
  args: { outage: argument('the outage, out_…') },
  covers: ['GET /api/v1/outages/{id}'],
  async run({ api, out, speaker }, { args }) {
    const { calls } = await api();
    const shown = await answerOf(
      calls.GET('/api/v1/outages/{id}', { params: { path: { id: args.outage } } }),
    );
    if (out.form !== 'table') return out.one(shown);
    const { deliveries, operations, window, links: _, ...facts } = shown;
    await out.one(shown, [
      ...Object.entries(facts),
      ['from', shownTime(window.from)],
      ['to', shownTime(window.to)],
      ['deliveries', `${deliveries.basis === 'atLeast' ? '≥ ' : ''}${whole(deliveries.count)}`],
      ...Object.entries(deliveries.byState).map(([state, count]) => [`  ${state}`, whole(count)] as const),
      ['operations', operations.map(({ operationId, state }) => `${operationId} ${state}`)],
    ]);
    if (isLeft(deliveries)) speaker.say(`Take what it left by: redrive retry run --outage ${shown.id}`);
  },
});

/** Whether a retry would find something of it. */
function isLeft({ basis, byState }: { basis: string; byState: Readonly<Record<string, number>> }): boolean {
  // What is not counted may hold some.
  return basis === 'atLeast' || ['failed', 'unknown', 'ignored'].some((state) => (byState[state] ?? 0) > 0);
}

const dismiss = command({
  path: ['outages', 'dismiss'],
  summary: 'Say that nothing more is to follow from an outage',
  args: { outage: argument('the outage, out_…') },
  flags: { reason: value('<text>', 'why') },
  covers: ['POST /api/v1/outages/{id}/dismiss'],
  async run({ api, out }, { args, flags }) {
    const { calls } = await api();
    await out.one(
      await answerOf(
        calls.POST('/api/v1/outages/{id}/dismiss', {
          params: { path: { id: args.outage } },
          body: flags.reason ? { reason: flags.reason } : {},
        }),
      ),
    );
  },
});

/** The commands about outages. */
export const OUTAGES: readonly Command[] = [listing, get, dismiss];
