import { ApplicationFailure, CancelledFailure, CompleteAsyncError } from '@temporalio/activity';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { Logger } from 'pino';

/**
 * Lets errors of activities cross into Temporal as codes only: a message of Postgres can carry a row, and a history is
 * read by many and kept for long. The log gets the code as well, and the workflow and activity it came from.
 */
export function errorCodes(log: Logger): ActivityInterceptorsFactory {
  return (context) => ({
    inbound: {
      async execute(input, next) {
        try {
          return await next(input);
        } catch (error) {
          if (error instanceof CancelledFailure || error instanceof CompleteAsyncError) throw error;
          const code = codeOf(error);
          const { activityType, attempt, workflowExecution } = context.info;
          log.warn({
            event: 'activity.failed',
            activity: activityType,
            attempt,
            workflowId: workflowExecution?.workflowId,
            code,
          });
          throw ApplicationFailure.create({ type: code, message: code });
        }
      },
    },
  });
}

/** The code of an error, or its class: what may be told of it. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  if (typeof code === 'string' && /^[A-Za-z0-9_]{1,40}$/.test(code)) return code;
  return error instanceof Error ? error.name : 'unknown_error';
}
