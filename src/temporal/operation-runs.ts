import {
  WorkflowExecutionAlreadyStartedError,
  type WorkflowExecutionDescription,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import type { RunnableOperation } from '../domain/operations/operation.ts';
import { present } from '../domain/present.ts';
import { showId } from '../domain/tenancy/typed-id.ts';
import { errorCode } from '../telemetry/error-code.ts';
import { callWithin } from './call-within.ts';
import type { TemporalLink } from './connection.ts';
import {
  KIND_ATTRIBUTE,
  OPERATION_ATTRIBUTE,
  registerSearchAttributes,
  STATE_ATTRIBUTE,
  TENANT_ATTRIBUTE,
} from './search-attributes.ts';
import type { TaskQueues } from './task-queues.ts';

/** How a start went; an operation whose run is already there is as good as started. */
export type StartOutcome = 'started' | 'already_started';

/** The server refuses what a start says; of what we say it can only miss the search attributes. */
const UNKNOWN_ATTRIBUTE = 'INVALID_ARGUMENT';

const CALL_MS = 5_000;
/** A look at a run is for somebody who waits for the answer. */
const LOOK_MS = 2_000;
/** A query is answered by a worker, which may be away or busy. */
const QUERY_MS = 1_000;

/** A step of a run that is under way. */
export interface PendingStep {
  type: string;
  state: 'scheduled' | 'started' | 'cancelling' | 'paused';
  attempt: number;
  scheduledAt?: Date;
  startedAt?: Date;
  heartbeatAt?: Date;
}

/** A run as Temporal tells it. */
export interface SeenRun {
  runId: string;
  /** In lower case, such as `running` or `continued_as_new`. */
  status: string;
  taskQueue: string;
  startedAt: Date;
  closedAt?: Date;
  historyLength: number;
  historyBytes?: number;
  pending: PendingStep[];
  /** What the run saw of its operation last; absent where no worker answers. */
  progress?: { state: string; step: string; until?: string };
}

/** The runs of operations in Temporal: started by derived ids, so that a repeat never makes a second one. */
export class OperationRuns {
  readonly #link: TemporalLink;
  readonly #queues: TaskQueues;

  constructor(link: TemporalLink, queues: TaskQueues) {
    this.#link = link;
    this.#queues = queues;
  }

  /**
   * Starts the run of an operation, for the first time (`first`) or in place of one that is gone (`revive`). A server that
   * has come back empty knows no search attribute of ours: it is told them, and asked once more.
   */
  async start(operation: RunnableOperation, how: 'first' | 'revive'): Promise<StartOutcome> {
    try {
      return await this.#start(operation, how);
    } catch (error) {
      if (errorCode(error) !== UNKNOWN_ATTRIBUTE) throw error;
      // Where it may not, an operator does it: the second start says whether that is done.
      await callWithin(this.#link, CALL_MS, () => registerSearchAttributes(this.#link)).catch(() => {});
      return this.#start(operation, how);
    }
  }

  async #start(operation: RunnableOperation, how: 'first' | 'revive'): Promise<StartOutcome> {
    const tenant = operation.workflowId.split('/')[1] ?? '';
    const shown = showId('operation', operation.id);
    try {
      await callWithin(this.#link, CALL_MS, () =>
        this.#link.client.workflow.start('operation', {
          workflowId: operation.workflowId,
          taskQueue: operation.interactive ? this.#queues.interactive : this.#queues.bulk,
          args: [operation.id, this.#queues.interactive],
          workflowIdReusePolicy: how === 'first' ? 'REJECT_DUPLICATE' : 'ALLOW_DUPLICATE',
          workflowIdConflictPolicy: 'USE_EXISTING',
          staticSummary: `${operation.kind} ${shown}`,
          staticDetails: `Operation \`${shown}\` of tenant \`${tenant}\`. Its items and counts are in Redrive: \`GET /api/v1/retries/${shown}\`.`,
          typedSearchAttributes: new TypedSearchAttributes([
            { key: TENANT_ATTRIBUTE, value: tenant },
            { key: KIND_ATTRIBUTE, value: operation.kind },
            { key: STATE_ATTRIBUTE, value: operation.state },
            { key: OPERATION_ATTRIBUTE, value: shown },
          ]),
          priority: { priorityKey: operation.interactive ? 1 : 3, fairnessKey: operation.tenantId },
        }),
      );
      return 'started';
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return 'already_started';
      throw error;
    }
  }

  /** Offers the run a look at its control, as an update that shows in its history. */
  async nudge(operation: RunnableOperation): Promise<void> {
    await callWithin(this.#link, CALL_MS, () =>
      this.#link.client.workflow.getHandle(operation.workflowId).executeUpdate('control', {
        args: [{ revision: operation.controlRevision, control: operation.control }],
      }),
    );
  }

  /** The run of an operation, with its steps that are under way; undefined where Temporal knows none. */
  async look(workflowId: string): Promise<SeenRun | undefined> {
    const handle = this.#link.client.workflow.getHandle(workflowId);
    try {
      const found = await callWithin(this.#link, LOOK_MS, () => handle.describe());
      const progress =
        found.status.name === 'RUNNING'
          ? await callWithin(this.#link, QUERY_MS, () =>
              handle.query<QueriedProgress | null>('progress'),
            ).catch(() => undefined)
          : undefined;
      return {
        runId: found.runId,
        status: found.status.name.toLowerCase(),
        taskQueue: found.taskQueue,
        startedAt: found.startTime,
        historyLength: found.historyLength,
        pending: (found.raw.pendingActivities ?? []).map(pendingStep),
        ...present({
          closedAt: found.closeTime,
          historyBytes: found.historySize,
          progress: progress && progressFrom(progress),
        }),
      };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  }

  /** Whether a run is there, and how it ended where it is not running. */
  async describe(workflowId: string): Promise<'running' | 'cancelled' | 'gone'> {
    try {
      const found = await callWithin(this.#link, CALL_MS, () =>
        this.#link.client.workflow.getHandle(workflowId).describe(),
      );
      if (found.status.name === 'RUNNING') return 'running';
      return found.status.name === 'CANCELLED' ? 'cancelled' : 'gone';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return 'gone';
      throw error;
    }
  }
}

/** The answer of a run to the query `progress`. */
interface QueriedProgress {
  state: string;
  step: { do: string; until?: string };
}

function progressFrom({ state, step }: QueriedProgress): NonNullable<SeenRun['progress']> {
  return { state, step: step.do, ...present({ until: step.until }) };
}

type PendingActivity = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

/** By their numbers in the protocol. */
const PENDING_STATES: Record<number, PendingStep['state']> = {
  1: 'scheduled',
  2: 'started',
  3: 'cancelling',
  4: 'paused',
  5: 'paused',
};

function pendingStep(activity: PendingActivity): PendingStep {
  return {
    type: activity.activityType?.name ?? '',
    state: PENDING_STATES[activity.state ?? 1] ?? 'scheduled',
    attempt: activity.attempt ?? 1,
    ...present({
      scheduledAt: timeOf(activity.scheduledTime),
      startedAt: timeOf(activity.lastStartedTime),
      heartbeatAt: timeOf(activity.lastHeartbeatTime),
    }),
  };
}

function timeOf(time: PendingActivity['scheduledTime']): Date | undefined {
  return time ? new Date(Number(time.seconds ?? 0) * 1_000 + Math.floor((time.nanos ?? 0) / 1e6)) : undefined;
}
