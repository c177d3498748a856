import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import { TypedSearchAttributes } from '@temporalio/common';
import type { RunnableOperation } from '../domain/operations/operation.ts';
import { showId } from '../domain/tenancy/typed-id.ts';
import type { TemporalLink } from './connection.ts';
import {
  KIND_ATTRIBUTE,
  OPERATION_ATTRIBUTE,
  STATE_ATTRIBUTE,
  TENANT_ATTRIBUTE,
} from './search-attributes.ts';
import type { TaskQueues } from './task-queues.ts';

/** How a start went; an operation whose run is already there is as good as started. */
export type StartOutcome = 'started' | 'already_started';

const CALL_MS = 5_000;

/** The runs of operations in Temporal: started by derived ids, so that a repeat never makes a second one. */
export class OperationRuns {
  readonly #link: TemporalLink;
  readonly #queues: TaskQueues;

  constructor(link: TemporalLink, queues: TaskQueues) {
    this.#link = link;
    this.#queues = queues;
  }

  /** Starts the run of an operation, for the first time (`first`) or in place of one that is gone (`revive`). */
  async start(operation: RunnableOperation, how: 'first' | 'revive'): Promise<StartOutcome> {
    const tenant = operation.workflowId.split('/')[1] ?? '';
    const shown = showId('operation', operation.id);
    try {
      await this.#link.client.withDeadline(Date.now() + CALL_MS, () =>
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
    await this.#link.client.withDeadline(Date.now() + CALL_MS, () =>
      this.#link.client.workflow.getHandle(operation.workflowId).executeUpdate('control', {
        args: [{ revision: operation.controlRevision, control: operation.control }],
      }),
    );
  }

  /** Whether a run is there, and how it ended where it is not running. */
  async describe(workflowId: string): Promise<'running' | 'cancelled' | 'gone'> {
    try {
      const found = await this.#link.client.withDeadline(Date.now() + CALL_MS, () =>
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
