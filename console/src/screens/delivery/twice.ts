import type { Schema } from '../../api/client.ts';

/**
 * Whether another attempt could arrive as a second one. A retry that failed for certain says nothing of the executions
 * before it, and neither do those that are shown of the older ones.
 */
export function mayArriveTwice({
  executions,
  moreExecutions,
}: {
  executions: readonly Pick<Schema<'Execution'>, 'mayHaveArrived'>[];
  moreExecutions: boolean;
}): boolean {
  return moreExecutions || executions.some(({ mayHaveArrived }) => mayHaveArrived);
}
