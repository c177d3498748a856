import { eventsOf, type StreamEvent } from './events-of.ts';
import { pause } from './pause.ts';
import { errorOf } from './problem.ts';
import { growingWaits, isFinal, QUIET_MS, quietFor } from './reconnecting.ts';

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

/**
 * The events of a stream, which is connected again when it breaks and goes on behind the last event; ends when the
 * server says that nothing follows (204) or the signal is aborted. A refusal other than 429 and 5xx is thrown.
 */
export async function* watch(
  connect: (headers: Record<string, string>, signal: AbortSignal) => Promise<Response>,
  { signal = new AbortController().signal, lastEventId, onConnection, quietMs = QUIET_MS }: WatchOptions = {},
): AsyncGenerator<StreamEvent, void, undefined> {
  let last = lastEventId;
  let serverWaitMs: number | undefined;
  const waits = growingWaits();
  while (!signal.aborted) {
    let failure: unknown;
    const quiet = quietFor(quietMs);
    try {
      const ends = AbortSignal.any([signal, quiet.signal]);
      const response = await connect(last === undefined ? {} : { 'last-event-id': last }, ends);
      if (response.status === 204) return;
      if (!response.ok || !response.body) throw errorOf(await jsonOf(response), response);
      onConnection?.({ up: true });
      const body = quiet.heard(response.body, ends);
      for await (const event of eventsOf(body, (waitMs) => (serverWaitMs = waitMs))) {
        waits.reset();
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
    const waitMs = waits.after(failure, serverWaitMs);
    onConnection?.({ up: false, waitMs, error: failure });
    await pause(waitMs, signal);
  }
}

function jsonOf(response: Response): Promise<unknown> {
  return response.json().catch(() => undefined);
}
