/** A rule that wakes or tells somebody. Its page in `docs/runbooks` has the name of the alert in lower case. */
export interface Alert {
  name: string;
  expr: string;
  /** How long it has to hold. */
  for: string;
  /** `critical`: events are not delivered, or may be lost to a reader. `warning`: by the next working day. */
  severity: 'critical' | 'warning';
  summary: string;
  /** File of its page in `docs/runbooks`. */
  runbook: string;
}

const ENDPOINTS = 'max by (namespace, circuit) (redrive_endpoints)';
const TROUBLED = 'sum by (namespace) (max by (namespace, circuit) (redrive_endpoints{circuit!="closed"}))';
/** Attempts that our own proxy stops open no circuit. */
const STOPPED_BY_PROXY =
  'sum by (namespace) (rate(redrive_egress_proxy_failures_total[5m])) / sum by (namespace) (rate(redrive_attempts_total[5m]))';
const REQUESTS = 'redrive_http_request_duration_seconds_count';
/** Events are listed at the route that takes them. */
const INGEST = 'method="POST", route="/api/v1/events"';
/** What is refused for reasons of ours is told as a failing API. */
const REFUSED_INGEST = `${INGEST}, code!~"temporarily_unavailable|internal"`;
/**
 * Processes of an installation are there, and no worker among them. `absent` alone would see nothing where another
 * installation has one: it knows only whether there is any series at all.
 */
const WITHOUT_WORKERS =
  'count by (namespace) (redrive_build_info) unless on (namespace) redrive_workers{state="polling"}';
/** Workers of an installation are there, and no API, which alone has that pool. */
const WITHOUT_API =
  'max by (namespace) (redrive_workers{state="alive"}) unless on (namespace) redrive_pool_connections{pool="api"}';

/** An API reads none. */
const READ_QUICK = 'max by (namespace) (redrive_gauges_read_timestamp_seconds{part="quick"} > 0)';

/**
 * All alerts. What a worker reads in Postgres every worker shows: it is never summed over them. `namespace` keeps the
 * installations of one cluster apart, and is empty elsewhere.
 */
