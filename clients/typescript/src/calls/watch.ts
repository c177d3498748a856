import { eventsOf, type StreamEvent } from './events-of.ts';
import { pause } from './pause.ts';
import { errorOf, ProblemError, UnexpectedAnswerError } from './problem.ts';

/** How a stream is followed. */
export interface WatchOptions {
  signal?: AbortSignal;
  /** Id of the last event that was seen: the stream begins behind it. */
  lastEventId?: string;
  /** Told when the connection is there, and when it was lost and is tried again after `waitMs`. */
  onConnection?: (connection: { up: true } | { up: false; waitMs: number; error: unknown }) => void;
  /** A connection on which nothing has come for this long is given up, 45 s where left out: the server writes every 15 s. */
  quietMs?: number;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const QUIET_MS = 45_000;

/**
 * The events of a stream, which is connected again when it breaks and goes on behind the last event; ends when the
 * server says that nothing follows (204) or the signal is aborted. A refusal other than 429 and 5xx is thrown.
 */
export async function* watch(
  connect: (headers: Record<string, string>, signal: AbortSignal) => Promise<Response>,
  { signal = new AbortController().signal, lastEventId, onConnection, quietMs = QUIET_MS }: WatchOptions = {},
): AsyncGenerator<StreamEvent, void, undefined> {
  let last = lastEventId;
  let serverWaitMs = FIRST_WAIT_MS;
  let failures = 0;
  while (!signal.aborted) {
    let failure: unknown;
    const quiet = quietFor(quietMs);
    try {
      const response = await connect(
        last === undefined ? {} : { 'last-event-id': last },
        AbortSignal.any([signal, quiet.signal]),
      );
      if (response.status === 204) return;
      if (!response.ok || !response.body) throw errorOf(await jsonOf(response), response);
      onConnection?.({ up: true });
      const body = response.body.pipeThrough(quiet.heard());
      for await (const event of eventsOf(body, (waitMs) => (serverWaitMs = waitMs))) {
        failures = 0;
        last = event.id ?? last;
        yield event;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isFinal(error)) throw error;
      failure = error;
    } finally {
      quiet.end();
    }
    const waitMs = Math.max(
      retryAfterOf(failure) ?? 0,
      Math.min(LONGEST_WAIT_MS, serverWaitMs * 2 ** Math.min(failures, 10)),
    );
    failures += 1;
    onConnection?.({ up: false, waitMs, error: failure });
    await pause(waitMs, signal);
  }
}

/** Aborts when nothing has been heard for so long: the end of a connection does not always reach its other side. */
function quietFor(ms: number) {
  const quiet = new AbortController();
  const wait = () =>
    setTimeout(() => quiet.abort(new Error(`Nothing came for ${ms} ms: the connection is given up.`)), ms);
  let timer = wait();
  return {
    signal: quiet.signal,
    heard: () =>
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          clearTimeout(timer);
          timer = wait();
          controller.enqueue(chunk);
        },
      }),
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

/** The wait that a refusal asks for. */
export function retryAfterOf(error: unknown): number | undefined {
  return error instanceof ProblemError || error instanceof UnexpectedAnswerError
    ? error.retryAfterMs
    : undefined;
}

function jsonOf(response: Response): Promise<unknown> {
  return response.json().catch(() => undefined);
}
