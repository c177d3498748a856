/** Task queues: single retries never wait behind bulk ones. */
export interface TaskQueues {
  interactive: string;
  bulk: string;
}

/** Names both queues; the prefix keeps installations that share a namespace apart. */
export function taskQueues(prefix: string): TaskQueues {
  return { interactive: `${prefix}-interactive`, bulk: `${prefix}-bulk` };
}
