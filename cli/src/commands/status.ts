import { answerOf, hasCode } from '@redrive/client';
import { type Command, command, onOff } from '../command/command.ts';
import { endpointColumn } from '../command/endpoint-column.ts';
import { Away } from '../core/away.ts';
import type { Column } from '../core/table.ts';
import { safe, whole } from '../core/text.ts';
import { shownTime } from '../core/times.ts';
import type { Context } from '../shell/context.ts';
import { type OutageSummary, outageColumns } from './outages.ts';
import { OPERATION_COLUMNS } from './retry/operation-columns.ts';
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
const OUTAGES = ['open', 'recovered'] as const;

/** The most of a list that is shown here. */
const SHOWN = 50;

const STATES = ['pending', 'failed', 'unknown'] as const;

const status = command({
  path: ['status'],
  summary: 'Show how the service is, and what is under way',
  details: [
    'Exits with 1 where a part of the service is not ready. While Postgres serves nothing, counts and lists are not known: null in JSON.',
  ],
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
    // Before anything is asked for that Postgres has to answer: without it these lines are all that there is to see.
    if (out.form === 'table')
      await out.one(ready, [
        ['version', health.version],
        ...(ready.parts ?? []).map(
          ({ name, ready: isReady, state }) =>
            [name, `${isReady ? 'ready' : 'NOT READY'}: ${state}`] as const,
        ),
      ]);
    const operationsIn = (state: Progress['state'][]) =>
      answerOf(calls.GET('/api/v1/retries', { params: { query: { state, limit: SHOWN } } }));
    const [counts, operations, plans, outages] = await Promise.all([
      Promise.all(
        STATES.map((state) =>
          ifKnown(answerOf(calls.GET('/api/v1/deliveries/count', { params: { query: { state: [state] } } }))),
        ),
      ),
      ifKnown(operationsIn([...OPEN])),
      ifKnown(operationsIn(['planned'])),
      ifKnown(
        answerOf(calls.GET('/api/v1/outages', { params: { query: { state: [...OUTAGES], limit: SHOWN } } })),
      ),
    ]);
    if (out.form !== 'table')
      await out.one({
        version: health.version,
        ...ready,
        deliveries: Object.fromEntries(STATES.map((state, at) => [state, counts[at]])),
        operations: operations?.items ?? null,
        plans: plans?.items ?? null,
        outages: outages?.items ?? null,
        more: { operations: isCut(operations), plans: isCut(plans), outages: isCut(outages) },
      });
    else {
      await out.lines(['']);
      await out.one(
        {},
        STATES.map((state, at) => [state, shownCount(counts[at] ?? null)] as const),
      );
      await section(context, 'Open operations', operations, OPERATION_COLUMNS);
      await section(context, 'Plans that nobody has executed', plans, OPERATION_COLUMNS);
      await section(context, 'Outages', outages, await outageColumns(context));
    }
    // Said in any case: whatever reads the first of many would take them for all.
    if (isCut(operations))
      speaker.must(`More operations: redrive retry list --state ${OPEN.join(',')} --limit all`);
    if (isCut(plans)) speaker.must('More plans: redrive retry list --state planned --limit all');
    if (isCut(outages))
      speaker.must(`More outages: redrive outages list --state ${OUTAGES.join(',')} --limit all`);
    if (flags.follow) await follow(context);
    const well = ready.ready && ![...counts, operations, plans, outages].includes(null);
    if (!well) speaker.say('Not every part is ready.');
    return well ? 'done' : 'failed';
  },
});

async function section<Row>(
  { out }: Context,
  title: string,
  page: Page<Row> | null,
  columns: readonly Column<Row>[],
) {
  if (page === null) return out.lines(['', `${title}: not known`]);
  const { items } = page;
  await out.lines([
    '',
    `${title}: ${items.length === 0 ? 'none' : `${items.length}${isCut(page) ? '+' : ''}`}`,
  ]);
  if (items.length > 0) await out.list(items, columns);
}

/** The first of a list. */
interface Page<Row> {
  items: Row[];
  nextCursor: string | null;
}

function isCut(page: Page<unknown> | null): boolean {
  return page !== null && page.nextCursor !== null;
}

/** An answer, or null while what it needs is away. */
async function ifKnown<Answer>(answer: Promise<Answer>): Promise<Answer | null> {
  try {
    return await answer;
  } catch (error) {
    if (hasCode(error, 'temporarily_unavailable')) return null;
    throw error;
  }
}

function shownCount(counted: { basis: string; count: number } | null): string {
  if (counted === null) return 'not known';
  return `${counted.basis === 'atLeast' ? '≥ ' : ''}${whole(counted.count)}`;
}

/** Says what moves until it is interrupted. */
async function follow(context: Context): Promise<void> {
  const { out, speaker } = context;
  const { watch } = await context.api();
  const now = () => shownTime(context.now().toISOString());
  const endpoint = await endpointColumn(context);
  const away = new Away();
  const stream = watch('/api/v1/stream', {
    onConnection: ({ up }) => {
      const words = up ? away.found() : away.lost('The connection was lost.');
      if (words !== undefined) speaker.say(words);
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
          (outage) =>
            `${now()}  ${safe(outage.id)}  ${safe(outage.state)}  ${safe(String(endpoint.cell(outage)))}`,
        ),
      ]);
  }
}

export const STATUS: readonly Command[] = [status];
