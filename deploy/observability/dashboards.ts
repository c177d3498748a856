/** A panel: its queries, each with the legend of its lines. */
export interface Panel {
  title: string;
  /** A unit of Grafana. */
  unit: 'short' | 's' | 'reqps' | 'percentunit' | 'bytes' | 'ops';
  /** One number in the place of lines. */
  stat?: boolean;
  /** What a high or low value means, shown at the panel. */
  says: string;
  queries: readonly (readonly [expression: string, legend: string])[];
}

/** A dashboard: rows of panels. */
export interface Dashboard {
  uid: string;
  title: string;
  says: string;
  panels: readonly Panel[];
}

/** Lines of a histogram: its middle, and its end. */
function quantiles(name: string, by: string, legend: string): Panel['queries'] {
  return [0.5, 0.95, 0.99].map((share) => [
    `histogram_quantile(${share}, sum by (le${by && `, ${by}`}) (rate(${name}_bucket{namespace=~"$namespace"}[$__rate_interval])))`,
    `${legend} p${share * 100}`,
  ]);
}

/** Every worker shows the same of the whole installation: the newest word, never the sum. */
function seen(name: string, labels = '', by = ''): string {
  const of = ['namespace=~"$namespace"', labels].filter((label) => label !== '').join(', ');
  return by === '' ? `max(${name}{${of}})` : `max by (${by}) (${name}{${of}})`;
}

function rate(name: string, by: string, labels = ''): string {
  const of = ['namespace=~"$namespace"', labels].filter((label) => label !== '').join(', ');
  return `sum by (${by}) (rate(${name}{${of}}[$__rate_interval]))`;
}

