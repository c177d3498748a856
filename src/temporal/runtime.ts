import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import type { Logger } from 'pino';

let runtimeInstalled = false;

/** Lets Temporal's core log through ours; one runtime serves a process, and the first connection would make another. */
export function installRuntime(log: Logger): void {
  if (runtimeInstalled) return;
  runtimeInstalled = true;
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message }) => {
      log[level === 'ERROR' ? 'error' : 'warn']({ event: 'temporal.runtime', text: message.slice(0, 200) });
    }),
    // Forwarded, or the core would write lines of its own form among ours.
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'WARN' }), forward: {} } },
    shutdownSignals: [],
  });
}
