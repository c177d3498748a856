import { answerOf, errorOf } from '@redrive/client';
import { argument, type Command, choice, command, optional, value } from '../command/command.ts';
import { CONSENT_FLAGS, confirmedNumber } from '../command/confirm.ts';
import { endpointColumn } from '../command/endpoint-column.ts';
import {
  FILTER_FLAGS,
  type FilterFlags,
  filterOf,
  filterQuery,
  filterWords,
} from '../command/filter-flags.ts';
import { LIMIT_FLAG, writeList } from '../command/listing.ts';
import { queryString } from '../command/query.ts';
import type { Said } from '../core/consent.ts';
import type { Exit } from '../core/exit-codes.ts';
import { Stop, usage } from '../core/stop.ts';
import { counted, whole } from '../core/text.ts';
import { shownTime } from '../core/times.ts';
import type { Context } from '../shell/context.ts';

const delivery = { delivery: argument('the delivery, dlv_…') };

function say({ speaker }: Context, flags: Partial<FilterFlags>): void {
  speaker.say(`Selected: ${filterWords(filterOf(flags))}.`);
}

const listing = command({
  path: ['deliveries', 'list'],
  summary: 'List deliveries, newest first',
  examples: ['redrive deliveries list --state failed --since 3h --endpoint warehouse'],
  flags: { ...FILTER_FLAGS, ...LIMIT_FLAG },
  covers: ['GET /api/v1/deliveries'],
  async run(context, { flags: { limit, ...filter } }) {
    const { calls } = await context.api();
    say(context, filter);
    const query = filterQuery(filter);
    await writeList(
      context,
      { limit },
      (page) => answerOf(calls.GET('/api/v1/deliveries', { params: { query: { ...query, ...page } } })),
      [
        { head: 'delivery', cell: ({ id }) => id },
        { head: 'state', cell: ({ state }) => state },
        await endpointColumn(context),
        { head: 'type', cell: ({ event }) => event.type },
        { head: 'accepted', cell: ({ acceptedAt }) => shownTime(acceptedAt) },
        { head: 'attempts', cell: ({ attempts }) => attempts, right: true },
        { head: 'cause', cell: ({ faultCode }) => faultCode },
        { head: 'status', cell: ({ httpStatus }) => httpStatus, right: true },
      ],
    );
  },
});

const count = command({
  path: ['deliveries', 'count'],
  summary: 'Say how many there are, exactly up to 100,000',
  flags: FILTER_FLAGS,
  covers: ['GET /api/v1/deliveries/count'],
  async run(context, { flags }) {
    const { calls } = await context.api();
    say(context, flags);
    const answer = await answerOf(
      calls.GET('/api/v1/deliveries/count', { params: { query: filterQuery(flags) } }),
    );
    if (context.out.form !== 'table') return context.out.one(answer);
    await context.out.lines([`${answer.basis === 'atLeast' ? 'at least ' : ''}${answer.count}`]);
  },
});

const get = command({
  path: ['deliveries', 'get'],
  summary: 'Show a delivery with its executions and attempts',
  args: delivery,
  covers: ['GET /api/v1/deliveries/{id}'],
  async run({ api, out }, { args }) {
    const { calls } = await api();
    const shown = await answerOf(
      calls.GET('/api/v1/deliveries/{id}', { params: { path: { id: args.delivery } } }),
    );
    if (out.form !== 'table') return out.one(shown);
    const { executions, event, waitingFor, ...facts } = shown;
    await out.one(shown, [
      ...Object.entries(facts),
      ...Object.entries(event).map(([name, of]) => [`event.${name}`, of] as const),
      ['waitingFor', waitingFor.map(({ what }) => what)],
    ]);
    const attempts = executions.flatMap(({ id, operationId, attempts: made }) =>
      made.map((attempt) => ({ execution: id, operationId, ...attempt })),
    );
    await out.lines(['']);
    await out.list(attempts, [
      { head: 'execution', cell: ({ execution }) => execution },
      { head: 'operation', cell: ({ operationId }) => operationId },
      { head: 'attempt', cell: ({ number }) => number, right: true },
      { head: 'began', cell: ({ startedAt }) => shownTime(startedAt) },
      { head: 'ms', cell: ({ durationMs }) => whole(durationMs), right: true },
      { head: 'outcome', cell: ({ outcome }) => outcome },
      { head: 'status', cell: ({ httpStatus, faultCode }) => httpStatus ?? faultCode },
      { head: 'answer', cell: ({ responseExcerpt }) => responseExcerpt?.slice(0, 60) },
    ]);
  },
});

const advice = command({
  path: ['deliveries', 'advice'],
  summary: 'Say what happened to a delivery and what to do about it',
  args: delivery,
  covers: ['GET /api/v1/deliveries/{id}/advice'],
  async run({ api, out }, { args }) {
    const { calls } = await api();
    const shown = await answerOf(
      calls.GET('/api/v1/deliveries/{id}/advice', { params: { path: { id: args.delivery } } }),
    );
    await out.one(shown);
  },
});

const execution = command({
  path: ['deliveries', 'execution'],
  summary: 'Show one execution of a delivery',
  args: { execution: argument('the execution, exe_…') },
  covers: ['GET /api/v1/executions/{id}'],
  async run({ api, out }, { args }) {
    const { calls } = await api();
    await out.one(
      await answerOf(calls.GET('/api/v1/executions/{id}', { params: { path: { id: args.execution } } })),
    );
  },
});

/** Only what is unknown can be settled: no state is asked for. */
const { state: _, ...UNKNOWN_FLAGS } = FILTER_FLAGS;

const NOT_SETTLED = { says: 'Not confirmed: nothing was settled.' };

