import type { Pool } from '../../../src/store/db/pool.ts';
import { createLogger, type Log } from '../../../src/telemetry/log.ts';
import { createMetrics, type Metrics } from '../../../src/telemetry/metrics.ts';

/** The context of the loops of operations; the lines that they log are kept to be looked at. */
export type QuietContext = { pool: Pool; log: Log; metrics: Metrics; lines: string[] };

/** A pool with a log that is kept in memory, and metrics of its own. */
export function quietContext(pool: Pool): QuietContext {
  const lines: string[] = [];
  const log = createLogger({
    level: 'info',
    destination: { write: (line: string) => void lines.push(line) },
  });
  return { pool, log, metrics: createMetrics(), lines };
}
