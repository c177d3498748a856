import { Context } from '@temporalio/activity';

const HEARTBEAT_MS = 10_000;

/**
 * Runs a step with heartbeats, by a clock of their own: whatever the step waits for, they say that its process lives. Its stop signal
 * is this worker's stopping or the activity's cancellation.
 */
export async function beating(
  stopping: AbortSignal,
  work: (stop: AbortSignal) => Promise<void>,
  { eachBeat, everyMs = HEARTBEAT_MS }: { eachBeat?: () => Promise<void>; everyMs?: number } = {},
): Promise<void> {
  const context = Context.current();
  // Not AbortSignal.any, and taken off again: a worker's own signal lives as long as its process, and would keep
  // something of every step that it ever ran.
  const end = new AbortController();
  const sources = [stopping, context.cancellationSignal];
  const abort = () => end.abort();
  for (const source of sources) source.addEventListener('abort', abort);
  if (sources.some((source) => source.aborted)) abort();
  const beat = setInterval(() => {
    context.heartbeat();
    void eachBeat?.().catch(() => {});
  }, everyMs);
  try {
    await work(end.signal);
  } finally {
    clearInterval(beat);
    for (const source of sources) source.removeEventListener('abort', abort);
  }
}
