import { performance } from 'node:perf_hooks';
import type { Client, Dispatcher } from 'undici';
import type { AttemptResult } from '../domain/sending/attempt-result.ts';
import type { FaultCode } from '../domain/sending/fault-code.ts';
import { longestRetryAfter } from '../domain/sending/retry-after.ts';
import { crashPoint, crashPointsInstalled } from '../telemetry/crash-points.ts';
import type { Deadline } from './deadline.ts';
import { faultOf, isCertainlyUnread, type Progress } from './fault-of-error.ts';
import { shortageOf } from './own-shortage.ts';
import type { SocketPool } from './socket-pool.ts';

/** The request of an exchange and its time limit, from the wait for a socket to the last byte of the answer. */
export type ExchangeRequest = {
  method: 'GET' | 'POST';
  path: string;
  headers: string[];
  body: string | Buffer;
  timeoutMs: number;
  deadline: Deadline;
};

/** The bytes of an answer's body that are recorded. */
const EXCERPT_BYTES = 1_024;
/** The bytes of it that are read to keep the socket; beyond, losing the socket is cheaper than reading the body. */
const DRAIN_BYTES = 65_536;
const NO_BYTES = new Uint8Array(0);

/** Reason of every abort of ours; by then the result is settled and nobody reads it. */
const ENDED = new Error('The exchange has ended.');

/**
 * One request and its answer on one socket: an undici handler that settles exactly once, by whichever comes first of
 * the answer's end, an error and the total time.
 *
 * The order of events it rests on (undici 7.30.2, `lib/dispatcher/client-h1.js`, `writeH1`): `onRequestStart` is called
 * after queueing and connecting, and in the same turn, with nothing in between, the first `socket.write` follows. A
 * request that throws there is never written, and the socket stays usable. `pipelining: 1`, a buffer as the body and a
 * non-idempotent method leave undici no way to send a request again by itself.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #request: ExchangeRequest;
  readonly #pool: SocketPool;
  readonly #settle: (result: AttemptResult) => void;
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  #client: Client | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #settled: boolean = false;
  #started: boolean = false;
  #answerBegan: boolean = false;
  #socketWasUsed: boolean = false;
  #status = 0;
  #retryAfterMs: number | undefined;
  #excerpt: Uint8Array = NO_BYTES;
  #received = 0;

  constructor(request: ExchangeRequest, pool: SocketPool, settle: (result: AttemptResult) => void) {
    this.#request = request;
    this.#pool = pool;
    this.#settle = settle;
    this.#timer = setTimeout(outOfTime, request.timeoutMs, this);
  }

  /** Settled while it waited for a socket: it needs none any more. */
  get abandoned(): boolean {
    return this.#settled;
  }

  withSocket(client: Client, wasUsed: boolean): void {
    this.#client = client;
    this.#socketWasUsed = wasUsed;
    const { method, path, headers, body } = this.#request;
    client.dispatch({ path, method, headers, body: method === 'GET' ? null : body }, this);
  }

  /**
   * Ends the wait for a socket. A request that has one is never aborted by a shutdown: that would make it ambiguous.
   */
  stop(): void {
    if (this.#client === undefined) this.#finish({ kind: 'released', reason: 'stopping' });
  }

  /** Ends the exchange with the result known so far, because its total time is over. */
  outOfTime(): void {
    if (this.#settled) return;
    if (this.#client === undefined) {
      this.#finish({ kind: 'released', reason: 'deadline' });
    } else if (this.#status !== 0) {
      this.#finish(this.#answer());
      this.#controller?.abort(ENDED);
    } else {
      this.#finish(this.#fault(this.#started ? 'timeout' : 'connect_timeout'));
      // While connecting there is no controller yet: discarding the client ends it then.
      if (this.#controller === undefined) this.#discard();
      else this.#controller.abort(ENDED);
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // A second start would send the same request twice, whatever the reason.
    if (this.#settled || this.#started) throw ENDED;
    if (this.#request.deadline.expired()) {
      this.#finish({ kind: 'released', reason: 'deadline' });
      // Thrown, not aborted: an abort would also destroy the socket, which has done nothing wrong.
      throw ENDED;
    }
    this.#controller = controller;
    this.#started = true;
    // The bytes are written behind this, in the same turn.
    if (crashPointsInstalled()) setImmediate(crashPoint, 'requested');
  }

  onResponseStarted(): void {
    this.#answerBegan = true;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return;
    this.#status = status;
    const retryAfter = headers['retry-after'];
    if (retryAfter !== undefined) this.#retryAfterMs = longestRetryAfter([retryAfter].flat(), Date.now());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#received < EXCERPT_BYTES) this.#keep(chunk);
    this.#received += chunk.length;
    if (this.#received > DRAIN_BYTES) {
      this.#finish(this.#answer());
      controller.abort(ENDED);
    }
  }

  onResponseEnd(): void {
    this.#finish(this.#answer());
    this.#release();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    const progress = {
      started: this.#started,
      answerBegan: this.#answerBegan,
      socketWasUsed: this.#socketWasUsed,
    };
    if (!this.#settled) this.#finish(this.#status !== 0 ? this.#answer() : this.#failed(error, progress));
    // Refused in `onRequestStart`: nothing was written, the connection is as good as before.
    if (error === ENDED && !this.#started) this.#release();
    else this.#discard();
  }

  /** Copies, because the chunk is a view of a buffer of 64 KiB that it would keep alive. */
  #keep(chunk: Buffer): void {
    const part = chunk.subarray(0, EXCERPT_BYTES - this.#received);
    this.#excerpt = this.#excerpt === NO_BYTES ? Uint8Array.from(part) : Buffer.concat([this.#excerpt, part]);
  }

  #release(): void {
    const client = this.#client;
    if (client === undefined) return;
    this.#client = undefined;
    this.#pool.release(client);
  }

  #discard(): void {
    const client = this.#client;
    if (client === undefined) return;
    this.#client = undefined;
    this.#pool.discard(client);
  }

  #finish(result: AttemptResult): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#settle(result);
  }

  #answer(): AttemptResult {
    const answer = { status: this.#status, excerpt: this.#excerpt, durationMs: this.#elapsedMs() };
    return this.#retryAfterMs === undefined
      ? { kind: 'answered', ...answer }
      : { kind: 'answered', ...answer, retryAfterMs: this.#retryAfterMs };
  }

  #failed(error: Error, progress: Progress): AttemptResult {
    const shortage = progress.started ? undefined : shortageOf(error);
    if (shortage !== undefined) return { kind: 'released', reason: 'shortage', of: shortage };
    return this.#fault(faultOf(error, progress), progress.started && !isCertainlyUnread(error, progress));
  }

  #fault(fault: FaultCode, mayHaveArrived: boolean = this.#started): AttemptResult {
    return { kind: 'faulted', fault, mayHaveArrived, durationMs: this.#elapsedMs() };
  }

  #elapsedMs(): number {
    return Math.round(performance.now() - this.#startedAt);
  }
}

/**
 * One turn late on purpose: after a stall of the event loop timers run before sockets are read, and an answer that
 * has long arrived would be called a timeout.
 */
function outOfTime(exchange: Exchange): void {
  setImmediate(settleOutOfTime, exchange);
}

function settleOutOfTime(exchange: Exchange): void {
  exchange.outOfTime();
}
