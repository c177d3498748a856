import type { StreamEvent } from '@redrive/client';
import type { QueryClient, QueryKey } from '@tanstack/react-query';
import type { Schema } from './client.ts';
import { newer } from './newer.ts';

type Operation = Schema<'OperationSummary'>;
type Outage = Schema<'OutageSummary'>;

/** An answer that was read before an event, and came behind it, must not undo it: so many are remembered. */
const REMEMBERED = 500;

const remembered = new Map<string, Operation>();

/** An operation as it was read, with what the stream has told of it meanwhile. */
export function withTold<Read extends Operation>(read: Read): Read {
  const told = remembered.get(read.id);
  return told !== undefined && newer(told, read) === told ? { ...read, ...told } : read;
}

/** What is known of what the stream has told, and how the screens hear of more. */
export class Told {
  readonly #queries: QueryClient;
  /** What is shown of each besides its numbers: answers that hold more than the stream tells are asked for where it changes. */
  readonly #facts = new Map<string, string>();
  #begun = false;

  constructor(queries: QueryClient) {
    this.#queries = queries;
  }

  /** Puts events, in the order in which they came, where the screens read: into the answers that are kept. */
  take(events: readonly StreamEvent[]): void {
    // Behind a gap something may have ended that no snapshot holds any more.
    const gap = this.#begun && events.some(({ event }) => event === 'snapshot');
    this.#takeOperations(newestOf<Operation>(events, 'operations'));
    this.#takeOutages(newestOf<Outage>(events, 'outages'));
    this.#begun ||= events.length > 0;
    if (gap) for (const [name] of FOLLOWED) void this.#readAgain([name]);
  }

  #takeOperations(byId: ReadonlyMap<string, Operation>): void {
    if (byId.size === 0) return;
    let listsDiffer = !this.#begun;
    for (const operation of byId.values()) {
      const { id } = operation;
      const known = remembered.get(id);
      keep(remembered, id, operation);
      this.#queries.setQueryData(['operation', id], (kept: Operation | undefined) =>
        kept ? { ...kept, ...newer(kept, operation) } : undefined,
      );
      const factsDiffer = this.#differs(id, factsOf(operation));
      // As the stream begins everything is new to it, and was read a moment ago.
      if (!this.#begun && this.#queries.getQueryData<Operation>(['operation', id])?.state === operation.state)
        continue;
      // An event in which nothing has moved tells of something that is not in it, such as an approval.
      if (!factsDiffer && !(known && sameCounts(known, operation))) continue;
      listsDiffer ||= known?.state !== operation.state;
      for (const [name, of] of FOLLOWED) if (of === 'operation') void this.#readAgain([name, id]);
    }
    this.#queries.setQueriesData(
      { queryKey: ['operations'] },
      (kept: OperationPages | undefined) => kept && withNewer(kept, byId),
    );
    if (listsDiffer) void this.#readAgain(['operations']);
  }

  #takeOutages(byId: ReadonlyMap<string, Outage>): void {
    let listsDiffer = false;
    for (const outage of byId.values()) {
      // Its window grows with the clock while it is open.
      const { window: _, ...facts } = outage;
      if (!this.#differs(outage.id, JSON.stringify(facts))) continue;
      listsDiffer = true;
      // To count what an outage has left is dear: what was counted as the screen was opened is new enough.
      if (this.#begun) void this.#readAgain(['outage', outage.id]);
    }
    if (listsDiffer) void this.#readAgain(['outages']);
  }

  #differs(id: string, facts: string): boolean {
    const differs = this.#facts.get(id) !== facts;
    keep(this.#facts, id, facts);
    return differs;
  }

  /** Asks again for what is on the screen; what is just being asked for the first time, behind that. */
  async #readAgain(queryKey: QueryKey): Promise<void> {
    const queries = this.#queries;
    const first = queries
      .getQueryCache()
      .findAll({ queryKey })
      .filter(({ state }) => state.fetchStatus === 'fetching' && state.data === undefined);
    await Promise.allSettled(first.map(({ promise }) => promise));
    await queries.invalidateQueries({ queryKey });
  }
}

/** The answers that go out of date by what the stream tells, by the first member of their keys. */
const FOLLOWED = [
  ['operation', 'operation'],
  ['operation-endpoints', 'operation'],
  ['samples', 'operation'],
  ['operations', 'list'],
  ['outage', 'outage'],
  ['outages', 'list'],
] as const;

/** The newest of each thing: events are in the order in which they came. */
function newestOf<Thing extends { id: string }>(
  events: readonly StreamEvent[],
  member: 'operations' | 'outages',
): Map<string, Thing> {
  return new Map(
    events
      .flatMap(({ data }) => {
        const things = (data as Partial<Record<typeof member, Thing[]>> | null)?.[member];
        return Array.isArray(things) ? things : [];
      })
      .map((thing) => [thing.id, thing]),
  );
}

/** Keeps the newest, so that a tab that is open for weeks does not grow. */
function keep<Value>(map: Map<string, Value>, id: string, value: Value): void {
  map.delete(id);
  map.set(id, value);
  const [oldest] = map.keys();
  if (map.size > REMEMBERED && oldest !== undefined) map.delete(oldest);
}

/** Without what moves all the time, by itself or with the numbers. */
function factsOf({
  counts: _counts,
  etaSeconds: _eta,
  etaLeavesOut: _leavesOut,
  nextEvent: _next,
  waitingFor: _waiting,
  ...facts
}: Operation): string {
  return JSON.stringify(facts);
}

function sameCounts(one: Operation, other: Operation): boolean {
  return JSON.stringify(one.counts) === JSON.stringify(other.counts);
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
