import { performance } from 'node:perf_hooks';
import { v7 as uuidv7 } from 'uuid';
import { nobodyListens, resultOf } from '../domain/listeners/handed-request.ts';
import type { AttemptResult } from '../domain/sending/attempt-result.ts';
import { Wake } from '../loops/wake.ts';
import type { Deadline } from '../outbound/deadline.ts';
import type { Notices } from '../store/db/notices.ts';
import type { Pool } from '../store/db/pool.ts';
import {
  answeredNotices,
  handOver,
  isSettled,
  type NewHandedRequest,
  settleHanded,
} from '../store/listeners/handed-requests.ts';

/** A request to a listener in the place of an address. */
export interface HandOverRequest extends Omit<NewHandedRequest, 'id'> {
  deadline: Deadline;
}

/** Looks by itself, for notices that were missed. */
const NET_MS = 500;

/**
 * Sends to listeners: hands requests over by the database to the process that holds the connection, and waits for their
 * answers. Like every attempt it never rejects, and is not ended by a worker that stops.
 */
export class HandOvers {
  readonly #pool: Pool;
  readonly #notices: Notices;

  constructor(pool: Pool) {
    this.#pool = pool;
    this.#notices = answeredNotices(pool);
  }

  /** One attempt at a listener. */
  async send({ deadline, ...request }: HandOverRequest): Promise<AttemptResult> {
    if (deadline.expired()) return { kind: 'released', reason: 'deadline' };
    const beganAt = performance.now();
    const elapsedMs = () => Math.round(performance.now() - beganAt);
    const id = uuidv7();
    // Nothing ends this wait but its answer and its time; a signal of all of them would gather their listeners.
    const wake = new Wake(new AbortController().signal);
    const leave = this.#notices.await(id, () => wake.poke());
    try {
      if (!(await handOver(this.#pool, { id, ...request }))) return nobodyListens(elapsedMs());
      for (let leftMs = request.timeoutMs; leftMs > 0; leftMs = request.timeoutMs - elapsedMs()) {
        await wake.wait(Math.min(NET_MS, leftMs));
        // While Postgres is away nothing is known, and the time goes on.
        if (await isSettled(this.#pool, id).catch(() => false)) break;
      }
      return resultOf(await settleHanded(this.#pool, id), elapsedMs());
    } catch {
      // It is not known whether it was handed over, nor what was answered.
      return { kind: 'faulted', fault: 'connection_failed', mayHaveArrived: true, durationMs: elapsedMs() };
    } finally {
      leave();
    }
  }
}
