import { z } from 'zod';
import { EXECUTION_STATES } from '../../../domain/sending/execution-state.ts';
import type { Wait } from '../../../domain/sending/waiting-for.ts';
import { showId } from '../../../domain/tenancy/typed-id.ts';
import type { Attempt, Execution } from '../../../store/reading/execution-reads.ts';
import { RESOLUTION_OUTCOMES } from '../../../store/settling/resolution-acts.ts';
import { shownId, shownTime } from '../fields.ts';
import { waitsField, waitsView } from '../waits.ts';

const AttemptView = z
  .strictObject({
    id: shownId('attempt', 'Id of the attempt.'),
    number: z.int().meta({ description: 'Which attempt of its execution it is.', example: 1 }),
    endpointVersion: z
      .int()
      .nullable()
      .meta({ description: 'Version of the endpoint it was sent with.', example: 1 }),
    startedAt: shownTime('When it began.'),
    durationMs: z.int().meta({ description: 'How long it took, in milliseconds.', example: 42 }),
    outcome: z.enum(['delivered', 'retryable', 'permanent', 'gone', 'ambiguous', 'unsent']).meta({
      description: 'Its outcome; an `ambiguous` one may have arrived, an `unsent` one certainly did not.',
      example: 'retryable',
    }),
    faultCode: z.string().nullable().meta({ description: 'Why it did not deliver.', example: 'http_5xx' }),
    httpStatus: z.int().nullable().meta({ description: 'Status of the answer.', example: 503 }),
    retryAfterMs: z.int().nullable().meta({
      description: 'The wait that the answer asked for in Retry-After, in milliseconds.',
      example: null,
    }),
    resend: z
      .boolean()
      .meta({ description: 'It was sent although an earlier attempt may have arrived.', example: false }),
    imported: z
      .boolean()
      .meta({ description: 'Another system made it, before it was imported.', example: false }),
    responseExcerpt: z.string().nullable().meta({
      description: 'The first KiB of the answer as text; bytes that are no UTF-8 show as U+FFFD.',
      example: 'Service Unavailable',
    }),
  })
  .meta({ id: 'Attempt', description: 'One HTTP request.' });

/** An execution as it is shown. */
export const ExecutionView = z
  .strictObject({
    id: shownId('execution', 'Id of the execution.'),
    deliveryId: shownId('delivery', 'The delivery it runs.'),
    endpointId: shownId('endpoint', 'The endpoint it is for.'),
    operationId: shownId(
      'operation',
      'The operation it is an item of; null for first dispatches.',
    ).nullable(),
    parentId: shownId('execution', 'The execution it retries.').nullable(),
    childId: shownId('execution', 'The execution that retried it.').nullable(),
    state: z.enum(EXECUTION_STATES).meta({ description: 'State of the execution.', example: 'scheduled' }),
    reason: z.string().nullable().meta({ description: 'Why it ended as it did.', example: 'exhausted' }),
    dueAt: shownTime('When it is, or was, due.'),
    giveUpAt: shownTime('When it is given up.'),
    mayHaveArrived: z
      .boolean()
      .meta({ description: 'An attempt whose outcome is not known is among its attempts.', example: false }),
    blockedBy: shownId(
      'delivery',
      'The delivery before it of its key that keeps it waiting, where its endpoint is ordered.',
    ).nullable(),
    resolution: z
      .strictObject({
        outcome: z
          .enum(RESOLUTION_OUTCOMES)
          .meta({ description: 'The outcome that was said.', example: 'delivered' }),
        by: z.string().meta({
          description: 'Who said so, as the credential names it.',
          example: 'key_01k9z3e5hbe7r9qk2m4n6p8r0s',
        }),
        reason: z
          .string()
          .nullable()
          .meta({ description: 'Why, in their words.', example: 'found in the journal of the receiver' }),
        at: shownTime('When.'),
      })
      .nullable()
      .meta({ description: 'By whom it was settled, where nobody knew its outcome; the last time.' }),
    waitingFor: waitsField('The reasons why it waits, where it is queued or scheduled.'),
    createdAt: shownTime('When it was made.'),
    finishedAt: shownTime('When it ended.').nullable(),
    attempts: z.array(AttemptView).meta({ description: 'Its HTTP requests, in order.' }),
  })
  .meta({
    id: 'Execution',
    description: 'One run of delivering: the first dispatch, and each retry, is one.',
  });

/** Shows an execution; without bodies also without the answers of receivers. */
export function executionView(
  execution: Execution,
  { withBodies, waits }: { withBodies: boolean; waits: Wait[] | undefined },
): z.input<typeof ExecutionView> {
  return {
    id: showId('execution', execution.id),
    deliveryId: showId('delivery', execution.deliveryId),
    endpointId: showId('endpoint', execution.endpointId),
    operationId: execution.operationId ? showId('operation', execution.operationId) : null,
    parentId: execution.parentId ? showId('execution', execution.parentId) : null,
    childId: execution.childId ? showId('execution', execution.childId) : null,
    state: execution.state,
    reason: execution.reason ?? null,
    dueAt: execution.dueAt.toISOString(),
    giveUpAt: execution.giveUpAt.toISOString(),
    mayHaveArrived: execution.mayHaveArrived,
    blockedBy: execution.blockedBy ? showId('delivery', execution.blockedBy) : null,
    resolution: execution.resolution
      ? {
          outcome: execution.resolution.outcome,
          by: execution.resolution.actor,
          reason: execution.resolution.reason ?? null,
          at: execution.resolution.at.toISOString(),
        }
      : null,
    waitingFor: waitsView(waits),
    createdAt: execution.createdAt.toISOString(),
    finishedAt: execution.finishedAt?.toISOString() ?? null,
    attempts: execution.attempts.map((attempt) => attemptView(attempt, withBodies)),
  };
}

function attemptView(attempt: Attempt, withBodies: boolean): z.input<typeof AttemptView> {
  return {
    id: showId('attempt', attempt.id),
    number: attempt.number,
    endpointVersion: attempt.endpointVersion ?? null,
    startedAt: attempt.startedAt.toISOString(),
    durationMs: attempt.durationMs,
    outcome: attempt.outcome,
    faultCode: attempt.faultCode ?? null,
    httpStatus: attempt.httpStatus ?? null,
    retryAfterMs: attempt.retryAfterMs ?? null,
    resend: attempt.resend,
    imported: attempt.imported,
    responseExcerpt: (withBodies && attempt.responseExcerpt?.toString('utf8')) || null,
  };
}
