import { expect, test } from '@jest/globals';
import { callWithin } from '../../src/temporal/call-within.ts';
import { type TemporalLink, temporalAnswers } from '../../src/temporal/connection.ts';
import { OperationRuns } from '../../src/temporal/operation-runs.ts';
import { taskQueues } from '../../src/temporal/task-queues.ts';

const never = () => new Promise<never>(() => {});

/** A connection whose core tries on and holds no deadline, as it does while the server refuses connections. */
const silent = {
  connection: { withDeadline: never, workflowService: { getSystemInfo: never } },
  client: { withDeadline: never, workflow: { getHandle: () => ({ describe: never }) } },
  namespace: 'default',
} as unknown as TemporalLink;

test('a call that the core goes on trying is given up in time, with the code of gRPC', async () => {
  await expect(callWithin(silent, 10, never)).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
});

test('whether Temporal answers, and how a run is, is known in time', async () => {
  expect(await temporalAnswers(silent)).toBe(false);
  const runs = new OperationRuns(silent, taskQueues('any'));
  await expect(runs.look('retry/acme/x')).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
});
