import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import type { History } from '@temporalio/common/lib/proto-utils.js';

/** The run's Temporal server, as an operator with the UI or the CLI sees it. */
export type TemporalClient = {
  client: Client;
  handle(workflowId: string): WorkflowHandle;
  /** Runs under this workflow id that the server knows of, open ones and closed ones. */
  runsOf(workflowId: string): Promise<number>;
  history(workflowId: string): Promise<History>;
  /** Events in the history of the newest run. */
  historyLength(workflowId: string): Promise<number>;
  /**
   * Steps of the newest run, less its nudges and one in each five seconds that it has lived, as often as it may look now
   * and then: a run that looks again and again has many more, however slow the machine is.
   */
  restlessSteps(workflowId: string): Promise<number>;
  close(): Promise<void>;
};

/** Connects to the Temporal server of this test run, or to another one. */
export async function connectTestTemporal(
  address = process.env.REDRIVE_TEST_TEMPORAL_ADDRESS ?? '',
): Promise<TemporalClient> {
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  const handle: TemporalClient['handle'] = (workflowId) => client.workflow.getHandle(workflowId);
  const history: TemporalClient['history'] = (workflowId) => handle(workflowId).fetchHistory();
  return {
    client,
    handle,
    history,
    async runsOf(workflowId) {
      let runs = 0;
      for await (const _ of client.workflow.list({ query: `WorkflowId = "${workflowId}"` })) runs += 1;
      return runs;
    },
    async historyLength(workflowId) {
      return (await history(workflowId)).events?.length ?? 0;
    },
    restlessSteps: async (workflowId) => restlessSteps(await history(workflowId)),
    close: () => connection.close(),
  };
}

function restlessSteps({ events }: History): number {
  const all = events ?? [];
  const seconds = (at: number): number => Number(all.at(at)?.eventTime?.seconds ?? 0);
  const steps = all.filter(({ activityTaskScheduledEventAttributes: step }) => step);
  const nudges = all.filter(({ workflowExecutionUpdateAcceptedEventAttributes: nudge }) => nudge);
  return steps.length - nudges.length - (seconds(-1) - seconds(0)) / 5;
}
