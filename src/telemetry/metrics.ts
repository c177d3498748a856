import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/**
 * Everything that is measured. Labels are of fixed, small sets (lane, outcome, state, action, route *template*,
 * method, status): never an id, a tenant or a URL, which would be customer data and one series each.
 */
export type Metrics = {
  readonly registry: Registry;
  /** Attempts by outcome (`AttemptOutcome`) and lane (`live` or `bulk`). */
  readonly attempts: Counter<'outcome' | 'lane'>;
  readonly attemptDuration: Histogram<'lane'>;
  readonly queueDepth: Gauge<'lane' | 'state'>;
  readonly queueOldestAge: Gauge<'lane'>;
  readonly inFlight: Gauge<'lane'>;
  readonly operations: Gauge<'state'>;
  readonly operationsHalted: Counter<'reason'>;
  readonly httpRequestDuration: Histogram<'method' | 'route' | 'status'>;
  readonly eventsAccepted: Counter;
  readonly sliceClaims: Counter;
  readonly auditUnsealedAge: Gauge;
  readonly sealedUnderOtherKey: Gauge;
  readonly sweeperActions: Counter<'action'>;
};

const ATTEMPT_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Makes the metrics of one process in a registry of their own; `registry.metrics()` is what `/metrics` answers. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    registry,
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
    queueDepth: new Gauge({
      name: 'redrive_queue_depth',
      help: 'Executions that wait, by lane and state.',
      labelNames: ['lane', 'state'],
      registers,
    }),
    queueOldestAge: new Gauge({
      name: 'redrive_queue_oldest_age_seconds',
      help: 'How long the oldest due execution of the lane has been due.',
      labelNames: ['lane'],
      registers,
    }),
    inFlight: new Gauge({
      name: 'redrive_in_flight',
      help: 'Requests of this process that are on the wire.',
      labelNames: ['lane'],
      registers,
    }),
    operations: new Gauge({
      name: 'redrive_operations',
      help: 'Operations that have not ended, by state.',
      labelNames: ['state'],
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
    auditUnsealedAge: new Gauge({
      name: 'redrive_audit_unsealed_age_seconds',
      help: 'How long the oldest act has had no place in its audit chain.',
      registers,
    }),
    sealedUnderOtherKey: new Gauge({
      name: 'redrive_sealed_under_other_key',
      help: 'Secrets that are still to be sealed anew while the master key is rotated.',
      registers,
    }),
    sweeperActions: new Counter({
      name: 'redrive_sweeper_actions_total',
      help: 'What the sweeper of this process did, by action.',
      labelNames: ['action'],
      registers,
    }),
  };
}