const resolve = command({
  path: ['deliveries', 'resolve'],
  summary: 'Say what became of what nobody knows: of one delivery, or of all that a filter finds',
  details: [
    'Only deliveries whose outcome is unknown are settled. What is said is final, and stands in the audit. By --outcome retry they are sent again, and may arrive twice: that asks for --accept-duplicates where nobody can be asked.',
    'Where a policy, a freeze window or a ceiling would hold a retry of them, --outcome retry is refused and they stay unknown: settle them as failed and retry them (redrive retry run), which waits.',
  ],
  examples: [
    'redrive deliveries resolve dlv_… --outcome delivered --reason "they confirmed it" --yes',
    'redrive deliveries resolve --endpoint warehouse --since 6h --outcome retry --reason "the outage is over"',
  ],
  args: { delivery: optional('the delivery, dlv_…') },
  flags: {
    ...UNKNOWN_FLAGS,
    outcome: choice(['delivered', 'failed', 'retry'], 'what became of it'),
    reason: value('<text>', 'why; needed for many'),
    ...CONSENT_FLAGS,
  },
  covers: ['POST /api/v1/deliveries/{id}/resolve', 'POST /api/v1/deliveries/resolve'],
  async run(context, { args, flags }) {
    const { outcome, reason, yes, confirmItems, acceptDuplicates, ...filter } = flags;
    const said = { yes, confirmItems, acceptDuplicates };
    const filtered = Object.keys(filterOf(filter)).length > 0;
    if (outcome === undefined) throw usage('Say --outcome delivered, failed or retry.');
    if ((args.delivery === undefined) !== filtered) throw usage('Name one delivery, or say a filter.');
    if (args.delivery === undefined) {
      if (reason === undefined) throw usage('Settling many needs a --reason.');
      return settleMany(context, filter, { outcome, reason }, said);
    }
    const { calls } = await context.api();
    const one = { items: 1, duplicates: outcome === 'retry' ? 1 : 0 };
    await confirmedNumber(context, one, said, `Settle ${args.delivery} as ${outcome}?`, NOT_SETTLED);
    const body = { outcome, confirm: true as const, ...(reason ? { reason } : {}) };
    await context.out.one(
      await answerOf(
        calls.POST('/api/v1/deliveries/{id}/resolve', { params: { path: { id: args.delivery } }, body }),
      ),
    );
    return 'done';
  },
});

/** Settles all that a filter finds, in as many calls as it takes, and writes one sum. */
async function settleMany(
  context: Context,
  flags: Partial<FilterFlags>,
  verdict: { outcome: 'delivered' | 'failed' | 'retry'; reason: string },
  said: Said,
): Promise<Exit> {
  const { out, speaker } = context;
  const { calls } = await context.api();
  const filter = { ...filterOf(flags), state: ['unknown' as const] };
  speaker.say(`Selected: ${filterWords(filter)}.`);
  const found = await answerOf(
    calls.GET('/api/v1/deliveries/count', {
      params: { query: { ...filterQuery(flags), state: ['unknown'] } },
    }),
  );
  if (found.basis === 'atLeast')
    throw new Stop(
      'notConfirmed',
      `At least ${whole(found.count)} are unknown, and nobody can confirm them by their number.`,
      'settle them in parts: by --endpoint, or by --since and --until',
    );
  const sum = { outcome: verdict.outcome, resolved: 0, notUnknown: 0, notSendable: 0, acts: [] as string[] };
  let more = found.count > 0;
  if (more) {
    const sends = { items: found.count, duplicates: verdict.outcome === 'retry' ? found.count : 0 };
    const many = counted(found.count, 'delivery', 'deliveries');
    await confirmedNumber(context, sends, said, `Settle ${many} as ${verdict.outcome}?`, NOT_SETTLED);
  }
  try {
    while (more && sum.resolved < found.count) {
      const settled = await answerOf(
        calls.POST('/api/v1/deliveries/resolve', { body: { select: { filter }, ...verdict, confirm: true } }),
      );
      sum.acts.push(settled.id);
      sum.resolved += settled.resolved;
      sum.notUnknown += settled.notUnknown;
      // Left by each call anew.
      sum.notSendable = settled.notSendable;
      more = settled.more;
      if (settled.resolved === 0) break;
    }
  } catch (error) {
    if (sum.resolved > 0) speaker.must(`${whole(sum.resolved)} were settled before that.`);
    throw error;
  }
  await out.one(sum);
  if (sum.notSendable > 0)
    speaker.must(
      `${whole(sum.notSendable)} stay unknown: their endpoints take nothing, or their payloads are gone (redrive deliveries advice).`,
    );
  if (!more) return sum.notSendable > 0 ? 'failed' : 'done';
  speaker.must('More of them are unknown by now, and nobody confirmed those: look, and run it again.');
  return 'failed';
}

const exported = command({
  path: ['deliveries', 'export'],
  summary: 'Write all deliveries that match, a line of JSON each',
  details: ['However many there are, they are written as they come.'],
  examples: ['redrive deliveries export --state failed --since 30d > failed.ndjson'],
  flags: FILTER_FLAGS,
  covers: ['GET /api/v1/deliveries'],
  async run(context, { flags }) {
    const { raw } = await context.api();
    say(context, flags);
    const response = await raw(`/api/v1/deliveries${queryString(filterQuery(flags))}`, {
      headers: { accept: 'application/x-ndjson' },
    });
    if (!response.ok || !response.body) throw errorOf(await response.json().catch(() => undefined), response);
    await context.out.jsonBytes(response.body);
  },
});

/** The commands about deliveries and their executions. */
export const DELIVERIES: readonly Command[] = [listing, count, get, advice, execution, resolve, exported];
