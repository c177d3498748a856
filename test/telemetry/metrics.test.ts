import { describe, expect, test } from '@jest/globals';
import { createMetrics } from '../../src/telemetry/metrics.ts';

describe('the metrics', () => {
  test('are shown with their values, beside those of the process', async () => {
    const metrics = createMetrics();
    metrics.attempts.inc({ outcome: 'delivered', lane: 'bulk' });
    metrics.attemptDuration.observe({ lane: 'bulk' }, 0.2);
    metrics.queueDepth.set({ lane: 'live', state: 'scheduled' }, 3);
    const text = await metrics.registry.metrics();
    expect(text).toContain('redrive_attempts_total{outcome="delivered",lane="bulk"} 1');
    expect(text).toContain('redrive_attempt_duration_seconds_bucket{le="0.25",lane="bulk"} 1');
    expect(text).toContain('redrive_queue_depth{lane="live",state="scheduled"} 3');
    expect(text).toContain('process_resident_memory_bytes');
  });

  test('of two processes in one are apart', async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.eventsAccepted.inc();
    expect(await other.registry.getSingleMetricAsString('redrive_events_accepted_total')).toContain(
      '_total 0',
    );
  });

  test('have no label that could hold an id, a tenant or a URL', async () => {
    const allowed = [
      ...['outcome', 'lane', 'state', 'action', 'method', 'route', 'status', 'code', 'le', 'reason'],
      ...['part', 'circuit', 'pool', 'version', 'node'],
    ];
    for (const metric of await createMetrics().registry.getMetricsAsJSON()) {
      if (!metric.name.startsWith('redrive_')) continue;
      const labels = metric.values.flatMap((value) => Object.keys(value.labels));
      expect(allowed).toEqual(expect.arrayContaining(labels));
    }
  });
});
