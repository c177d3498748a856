import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import type { Logger } from 'pino';

let runtimeInstalled = false;
let metricsUrl: string | undefined;

/** Longer than a page on this machine takes; a scrape must not wait for what hangs. */
const METRICS_WITHIN_MS = 2_000;

/**
 * Lets Temporal's core log through ours, and count on a port of the loopback address where one is given; one runtime
 * serves a process, and the first connection would make another.
 */
export function installRuntime(log: Logger, metricsPort?: number): void {
  if (runtimeInstalled) return;
  runtimeInstalled = true;
  const address = metricsPort === undefined ? undefined : `127.0.0.1:${metricsPort}`;
  try {
    install(log, address);
    metricsUrl = address && `http://${address}/metrics`;
  } catch (error) {
    if (address === undefined) throw error;
    // Somebody else has taken the port meanwhile: what the core counts is missing, and nothing else.
    log.warn({ event: 'temporal.metrics', code: (error as Error).name }, 'the core is not measured');
    install(log);
  }
}

/** What Temporal's core has counted in this process, in the format of Prometheus; empty where it cannot be had. */
export async function runtimeMetrics(): Promise<string> {
  if (metricsUrl === undefined) return '';
  try {
    const answer = await fetch(metricsUrl, { signal: AbortSignal.timeout(METRICS_WITHIN_MS) });
    return answer.ok ? await answer.text() : '';
  } catch {
    return '';
  }
}

function install(log: Logger, metricsAddress?: string): void {
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message }) => {
      log[level === 'ERROR' ? 'error' : 'warn']({ event: 'temporal.runtime', text: message.slice(0, 200) });
    }),
    // Forwarded, or the core would write lines of its own form among ours.
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN' }), forward: {} },
      ...(metricsAddress === undefined ? {} : { metrics: { prometheus: prometheusAt(metricsAddress) } }),
    },
    shutdownSignals: [],
  });
}

/** Names as Prometheus has them: `_total` behind counters, and seconds. */
function prometheusAt(bindAddress: string) {
  return { bindAddress, countersTotalSuffix: true, unitSuffix: true, useSecondsForDurations: true };
}
