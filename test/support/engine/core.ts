import type { Log } from '../../../src/telemetry/log.ts';
import { installRuntime } from '../../../src/temporal/runtime.ts';

/** Below those that are given to whoever asks for any. */
const PORT = 10_000 + (process.pid % 20_000);

/**
 * Lets Temporal's core count on a port that nobody else of the run takes. It starts again whenever the last engine of a
 * process has gone, and files of tests come one after the other in one: a port that any server may be given would be
 * somebody else's now and then.
 */
export function installTestCore(log: Log): void {
  installRuntime(log, PORT);
}
