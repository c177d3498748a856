import { oldestEndedMs, weeksAhead } from '../domain/partitions/weeks.ts';
import { CIRCUIT_STATES } from '../domain/sending/endpoint-health.ts';
import type { Pool } from '../store/db/pool.ts';
import { TakesNoWrites, takesWrites } from '../store/db/takes-writes.ts';
import { PARTITIONED_TABLES } from '../store/partitions/partitioned-tables.ts';
import { readWeeks } from '../store/partitions/week-partitions.ts';
import { LEDGER_PARTS, readGauges, readSlowGauges, readUnknownWaiting } from '../store/reading/gauges.ts';
import { countWorkers } from '../store/sending/workers.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { GaugePart } from '../telemetry/seen-in-postgres.ts';
import { temporalAnswers } from '../temporal/connection.ts';
import type { TemporalHolder } from '../temporal/temporal-holder.ts';

/** Shows the queues, the workers and whether Temporal answers. */
export async function showGauges(
  metrics: Metrics,
  pool: Pool,
  { link }: Pick<TemporalHolder, 'link'>,
): Promise<void> {
  const gauges = await readGauges(pool);
  for (const lane of ['live', 'bulk'] as const)
    for (const state of ['queued', 'scheduled'] as const)
      metrics.queueDepth.set({ lane, state }, gauges[lane][state]);
  metrics.queueOldestAge.set({ lane: 'live' }, gauges.live.oldestAgeSeconds);
  metrics.auditUnsealedAge.set(gauges.unsealedSeconds);
  metrics.operations.reset();
  for (const { state, count } of gauges.operations) metrics.operations.set({ state }, count);
  for (const part of LEDGER_PARTS) metrics.operationItems.set({ part }, gauges.items[part]);
  const workers = await countWorkers(pool);
  for (const state of ['alive', 'polling'] as const) metrics.workers.set({ state }, workers[state]);
  metrics.temporalConnected.set(link !== undefined && (await temporalAnswers(link)) ? 1 : 0);
  // One that is only read serves nobody: to those who are woken it is away.
  if (!(await takesWrites(pool))) throw new TakesNoWrites();
  metrics.read.succeeded('quick');
}

/** Shows what is read less often. */
export async function showSlowGauges(metrics: Metrics, pool: Pool): Promise<void> {
  const gauges = await readSlowGauges(pool);
  metrics.outagesOpen.set(gauges.outagesOpen);
  metrics.retentionLag.set({ of: 'payloads' }, gauges.payloadLagSeconds);
  metrics.retentionLag.set({ of: 'events' }, gauges.eventLagSeconds);
  metrics.retentionHeld.set(gauges.eventHeldSeconds);
  metrics.auditUnsignedAge.set(gauges.unsignedSeconds);
  for (const circuit of CIRCUIT_STATES)
    metrics.endpoints.set({ circuit }, gauges.endpoints.find((each) => each.circuit === circuit)?.count ?? 0);
  for (const { name: table } of PARTITIONED_TABLES) {
    const weeks = await readWeeks(pool, table);
    if (!weeks) continue;
    metrics.partitionWeeksAhead.set({ table }, weeksAhead(weeks.partitions, weeks.nowMs));
    metrics.partitionOldestAge.set({ table }, oldestEndedMs(weeks.partitions, weeks.nowMs) / 1_000);
  }
  metrics.read.succeeded('slow');
}

/** A count takes no more than a twentieth of one connection's time, until it would be this old. */
const UNKNOWN_PACE = { times: 20, atMostMs: 60_000 };

/**
 * Makes the look by which one worker of all counts unknown outcomes, and the others show none: it reads thousands of
 * rows of each tenant. The next count waits for as much longer as this one took.
 */
export function unknownGauge(metrics: Metrics, pool: Pool, isTheOne: () => boolean): () => Promise<void> {
  let notBefore = 0;
  return async () => {
    if (!isTheOne()) {
      notBefore = 0;
      metrics.unknownWaiting.remove();
      return;
    }
    const startedAt = performance.now();
    if (startedAt < notBefore) return;
    metrics.unknownWaiting.set(await readUnknownWaiting(pool));
    metrics.read.succeeded('unknown');
    const tookMs = performance.now() - startedAt;
    notBefore = startedAt + Math.min(UNKNOWN_PACE.atMostMs, UNKNOWN_PACE.times * tookMs);
  };
}

/** Counts the readings of a part that fail; its loop logs them. */
export function counted(metrics: Metrics, part: GaugePart, look: () => Promise<void>): () => Promise<void> {
  return async () => {
    try {
      await look();
    } catch (error) {
      metrics.read.failed(part);
      throw error;
    }
  };
}
