import { ApplicationFailure, CancelledFailure, CompleteAsyncError } from '@temporalio/activity';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { Logger } from 'pino';
import { errorCode } from '../telemetry/error-code.ts';

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
          const code = errorCode(error);
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
