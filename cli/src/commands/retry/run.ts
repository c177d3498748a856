import { hasCode } from '@redrive/client';
import { command, onOff } from '../../command/command.ts';
import { statusOf } from '../../core/mistake.ts';
import { Stop } from '../../core/stop.ts';
import type { Api } from '../../shell/api.ts';
import type { Context } from '../../shell/context.ts';
import { confirmPlan, GO_FLAGS, goOn } from './execute.ts';
import { getPlan, makePlan } from './make-plan.ts';
import { PACE_FLAGS, retryBody } from './options.ts';
import { withIdsRead } from './plan.ts';
import { type Plan, planLines, runWords } from './plan-view.ts';
import { SELECTION_FLAGS, selectionOf, selectionWords } from './selection.ts';
import { UnfinishedRun } from './unfinished.ts';

/** The command that plans and runs in one go. */
export const retryRun = command({
  path: ['retry', 'run'],
  summary: 'Plan a retry, show it, have it confirmed, and run it',
  details: [
    'What is sent is what the plan showed, and nothing else. Nothing is sent before it is confirmed: at the terminal, or by --yes (up to 10,000 deliveries), --confirm-items (the number of the plan), and --accept-duplicates where some may arrive twice.',
    'The same command again, within an hour, joins a run that was cut off before it could say how it ended or how to come back.',
  ],
  examples: [
    'redrive retry run --since 6h --canary 25:10% --wait',
    'redrive retry run --outage out_… --ramp 5/60s --rate 200 --halt-at 50% --reason "the outage is over"',
    'redrive deliveries export --fault timeout | jq -r .id | redrive retry run --ids - --yes',
  ],
  flags: {
    ...SELECTION_FLAGS,
    ...PACE_FLAGS,
    dryRun: onOff('stop after the plan'),
    fresh: onOff('do not join a run of the same command that was cut off'),
    ...GO_FLAGS,
  },
  covers: [
    'POST /api/v1/retries/plans',
    'GET /api/v1/retries/plans/{id}',
    'POST /api/v1/retries/plans/{id}/execute',
    'POST /api/v1/retries/{id}/emergency',
    'GET /api/v1/retries/{id}/stream',
  ],
  async run(context, { flags }) {
    const { out, speaker } = context;
    const read = await withIdsRead(context, flags);
    const select = selectionOf(read);
    if (flags.emergency && !flags.reason) throw new Stop('usage', 'An emergency needs a --reason.');
    const api = await context.api();
    const unfinished = new UnfinishedRun(context.env, [
      api.connection.origin,
      // Somebody else at this machine runs something else; only a digest of all this is kept.
      api.connection.key,
      api.connection.tenant,
      ...context.words,
      ...(read.ids ?? []),
    ]);
    const joined = flags.fresh || flags.dryRun ? undefined : await executedBefore(api, unfinished);
    if (joined) {
      const { operationId, state } = joined;
      const how = ENDED.includes(state) ? 'has ended meanwhile' : 'goes on';
      speaker.must(`This command was cut off before: it joins ${operationId}, which ${how}.`);
      unfinished.goesOn();
      return told(unfinished, context, api, joined, flags);
    }
    speaker.say(`Selected: ${selectionWords(select)}.`);
    const began = performance.now();
    const plan = await makePlan(context, api, { select, ...retryBody(flags) }, flags);
    // The time of an answer at the terminal is nobody's wait.
    const left = flags.timeout && Math.max(1, flags.timeout - (performance.now() - began));
    const show = flags.dryRun && out.form === 'table' ? (lines: string[]) => out.lines(lines) : say(context);
    await show(planLines(plan));
    if (plan.count.items === 0) {
      if (out.form !== 'table') await out.one(plan);
      speaker.say(runWords(plan));
      return 'done';
    }
    if (flags.dryRun) {
      if (out.form !== 'table') await out.one(plan);
      speaker.say(runWords(plan));
      return 'done';
    }
    await confirmPlan(context, plan, flags);
    await unfinished.begin({ planId: plan.id, planHash: plan.planHash ?? '' });
    return told(unfinished, context, api, plan, { ...flags, timeout: left });
  },
});

/** States in which an operation has come to its end. */
const ENDED: readonly Plan['state'][] = ['completed', 'completed_with_failures', 'cancelled'];

/**
 * Runs it; once its outcome was told, or how to follow it, or the server has said no, the same command is a new run. A
 * server that fails, and a key that has ended meanwhile, say nothing of it.
 */
async function told(
  unfinished: UnfinishedRun,
  context: Context,
  api: Api,
  plan: Plan,
  flags: Parameters<typeof goOn>[3],
) {
  try {
    const exit = await goOn(context, api, plan, { ...flags, onDetach: () => unfinished.told() });
    unfinished.told();
    return exit;
  } catch (error) {
    const status = statusOf(error);
    const isRefusal = status !== undefined && status < 500 && status !== 401 && status !== 429;
    if (isRefusal && error instanceof Error && error.name === 'ProblemError') unfinished.told();
    throw error;
  }
}

async function executedBefore(api: Api, unfinished: UnfinishedRun): Promise<Plan | undefined> {
  const before = await unfinished.read();
  if (!before) return undefined;
  try {
    const plan = await getPlan(api, before.planId);
    if (plan.executedAt !== null && plan.planHash === before.planHash) return plan;
  } catch (error) {
    if (!hasCode(error, 'not_found')) throw error;
  }
  unfinished.told();
  return undefined;
}

function say({ speaker }: Context) {
  return (lines: string[]) => {
    for (const line of lines) speaker.say(line);
  };
}
