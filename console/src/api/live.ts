import type { StreamEvent } from '@redrive/client';
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useState } from 'react';
import { client } from './client.ts';
import { Told } from './told.ts';

/** How the numbers on the screen are kept fresh. */
export type Liveness = 'connecting' | 'live' | 'polling';

type Message = { kind: 'event'; event: StreamEvent } | { kind: 'state'; state: Liveness } | { kind: 'who' };

/** At most ten times a second, however many events arrive: a screen that changes faster cannot be read. */
const GATHER_MS = 100;

const PATH = '/api/v1/stream';

/**
 * Follows the tenant's event stream for all tabs of the browser: the one that holds the lock reads it and tells the
 * others, for a browser has only six connections to a server. Where its holder closes, the next tab takes over behind the
 * last event that it was told of.
 */
export function followStream(
  queries: QueryClient,
  tenantId: string,
  onState: (state: Liveness) => void,
): () => void {
  const ended = new AbortController();
  // Tabs of another tenant, by another session or another URL, follow a stream of their own.
  const name = `redrive-stream:${tenantId}`;
  const channel = new BroadcastChannel(name);
  const told = new Told(queries);
  let state: Liveness = 'connecting';
  let reads = false;
  let lastEventId: string | undefined;
  const tell = (next: Liveness) => {
    state = next;
    onState(next);
  };
  // Each tab gathers for itself: the timers of one that is out of sight are slow, and it may be the one that reads.
  const gathered = gather((events) => {
    if (!ended.signal.aborted) told.take(events);
  });
  const take = (event: StreamEvent) => {
    lastEventId = event.id ?? lastEventId;
    gathered(event);
  };
  const send = (message: Message) => channel.postMessage(message);
  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    if (data.kind === 'event') take(data.event);
    else if (data.kind === 'state') tell(data.state);
    else if (reads) send({ kind: 'state', state });
  };
  send({ kind: 'who' });
  void navigator.locks
    .request(name, { signal: ended.signal }, async () => {
      reads = true;
      const share = (next: Liveness) => {
        if (ended.signal.aborted) return;
        tell(next);
        send({ kind: 'state', state: next });
      };
      try {
        const events = client.watch(PATH, {
          signal: ended.signal,
          ...(lastEventId === undefined ? {} : { lastEventId }),
          onConnection: ({ up }) => share(up ? 'live' : 'polling'),
        });
        for await (const event of events) {
          if (ended.signal.aborted) return;
          take(event);
          send({ kind: 'event', event });
        }
      } catch {
        // A server without the stream, or a session without the right to it: the screens ask by themselves.
        share('polling');
        await new Promise((resolve) => ended.signal.addEventListener('abort', resolve));
      }
    })
    .catch(() => {});
  return () => {
    ended.abort();
    channel.close();
  };
}

/** Hands on together what came within a moment. */
function gather(hand: (events: StreamEvent[]) => void): (event: StreamEvent) => void {
  let waiting: StreamEvent[] = [];
  return (event) => {
    waiting.push(event);
    if (waiting.length > 1) return;
    setTimeout(() => {
      const events = waiting;
      waiting = [];
      hand(events);
    }, GATHER_MS);
  };
}

/** How the stream of the tenant is, for whoever shows it. */
export const LivenessContext = createContext<Liveness>('connecting');

/** Follows the stream of a tenant as long as the shell is there; of none where there is nothing to follow. */
export function useStream(tenantId: string | undefined): Liveness {
  const queries = useQueryClient();
  const [state, setState] = useState<Liveness>('connecting');
  useEffect(
    () => (tenantId === undefined ? undefined : followStream(queries, tenantId, setState)),
    [queries, tenantId],
  );
  return state;
}

/** How often a screen asks by itself: not at all while the stream tells it. */
export function usePolling(ms: number): number | false {
  return useContext(LivenessContext) === 'live' ? false : ms;
}
