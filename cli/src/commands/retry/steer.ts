import { answerOf } from '@redrive/client';
import { argument, type Command, command, list, value } from '../../command/command.ts';
import { confirmed } from '../../command/confirm.ts';
import { operationId, planId } from '../../core/operation-ids.ts';
import { parseRate } from '../../core/pace.ts';
import { Stop } from '../../core/stop.ts';
import type { Context } from '../../shell/context.ts';
import { getPlan } from './make-plan.ts';
import { planLines } from './plan-view.ts';
import { operationLines, type Progress } from './progress-view.ts';
import { getOperation, WAIT_FLAGS, waitFor, writeOutcome } from './wait.ts';

const operation = { operation: argument('the operation, op_…', operationId) };
const path = (id: string) => ({ params: { path: { id } } });

async function write({ out }: Context, shown: Progress): Promise<void> {
  if (out.form === 'table') await out.lines(operationLines(shown));
  else await out.one(shown);
}

const watch = command({
  path: ['retry', 'watch'],
  summary: 'Follow an operation until it ends, and say by the exit code how',
  details: [
    'Draws one block again and again on a terminal, and says a line every 5 s elsewhere. With -o ndjson each change is a line of standard output. Ctrl-C detaches: the operation goes on.',
  ],
  args: operation,
  flags: WAIT_FLAGS,
  covers: ['GET /api/v1/retries/{id}/stream'],
  async run(context, { args, flags }) {
    const api = await context.api();
    const { id } = await getOperation(api, args.operation);
    const waited = await waitFor(context, api, id, flags);
    await writeOutcome(context, api, waited);
    return waited.exit;
  },
});

const pause = command({
  path: ['retry', 'pause'],
  summary: 'Send nothing more until it is resumed',
  args: operation,
  covers: ['POST /api/v1/retries/{id}/pause'],
  async run(context, { args }) {
    const { calls } = await context.api();
    await write(context, await answerOf(calls.POST('/api/v1/retries/{id}/pause', path(args.operation))));
  },
});

const resume = command({
  path: ['retry', 'resume'],
  summary: 'Let it go on, everywhere or at some endpoints first',
  args: operation,
  flags: { endpoint: list('<endpoint>', 'at these endpoints alone, where a new canary goes first') },
  covers: ['POST /api/v1/retries/{id}/resume'],
  async run(context, { args, flags }) {
    const { calls } = await context.api();
    const body = flags.endpoint ? { endpointIds: flags.endpoint } : {};
    await write(
      context,
      await answerOf(calls.POST('/api/v1/retries/{id}/resume', { ...path(args.operation), body })),
    );
  },
});

const cancel = command({
  path: ['retry', 'cancel'],
  summary: 'End it: what is unsent stays unsent',
  details: ['A plan that nobody has executed is cancelled by its pln_… as well.'],
  args: operation,
  covers: ['POST /api/v1/retries/{id}/cancel'],
  async run(context, { args }) {
    const { calls } = await context.api();
    await write(context, await answerOf(calls.POST('/api/v1/retries/{id}/cancel', path(args.operation))));
  },
});

const rate = command({
  path: ['retry', 'rate'],
  summary: 'Change its requests a second',
  args: { ...operation, rate: argument('requests a second, or none to take the limit away') },
  covers: ['POST /api/v1/retries/{id}/rate'],
  async run(context, { args }) {
    const { calls } = await context.api();
    const body = { ratePerSecond: args.rate === 'none' ? null : parseRate(args.rate) };
    await write(
      context,
      await answerOf(calls.POST('/api/v1/retries/{id}/rate', { ...path(args.operation), body })),
    );
  },
});

const approve = command({
  path: ['retry', 'approve'],
  summary: 'Approve what somebody else has asked for',
  details: [
    'What is approved is a hash. Without --hash it is that of the operation as it is now, shown first.',
  ],
  args: operation,
  flags: { hash: value('<hash>', 'the hash of the plan'), comment: value('<text>', 'why') },
  covers: ['POST /api/v1/retries/{id}/approve', 'GET /api/v1/retries/{id}', 'GET /api/v1/retries/plans/{id}'],
  async run(context, { args, flags }) {
    const api = await context.api();
    const { id, approval } = await getOperation(api, args.operation);
    const planHash = flags.hash ?? approval?.planHash;
    if (planHash === undefined)
      throw new Stop('usage', `${id} asks for no approval.`, `redrive retry get ${id}`);
    if (flags.hash === undefined) {
      if (!context.canAsk)
        throw new Stop(
          'notConfirmed',
          'Without a terminal an approval names its hash.',
          `--hash ${planHash}`,
        );
      for (const line of planLines(await getPlan(api, planId(id)))) context.speaker.say(line);
      await confirmed(context, false, 'Approve it?', { says: 'Not approved.' });
    }
    await write(
      context,
      await answerOf(
        api.calls.POST('/api/v1/retries/{id}/approve', {
          ...path(id),
          body: { planHash, ...(flags.comment ? { comment: flags.comment } : {}) },
        }),
      ),
    );
  },
});

const reject = command({
  path: ['retry', 'reject'],
  summary: 'Reject what somebody else has asked for: that ends it',
  args: { ...operation, comment: argument('why') },
  covers: ['POST /api/v1/retries/{id}/reject'],
  async run(context, { args }) {
    const { calls } = await context.api();
    const body = { comment: args.comment };
    const id = args.operation;
    await write(context, await answerOf(calls.POST('/api/v1/retries/{id}/reject', { ...path(id), body })));
  },
});

const explain = command({
  path: ['retry', 'explain'],
  summary: 'Give the reason or the ticket that a policy asks for',
  args: operation,
  flags: { reason: value('<text>', 'why'), ticket: value('<text>', 'the ticket that asks for it') },
  covers: ['POST /api/v1/retries/{id}/explain'],
  async run(context, { args, flags }) {
    const { calls } = await context.api();
    if (!flags.reason && !flags.ticket) throw new Stop('usage', 'Say --reason, --ticket or both.');
    const body = {
      ...(flags.reason ? { reason: flags.reason } : {}),
      ...(flags.ticket ? { ticket: flags.ticket } : {}),
    };
    const id = args.operation;
    await write(context, await answerOf(calls.POST('/api/v1/retries/{id}/explain', { ...path(id), body })));
  },
});

const emergency = command({
  path: ['retry', 'emergency'],
  summary: 'Let what waits for approval run at once',
  details: ['It is an entry of its own in the audit, and stays on the report.'],
  args: { ...operation, reason: argument('why it cannot wait') },
  covers: ['POST /api/v1/retries/{id}/emergency'],
  async run(context, { args }) {
    const { calls } = await context.api();
    const body = { reason: args.reason };
    const id = args.operation;
    await write(context, await answerOf(calls.POST('/api/v1/retries/{id}/emergency', { ...path(id), body })));
  },
});

/** The commands that steer an operation. */
export const STEERING: readonly Command[] = [
  watch,
  pause,
  resume,
  cancel,
  rate,
  approve,
  reject,
  explain,
  emergency,
];
