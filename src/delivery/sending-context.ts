import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AttemptClient } from './attempt.ts';
import type { TargetCache } from './target-cache.ts';

/** What every slice of one process shares. */
export interface SendingContext {
  pool: Pool;
  attempts: AttemptClient;
  targets: TargetCache;
  log: Logger;
  metrics: Metrics;
  userAgent: string;
}
