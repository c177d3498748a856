import type { Logger } from 'pino';
import type { EndpointPresets } from '../domain/endpoints/preset.ts';
import type { OutageRules } from '../domain/outages/outage-rules.ts';
import type { AttemptClient } from '../outbound/attempt.ts';
import type { Pool } from '../store/db/pool.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Tracing } from '../telemetry/tracing.ts';
import type { EndpointMemory } from './endpoint-memory.ts';
import type { HandOvers } from './hand-over.ts';
import type { LiveTraffic } from './live-traffic.ts';
import type { OwnShortages } from './own-shortages.ts';
import type { SpareSockets } from './spare-sockets.ts';
import type { TargetCache } from './target-cache.ts';
import type { Turns } from './turns.ts';

/** The parts that all slices of one process share. */
export interface SendingContext {
  pool: Pool;
  attempts: AttemptClient;
  /** In the place of an attempt, where an endpoint is a listener's. */
  handOvers: HandOvers;
  targets: TargetCache;
  presets: EndpointPresets;
  memory: EndpointMemory;
  turns: Turns;
  liveTraffic: LiveTraffic;
  spareSockets: SpareSockets;
  shortages: OwnShortages;
  log: Logger;
  metrics: Metrics;
  /** Absent where nothing is traced. */
  tracing?: Tracing | undefined;
  userAgent: string;
  lease: LeaseTimes;
  outages: OutageRules;
}

/** The parts of a claim's lease, in addition to the time limit of its slowest request. */
export interface LeaseTimes {
  /** A claimed item must be on the wire within this time after its claim was begun, or is given back unsent. */
  startWithinMs: number;
  /**
   * Between the end of the slowest request and that of its lease: for clocks that differ, and for writing the outcome.
   */
  marginMs: number;
}
