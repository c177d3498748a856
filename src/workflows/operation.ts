import {
  ActivityCancellationType,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { OperationActivities, Progress } from '../activities/operation-activities.ts';
import { STATE_ATTRIBUTE } from '../temporal/search-attributes.ts';
import { controlUpdate } from './messages.ts';

const { assess, select, dispatchSlice, close, cancelOperation } = proxyActivities<OperationActivities>({
  startToCloseTimeout: '20 minutes',
  heartbeatTimeout: '30 seconds',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumInterval: '30 seconds' },
});

/**
 * One retry or replay. All facts are in Postgres; this decides nothing but what is done next, in steps whose number does
 * not depend on the number of items. Cancelled from outside, it cancels the operation and sees that through.
 */
export async function operation(operationId: string): Promise<void> {
  let nudges = 0;
  setHandler(controlUpdate, () => {
    nudges += 1;
  });

  let shown: string | undefined;
  const show = ({ state, details }: Progress): void => {
    setCurrentDetails(details);
    if (state !== shown) upsertSearchAttributes([{ key: STATE_ATTRIBUTE, value: state }]);
    shown = state;
  };

  const story = async (): Promise<void> => {
    let progress = await assess(operationId);
    for (;;) {
      show(progress);
      const seen = nudges;
      switch (progress.step.do) {
        case 'select':
          progress = await select(operationId);
          break;
        case 'dispatch':
          progress = await dispatch(operationId, progress.step.slices);
          break;
        case 'wait':
          await condition(() => nudges > seen, progress.step.ms);
          progress = await assess(operationId);
          break;
        case 'close':
          progress = await close(operationId);
          break;
        case 'end':
          await condition(allHandlersFinished);
          return;
      }
      if (workflowInfo().continueAsNewSuggested) {
        await condition(allHandlersFinished);
        await continueAsNew<typeof operation>(operationId);
      }
    }
  };

  try {
    await story();
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(async () => {
      await cancelOperation(operationId);
      await story();
    });
  }
}

/** Runs slices side by side; what follows is what the last of them saw. */
async function dispatch(operationId: string, slices: number): Promise<Progress> {
  let last: Progress | undefined;
  await Promise.all(
    Array.from({ length: slices }, async () => {
      last = await dispatchSlice(operationId);
    }),
  );
  return last ?? assess(operationId);
}

