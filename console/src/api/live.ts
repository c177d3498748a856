import type { StreamEvent } from '@redrive/client';
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useState } from 'react';
import { chosenTenant, client, type Schema } from './client.ts';
import { hasEnded, newer } from './newer.ts';

/** How the numbers on the screen are kept fresh. */
export type Liveness = 'connecting' | 'live' | 'polling';

type Message =
  | { kind: 'events'; events: StreamEvent[] }
  | { kind: 'state'; state: Liveness }
  | { kind: 'who' };

/** At most ten times a second, however many events arrive: a screen that changes faster cannot be read. */
const GATHER_MS = 100;

const PATH = '/api/v1/stream';

/**
 * Follows the tenant's event stream for all tabs of the browser: the one that holds the lock reads it and tells the
 * others, for a browser has only six connections to a server. Where its holder closes, the next tab takes over.
 */
export function followStream(queries: QueryClient, onState: (state: Liveness) => void): () => void {
  const ended = new AbortController();
  const name = `redrive-stream:${chosenTenant() ?? ''}`;
  const channel = new BroadcastChannel(name);
  let state: Liveness = 'connecting';
  let reads = false;
  const tell = (next: Liveness) => {
    state = next;
    onState(next);
  };
  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    if (data.kind === 'events') apply(queries, data.events);
    else if (data.kind === 'state') tell(data.state);
    else if (reads) channel.postMessage({ kind: 'state', state } satisfies Message);
  };
  channel.postMessage({ kind: 'who' } satisfies Message);
  void navigator.locks
    .request(name, { signal: ended.signal }, async () => {
      reads = true;
      const share = (next: Liveness) => {
        tell(next);
        channel.postMessage({ kind: 'state', state: next } satisfies Message);
      };
      const gathered = gather((events) => {
        apply(queries, events);
        channel.postMessage({ kind: 'events', events } satisfies Message);
      });
      try {
        const events = client.watch(PATH, {
          signal: ended.signal,
          onConnection: ({ up }) => share(up ? 'live' : 'polling'),
        });
        for await (const event of events) gathered(event);
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

/** Hands on what came within a moment, of each thing only the newest. */
function gather(hand: (events: StreamEvent[]) => void): (event: StreamEvent) => void {
  const waiting = new Map<string, StreamEvent>();
  return (event) => {
    const { id } = event.data as { id?: string };
    const first = waiting.size === 0;
    waiting.set(`${event.event} ${id ?? event.id ?? waiting.size}`, event);
    if (!first) return;
    setTimeout(() => {
      const events = [...waiting.values()];
      waiting.clear();
      hand(events);
    }, GATHER_MS);
  };
}

type Operation = Schema<'OperationSummary'>;

/** Puts events where the screens read: into the answers that are kept. */
function apply(queries: QueryClient, events: StreamEvent[]): void {
  const changed: Operation[] = [];
  let outages = false;
  for (const { event, data } of events) {
    if (event.startsWith('outage')) outages = true;
    else if (isOperation(data)) changed.push(data);
  }
  for (const operation of changed) {
    queries.setQueryData(['operation', operation.id], (kept: Operation | undefined) =>
      kept ? { ...kept, ...newer(kept, operation) } : undefined,
    );
    if (hasEnded(operation.state)) void queries.invalidateQueries({ queryKey: ['operation', operation.id] });
  }
  if (changed.length > 0) {
    const byId = new Map(changed.map((operation) => [operation.id, operation]));
    let unknown = byId.size;
    queries.setQueriesData(
      { queryKey: ['operations'] },
      (kept: { pages: { items: Operation[] }[]; pageParams: unknown[] } | undefined) =>
        kept && {
          ...kept,
          pages: kept.pages.map((page) => ({
            ...page,
            items: page.items.map((item) => {
              const operation = byId.get(item.id);
              if (operation) unknown -= 1;
              return operation ? newer(item, operation) : item;
            }),
          })),
        },
    );
    if (unknown > 0) void queries.invalidateQueries({ queryKey: ['operations'] });
    void queries.invalidateQueries({ queryKey: ['samples'], refetchType: 'none' });
  }
  if (outages) void queries.invalidateQueries({ queryKey: ['outages'] });
}

function isOperation(data: unknown): data is Operation {
  return typeof data === 'object' && data !== null && 'counts' in data && 'state' in data;
}

export const LivenessContext = createContext<Liveness>('connecting');

/** Follows the stream as long as the shell is there. */
export function useStream(tenant: string | undefined, enabled: boolean): Liveness {
  const queries = useQueryClient();
  const [state, setState] = useState<Liveness>('connecting');
  // biome-ignore lint/correctness/useExhaustiveDependencies: another tenant has another stream
  useEffect(() => (enabled ? followStream(queries, setState) : undefined), [queries, tenant, enabled]);
  return state;
}

/** How often a screen asks by itself: not at all while the stream tells it. */
export function usePolling(ms: number): number | false {
  return useContext(LivenessContext) === 'live' ? false : ms;
}
