import { answerOf } from '@redrive/client';
import { argument, command, onOff, value } from '../../command/command.ts';
import { isConsent, judgeConsent, type Said } from '../../core/consent.ts';
import { type Exit, exitOfState } from '../../core/exit-codes.ts';
import { parseCount, parsePercent } from '../../core/pace.ts';
import { Stop } from '../../core/stop.ts';
import { counted } from '../../core/text.ts';
import type { Api } from '../../shell/api.ts';
import type { Context } from '../../shell/context.ts';
import { getPlan } from './make-plan.ts';
import { duplicatesOf, type Plan, planLines } from './plan-view.ts';
import { getOperation, WAIT_FLAGS, waitFor, writeOutcome } from './wait.ts';

/** The flags by which something is let go. */
export const GO_FLAGS = {
  yes: onOff('do not ask, for up to 10,000 deliveries'),
  confirmItems: value('<n>', "do not ask: the number of the plan's deliveries", parseCount),
  acceptDuplicates: onOff('do not ask: some may arrive twice'),
  maxDrift: value('<share>', 'refuse where more of the plan is gone: 5%', parsePercent),
  emergency: onOff('let it run without approval, for its reason; needs approve:emergency'),
  wait: onOff('wait until it ends, and say by the exit code how'),
  ...WAIT_FLAGS,
};

/** What was said by them. */
export interface Go extends Said {
  maxDrift?: number | undefined;
  emergency?: boolean | undefined;
  reason?: string | undefined;
  wait?: boolean | undefined;
  timeout?: number | undefined;
  patience?: number | undefined;
  throughApproval?: boolean | undefined;
}

/** Has a plan confirmed, by what was said or by whoever is at the terminal. */
export async function confirmPlan(context: Context, plan: Plan, said: Said): Promise<void> {
  const duplicates = duplicatesOf(plan);
  const { items } = plan.count;
  const consent = judgeConsent({ items, duplicates }, said, context.canAsk);
  if (consent.go) return;
  const what = `Send ${counted(items, 'delivery', 'deliveries')} to ${counted(plan.endpointCount, 'endpoint')}?`;
  const warned = duplicates > 0 ? ` ${counted(duplicates, 'of them', 'of them')} may arrive twice.` : '';
  const how = consent.ask === 'yes' ? ' [y/N] ' : ` Type ${items} to go on: `;
  if (isConsent(await context.ask(`${what}${warned}${how}`), consent.ask, items)) return;
  throw new Stop(
    'notConfirmed',
    'Not confirmed: nothing was sent.',
    `the plan is kept: redrive retry execute ${plan.id} --hash ${plan.planHash}`,
  );
}

/** Executes a plan, and waits for its end where that was asked for. */
export async function goOn(context: Context, api: Api, plan: Plan, go: Go): Promise<Exit> {
  const { out, speaker } = context;
  const id = plan.operationId;
  await answerOf(
    api.calls.POST('/api/v1/retries/plans/{id}/execute', {
      params: { path: { id: plan.id } },
      body: {
        planHash: plan.planHash ?? '',
        ...(go.maxDrift === undefined ? {} : { maxDriftPercent: go.maxDrift }),
      },
    }),
  );
  let operation = await getOperation(api, id);
  if (operation.state === 'awaiting_approval' && go.emergency) {
    await answerOf(
      api.calls.POST('/api/v1/retries/{id}/emergency', {
        params: { path: { id } },
        body: { reason: go.reason ?? operation.reason ?? '' },
      }),
    );
    operation = await getOperation(api, id);
  }
  if (go.wait) {
    const waited = await waitFor(context, api, id, go);
    await writeOutcome(context, waited);
    return waited.exit;
  }
  if (out.form === 'table') await out.one({ operation: id, state: operation.state, plan: plan.id });
  else await out.one(operation);
  const exit = exitOfState(operation.state);
  if (exit === 'awaitingApproval') {
    const because = operation.approval?.because.join(', ');
    speaker.say(`It waits for approval${because ? ` (${because})` : ''}: redrive retry approve ${id}`);
    return exit;
  }
  speaker.say(`Follow it by: redrive retry watch ${id}`);
  return 'done';
}

export const retryExecute = command({
  path: ['retry', 'execute'],
  summary: 'Run a plan, by the hash of what it showed',
  details: ['Without --hash the plan is shown and has to be confirmed. A plan that runs already is joined.'],
  examples: ['redrive retry execute pln_… --hash 3f2a… --yes --wait --timeout 1h'],
  args: { plan: argument('the plan, pln_…') },
  flags: {
    hash: value('<hash>', 'the hash of the plan that was shown'),
    ...GO_FLAGS,
    reason: value('<text>', 'the reason of an emergency'),
  },
  covers: [
    'GET /api/v1/retries/plans/{id}',
    'POST /api/v1/retries/plans/{id}/execute',
    'POST /api/v1/retries/{id}/emergency',
  ],
  async run(context, { args, flags }) {
    const api = await context.api();
    const plan = await getPlan(api, args.plan);
    if (plan.planHash === null)
      throw new Stop('failed', `${plan.id} is still being made.`, `redrive retry get ${plan.id}`);
    if (flags.hash !== undefined && flags.hash !== plan.planHash)
      throw new Stop(
        'changed',
        `The hash of ${plan.id} is ${plan.planHash}. Nothing was sent.`,
        `look at it again: redrive retry get ${plan.id}`,
      );
    if (plan.executedAt === null) {
      if (flags.hash === undefined) for (const line of planLines(plan)) context.speaker.say(line);
      await confirmPlan(context, plan, flags);
    } else context.speaker.say(`It was executed before: this joins ${plan.operationId}.`);
    return goOn(context, api, plan, flags);
  },
});
