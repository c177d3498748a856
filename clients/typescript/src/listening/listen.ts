import { answerOf, type RedriveClient } from '../calls/client.ts';
import { eventsOf } from '../calls/events-of.ts';
import { pause } from '../calls/pause.ts';
import { errorOf } from '../calls/problem.ts';
import { isFinal, retryAfterOf } from '../calls/watch.ts';
import type { components } from '../native-api.ts';
import { type ListenedRequest, listenedRequest } from './listened-request.ts';

/** What a listener wants, and who is told how it goes. */
export interface ListenOptions {
  /** Types of event, exact or by a prefix such as `invoice.*`: all where left out. */
  eventTypes?: string[] | undefined;
  filter?: components['schemas']['NewListener']['filter'] | undefined;
  /** The secret that requests are signed with; one is made where left out, and kept from connection to connection. */
  secret?: string | undefined;
  /** Time for each answer: 30 seconds where left out. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Told when requests can come, the first time and after each break. */
  onListening?: ((listener: { id: string; endpointId: string; secret: string }) => void) | undefined;
  /** Told when the connection was lost, and with it the listener: another one is opened after `waitMs`. */
  onLost?: ((lost: { error: unknown; waitMs: number }) => void) | undefined;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

/**
 * Receives the new events of a tenant without an address that a sender could reach, as signed requests, each of which
 * wants an answer. Ends when the signal is aborted, or when somebody deletes the listener's endpoint; opens another
 * listener where the connection breaks. What was sent meanwhile is not sent to it.
 */
export async function* listen(
  client: RedriveClient,
  { secret, signal = new AbortController().signal, onListening, onLost, ...wanted }: ListenOptions = {},
): AsyncGenerator<ListenedRequest, void, undefined> {
  let known = secret;
  let failures = 0;
  while (!signal.aborted) {
    let failure: unknown;
    try {
      const opened = await open(client, { ...wanted, secret: known }, signal);
      known = opened.secret;
      const { id, endpointId } = opened;
      for await (const { event, data } of streamOf(client, opened.links.stream, signal)) {
        if (event === 'ended' && (data as { why: string }).why === 'endpoint_deleted') return;
        if (event === 'listening') {
          failures = 0;
          onListening?.({ id, endpointId, secret: known });
        }
        if (event === 'request') yield listenedRequest(client, id, data);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isFinal(error)) throw error;
      failure = error;
    }
    if (signal.aborted) return;
    const waitMs = Math.max(
      retryAfterOf(failure) ?? 0,
      Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 10)),
    );
    failures += 1;
    onLost?.({ error: failure, waitMs });
    await pause(waitMs, signal);
  }
}

function open(
  { calls }: RedriveClient,
  {
    eventTypes,
    filter,
    secret,
    timeoutMs,
  }: Pick<ListenOptions, 'eventTypes' | 'filter' | 'secret' | 'timeoutMs'>,
  signal: AbortSignal,
): Promise<components['schemas']['OpenedListener']> {
  const body: components['schemas']['NewListener'] = {
    ...(eventTypes === undefined ? {} : { eventTypes }),
    ...(filter === undefined ? {} : { filter }),
    ...(secret === undefined ? {} : { secret }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  return answerOf(calls.POST('/api/v1/listeners', { body, signal }));
}

async function* streamOf({ raw }: RedriveClient, path: string, signal: AbortSignal) {
  const response = await raw(path, { headers: { accept: 'text/event-stream' }, signal });
  if (!response.ok || !response.body) throw errorOf(await response.json().catch(() => undefined), response);
  yield* eventsOf(response.body);
}