export const ALERTS: readonly Alert[] = [
  {
    name: 'RedriveNoWorker',
    expr: `absent(redrive_build_info) or (${WITHOUT_WORKERS}) or max by (namespace) (redrive_workers{state="polling"}) < 1`,
    for: '2m',
    severity: 'critical',
    summary: 'No worker polls: nothing is retried in bulk, and without any worker nothing is delivered.',
    runbook: 'no-worker.md',
  },
  {
    name: 'RedrivePostgresAway',
    expr: `time() - ${READ_QUICK} > 60`,
    for: '1m',
    severity: 'critical',
    summary:
      'No worker has met a Postgres that takes writes for a minute: nothing is accepted and nothing is sent.',
    runbook: 'postgres-away.md',
  },
  {
    name: 'RedriveTemporalAway',
    expr: 'max by (namespace) (redrive_temporal_connected) == 0 and on (namespace) max by (namespace) (redrive_workers{state="alive"}) > 0',
    for: '5m',
    severity: 'warning',
    summary: 'Temporal answers no worker: bulk work stands still, first deliveries go on.',
    runbook: 'temporal-away.md',
  },
  {
    name: 'RedriveLiveQueueLate',
    expr: 'max by (namespace) (redrive_queue_oldest_age_seconds{lane="live"}) > 60',
    for: '5m',
    severity: 'critical',
    summary: 'First deliveries to endpoints that nothing holds back are a minute late.',
    runbook: 'live-queue-late.md',
  },
  {
    name: 'RedriveOperationHalted',
    expr: 'max by (namespace) (redrive_operations{state="halted"}) > 0',
    for: '1m',
    severity: 'warning',
    summary: 'An operation is halted and waits for a human; after seven days it cancels what is unsent.',
    runbook: 'operation-halted.md',
  },
  {
    name: 'RedriveUnknownWaiting',
    // One worker counts at a time: the last word of one that has gone stands until the next has counted.
    expr: 'max by (namespace) (max_over_time(redrive_unknown_waiting[5m])) > 0',
    for: '1h',
    severity: 'warning',
    summary: 'Deliveries whose outcome is unknown have waited for an hour for somebody to settle them.',
    runbook: 'unknown-waiting.md',
  },
  {
    name: 'RedriveManyEndpointsDown',
    expr: `(${TROUBLED} / sum by (namespace) (${ENDPOINTS}) > 0.2 and ${TROUBLED} >= 3) or ${STOPPED_BY_PROXY} > 0.2`,
    for: '10m',
    severity: 'critical',
    summary:
      'A fifth of all endpoints does not answer, or our proxy makes no tunnel: more likely our way out than all of theirs.',
    runbook: 'many-endpoints-down.md',
  },
  {
    name: 'RedriveApiFailing',
    expr: `sum by (namespace) (rate(${REQUESTS}{status=~"5..", route!="/readyz"}[5m])) / sum by (namespace) (rate(${REQUESTS}{route!="/readyz"}[5m])) > 0.01 or (${WITHOUT_API})`,
    for: '5m',
    severity: 'critical',
    summary:
      'More than one request of a hundred is answered by an error of ours, or no API is there to answer.',
    runbook: 'api-failing.md',
  },
  {
    name: 'RedriveIngestRefused',
    expr: `sum by (namespace, code) (rate(redrive_requests_refused_total{${REFUSED_INGEST}}[10m])) / ignoring (code) group_left sum by (namespace) (rate(${REQUESTS}{${INGEST}}[10m])) > 0.05`,
    for: '10m',
    severity: 'warning',
    summary: 'More than one call of twenty that brings events is refused.',
    runbook: 'ingest-refused.md',
  },
  {
    name: 'RedrivePoolWaiting',
    expr: 'max by (namespace, pool) (min_over_time(redrive_pool_waiting[5m])) > 0',
    for: '1m',
    severity: 'warning',
    summary: 'Somebody has been waiting for a connection to Postgres at every look of five minutes.',
    runbook: 'pool-waiting.md',
  },
  {
    name: 'RedriveRetentionLate',
    expr: 'max by (namespace) (redrive_retention_lag_seconds) > 86400',
    for: '1h',
    severity: 'warning',
    summary: 'Payloads or events are kept a day longer than their tenant has set.',
    runbook: 'retention-late.md',
  },
  {
    name: 'RedriveOutcomesWaiting',
    expr: 'sum by (namespace) (redrive_outcomes_waiting) > 0 and sum by (namespace) (increase(redrive_record_duration_seconds_count[2m])) == 0',
    for: '1m',
    severity: 'critical',
    summary: 'Requests have ended, and no outcome is written: what is sent may be sent again.',
    runbook: 'outcomes-waiting.md',
  },
  {
    name: 'RedrivePartitionsShort',
    expr: 'min by (namespace, table) (redrive_partition_weeks_ahead) < 2',
    for: '30m',
    severity: 'warning',
    summary: 'Fewer than two weeks ahead have a partition: after the last of them nothing is accepted.',
    runbook: 'partitions-short.md',
  },
  {
    name: 'RedriveAuditLate',
    expr: 'max by (namespace) (redrive_audit_unsealed_age_seconds) > 60 or max by (namespace) (redrive_audit_unsigned_age_seconds) > 7200',
    for: '5m',
    severity: 'warning',
    summary: 'Acts get no place in their audit chain, or no signed checkpoint.',
    runbook: 'audit-late.md',
  },
  {
    name: 'RedriveClockDiffers',
    expr: 'max by (namespace) (abs(redrive_clock_ahead_seconds)) > 60',
    for: '2m',
    severity: 'critical',
    summary: 'The clock of a worker is a minute from that of Postgres: receivers will refuse what it signs.',
    runbook: 'clock-differs.md',
  },
  {
    name: 'RedriveGaugesStale',
    // Where none can be read, Postgres is away. Who has never read one shows 0.
    expr: `time() - max by (namespace, part) (redrive_gauges_read_timestamp_seconds{part!="quick"}) > 300 and on (namespace) time() - ${READ_QUICK} <= 60`,
    for: '5m',
    severity: 'warning',
    summary:
      'Gauges cannot be read in Postgres: what they would show has no samples, and its alerts are blind.',
    runbook: 'gauges-stale.md',
  },
];
