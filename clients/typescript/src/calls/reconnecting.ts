import { ProblemError, UnexpectedAnswerError } from './problem.ts';

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

/** A connection on which nothing has come for this long is given up: the server writes every 15 s. */
export const QUIET_MS = 45_000;

/** Waits before the next connection: longer from failure to failure, and never shorter than a refusal asks for. */
export function growingWaits() {
  let failures = 0;
  return {
    after(failure: unknown, firstMs = FIRST_WAIT_MS): number {
      const waitMs = Math.min(LONGEST_WAIT_MS, firstMs * 2 ** Math.min(failures, 10));
      failures += 1;
      return Math.max(retryAfterOf(failure) ?? 0, waitMs);
    },
    /** Begins anew: a connection was of use. */
    reset() {
      failures = 0;
    },
  };
}

/** Aborts when nothing has been heard for so long: the end of a connection does not always reach its other side. */
export function quietFor(ms: number) {
  const quiet = new AbortController();
  const wait = () =>
    setTimeout(() => quiet.abort(new Error(`Nothing came for ${ms} ms: the connection is given up.`)), ms);
  let timer = wait();
  return {
    signal: quiet.signal,
    /**
     * What is heard of a body, until the signal is aborted. The body itself does not end by that: in Node 20 the signal of
     * a request reaches it only for as long as somebody holds the request.
     */
    heard: (body: ReadableStream<Uint8Array>, signal: AbortSignal) => {
      const heard = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          clearTimeout(timer);
          timer = wait();
          controller.enqueue(chunk);
        },
      });
      return body.pipeThrough(heard, { signal });
    },
    end: () => clearTimeout(timer),
  };
}

/** A refusal that asking again does not change. */
export function isFinal(error: unknown): boolean {
  const status =
    error instanceof ProblemError
      ? error.problem.status
      : error instanceof UnexpectedAnswerError
        ? error.status
        : undefined;
  return status !== undefined && status >= 400 && status < 500 && status !== 429;
}

function retryAfterOf(error: unknown): number | undefined {
  return error instanceof ProblemError || error instanceof UnexpectedAnswerError
    ? error.retryAfterMs
    : undefined;
}
