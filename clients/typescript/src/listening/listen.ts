import { answerOf, type RedriveClient } from '../calls/client.ts';
import { eventsOf } from '../calls/events-of.ts';
import { pause } from '../calls/pause.ts';
import { errorOf, hasCode } from '../calls/problem.ts';
import { growingWaits, isFinal, QUIET_MS, quietFor } from '../calls/reconnecting.ts';
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
  /** A connection on which nothing has come for this long is given up, 45 s where left out: the server writes every 15 s. */
  quietMs?: number | undefined;
}

/**
 * Receives the new events of a tenant without an address that a sender could reach, as signed requests, each of which
 * wants an answer. Ends when the signal is aborted, or when somebody deletes the listener's endpoint; opens another
 * listener where the connection breaks, also where it has to wait for a place. What was sent meanwhile is not sent to it,
 * and requests whose time is over before they are taken from here are passed over.
 */
export async function* listen(
  client: RedriveClient,
  {
    secret,
    signal = new AbortController().signal,
    onListening,
    onLost,
    quietMs,
    ...wanted
  }: ListenOptions = {},
): AsyncGenerator<ListenedRequest, void, undefined> {
  let known = secret;
  let hasListened = false;
  const waits = growingWaits();
  while (!signal.aborted) {
    let failure: unknown;
    try {
      const opened = await open(client, { ...wanted, secret: known }, signal);
      const { id, endpointId, secret: made } = opened;
      known = made;
      const onThere = () => {
        hasListened = true;
        waits.reset();
        onListening?.({ id, endpointId, secret: made });
      };
      if ((yield* requestsOf(client, opened, { signal, quietMs, onThere })) === 'deleted') return;
    } catch (error) {
      if (signal.aborted) return;
      if (isFinal(error) && !(hasListened && isOfThePlace(error))) throw error;
      failure = error;
    }
    if (signal.aborted) return;
    const waitMs = waits.after(failure);
    onLost?.({ error: failure, waitMs });
    await pause(waitMs, signal);
  }
}

/** A refusal that passes: its own lost listeners, and those of others, have the places until they end. */
function isOfThePlace(error: unknown): boolean {
  return hasCode(error, 'state_conflict') || hasCode(error, 'not_found');
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

/**
 * The requests of one listener, until it is lost or its endpoint is deleted. Its connection is read, and answered,
 * whatever becomes of them meanwhile: who is busy with one is still there.
 */
async function* requestsOf(
  client: RedriveClient,
  { id, links }: components['schemas']['OpenedListener'],
  {
    signal,
    quietMs = QUIET_MS,
    onThere,
  }: { signal: AbortSignal; quietMs?: number | undefined; onThere: () => void },
): AsyncGenerator<ListenedRequest, 'deleted' | 'lost', undefined> {
  const quiet = quietFor(quietMs);
  const leaving = new AbortController();
  const ends = AbortSignal.any([signal, quiet.signal, leaving.signal]);
  let waiting: ListenedRequest[] = [];
  let wake = () => {};
  let ended: { how: 'deleted' | 'lost' } | { error: unknown } | undefined;
  const reading = read().then(
    (how) => end({ how }),
    (error: unknown) => end({ error }),
  );
  try {
    for (;;) {
      if (ended && 'error' in ended) throw ended.error;
      if (ended) return ended.how;
      const next = waiting.shift();
      if (next) yield next;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    leaving.abort();
    quiet.end();
    await reading;
  }

  async function read(): Promise<'deleted' | 'lost'> {
    const response = await client.raw(links.stream, {
      headers: { accept: 'text/event-stream' },
      signal: ends,
    });
    if (!response.ok || !response.body) throw errorOf(await response.json().catch(() => undefined), response);
    for await (const { event, data } of eventsOf(quiet.heard(response.body, ends))) {
      if (event === 'ended' && (data as { why: string }).why === 'endpoint_deleted') return 'deleted';
      if (event === 'listening') onThere();
      if (event === 'check') void sayHere();
      if (event === 'request') {
        const now = Date.now();
        waiting = [...waiting, listenedRequest(client, id, data)].filter(
          ({ answerBy }) => answerBy.getTime() > now,
        );
        wake();
      }
    }
    return 'lost';
  }

  async function sayHere(): Promise<void> {
    const answer = { params: { path: { id } }, body: { here: true as const }, signal: ends };
    // Where it fails, the next question comes soon.
    await client.calls.POST('/api/v1/listeners/{id}/answers', answer).catch(() => {});
  }

  function end(how: typeof ended): void {
    ended = how;
    wake();
  }
}
