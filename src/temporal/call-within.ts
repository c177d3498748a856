import type { NativeConnection } from '@temporalio/worker';

/** How much later than its deadline a call is given up: the answer that comes in time must not lose to our own timer. */
const GRACE_MS = 200;

/** The error of a call that Temporal did not answer in its time; its code is the one of gRPC. */
class NotAnsweredInTime extends Error {
  override readonly name = 'NotAnsweredInTime';
  readonly code = 'DEADLINE_EXCEEDED';
}

/**
 * Calls Temporal, for at most this long. The deadline alone would not do: while the server refuses connections the core
 * tries on behind it for many seconds.
 */
export async function callWithin<Result>(
  { connection }: { connection: Pick<NativeConnection, 'withDeadline'> },
  ms: number,
  call: () => Promise<Result>,
): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NotAnsweredInTime('Temporal did not answer in time')), ms + GRACE_MS);
  });
  try {
    return await Promise.race([connection.withDeadline(Date.now() + ms, call), late]);
  } finally {
    clearTimeout(timer);
  }
}
