import { aheadAtLeast, type ClockReading, isFarApart } from '../domain/sending/clock-difference.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/**
 * Shows how far the clock of this machine is from that of Postgres, and says when they begin to differ and agree again. What
 * a worker signs bears the time of its machine, and receivers refuse what is far from theirs: that would look like their
 * failure.
 */
export class ClockCheck {
  readonly #log: Log;
  readonly #metrics: Pick<Metrics, 'clockAhead'>;
  #differs = false;

  constructor({ log, metrics }: { log: Log; metrics: Pick<Metrics, 'clockAhead'> }) {
    this.#log = log;
    this.#metrics = metrics;
  }

  /** Compares them by a question to Postgres, whose answer says what time it is there. */
  async around<Answer extends { now: Date }>(ask: () => Promise<Answer>): Promise<Answer> {
    const askedAt = Date.now();
    const answer = await ask();
    this.compare({ askedAt, answeredAt: Date.now(), other: answer.now.getTime() });
    return answer;
  }

  compare(reading: ClockReading): void {
    const aheadMs = aheadAtLeast(reading);
    this.#metrics.clockAhead.set(aheadMs / 1_000);
    const differs = isFarApart(aheadMs);
    if (differs === this.#differs) return;
    this.#differs = differs;
    if (differs)
      this.#log.error(
        { event: 'worker.clock_differs', aheadSeconds: Math.round(aheadMs / 1_000) },
        'the clock of this machine is not that of Postgres',
      );
    else this.#log.info({ event: 'worker.clock_agrees' });
  }
}
