import type { StreamEvent } from '@redrive/client';
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useState } from 'react';
import { client, type Schema } from './client.ts';
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
export function followStream(
  queries: QueryClient,
  tenantId: string,
  onState: (state: Liveness) => void,
): () => void {
  const ended = new AbortController();
  // Tabs of another tenant, by another session or another URL, follow a stream of their own.
  const name = `redrive-stream:${tenantId}`;
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
        if (ended.signal.aborted) return;
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

type Operation = Schema<'OperationSummary'>;

/** The states that were told last: lists are asked for again where one changes, not with each number. */
type Told = Map<string, string>;

/** Puts events where the screens read: into the answers that are kept. */
function apply(queries: QueryClient, events: StreamEvent[], told: Told): void {
  // Of each operation only the newest: the events are in the order in which they came.
  const byId = new Map(events.flatMap(({ data }) => operationsIn(data)).map((each) => [each.id, each]));
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

/** The operations of an event: after a gap the newest and all that are open, then those that have moved. */
function operationsIn(data: unknown): Operation[] {
  return typeof data === 'object' && data !== null && 'operations' in data && Array.isArray(data.operations)
    ? (data.operations as Operation[])
    : [];
}

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
