import { z } from 'zod';
import type { ApiDeps, LookedAtRun } from '../../../api/api-deps.ts';
import { problem } from '../../../api/problems/problem.ts';
import { type Route, route } from '../../../api/route.ts';
import type { Operation } from '../../../domain/operations/operation.ts';
import { findOperation } from '../../../store/operations/operations.ts';
import { idParams, shownTime } from '../fields.ts';

const Run = z
  .strictObject({
    runId: z
      .string()
      .meta({ description: 'Its run, the last one.', example: '0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f' }),
    page: z.string().nullable().meta({
      description: 'Its page in the Temporal UI; null where the installation names none.',
      example:
        'https://temporal.example.com/namespaces/default/workflows/retry%2Facme%2F1f0c/0190f3c2/history',
    }),
    status: z.string().meta({ description: 'Its status, in lower case.', example: 'running' }),
    taskQueue: z.string().meta({ description: 'The queue of its slices.', example: 'redrive-bulk' }),
    startedAt: shownTime('When this run began.'),
    closedAt: shownTime('When it ended.').nullable(),
    historyLength: z.int().meta({ description: 'Events of its history.', example: 32 }),
    historyBytes: z.int().nullable().meta({ description: 'Size of its history.', example: 9_120 }),
    pendingActivities: z
      .array(
        z.strictObject({
          type: z.string().meta({ description: 'The step.', example: 'dispatchSlice' }),
          state: z
            .enum(['scheduled', 'started', 'cancelling', 'paused'])
            .meta({ description: '`scheduled`: no worker has taken it yet.', example: 'started' }),
          attempt: z.int().meta({ description: 'How often it was begun.', example: 1 }),
          scheduledAt: shownTime('When it was, or is, to begin.').nullable(),
          startedAt: shownTime('When it was begun last.').nullable(),
          heartbeatAt: shownTime('When its worker was heard of last.').nullable(),
        }),
      )
      .meta({ description: 'Its steps that are under way.' }),
    progress: z
      .strictObject({
        state: z.string().meta({ description: 'The state that it saw.', example: 'running' }),
        step: z.string().meta({ description: 'The step that follows.', example: 'wait' }),
        until: z
          .string()
          .nullable()
          .meta({ description: 'What it waits for, where it waits.', example: 'due' }),
      })
      .nullable()
      .meta({
        description: 'What the run saw of its operation last; null where it has ended, or no worker answers.',
      }),
  })
  .meta({ id: 'WorkflowRun' });

const WorkflowView = z
  .strictObject({
    workflowId: z.string().meta({ description: 'Its workflow.', example: 'retry/acme/1f0c….1' }),
    answers: z.boolean().meta({
      description:
        'Temporal answers. Where it does not, the operation is sent on all the same as far as it was begun.',
      example: true,
    }),
    run: z.union([Run, z.null()]).meta({
      description:
        'Its run; null where Temporal does not answer, or knows none: one that closed long ago, or is not started yet.',
    }),
  })
  .meta({ id: 'OperationWorkflow' });

/** The workflow of an operation. */
export function retryWorkflowRoutes({ pool, lookAtRun }: ApiDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/retries/{id}/workflow',
      summary: 'Show the workflow of an operation, as Temporal tells it',
      description:
        'Asks Temporal, and a worker for what the run saw last. The facts of the operation and its items are those of `GET /api/v1/retries/{id}`, whatever this says.',
      tag: 'Retries',
      access: { of: 'tenant', scope: 'read:deliveries' },
      request: { params: idParams('operation', 'Id of the operation.') },
      responses: { 200: { description: 'Its workflow.', schema: WorkflowView } },
      async handler({ params: { id }, tenant }) {
        const operation = await findOperation(pool, tenant.id, id);
        if (!operation) return problem('not_found');
        return { status: 200, body: workflowView(operation, await lookAtRun(operation.workflowId)) };
      },
    }),
  ];
}

function workflowView(
  { workflowId }: Operation,
  { answers, run, page }: LookedAtRun,
): z.input<typeof WorkflowView> {
  const shown = (at: Date | undefined) => at?.toISOString() ?? null;
  return {
    workflowId,
    answers,
    run: run
      ? {
          runId: run.runId,
          page: page ?? null,
          status: run.status,
          taskQueue: run.taskQueue,
          startedAt: run.startedAt.toISOString(),
          closedAt: shown(run.closedAt),
          historyLength: run.historyLength,
          historyBytes: run.historyBytes ?? null,
          pendingActivities: run.pending.map(({ scheduledAt, startedAt, heartbeatAt, ...step }) => ({
            ...step,
            scheduledAt: shown(scheduledAt),
            startedAt: shown(startedAt),
            heartbeatAt: shown(heartbeatAt),
          })),
          progress: run.progress ? { ...run.progress, until: run.progress.until ?? null } : null,
        }
      : null,
  };
}
