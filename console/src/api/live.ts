import type { StreamEvent } from '@redrive/client';
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useState } from 'react';
import { chosenTenant, client, type Schema } from './client.ts';
import { newer } from './newer.ts';

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
  const told: Told = new Map();
  let state: Liveness = 'connecting';
  let reads = false;
  const tell = (next: Liveness) => {
    state = next;
    onState(next);
  };
  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    if (data.kind === 'events') apply(queries, data.events, told);
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
        apply(queries, events, told);
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

/** The states that were told last: lists are asked for again where one changes, not with each number. */
type Told = Map<string, string>;

/** Puts events where the screens read: into the answers that are kept. */
function apply(queries: QueryClient, events: StreamEvent[], told: Told): void {
  const changed: Operation[] = [];
  let outages = false;
  for (const { event, data } of events) {
    if (event.startsWith('outage')) outages = true;
    else changed.push(...operationsIn(data));
  }
  const byId = new Map(changed.map((operation) => [operation.id, operation]));
  let listsDiffer = false;
  for (const operation of byId.values()) {
    const { id, state } = operation;
    queries.setQueryData(['operation', id], (kept: Operation | undefined) =>
      kept ? { ...kept, ...newer(kept, operation) } : undefined,
    );
    if (told.get(id) === state) continue;
    told.set(id, state);
    listsDiffer = true;
    // What the stream does not tell, such as acts and causes.
    void queries.invalidateQueries({ queryKey: ['operation', id] });
  }
  if (byId.size > 0)
    queries.setQueriesData(
      { queryKey: ['operations'] },
      (kept: OperationPages | undefined) => kept && withNewer(kept, byId),
    );
  if (listsDiffer) void queries.invalidateQueries({ queryKey: ['operations'] });
  if (outages) void queries.invalidateQueries({ queryKey: ['outages'] });
}

interface OperationPages {
  pages: { items: Operation[] }[];
  pageParams: unknown[];
}

function withNewer(kept: OperationPages, byId: ReadonlyMap<string, Operation>): OperationPages {
  return {
    ...kept,
    pages: kept.pages.map((page) => ({
      ...page,
      items: page.items.map((item) => {
        const come = byId.get(item.id);
        return come ? newer(item, come) : item;
      }),
    })),
  };
}

/** The operations of an event: one, or after a gap all that are open. */
function operationsIn(data: unknown): Operation[] {
  if (typeof data !== 'object' || data === null) return [];
  if ('operations' in data && Array.isArray(data.operations)) return data.operations.flatMap(operationsIn);
  return 'counts' in data && 'state' in data ? [data as Operation] : [];
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
