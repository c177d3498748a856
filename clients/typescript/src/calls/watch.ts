import { EventSourceParserStream } from 'eventsource-parser/stream';
import { pause } from './pause.ts';
import { errorOf, ProblemError, UnexpectedAnswerError } from './problem.ts';

/** An event of a stream; `data` is parsed JSON. */
export interface StreamEvent {
  event: string;
  data: unknown;
  /** By which the stream goes on behind it. */
  id: string | undefined;
}

/** How a stream is followed. */
export interface WatchOptions {
  signal?: AbortSignal;
  /** Id of the last event that was seen: the stream begins behind it. */
  lastEventId?: string;
  /** Told when the connection is there, and when it was lost and is tried again after `waitMs`. */
  onConnection?: (connection: { up: true } | { up: false; waitMs: number; error: unknown }) => void;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

/**
 * The events of a stream, which is connected again when it breaks and goes on behind the last event; ends when the
 * server says that nothing follows (204) or the signal is aborted. A refusal other than 429 and 5xx is thrown.
 */
export async function* watch(
  connect: (headers: Record<string, string>, signal: AbortSignal) => Promise<Response>,
  { signal = new AbortController().signal, lastEventId, onConnection }: WatchOptions = {},
): AsyncGenerator<StreamEvent, void, undefined> {
  let last = lastEventId;
  let serverWaitMs = FIRST_WAIT_MS;
  let failures = 0;
  while (!signal.aborted) {
    let failure: unknown;
    try {
      const response = await connect(last === undefined ? {} : { 'last-event-id': last }, signal);
      if (response.status === 204) return;
      if (!response.ok || !response.body) throw errorOf(await jsonOf(response), response);
      onConnection?.({ up: true });
      for await (const event of eventsOf(response.body, (waitMs) => (serverWaitMs = waitMs))) {
        failures = 0;
        last = event.id ?? last;
        yield event;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isFinal(error)) throw error;
      failure = error;
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

async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  onRetry: (waitMs: number) => void,
): AsyncGenerator<StreamEvent, void, undefined> {
  const parsed = body
    // The types of the platforms disagree about which bytes a decoder takes.
    .pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
    .pipeThrough(new EventSourceParserStream({ onRetry }));
  const reader = parsed.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield { event: value.event ?? 'message', data: JSON.parse(value.data) as unknown, id: value.id };
    }
  } finally {
    // Whoever stops listening closes the connection.
    await reader.cancel().catch(() => {});
  }
}

/** A refusal that asking again does not change. */
function isFinal(error: unknown): boolean {
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

function jsonOf(response: Response): Promise<unknown> {
  return response.json().catch(() => undefined);
}
