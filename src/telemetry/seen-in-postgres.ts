import { Counter, Gauge, type Registry } from 'prom-client';

/** Gauges that are read together. */
export const GAUGE_PARTS = ['quick', 'slow', 'unknown'] as const;
/** One of {@link GAUGE_PARTS}. */
export type GaugePart = (typeof GAUGE_PARTS)[number];

/**
 * A word that is older is shown no more. Longer than the dearest part takes from one reading to the next, as an alert
 * begins anew where its series has a gap.
 */
const STALE_AFTER_MS = 300_000;

/** Says when each part was last read, and clears what was read too long ago. */
class ReadTimes {
  readonly #now: () => number;
  readonly #at: Gauge<'part'>;
  readonly #failed: Counter<'part'>;
  readonly #lastMs = new Map<GaugePart, number>();

  constructor(registers: Registry[], now: () => number) {
    this.#now = now;
    this.#at = new Gauge({
      name: 'redrive_gauges_read_timestamp_seconds',
      help: 'When this worker last read the gauges in Postgres, by part; 0 where it has not.',
      labelNames: ['part'],
      registers,
    });
    this.#failed = new Counter({
      name: 'redrive_gauges_failed_total',
      help: 'Readings of the gauges in Postgres that failed, by part.',
      labelNames: ['part'],
      registers,
    });
  }

  /** Shows that this process is to read the gauges, and has read none. */
  expected(): void {
    for (const part of GAUGE_PARTS) {
      this.#at.set({ part }, 0);
      this.#failed.inc({ part }, 0);
    }
  }

  succeeded(part: GaugePart): void {
    this.#lastMs.set(part, this.#now());
    this.#at.set({ part }, this.#now() / 1_000);
  }

  failed(part: GaugePart): void {
    this.#failed.inc({ part });
  }

  /** Nobody is to take an old word, or a 0 that was not read, for the present state. */
  clearedOnceStale(part: GaugePart): (this: Gauge) => void {
    const isStale = () => this.#now() - (this.#lastMs.get(part) ?? Number.NEGATIVE_INFINITY) > STALE_AFTER_MS;
    return function () {
      if (!isStale()) return;
      // `reset` leaves a 0 where there are no labels.
      this.reset();
      this.remove({});
    };
  }
}

/** The state of the whole installation as a worker reads it in Postgres: every worker shows the same. */
export function seenInPostgres(registers: Registry[], now: () => number) {
  const read = new ReadTimes(registers, now);
  return {
    read,
    queueDepth: new Gauge({
      name: 'redrive_queue_depth',
      help: 'Executions that wait, by lane and state.',
      labelNames: ['lane', 'state'],
      registers,
    }),
    queueOldestAge: new Gauge({
      name: 'redrive_queue_oldest_age_seconds',
      help: 'How long the oldest execution could have been claimed, at endpoints that nothing holds back.',
      labelNames: ['lane'],
      registers,
    }),
    operations: new Gauge({
      name: 'redrive_operations',
      help: 'Operations that have not ended, by state.',
      labelNames: ['state'],
      registers,
    }),
    operationItems: new Gauge({
      name: 'redrive_operation_items',
      help: 'Items of the operations that have not ended, by part of the ledger.',
      labelNames: ['part'],
      registers,
    }),
    unknownWaiting: new Gauge({
      name: 'redrive_unknown_waiting',
      help: 'Deliveries whose outcome is unknown and that wait for somebody to settle them.',
      registers,
      collect: read.clearedOnceStale('unknown'),
    }),
    endpoints: new Gauge({
      name: 'redrive_endpoints',
      help: 'Enabled endpoints by the state of their circuit.',
      labelNames: ['circuit'],
      registers,
      collect: read.clearedOnceStale('slow'),
    }),
    outagesOpen: new Gauge({
      name: 'redrive_outages_open',
      help: 'Outages of endpoints that are open.',
      registers,
      collect: read.clearedOnceStale('slow'),
    }),
    workers: new Gauge({
      name: 'redrive_workers',
      help: 'Workers that were seen within seconds: alive, and polling the queues of Temporal.',
      labelNames: ['state'],
      registers,
    }),
    temporalConnected: new Gauge({
      name: 'redrive_temporal_connected',
      help: 'Whether Temporal answers this worker: 1 or 0.',
      registers,
    }),
    retentionLag: new Gauge({
      name: 'redrive_retention_lag_seconds',
      help: 'How long the oldest of what retention has not looked at is past its time, by what it is.',
      labelNames: ['of'],
      registers,
      collect: read.clearedOnceStale('slow'),
    }),
    retentionHeld: new Gauge({
      name: 'redrive_retention_held_seconds',
      help: 'How long the oldest event past its time has been kept because something holds it.',
      registers,
      collect: read.clearedOnceStale('slow'),
    }),
    partitionWeeksAhead: new Gauge({
      name: 'redrive_partition_weeks_ahead',
      help: 'Whole weeks behind the present one that have a partition, without a gap, by table.',
      labelNames: ['table'],
      registers,
      collect: read.clearedOnceStale('slow'),
    }),
    partitionOldestAge: new Gauge({
      name: 'redrive_partition_oldest_age_seconds',
      help: 'How long ago the week of the oldest partition ended, by table.',
      labelNames: ['table'],
      registers,
      collect: read.clearedOnceStale('slow'),
    }),
    auditUnsealedAge: new Gauge({
      name: 'redrive_audit_unsealed_age_seconds',
      help: 'How long the oldest act has had no place in its audit chain.',
      registers,
    }),
    auditUnsignedAge: new Gauge({
      name: 'redrive_audit_unsigned_age_seconds',
      help: 'How long the oldest act of an audit chain has been behind its last signed checkpoint.',
      registers,
      collect: read.clearedOnceStale('slow'),
    }),
    sealedUnderOtherKey: new Gauge({
      name: 'redrive_sealed_under_other_key',
      help: 'Secrets that are still to be sealed anew while the master key is rotated.',
      registers,
    }),
  };
}
