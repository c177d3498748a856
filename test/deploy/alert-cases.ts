/** Series as promtool writes them: a value a minute from 0 on, `1x9` for ten times 1, `0+60x9` for one that rises. */
type Series = Readonly<Record<string, string>>;

/** Series that make an alert fire, with the labels that it has then. */
export interface Fires {
  series: Series;
  at: string;
  labels?: Readonly<Record<string, string>>;
}

/** What makes an alert fire, with the labels that it has then, and what comes near and does not. */
export interface AlertCase {
  fires: Fires | readonly Fires[];
  quiet: { series: Series; at: string };
}

const OF = 'namespace="events"';
const labels = { namespace: 'events' };
const OTHER = 'namespace="other"';
const BUILD = 'version="0.2.0", node="v20.20.0"';
const READ = 'redrive_gauges_read_timestamp_seconds';
const REQUESTS = 'redrive_http_request_duration_seconds_count';

/** A case for each alert, by its name. */
export const ALERT_CASES: Readonly<Record<string, AlertCase>> = {
  RedriveNoWorker: {
    fires: [
      {
        series: {
          [`redrive_workers{${OF}, state="polling"}`]: '2x3 0x10',
          [`redrive_build_info{${OF}, ${BUILD}}`]: '1x20',
        },
        at: '8m',
        labels,
      },
      // Nothing is there at all.
      { series: {}, at: '8m' },
      // The last worker of one installation is gone, its API goes on, and another installation is well.
      {
        series: {
          [`redrive_build_info{${OF}, pod="api", ${BUILD}}`]: '1x20',
          [`redrive_build_info{${OF}, pod="worker", ${BUILD}}`]: '1x3 stale',
          [`redrive_workers{${OF}, pod="worker", state="polling"}`]: '1x3 stale',
          [`redrive_build_info{${OTHER}, pod="worker", ${BUILD}}`]: '1x20',
          [`redrive_workers{${OTHER}, pod="worker", state="polling"}`]: '1x20',
        },
        at: '8m',
        labels,
      },
    ],
    // Of two workers one has just started, and sees none that polls yet.
    quiet: {
      series: {
        [`redrive_build_info{${OF}, pod="a", ${BUILD}}`]: '1x20',
        [`redrive_build_info{${OF}, pod="api", ${BUILD}}`]: '1x20',
        [`redrive_workers{${OF}, pod="a", state="polling"}`]: '1x20',
        [`redrive_workers{${OF}, pod="b", state="polling"}`]: '0x20',
      },
      at: '15m',
    },
  },
  RedrivePostgresAway: {
    fires: {
      series: { [`${READ}{${OF}, part="quick"}`]: '1 60 120 120x10' },
      at: '8m',
      labels,
    },
    // Another worker has just started, and the slow ones are not what is asked for.
    quiet: {
      series: {
        [`${READ}{${OF}, pod="a", part="quick"}`]: '1+60x20',
        [`${READ}{${OF}, pod="b", part="quick"}`]: '0x20',
        [`${READ}{${OF}, pod="a", part="slow"}`]: '1x20',
      },
      at: '15m',
    },
  },
  RedriveTemporalAway: {
    fires: {
      series: {
        [`redrive_temporal_connected{${OF}}`]: '0x20',
        [`redrive_workers{${OF}, state="alive"}`]: '2x20',
      },
      at: '8m',
      labels,
    },
    quiet: {
      series: {
        [`redrive_temporal_connected{${OF}, pod="worker"}`]: '1x20',
        [`redrive_temporal_connected{${OF}, pod="api"}`]: '0x20',
        [`redrive_workers{${OF}, state="alive"}`]: '1x20',
      },
      at: '15m',
    },
  },
  RedriveLiveQueueLate: {
    fires: {
      series: { [`redrive_queue_oldest_age_seconds{${OF}, lane="live"}`]: '0+60x20' },
      at: '12m',
      labels,
    },
    quiet: { series: { [`redrive_queue_oldest_age_seconds{${OF}, lane="live"}`]: '0 300 0x20' }, at: '12m' },
  },
  RedriveOperationHalted: {
    fires: { series: { [`redrive_operations{${OF}, state="halted"}`]: '0x3 1x10' }, at: '8m', labels },
    quiet: { series: { [`redrive_operations{${OF}, state="running"}`]: '4x20' }, at: '15m' },
  },
  RedriveUnknownWaiting: {
    fires: [
      { series: { [`redrive_unknown_waiting{${OF}}`]: '3x90' }, at: '70m', labels },
      // The worker that counts ends, and another one begins to.
      {
        series: {
          [`redrive_unknown_waiting{${OF}, pod="a"}`]: '3x30 stale',
          [`redrive_unknown_waiting{${OF}, pod="b"}`]: '0x33 3x56',
        },
        at: '70m',
        labels,
      },
    ],
    quiet: { series: { [`redrive_unknown_waiting{${OF}}`]: '3x50 0x40' }, at: '70m' },
  },
  RedriveManyEndpointsDown: {
    fires: [
      {
        series: {
          [`redrive_endpoints{${OF}, circuit="open"}`]: '3x20',
          [`redrive_endpoints{${OF}, circuit="half_open"}`]: '1x20',
          [`redrive_endpoints{${OF}, circuit="closed"}`]: '12x20',
        },
        at: '15m',
        labels,
      },
      {
        series: {
          [`redrive_endpoints{${OF}, circuit="closed"}`]: '15x20',
          [`redrive_attempts_total{${OF}, outcome="retry", lane="live"}`]: '0+60x20',
          [`redrive_attempts_total{${OF}, outcome="delivered", lane="bulk"}`]: '0+60x20',
          [`redrive_egress_proxy_failures_total{${OF}}`]: '0+60x20',
        },
        at: '15m',
        labels,
      },
    ],
    // Two of three: too few to say anything. A proxy that refuses one endpoint of many.
    quiet: {
      series: {
        [`redrive_endpoints{${OF}, circuit="open"}`]: '2x20',
        [`redrive_endpoints{${OF}, circuit="closed"}`]: '1x20',
        [`redrive_attempts_total{${OF}, outcome="delivered", lane="bulk"}`]: '0+600x20',
        [`redrive_egress_proxy_failures_total{${OF}}`]: '0+60x20',
      },
      at: '15m',
    },
  },
  RedriveApiFailing: {
    fires: [
      {
        series: {
          [`${REQUESTS}{${OF}, route="/api/v1/events", status="202"}`]: '0+600x20',
          [`${REQUESTS}{${OF}, route="/api/v1/events", status="503"}`]: '0+30x20',
        },
        at: '15m',
        labels,
      },
      // The last API of one installation is gone, and that of another is well.
      {
        series: {
          [`redrive_workers{${OF}, state="alive"}`]: '2x20',
          [`redrive_pool_connections{${OF}, pod="worker", pool="worker", state="idle"}`]: '1x20',
          [`redrive_pool_connections{${OF}, pod="api", pool="api", state="idle"}`]: '1x3 stale',
          [`${REQUESTS}{${OF}, pod="api", route="/api/v1/events", status="202"}`]: '0+600x3 stale',
          [`redrive_workers{${OTHER}, state="alive"}`]: '2x20',
          [`redrive_pool_connections{${OTHER}, pod="api", pool="api", state="idle"}`]: '1x20',
        },
        at: '15m',
        labels,
      },
    ],
    // The probe of somebody who heeds /readyz while Temporal is away.
    quiet: {
      series: {
        [`${REQUESTS}{${OF}, route="/api/v1/events", status="202"}`]: '0+60x20',
        [`${REQUESTS}{${OF}, route="/readyz", status="503"}`]: '0+60x20',
        [`redrive_workers{${OF}, state="alive"}`]: '2x20',
        [`redrive_pool_connections{${OF}, pool="api", state="idle"}`]: '1x20',
      },
      at: '15m',
    },
  },
  RedriveIngestRefused: {
    fires: {
      series: {
        [`${REQUESTS}{${OF}, method="POST", route="/api/v1/events", status="401"}`]: '0+60x40',
        [`${REQUESTS}{${OF}, method="POST", route="/api/v1/events", status="202"}`]: '0+60x40',
        [`redrive_requests_refused_total{${OF}, method="POST", route="/api/v1/events", code="credential_invalid"}`]:
          '0+60x40',
      },
      at: '30m',
      labels: { ...labels, code: 'credential_invalid' },
    },
    // Who lists events without a key brings none, and what we cannot serve is told as a failing API.
    quiet: {
      series: {
        ...Object.fromEntries(
          ['temporarily_unavailable', 'internal'].map((code) => [
            `redrive_requests_refused_total{${OF}, method="POST", route="/api/v1/events", code="${code}"}`,
            '0+600x40',
          ]),
        ),
        [`${REQUESTS}{${OF}, method="GET", route="/api/v1/events", status="401"}`]: '0+600x40',
        [`redrive_requests_refused_total{${OF}, method="GET", route="/api/v1/events", code="credential_missing"}`]:
          '0+600x40',
        [`${REQUESTS}{${OF}, method="POST", route="/api/v1/events", status="202"}`]: '0+600x40',
        [`redrive_requests_refused_total{${OF}, method="POST", route="/api/v1/events", code="invalid_request"}`]:
          '0+6x40',
        [`redrive_requests_refused_total{${OF}, method="POST", route="/api/v1/deliveries", code="not_found"}`]:
          '0+600x40',
      },
      at: '30m',
    },
  },
  RedrivePoolWaiting: {
    fires: {
      series: { [`redrive_pool_waiting{${OF}, pool="api"}`]: '4x20' },
      at: '12m',
      labels: { ...labels, pool: 'api' },
    },
    quiet: {
      series: { [`redrive_pool_waiting{${OF}, pool="api"}`]: '4 0 7 0 4 0 4 0 4 0 4 0 4 0 4' },
      at: '12m',
    },
  },
  RedriveRetentionLate: {
    fires: { series: { [`redrive_retention_lag_seconds{${OF}}`]: '90000x90' }, at: '75m', labels },
    quiet: { series: { [`redrive_retention_lag_seconds{${OF}}`]: '3600x90' }, at: '75m' },
  },
  RedriveOutcomesWaiting: {
    fires: {
      series: {
        [`redrive_outcomes_waiting{${OF}, lane="bulk"}`]: '0x4 900x20',
        [`redrive_record_duration_seconds_count{${OF}}`]: '0+600x4 2400x20',
      },
      at: '10m',
      labels,
    },
    // Much is sent, and written.
    quiet: {
      series: {
        [`redrive_outcomes_waiting{${OF}, lane="bulk"}`]: '900x24',
        [`redrive_record_duration_seconds_count{${OF}}`]: '0+600x24',
      },
      at: '10m',
    },
  },
  RedriveClockDiffers: {
    // Behind.
    fires: { series: { [`redrive_clock_ahead_seconds{${OF}}`]: '0x4 -200x20' }, at: '10m', labels },
    quiet: { series: { [`redrive_clock_ahead_seconds{${OF}}`]: '0x4 -50x20' }, at: '10m' },
  },
  RedrivePartitionsShort: {
    fires: {
      series: {
        [`redrive_partition_weeks_ahead{${OF}, table="payloads"}`]: '5x90',
        [`redrive_partition_weeks_ahead{${OF}, table="attempts"}`]: '2x10 1x80',
      },
      at: '50m',
      labels: { ...labels, table: 'attempts' },
    },
    quiet: {
      series: {
        [`redrive_partition_weeks_ahead{${OF}, table="payloads"}`]: '5x90',
        // Made again within half an hour.
        [`redrive_partition_weeks_ahead{${OF}, table="attempts"}`]: '1x20 5x70',
      },
      at: '50m',
    },
  },
  RedriveAuditLate: {
    fires: { series: { [`redrive_audit_unsealed_age_seconds{${OF}}`]: '0+60x20' }, at: '12m', labels },
    // A checkpoint is made an hour after the one before it.
    quiet: {
      series: {
        [`redrive_audit_unsealed_age_seconds{${OF}}`]: '0x80',
        [`redrive_audit_unsigned_age_seconds{${OF}}`]: '0+60x60 0x20',
      },
      at: '62m',
    },
  },
  RedriveGaugesStale: {
    fires: [
      {
        series: {
          [`${READ}{${OF}, part="quick"}`]: '1+60x30',
          [`${READ}{${OF}, part="slow"}`]: '1+60x5 301x25',
          [`${READ}{${OF}, part="unknown"}`]: '1+60x30',
        },
        at: '20m',
        labels: { ...labels, part: 'slow' },
      },
      // They could not be read since the worker started.
      {
        series: {
          [`${READ}{${OF}, part="quick"}`]: '1+60x30',
          [`${READ}{${OF}, part="unknown"}`]: '0x30',
        },
        at: '20m',
        labels: { ...labels, part: 'unknown' },
      },
    ],
    // One worker of two counts unknown outcomes. Of another installation Postgres is away.
    quiet: {
      series: {
        [`${READ}{${OF}, pod="a", part="quick"}`]: '1+60x30',
        [`${READ}{${OF}, pod="a", part="unknown"}`]: '1+60x30',
        [`${READ}{${OF}, pod="b", part="quick"}`]: '1+60x30',
        [`${READ}{${OF}, pod="b", part="unknown"}`]: '0x30',
        [`${READ}{${OTHER}, part="quick"}`]: '1x30',
        [`${READ}{${OTHER}, part="slow"}`]: '1x30',
      },
      at: '25m',
    },
  },
};
