import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Halt } from '../domain/operations/watch.ts';
import { SHORTAGES } from '../domain/sending/attempt-result.ts';
import { seenInPostgres } from './seen-in-postgres.ts';

/** The connections of a pool, as it counts them itself. */
export interface PoolCounts {
  totalCount: number;
  idleCount: number;
  /** Those who wait for a connection. */
  waitingCount: number;
}

/**
 * Everything that is measured. Labels are of fixed, small sets (lane, outcome, state, action, code, route *template*,
 * method, status): never an id, a tenant or a URL, which would be customer data and one series each.
 */
export type Metrics = ReturnType<typeof createMetrics>;

const ATTEMPT_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Reasons of a halt, all of which are there from the start: a counter that begins at 1 has not increased. */
const HALT_REASONS = { failed_step: 0, failure_rate: 0, canary: 0 } satisfies Record<Halt['reason'], 0>;

/**
 * Makes the metrics of one process in a registry of their own; `registry.metrics()` is what `/metrics` answers. The
 * pools are read whenever that is asked for.
 */
export function createMetrics(
  pools: ReadonlyMap<string, PoolCounts> = new Map(),
  now: () => number = Date.now,
) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const metrics = { registry, ...counted(registers), ...seenInPostgres(registers, now) };
  for (const reason of SHORTAGES) metrics.socketShortages.inc({ reason }, 0);
  for (const reason of Object.keys(HALT_REASONS)) metrics.operationsHalted.inc({ reason }, 0);
  measurePools(registers, pools);
  return metrics;
}

/** Counters and histograms of this process. */
function counted(registers: Registry[]) {
  return {
    /** By outcome (`AttemptOutcome`) and lane (`live` or `bulk`). */
    attempts: new Counter({
      name: 'redrive_attempts_total',
      help: 'Attempts by outcome and lane.',
      labelNames: ['outcome', 'lane'],
      registers,
    }),
    attemptDuration: new Histogram({
      name: 'redrive_attempt_duration_seconds',
      help: 'Time of an attempt from the send call to its result.',
      labelNames: ['lane'],
      buckets: ATTEMPT_SECONDS,
      registers,
    }),
    egressProxyFailures: new Counter({
      name: 'redrive_egress_proxy_failures_total',
      help: 'Attempts that the egress proxy made no tunnel for.',
      registers,
    }),
    /** By what is short (`Shortage`). */
    socketShortages: new Counter({
      name: 'redrive_socket_shortages_total',
      help: 'Requests that went back unsent because this process had no open file, port or memory for a connection.',
      labelNames: ['reason'],
      registers,
    }),
    claimDuration: new Histogram({
      name: 'redrive_claim_duration_seconds',
      help: 'Time of a claim of executions in Postgres.',
      labelNames: ['lane'],
      buckets: REQUEST_SECONDS,
      registers,
    }),
    recordDuration: new Histogram({
      name: 'redrive_record_duration_seconds',
      help: 'Time in which a batch of outcomes was written to Postgres, tries that failed among it.',
      buckets: ATTEMPT_SECONDS,
      registers,
    }),
    inFlight: new Gauge({
      name: 'redrive_in_flight',
      help: 'Requests of this process that are on the wire.',
      labelNames: ['lane'],
      registers,
    }),
    outcomesWaiting: new Gauge({
      name: 'redrive_outcomes_waiting',
      help: 'Outcomes of requests of this process that have ended, and are not in Postgres yet.',
      labelNames: ['lane'],
      registers,
    }),
    clockAhead: new Gauge({
      name: 'redrive_clock_ahead_seconds',
      help: 'How far the clock of this worker is ahead of that of Postgres at least; below 0 it is behind.',
      registers,
    }),
    operationsHalted: new Counter({
      name: 'redrive_operations_halted_total',
      help: 'Operations that were halted and wait for a human, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    httpRequestDuration: new Histogram({
      name: 'redrive_http_request_duration_seconds',
      help: 'Time of an API request by route template.',
      labelNames: ['method', 'route', 'status'],
      buckets: REQUEST_SECONDS,
      registers,
    }),
    requestsRefused: new Counter({
      name: 'redrive_requests_refused_total',
      help: 'Requests that were refused, by method, route template and code of the problem.',
      labelNames: ['method', 'route', 'code'],
      registers,
    }),
    eventsAccepted: new Counter({
      name: 'redrive_events_accepted_total',
      help: 'Events committed, suppressed duplicates not counted.',
      registers,
    }),
    sliceClaims: new Counter({
      name: 'redrive_slice_claims_total',
      help: 'Executions claimed by the slices of this process.',
      registers,
    }),
    sweeperActions: new Counter({
      name: 'redrive_sweeper_actions_total',
      help: 'What the sweeper of this process did, by action.',
      labelNames: ['action'],
      registers,
    }),
    partitionDropsWaited: new Counter({
      name: 'redrive_partition_drops_waited_total',
      help: 'Steps to drop an empty partition that were left to the next round, by table.',
      labelNames: ['table'],
      registers,
    }),
    buildInfo: new Gauge({
      name: 'redrive_build_info',
      help: 'Always 1, with the version of Redrive and of Node.',
      labelNames: ['version', 'node'],
      registers,
    }),
  };
}

function measurePools(registers: Registry[], pools: ReadonlyMap<string, PoolCounts>): void {
  new Gauge({
    name: 'redrive_pool_connections',
    help: 'Connections to Postgres of this process, by pool: used and idle ones.',
    labelNames: ['pool', 'state'],
    registers,
    collect() {
      for (const [pool, { totalCount, idleCount }] of pools) {
        this.set({ pool, state: 'used' }, totalCount - idleCount);
        this.set({ pool, state: 'idle' }, idleCount);
      }
    },
  });
  new Gauge({
    name: 'redrive_pool_waiting',
    help: 'How many wait for a connection to Postgres in this process, by pool.',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const [pool, { waitingCount }] of pools) this.set({ pool }, waitingCount);
    },
  });
}