/** All dashboards. `deploy/helm/redrive/dashboards` is made from this table by `node scripts/observability.mjs`. */
export const DASHBOARDS: readonly Dashboard[] = [
  {
    uid: 'redrive-service',
    title: 'Redrive: service',
    says: 'Whether events get in and go out, and how long it takes.',
    panels: [
      {
        title: 'Workers that poll',
        unit: 'short',
        stat: true,
        says: 'None: nothing is retried in bulk.',
        queries: [[seen('redrive_workers', 'state="polling"'), 'polling']],
      },
      {
        title: 'Oldest due first delivery',
        unit: 's',
        stat: true,
        says: 'How far the workers are behind at endpoints that nothing holds back.',
        queries: [[seen('redrive_queue_oldest_age_seconds', 'lane="live"'), 'age']],
      },
      {
        title: 'Versions',
        unit: 'short',
        stat: true,
        says: 'Two of them while an update is rolled out.',
        queries: [['count by (version) (redrive_build_info{namespace=~"$namespace"})', '{{version}}']],
      },
      {
        title: 'Events accepted',
        unit: 'ops',
        says: 'Suppressed duplicates are not counted.',
        queries: [[rate('redrive_events_accepted_total', 'namespace'), 'events']],
      },
      {
        title: 'Requests by status',
        unit: 'reqps',
        says: 'All surfaces.',
        queries: [[rate('redrive_http_request_duration_seconds_count', 'status'), '{{status}}']],
      },
      {
        title: 'Time of a request',
        unit: 's',
        says: 'Streams last as long as somebody listens.',
        queries: quantiles('redrive_http_request_duration_seconds', '', 'request'),
      },
      {
        title: 'Refusals by code',
        unit: 'reqps',
        says: 'The codes are those of docs/errors.md.',
        queries: [[rate('redrive_requests_refused_total', 'code'), '{{code}}']],
      },
      {
        title: 'Attempts by outcome',
        unit: 'ops',
        says: 'Both lanes.',
        queries: [[rate('redrive_attempts_total', 'outcome'), '{{outcome}}']],
      },
      {
        title: 'Time of an attempt',
        unit: 's',
        says: 'The receivers: from the send call to the result.',
        queries: quantiles('redrive_attempt_duration_seconds', 'lane', '{{lane}}'),
      },
      {
        title: 'Waiting executions',
        unit: 'short',
        says: 'Those at resting or limited endpoints are among them.',
        queries: [[seen('redrive_queue_depth', '', 'lane, state'), '{{lane}} {{state}}']],
      },
      {
        title: 'Event loop lag',
        unit: 's',
        says: 'Above 0.1 s: this process has too much to do.',
        queries: [['nodejs_eventloop_lag_p99_seconds{namespace=~"$namespace"}', '{{pod}}']],
      },
      {
        title: 'CPU of a process',
        unit: 'short',
        says: 'A worker at 1 is full: add one.',
        queries: [['rate(process_cpu_seconds_total{namespace=~"$namespace"}[$__rate_interval])', '{{pod}}']],
      },
      {
        title: 'Memory of a process',
        unit: 'bytes',
        says: 'Resident.',
        queries: [['process_resident_memory_bytes{namespace=~"$namespace"}', '{{pod}}']],
      },
    ],
  },
  {
    uid: 'redrive-recovery',
    title: 'Redrive: recovery',
    says: 'The operations that retry failed deliveries in bulk.',
    panels: [
      {
        title: 'Halted operations',
        unit: 'short',
        stat: true,
        says: 'Each waits for a human.',
        queries: [[seen('redrive_operations', 'state="halted"'), 'halted']],
      },
      {
        title: 'Unknown outcomes',
        unit: 'short',
        stat: true,
        says: 'Each waits for somebody to ask the receiver. Counted up to 10,000 of each tenant.',
        queries: [[seen('redrive_unknown_waiting'), 'unknown']],
      },
      {
        title: 'Halts by reason',
        unit: 'short',
        says: 'In the last hour.',
        queries: [
          [
            'sum by (reason) (increase(redrive_operations_halted_total{namespace=~"$namespace"}[1h]))',
            '{{reason}}',
          ],
        ],
      },
      {
        title: 'Operations by state',
        unit: 'short',
        says: 'Those that have not ended.',
        queries: [[seen('redrive_operations', '', 'state'), '{{state}}']],
      },
      {
        title: 'Items by part',
        unit: 'short',
        says: 'Of the operations that have not ended.',
        queries: [[seen('redrive_operation_items', '', 'part'), '{{part}}']],
      },
      {
        title: 'Bulk attempts by outcome',
        unit: 'ops',
        says: 'All operations together.',
        queries: [[rate('redrive_attempts_total', 'outcome', 'lane="bulk"'), '{{outcome}}']],
      },
      {
        title: 'Executions claimed',
        unit: 'ops',
        says: 'By the slices of each process.',
        queries: [[rate('redrive_slice_claims_total', 'pod'), '{{pod}}']],
      },
      {
        title: 'On the wire',
        unit: 'short',
        says: 'Requests that wait for an answer.',
        queries: [['sum by (lane) (redrive_in_flight{namespace=~"$namespace"})', '{{lane}}']],
      },
      {
        title: 'The sweeper',
        unit: 'ops',
        says: 'lease_lost: a sender died; started, revived: a workflow was not there.',
        queries: [[rate('redrive_sweeper_actions_total', 'action'), '{{action}}']],
      },
    ],
  },
  {
    uid: 'redrive-endpoints',
    title: 'Redrive: endpoints in trouble',
    says: 'How the receivers bear it. Which of them: GET /api/v1/outages, or the console.',
    panels: [
      {
        title: 'Open outages',
        unit: 'short',
        stat: true,
        says: 'Endpoints that do not answer, or not well.',
        queries: [[seen('redrive_outages_open'), 'open']],
      },
      {
        title: 'Endpoints by circuit',
        unit: 'short',
        says: 'Many open at once: look at our own way out first.',
        queries: [[seen('redrive_endpoints', '', 'circuit'), '{{circuit}}']],
      },
      {
        title: 'Stopped by our proxy',
        unit: 'ops',
        says: 'Attempts that the egress proxy made no tunnel for: they say nothing of the endpoints.',
        queries: [[rate('redrive_egress_proxy_failures_total', 'namespace'), 'attempts']],
      },
      {
        title: 'Stopped by our own limits',
        unit: 'ops',
        says: 'Requests for which a process had no open file, port or memory: they say nothing of the endpoints, and are sent again.',
        queries: [[rate('redrive_socket_shortages_total', 'reason'), '{{reason}}']],
      },
      {
        title: 'Share of attempts that did not deliver',
        unit: 'percentunit',
        says: 'By lane.',
        queries: [
          [
            `${rate('redrive_attempts_total', 'lane', 'outcome!="delivered"')} / ${rate('redrive_attempts_total', 'lane')}`,
            '{{lane}}',
          ],
        ],
      },
      {
        title: 'Attempts that did not deliver, by outcome',
        unit: 'ops',
        says: 'unknown: it may have arrived.',
        queries: [[rate('redrive_attempts_total', 'outcome', 'outcome!="delivered"'), '{{outcome}}']],
      },
      {
        title: 'Time of an attempt',
        unit: 's',
        says: 'At 30 s: receivers that do not answer in time.',
        queries: quantiles('redrive_attempt_duration_seconds', 'lane', '{{lane}}'),
      },
      {
        title: 'Given up',
        unit: 'ops',
        says: 'First deliveries whose time to be retried is over.',
        queries: [
          [rate('redrive_sweeper_actions_total', 'action', 'action=~"gave_up|lease_lost"'), '{{action}}'],
        ],
      },
    ],
  },
  {
    uid: 'redrive-below',
    title: 'Redrive: Postgres and Temporal',
    says: 'The two servers below, as Redrive sees them. Their own dashboards say more.',
    panels: [
      {
        title: 'Temporal answers',
        unit: 'short',
        stat: true,
        says: '0: bulk work stands still, first deliveries go on.',
        queries: [[seen('redrive_temporal_connected'), 'answers']],
      },
      {
        title: 'Gauges read',
        unit: 's',
        stat: true,
        says: 'Seconds since a worker could read them in Postgres. After 300 the slow ones and the unknown outcomes have no samples.',
        queries: [
          [
            'time() - max by (part) (redrive_gauges_read_timestamp_seconds{namespace=~"$namespace"} > 0)',
            '{{part}}',
          ],
        ],
      },
      {
        title: 'Gauges that could not be read',
        unit: 'ops',
        says: 'Above 0: the log of the workers has gauges.failed with a code.',
        queries: [[rate('redrive_gauges_failed_total', 'part'), '{{part}}']],
      },
      {
        title: 'Connections',
        unit: 'short',
        says: 'Of all processes, by pool.',
        queries: [
          ['sum by (pool, state) (redrive_pool_connections{namespace=~"$namespace"})', '{{pool}} {{state}}'],
        ],
      },
      {
        title: 'Waiting for a connection',
        unit: 'short',
        says: 'More than a moment above 0: Postgres is slow, or the pool too small.',
        queries: [['sum by (pool) (redrive_pool_waiting{namespace=~"$namespace"})', '{{pool}}']],
      },
      {
        title: 'Time of a claim',
        unit: 's',
        says: 'Grows with dead entries of indexes: look at autovacuum.',
        queries: quantiles('redrive_claim_duration_seconds', 'lane', '{{lane}}'),
      },
      {
        title: 'Time to record outcomes',
        unit: 's',
        says: 'Of a batch of 256 at most: the disk of Postgres.',
        queries: quantiles('redrive_record_duration_seconds', '', 'batch'),
      },
      {
        title: 'Retention behind',
        unit: 's',
        says: 'The oldest payload or event past its time that was not looked at, and the oldest that something holds.',
        queries: [
          [seen('redrive_retention_lag_seconds'), 'behind'],
          [seen('redrive_retention_held_seconds'), 'held'],
        ],
      },
      {
        title: 'Weeks ahead that have a partition',
        unit: 'short',
        says: 'Five, without a gap; after the last of them nothing is accepted.',
        queries: [[seen('redrive_partition_weeks_ahead', '', 'table'), '{{table}}']],
      },
      {
        title: 'Oldest partition',
        unit: 's',
        says: 'How long ago the week of the oldest partition ended: its rows are within a long term, or held.',
        queries: [[seen('redrive_partition_oldest_age_seconds', '', 'table'), '{{table}}']],
      },
      {
        title: 'Drops of partitions that waited',
        unit: 'ops',
        says: 'Steps that were left to the next round, because somebody used the partition or its table.',
        queries: [[rate('redrive_partition_drops_waited_total', 'table'), '{{table}}']],
      },
      {
        title: 'Audit behind',
        unit: 's',
        says: 'Acts without a place in their chain, and acts that no signed checkpoint covers yet (an hour at most).',
        queries: [
          [seen('redrive_audit_unsealed_age_seconds'), 'not sealed'],
          [seen('redrive_audit_unsigned_age_seconds'), 'not signed'],
        ],
      },
      {
        title: 'Secrets to seal anew',
        unit: 'short',
        says: 'While the master key is rotated: what the other key still has to open.',
        queries: [[seen('redrive_sealed_under_other_key'), 'left']],
      },
      {
        title: 'Requests to Temporal',
        unit: 'reqps',
        says: 'By operation.',
        queries: [[rate('temporal_request_total', 'operation'), '{{operation}}']],
      },
      {
        title: 'Time of a request to Temporal',
        unit: 's',
        says: 'Without those that wait for work.',
        queries: quantiles('temporal_request_latency_seconds', '', 'request'),
      },
      {
        title: 'Workflow tasks wait for a worker',
        unit: 's',
        says: 'Above a second: workers are full.',
        queries: quantiles('temporal_workflow_task_schedule_to_start_latency_seconds', '', 'task'),
      },
      {
        title: 'Free places of the workers',
        unit: 'short',
        says: 'At 0 a worker takes no more steps of that kind.',
        queries: [
          [
            'sum by (worker_type) (temporal_worker_task_slots_available{namespace=~"$namespace"})',
            '{{worker_type}}',
          ],
        ],
      },
    ],
  },
];
