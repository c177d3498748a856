import { z } from 'zod';
import type { Attempt } from '../../store/reading/execution-reads.ts';
import { shownTime } from '../native/fields.ts';
import { fileArtifacts } from './file-artifact.ts';
import { FILE_FAULT_CODES, fileFault } from './file-fault.ts';
import { FILE_STATUSES, fileStatus, isRetryable } from './file-status.ts';
import { direction, shownUuid } from './stedi-fields.ts';
import type { FileExecution } from './store/file-executions.ts';

/** An execution as it stands in lists. */
export const FileExecutionSummary = z
  .strictObject({
    createdAt: shownTime('When it was made.'),
    updatedAt: shownTime('When something of it last changed, its child included.'),
    processedAt: shownTime('When it ended; it never moves. Absent while it is in progress.').optional(),
    executionId: shownUuid('Id of the execution.'),
    status: z.enum(FILE_STATUSES).meta({
      description:
        'Its status. A retried execution is RETRYING while its child is in progress, then RETRIED.',
      example: 'FAILED',
    }),
    direction,
    faultCount: z.int().meta({ description: 'How many faults there are.', example: 1 }),
    faultCode: z
      .enum(FILE_FAULT_CODES)
      .optional()
      .meta({ description: 'Why it failed.', example: 'DELIVERY_FAILURE' }),
    faultMessage: z.string().optional().meta({
      description: 'The same as a sentence.',
      example: 'The file was not delivered: every attempt failed.',
    }),
    retryable: z.boolean().meta({
      description:
        'A retry would make a child of it now; at an endpoint that is disabled or deleted none does.',
      example: true,
    }),
    parentExecutionId: shownUuid('The execution that it retries.').optional(),
    childExecutionId: shownUuid('The execution that retried it.').optional(),
    partnershipId: z
      .string()
      .regex(/^[a-zA-Z0-9._-]{1,81}$/)
      .meta({ description: 'Handle of the endpoint.', example: 'acme_billing' }),
    connectionType: z.literal('HTTP').meta({ description: 'How it is delivered.', example: 'HTTP' }),
    connectionId: shownUuid('Id of the endpoint.'),
    source: z
      .strictObject({
        dirname: z.string().optional().meta({ description: 'Source of the event.', example: 'billing' }),
        name: z.string().meta({
          description: 'The client’s own id of the event, or else its type.',
          example: 'inv-2026-000123',
        }),
      })
      .meta({ description: 'The name of the file.' }),
  })
  .meta({ id: 'StediExecutionSummary', description: 'One run of delivering a file.' });

const artifacts = z
  .array(
    z.strictObject({
      artifactType: z.string().meta({ description: 'Its media type.', example: 'application/json' }),
      usage: z.literal('input').meta({ description: 'Its role in the execution.', example: 'input' }),
      url: z.string().meta({
        description: 'Where it can be read, with the same API key as a bearer.',
        example: '/api/v1/events/evt_01k9z3e5hbe7r9qk2m4n6p8r0s?include=payload',
      }),
      sizeBytes: z.int().meta({ description: 'Its size.', example: 512 }),
      model: z.literal('EVENT').meta({ description: 'The kind of artifact.', example: 'EVENT' }),
    }),
  )
  .meta({ description: 'The payload, while it is kept.' });

/** An execution by itself. */
export const FileExecutionDetails = FileExecutionSummary.extend({
  artifacts,
  deliveryReports: z
    .array(
      z.strictObject({
        id: shownUuid('Id of the attempt.'),
        createdAt: shownTime('When it began.'),
        executionId: shownUuid('The execution.'),
        attempt: z.int().meta({ description: 'Which attempt of the execution it was.', example: 1 }),
        status: z.enum(['FAILED', 'DELIVERED']).meta({ description: 'How it ended.', example: 'FAILED' }),
        message: z
          .string()
          .meta({ description: 'How it ended, as a sentence.', example: 'The endpoint answered 503.' }),
      }),
    )
    .meta({ description: 'Every attempt to deliver it, in order.' }),
}).meta({ id: 'StediExecution', description: 'One run of delivering a file, with its attempts.' });

