import { createHash } from 'node:crypto';
import type { Operation } from '../../../domain/operations/operation.ts';
import type { Id } from '../../../domain/tenancy/typed-id.ts';
import type { Outage } from '../../../store/outages/outages.ts';
import { fingerprintOf } from '../retries/operation-watch.ts';

/** Operations and outages of a tenant. */
interface Things {
  operations: Operation[];
  outages: Outage[];
}

/** What a tenant has at one moment, as those who follow it see it. */
export interface TenantState extends Things {
  asOf: Date;
}

/** What was open the last time: it is told once more when it has ended. */
export interface WasOpen {
  operations: readonly Id<'operation'>[];
  outages: readonly Id<'outage'>[];
}

/** What has moved since a state: everything, where that state is not known. */
export interface TenantChange extends Things {
  /** Names the state that this leads to, in every process alike. */
  id: string;
  asOf: Date;
  whole: boolean;
}

/** Between two looks at one tenant at least, however many notices come. */
const LEAST_MS = 250;
/** Looks by itself, for notices that were missed and for what moves without one. */
const NET_MS = 5_000;

/** Where states come from, and what tells that one has moved. */
export interface TenantSource {
  /** The state now, with what was open the last time in any case. */
  load(tenantId: Id<'tenant'>, wasOpen: WasOpen): Promise<TenantState>;
  /** Begins to hear of changes; the function that ends it. */
  listen(onChange: (tenantId: Id<'tenant'>) => void): () => void;
}

interface Followed {
  watchers: number;
  state?: TenantState;
  prints: Map<string, string>;
  id: string;
  /** Grows with each state. */
  revision: number;
  wake: Set<() => void>;
  looking: boolean;
  /** A notice came while it was looked at. */
  again: boolean;
  timer?: NodeJS.Timeout;
  lookedAtMs: number;
}

/**
 * Follows tenants for those who want to see everything of theirs move: one look for each notice and tenant, however many
 * follow it. A slow one misses steps in between, never the last one.
 */
export class TenantWatch {
  readonly #source: TenantSource;
  readonly #followed = new Map<Id<'tenant'>, Followed>();
  #endListening: (() => void) | undefined;

  constructor(source: TenantSource) {
    this.#source = source;
  }

  /** The state as it is and whenever it has changed, until `ended`; nothing at first for one who has seen it. */
  async *changes(
    tenantId: Id<'tenant'>,
    lastSeen: string | undefined,
    ended: AbortSignal,
  ): AsyncGenerator<TenantChange> {
    const followed = this.#join(tenantId);
    try {
      let seen: Map<string, string> | undefined;
      let revision = 0;
      while (!ended.aborted) {
        const { state } = followed;
        if (!state || followed.revision === revision) {
          await changed(followed, ended);
          continue;
        }
        revision = followed.revision;
        const known = seen ?? (followed.id === lastSeen ? followed.prints : undefined);
        const { prints } = followed;
        const hasMoved = ({ id }: { id: string }) => known?.get(id) !== prints.get(id);
        const operations = state.operations.filter(hasMoved);
        const outages = state.outages.filter(hasMoved);
        seen = prints;
        if (known && operations.length + outages.length === 0) continue;
        yield { id: followed.id, asOf: state.asOf, whole: known === undefined, operations, outages };
      }
    } finally {
      this.#leave(tenantId, followed);
    }
  }

  #join(tenantId: Id<'tenant'>): Followed {
    let followed = this.#followed.get(tenantId);
    if (!followed) {
      followed = {
        ...{ watchers: 0, prints: new Map(), id: '', revision: 0, wake: new Set() },
        ...{ looking: false, again: false, lookedAtMs: Number.NEGATIVE_INFINITY },
      };
      this.#followed.set(tenantId, followed);
      this.#endListening ??= this.#source.listen((changedId) => {
        const told = this.#followed.get(changedId);
        if (told) this.#lookSoon(changedId, told);
      });
      void this.#look(tenantId, followed);
    }
    followed.watchers += 1;
    return followed;
  }

  #leave(tenantId: Id<'tenant'>, followed: Followed): void {
    followed.watchers -= 1;
    if (followed.watchers > 0) return;
    clearTimeout(followed.timer);
    this.#followed.delete(tenantId);
    if (this.#followed.size > 0) return;
    this.#endListening?.();
    this.#endListening = undefined;
  }

  #lookSoon(tenantId: Id<'tenant'>, followed: Followed): void {
    if (followed.looking) followed.again = true;
    else this.#lookIn(tenantId, followed, Math.max(0, LEAST_MS - (performance.now() - followed.lookedAtMs)));
  }

  #lookIn(tenantId: Id<'tenant'>, followed: Followed, ms: number): void {
    clearTimeout(followed.timer);
    followed.timer = setTimeout(() => void this.#look(tenantId, followed), ms);
  }

  async #look(tenantId: Id<'tenant'>, followed: Followed): Promise<void> {
    followed.looking = true;
    followed.again = false;
    // While Postgres is away those who follow simply see no change.
    const state = await this.#source.load(tenantId, openIn(followed.state)).catch(() => undefined);
    followed.looking = false;
    followed.lookedAtMs = performance.now();
    if (state) {
      const prints = printsOf(state);
      const id = digestOf(prints);
      if (id !== followed.id || followed.state === undefined) {
        Object.assign(followed, { state, prints, id, revision: followed.revision + 1 });
        for (const wake of [...followed.wake]) wake();
      }
    }
    if (followed.watchers > 0) this.#lookIn(tenantId, followed, followed.again ? LEAST_MS : NET_MS);
  }
}

function openIn(state: TenantState | undefined): WasOpen {
  return {
    operations: (state?.operations ?? []).filter(({ closedAt }) => !closedAt).map(({ id }) => id),
    outages: (state?.outages ?? []).filter(({ endedAt }) => !endedAt).map(({ id }) => id),
  };
}

function printsOf({ operations, outages }: Things): Map<string, string> {
  return new Map<string, string>([
    ...operations.map((each): [string, string] => [each.id, fingerprintOf(each)]),
    // The end of the window of one that is open moves with the clock.
    ...outages.map(({ window: _, ...each }): [string, string] => [each.id, JSON.stringify(each)]),
  ]);
}

/** Names a state, in every process alike. */
function digestOf(prints: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256');
  for (const print of prints.values()) hash.update(print);
  return hash.digest('base64url').slice(0, 16);
}

function changed(followed: Followed, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      followed.wake.delete(wake);
      ended.removeEventListener('abort', wake);
      resolve();
    };
    followed.wake.add(wake);
    ended.addEventListener('abort', wake);
    if (ended.aborted) wake();
  });
}
