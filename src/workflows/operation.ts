import {
  ActivityCancellationType,
  type ActivityOptions,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { OperationActivities, Progress } from '../activities/operation-activities.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import { HALT_ATTRIBUTE, STATE_ATTRIBUTE } from '../temporal/search-attributes.ts';
import { controlUpdate, progressQuery } from './messages.ts';

const OPTIONS: ActivityOptions = {
  startToCloseTimeout: '20 minutes',
  heartbeatTimeout: '30 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '30 seconds' },
};

/** Five beats of a selection, and one and a half of a worker of an earlier version, which beats less often. */
const SELECTING: ActivityOptions = { ...OPTIONS, heartbeatTimeout: '15 seconds' };

type Step = Exclude<Progress['step'], { do: 'end' }>;

const { dispatchSlice } = proxyActivities<OperationActivities>(OPTIONS);

/**
 * One retry or replay. All facts are in Postgres; this decides nothing but what is done next, in steps whose number
 * does not depend on the number of items. Cancelled in the Temporal UI, it cancels the operation and sees that through.
 *
 * Slices run on the workflow's own queue, where few at a time are taken; every other step on `stepsQueue`, so that it
 * never waits behind the slices of other operations.
 */
export async function operation(operationId: Id<'operation'>, stepsQueue: string): Promise<void> {
  const { assess, close, cancelOperation } = proxyActivities<OperationActivities>({
    ...OPTIONS,
    taskQueue: stepsQueue,
  });
  const { select } = proxyActivities<OperationActivities>({ ...SELECTING, taskQueue: stepsQueue });
  let nudges = 0;
  setHandler(
    controlUpdate,
    () => {
      nudges += 1;
    },
    {
      description:
        'Has the run look at its operation now. It decides nothing: what is to be done is committed in Redrive, by its API.',
    },
  );
  let seenLast: Progress | null = null;
  setHandler(progressQuery, () => seenLast, {
    description: 'The state of the operation and the next step, as the run saw them last.',
  });

  let shown: string | undefined;
  let haltShown = workflowInfo().typedSearchAttributes.get(HALT_ATTRIBUTE) !== undefined;
  const show = (progress: Progress): void => {
    seenLast = progress;
    const { state, details, halt } = progress;
    setCurrentDetails(details);
    // One command, at the moments at which it has always been one: runs that began before there was a halt to show
    // replay.
    if (state !== shown)
      upsertSearchAttributes([
        { key: STATE_ATTRIBUTE, value: state },
        ...(halt !== undefined || haltShown ? [{ key: HALT_ATTRIBUTE, value: halt ?? null }] : []),
      ]);
    shown = state;
    haltShown = halt !== undefined;
  };

  // One more command: committed to Postgres at once, where the slices read it. The story itself is never cancelled.
  let cancelling = Promise.resolve();
  CancellationScope.current().cancelRequested.catch(() => {
    cancelling = CancellationScope.nonCancellable(async () => {
      await cancelOperation(operationId);
      nudges += 1;
    });
  });

  const take = (step: Step): Promise<Progress> => {
    switch (step.do) {
      case 'select':
        return select(operationId);
      case 'dispatch':
        return dispatch(operationId, step.slices);
      case 'close':
        return close(operationId);
      case 'wait':
        return assess(operationId);
    }
  };

  const story = async (): Promise<void> => {
    let seen = nudges;
    let progress = await assess(operationId);
    for (;;) {
      show(progress);
      const { step } = progress;
      if (step.do === 'end') break;
      if (step.do === 'wait') await condition(() => nudges > seen, step.ms);
      if (workflowInfo().continueAsNewSuggested) {
        await cancelling;
        await condition(allHandlersFinished);
        await continueAsNew<typeof operation>(operationId, stepsQueue);
      }
      // A command that comes while a step is under way may be unknown to it: the next wait must not begin.
      seen = nudges;
      progress = await take(step);
    }
    await condition(allHandlersFinished);
  };

  await CancellationScope.nonCancellable(story);
}

/** Runs slices side by side; what follows is what the last of them to end saw. */
async function dispatch(operationId: Id<'operation'>, slices: number): Promise<Progress> {
  const ended: Progress[] = [];
  const run = async (): Promise<Progress> => {
    const progress = await dispatchSlice(operationId);
    ended.push(progress);
    return progress;
  };
  const first = run();
  await Promise.all([first, ...Array.from({ length: slices - 1 }, run)]);
  return ended.at(-1) ?? first;
}
