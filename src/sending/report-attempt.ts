import type { Classification } from '../domain/sending/classification.ts';
import { WAY_OUT_FAULT } from '../domain/sending/fault-code.ts';
import { showId } from '../domain/tenancy/typed-id.ts';
import type { ClaimedItem } from '../store/sending/claims.ts';
import type { Recorded } from '../store/settling/outcomes.ts';
import type { SendingContext } from './sending-context.ts';

/** An attempt that has ended, as it was classified and recorded. */
export interface EndedAttempt {
  lane: 'bulk' | 'live';
  classification: Classification;
  durationMs: number;
  /** Absent: the lease had ended and somebody else has settled it; this outcome changed nothing. */
  recorded: Recorded | undefined;
}

/**
 * Counts an attempt, and writes its one wide line, with ids and codes only. The successes of a bulk slice are logged at
 * `debug`: they are in the ledger, in millions, and a line costs as much as a signature.
 */
export function reportAttempt(
  { metrics, log }: Pick<SendingContext, 'metrics' | 'log'>,
  item: ClaimedItem,
  { lane, classification: { outcome, faultCode, httpStatus }, durationMs, recorded }: EndedAttempt,
): void {
  const attempted = outcome !== 'released';
  if (attempted) {
    metrics.attempts.inc({ outcome, lane });
    metrics.attemptDuration.observe({ lane }, durationMs / 1_000);
    if (faultCode === WAY_OUT_FAULT) metrics.egressProxyFailures.inc();
  }
  const level = lane === 'bulk' && outcome === 'delivered' ? 'debug' : 'info';
  if (!log.isLevelEnabled(level)) return;
  log[level]({
    event: attempted ? 'delivery.attempted' : 'delivery.released',
    lane,
    deliveryId: showId('delivery', item.deliveryId),
    executionId: showId('execution', item.executionId),
    endpointId: showId('endpoint', item.endpointId),
    operationId: item.operationId && showId('operation', item.operationId),
    attempt: item.attempts + 1,
    outcome,
    faultCode,
    httpStatus,
    durationMs: Math.round(durationMs),
    state: recorded?.state,
  });
}
