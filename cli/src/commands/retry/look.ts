import { answerOf } from '@redrive/client';
import { allOf, argument, type Command, choice, command, list, value } from '../../command/command.ts';
import { LIMIT_FLAG, writeList } from '../../command/listing.ts';
import { operationId, planId } from '../../core/operation-ids.ts';
import { parseWhen, shownTime } from '../../core/times.ts';
import { retryItems } from './items.ts';
import { getPlan } from './make-plan.ts';
import { OPERATION_COLUMNS } from './operation-columns.ts';
import { planLines } from './plan-view.ts';
import { equation, operationLines, type Progress } from './progress-view.ts';
import { getOperation } from './wait.ts';

const OPERATION_STATES = allOf<Progress['state']>({
  planned: true,
  awaiting_approval: true,
  accepted: true,
  selecting: true,
  running: true,
  paused: true,
  halted: true,
  closing: true,
  completed: true,
  completed_with_failures: true,
  cancelled: true,
});

const operation = { operation: argument('the operation, op_…', operationId) };
const at = (text: string) => parseWhen(text, new Date());

const listing = command({
  path: ['retry', 'list'],
  summary: 'List operations, newest first',
  flags: {
    state: list('<state>', 'in these states', { choices: OPERATION_STATES }),
    kind: choice(['retry', 'replay'], 'of this kind'),
    actor: list('<actor>', 'asked for by these'),
    endpoint: list('<endpoint>', 'at these endpoints'),
    since: value('<when>', 'begun since', at),
    until: value('<when>', 'begun before', at),
    text: value('<text>', 'with this in its reason or ticket'),
    ...LIMIT_FLAG,
  },
  covers: ['GET /api/v1/retries'],
  async run(context, { flags }) {
    const { calls } = await context.api();
    const { state, kind, actor, endpoint, since, until, text } = flags;
    const query = {
      ...(state ? { state } : {}),
      ...(kind ? { kind } : {}),
      ...(actor ? { actor } : {}),
      ...(endpoint ? { endpointIds: endpoint } : {}),
      ...(since ? { from: since } : {}),
      ...(until ? { to: until } : {}),
      ...(text ? { text } : {}),
    };
    await writeList(
      context,
      flags,
      (page) => answerOf(calls.GET('/api/v1/retries', { params: { query: { ...query, ...page } } })),
      OPERATION_COLUMNS,
    );
  },
});

const get = command({
  path: ['retry', 'get'],
  summary: 'Show an operation, or a plan by its pln_…',
  args: { operation: argument('the operation or plan') },
  covers: ['GET /api/v1/retries/{id}', 'GET /api/v1/retries/plans/{id}'],
  async run(context, { args }) {
    const { out, speaker } = context;
    const api = await context.api();
    if (args.operation.startsWith('pln_')) {
      const plan = await getPlan(api, args.operation);
      return out.form === 'table' ? out.lines(planLines(plan)) : out.one(plan);
    }
    const shown = await getOperation(api, args.operation);
    if (shown.state === 'planned') speaker.say(`It is a plan: redrive retry get ${planId(shown.id)}`);
    return out.form === 'table' ? out.lines(operationLines(shown)) : out.one(shown);
  },
});

const endpoints = command({
  path: ['retry', 'endpoints'],
  summary: 'Show how an operation stands at each endpoint, with its canaries',
  args: operation,
  covers: ['GET /api/v1/retries/{id}/endpoints'],
  async run({ api, out }, { args }) {
    const { calls } = await api();
    const shown = await answerOf(
      calls.GET('/api/v1/retries/{id}/endpoints', { params: { path: { id: args.operation } } }),
    );
    if (out.form !== 'table') return out.one(shown);
    await out.list(shown.endpoints, [
      { head: 'endpoint', cell: ({ handle }) => handle },
      { head: 'state', cell: ({ state }) => state },
      { head: 'equation', cell: ({ counts }) => equation(counts) },
      { head: 'canary', cell: ({ canary }) => canary?.state },
    ]);
  },
});

const samples = command({
  path: ['retry', 'samples'],
  summary: 'Show the counts of an operation over time',
  args: operation,
  covers: ['GET /api/v1/retries/{id}/samples'],
  async run({ api, out }, { args }) {
    const { calls } = await api();
    const shown = await answerOf(
      calls.GET('/api/v1/retries/{id}/samples', { params: { path: { id: args.operation } } }),
    );
    if (out.form === 'json') return out.one(shown);
    await out.list(shown.points, [
      { head: 'at', cell: (point) => shownTime(point.at) },
      { head: 'equation', cell: ({ counts }) => equation(counts) },
    ]);
  },
});

const workflow = command({
  path: ['retry', 'workflow'],
  summary: 'Show the run of an operation as Temporal tells it',
  args: operation,
  covers: ['GET /api/v1/retries/{id}/workflow'],
  async run({ api, out }, { args }) {
    const { calls } = await api();
    await out.one(
      await answerOf(
        calls.GET('/api/v1/retries/{id}/workflow', { params: { path: { id: args.operation } } }),
      ),
    );
  },
});

export const LOOKING: readonly Command[] = [listing, get, retryItems, endpoints, samples, workflow];
