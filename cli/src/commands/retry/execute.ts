import { answerOf } from '@redrive/client';
import { argument, command, onOff, value } from '../../command/command.ts';
import { CONSENT_FLAGS, confirmedNumber } from '../../command/confirm.ts';
import type { Said } from '../../core/consent.ts';
import { type Exit, exitOfState } from '../../core/exit-codes.ts';
import { planId } from '../../core/operation-ids.ts';
import { parsePercent } from '../../core/pace.ts';
import { Stop } from '../../core/stop.ts';
import { counted, whole } from '../../core/text.ts';
import type { Api } from '../../shell/api.ts';
import type { Context } from '../../shell/context.ts';
import { askUntil } from './ask-until.ts';
import { getPlan } from './make-plan.ts';
import { refuseEnded } from './plan-state.ts';
import { duplicatesOf, type Plan, planLines, runWords } from './plan-view.ts';
import { approvalLines, driftedTooFar, getOperation, WAIT_FLAGS, waitFor, writeOutcome } from './wait.ts';
import { type Waiting, WaitLimits } from './wait-limits.ts';

/** The flags by which something is let go. */
export const GO_FLAGS = {
  ...CONSENT_FLAGS,
  maxDrift: value('<share>', 'refuse where more of the plan is gone: 5%', parsePercent),
  emergency: onOff('let it run without approval, for its reason; needs approve:emergency'),
  wait: onOff('wait until it ends, and say by the exit code how'),
  ...WAIT_FLAGS,
};

/** What was said by them. */
export interface Go extends Said, Waiting {
  maxDrift?: number | undefined;
  emergency?: boolean | undefined;
  reason?: string | undefined;
  wait?: boolean | undefined;
}

/** Has a plan confirmed, by what was said or by whoever is at the terminal. */
export async function confirmPlan(context: Context, plan: Plan, said: Said): Promise<void> {
  const { items, sends } = plan.count;
  const many = counted(items, 'delivery', 'deliveries');
  const what =
    sends === items ? `Send ${many}` : `Run the plan of ${many}, of which ${whole(sends)} are sent,`;
  const question = `${what} to ${counted(plan.endpointCount, 'endpoint')}?`;
  await confirmedNumber(context, { items, duplicates: duplicatesOf(plan) }, said, question, {
    says: 'Not confirmed: nothing was sent.',
    next: `the plan is kept: redrive retry execute ${plan.id} --hash ${plan.planHash}`,
  });
}

/** Executes a plan, and waits for its end where that was asked for. */
export async function goOn(context: Context, api: Api, plan: Plan, go: Go): Promise<Exit> {
  const { out, speaker } = context;
  const id = plan.operationId;
  const watch = `redrive retry watch ${id}`;
  context.comeBack = () => {
    go.onDetach?.();
    return ['', `Interrupted while ${plan.id} was executed: ${watch} says whether it goes on.`];
  };
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
    await writeOutcome(context, api, waited);
    return waited.exit;
  }
  if (go.maxDrift !== undefined) {
    if (!(await isMeasured(context, api, plan, go))) {
      speaker.must(`How much of ${plan.id} is gone is not measured yet: ${watch} says whether it goes on.`);
      return 'running';
    }
    operation = await getOperation(api, id);
  }
  if (out.form === 'table') await out.one({ operation: id, state: operation.state, plan: plan.id });
  else await out.one(operation);
  const exit = exitOfState(operation.state);
  if (exit === 'awaitingApproval') {
    for (const line of approvalLines(operation)) speaker.say(line);
    return exit;
  }
  speaker.say(`Follow it by: ${watch}`);
  return 'done';
}

/** Waits until it is known whether too much of a plan has drifted: of many deliveries that is measured behind the answer. */
async function isMeasured(context: Context, api: Api, { id }: Plan, waiting: Waiting): Promise<boolean> {
  const away = () =>
    new Stop('failed', `The server was away for too long, and ${id} is executed.`, `redrive retry get ${id}`);
  const limits = new WaitLimits(waiting, away);
  try {
    const measured = await askUntil(context, limits, async (signal) => {
      const plan = await getPlan(api, id, 0, signal);
      const isOpen = plan.drift === null && (plan.state === 'accepted' || plan.state === 'selecting');
      return isOpen ? undefined : plan;
    });
    if (measured?.state === 'planned') throw driftedTooFar(measured);
    return measured !== undefined;
  } finally {
    limits.end();
  }
}

/** The command that runs a plan. */
export const retryExecute = command({
  path: ['retry', 'execute'],
  summary: 'Run a plan, by the hash of what it showed',
  details: ['Without --hash the plan is shown and has to be confirmed. A plan that runs already is joined.'],
  examples: ['redrive retry execute pln_… --hash 3f2a… --yes --wait --timeout 1h'],
  args: { plan: argument('the plan, pln_…', planId) },
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
    refuseEnded(plan);
    if (plan.planHash === null)
      throw new Stop('failed', `${plan.id} is still being made.`, `redrive retry get ${plan.id}`);
    if (flags.hash !== undefined && flags.hash !== plan.planHash)
      throw new Stop(
        'changed',
        `The hash of ${plan.id} is ${plan.planHash}. Nothing was sent.`,
        `look at it again: redrive retry get ${plan.id}`,
      );
    if (plan.executedAt === null && plan.count.items === 0) {
      if (context.out.form !== 'table') await context.out.one(plan);
      context.speaker.say(runWords(plan));
      return 'done';
    }
    if (plan.executedAt === null) {
      if (flags.hash === undefined) for (const line of planLines(plan)) context.speaker.say(line);
      await confirmPlan(context, plan, flags);
    } else context.speaker.say(`It was executed before: this joins ${plan.operationId}.`);
    return goOn(context, api, plan, flags);
  },
});
