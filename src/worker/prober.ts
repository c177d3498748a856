import { originOf } from '../domain/endpoints/url.ts';
import { judgeProbe, probeDelayMs, probeUrl } from '../domain/sending/probe.ts';
import { showId } from '../domain/tenancy/typed-id.ts';
import { repeat } from '../loops/repeat.ts';
import { createDeadline } from '../outbound/deadline.ts';
import { signatureHeaders } from '../outbound/signature.ts';
import type { SendingContext } from '../sending/sending-context.ts';
import type { Pool } from '../store/db/pool.ts';
import { withTransaction } from '../store/db/pool.ts';
import { dueNext } from '../store/sending/ordering.ts';
import { type DueProbe, type ProbeOutcome, recordProbe, takeDueProbes } from '../store/sending/probes.ts';
import { errorCode } from '../telemetry/error-code.ts';

const AT_ONCE = 32;
const POLL_MS = 500;
/** A status request is small work: one that takes longer says nothing. */
const TIMEOUT_MS = 10_000;

/**
 * Asks endpoints about deliveries whose outcome nobody knows; every worker runs one, and no two ask about one delivery
 * at the same time.
 */
export class Prober {
  readonly #sending: SendingContext;
  readonly #pool: Pool;
  readonly #stop: AbortSignal;

  constructor(sending: SendingContext, stop: AbortSignal) {
    this.#sending = sending;
    this.#pool = sending.pool;
    this.#stop = stop;
  }

  /** Asks until stopped; a request that fails is made again later. */
  run(): Promise<void> {
    // Postgres is away: it is asked again soon.
    return repeat(() => this.#round(), { stop: this.#stop, everyMs: POLL_MS, failed: () => {} });
  }

  async #round(): Promise<'again' | undefined> {
    const due = await takeDueProbes(this.#pool, AT_ONCE, 2 * TIMEOUT_MS);
    await Promise.all(due.map((probe) => this.#ask(probe)));
    return due.length === AT_ONCE ? 'again' : undefined;
  }

  async #ask(probe: DueProbe): Promise<void> {
    try {
      const outcome = await this.#outcomeOf(probe);
      const settled = await withTransaction(this.#pool, (db) => recordProbe(db, probe, outcome));
      if (settled && (outcome.state === 'delivered' || outcome.state === 'failed'))
        await dueNext(this.#pool, [probe.deliveryId]);
      this.#sending.log.info({
        event: 'delivery.probed',
        deliveryId: showId('delivery', probe.deliveryId),
        executionId: showId('execution', probe.executionId),
        state: settled ? outcome.state : undefined,
      });
    } catch (error) {
      this.#sending.log.warn({ event: 'probe.failed', code: errorCode(error) });
    }
  }

  async #outcomeOf(probe: DueProbe): Promise<ProbeOutcome> {
    const { targets, attempts, userAgent } = this.#sending;
    const target = (await targets.prepare([probe]))(probe.endpointId, probe.version);
    const id = probe.webhookId ?? showId('delivery', probe.deliveryId);
    const url = probeUrl(probe.request, id);
    const result = await attempts.send({
      method: 'GET',
      url,
      // They are for the origin that deliveries go to.
      tls: originOf(url) === originOf(target.url) ? target.tls : undefined,
      body: '',
      headers: {
        ...target.headers,
        'user-agent': userAgent,
        ...signatureHeaders({
          id,
          timestampSeconds: Math.floor(Date.now() / 1_000),
          body: '',
          secrets: target.secrets,
        }),
      },
      timeoutMs: Math.min(probe.timeoutMs, TIMEOUT_MS),
      deadline: createDeadline(TIMEOUT_MS),
    });
    switch (judgeProbe(result, probe.request)) {
      case 'processed':
        return { state: 'delivered' };
      case 'not_processed':
        return { state: probe.attempts >= probe.policy.maxAttempts ? 'failed' : 'scheduled' };
      case 'inconclusive':
        return { state: 'unknown', askInMs: probeDelayMs(probe.probes) };
    }
  }
}
