import { setTimeout as delay } from 'node:timers/promises';

/** The server hands its counters over once a second. */
const HANDED_OVER_MS = 1_500;

/**
 * Billable actions that the Temporal server has counted so far, of all kinds, as its own `action` metric says; without
 * those of its own namespace.
 */
export async function actionsSoFar(metricsUrl: string): Promise<number> {
  await delay(HANDED_OVER_MS);
  const text = await (await fetch(metricsUrl)).text();
  return text
    .split('\n')
    .filter((line) => /^action(_total)?\{/.test(line) && !line.includes('namespace="temporal_system"'))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