/** The faults of an execution. */
export const FileFaults = z
  .strictObject({
    items: z
      .array(
        z.strictObject({
          id: shownUuid('Id of the fault: the id of the attempt, or of the execution.'),
          createdAt: shownTime('When it happened.'),
          executionId: shownUuid('The execution.'),
          faultCode: z
            .enum(FILE_FAULT_CODES)
            .meta({ description: 'The kind of fault.', example: 'DELIVERY_FAILURE' }),
          faultMessage: z
            .string()
            .meta({ description: 'The same as a sentence.', example: 'The endpoint answered 503.' }),
        }),
      )
      .meta({ description: 'Its faults, in the order they happened.' }),
  })
  .meta({ id: 'StediFaults', description: 'Why an execution failed.' });

/** Shows an execution as it stands in lists. */
export function fileExecutionSummary(execution: FileExecution): z.input<typeof FileExecutionSummary> {
  const { event, endpoint, child, parentId, inChain } = execution;
  const fault = execution.state === 'failed' ? fileFault(execution.reason) : undefined;
  return {
    createdAt: execution.createdAt.toISOString(),
    updatedAt: execution.updatedAt.toISOString(),
    ...(execution.processedAt ? { processedAt: execution.processedAt.toISOString() } : {}),
    executionId: execution.id,
    status: fileStatus(execution),
    direction: execution.direction,
    faultCount: faultCount(execution),
    ...(fault ? { faultCode: fault.code, faultMessage: fault.message } : {}),
    retryable: isRetryable(execution),
    ...(parentId && inChain ? { parentExecutionId: parentId } : {}),
    ...(child ? { childExecutionId: child.id } : {}),
    partnershipId: endpoint.handle,
    connectionType: 'HTTP',
    connectionId: endpoint.id,
    source: { ...(event.source === undefined ? {} : { dirname: event.source }), name: event.name },
  };
}

/** Shows an execution by itself, with its attempts. */
export function fileExecutionDetails(
  execution: FileExecution,
  attempts: Attempt[],
): z.input<typeof FileExecutionDetails> {
  const { id } = execution;
  return {
    ...fileExecutionSummary(execution),
    artifacts: fileArtifacts(execution),
    deliveryReports: attempts.map((attempt) => ({
      id: attempt.id,
      createdAt: attempt.startedAt.toISOString(),
      executionId: id,
      attempt: attempt.number,
      status: attempt.outcome === 'delivered' ? 'DELIVERED' : 'FAILED',
      message: attemptMessage(attempt),
    })),
  };
}

/** Shows the faults of an execution that failed: of its attempts, and of its end where none of them was the cause. */
export function fileFaults(execution: FileExecution, attempts: Attempt[]): z.input<typeof FileFaults> {
  if (execution.state !== 'failed') return { items: [] };
  const failed = attempts.filter(({ outcome }) => outcome !== 'delivered');
  const items: z.input<typeof FileFaults>['items'] = failed.map((attempt) => ({
    id: attempt.id,
    createdAt: attempt.startedAt.toISOString(),
    executionId: execution.id,
    faultCode: 'DELIVERY_FAILURE',
    faultMessage: attemptMessage(attempt),
  }));
  if (endedByAttempt(execution)) return { items };
  const { code, message } = fileFault(execution.reason);
  const createdAt = (execution.processedAt ?? execution.createdAt).toISOString();
  return {
    items: [
      ...items,
      { id: execution.id, createdAt, executionId: execution.id, faultCode: code, faultMessage: message },
    ],
  };
}

function faultCount(execution: FileExecution): number {
  if (execution.state !== 'failed') return 0;
  return execution.failedAttempts + (endedByAttempt(execution) ? 0 : 1);
}

/**
 * Whether it failed because of its last attempt, here or in the system that it was imported from, and not of its
 * preparation, its time to give up, or an operator.
 */
function endedByAttempt({ reason, failedAttempts }: FileExecution): boolean {
  return failedAttempts > 0 && ['exhausted', 'permanent', 'gone', 'imported'].includes(reason ?? '');
}

function attemptMessage({ httpStatus, faultCode }: Attempt): string {
  if (httpStatus !== undefined) return `The endpoint answered ${httpStatus}.`;
  return `There was no answer: ${(faultCode ?? 'unknown').replaceAll('_', ' ')}.`;
}
