import type { Authenticated } from '../authentication/caller.ts';
import { type Problem, problem } from '../problems/problem.ts';
import type { StreamKind, StreamPlace } from '../reply.ts';

/** What goes on for long, and is counted: streamed answers, and bodies that are taken while they arrive. */
export type PlaceKind = StreamKind | 'upload';

/** How many of them go on at a time in one process, and how often each is asked whether it still may. */
export interface StreamLimits {
  exportsOfTenant: number;
  /** Each holds a line and two batches of lines; the second place is for one that comes again before its first is missed. */
  uploadsOfTenant: number;
  eventsOfCredential: number;
  eventsOfTenant: number;
  checkEveryMs: number;
}

const LIMITS: StreamLimits = {
  exportsOfTenant: 4,
  uploadsOfTenant: 2,
  eventsOfCredential: 20,
  eventsOfTenant: 200,
  checkEveryMs: 15_000,
};

/** An export is over in seconds to minutes; an event stream ends when somebody goes, and an upload that is left is missed then. */
const RETRY_AFTER_SECONDS: Record<PlaceKind, number> = { export: 5, events: 15, upload: 15 };

const WORDS: Record<PlaceKind, string> = {
  export: 'exports',
  events: 'event streams',
  upload: 'uploads',
};

/** The places for streams and uploads: a few for a tenant and for a credential, each for as long as its credential lasts. */
export class StreamPlaces {
  readonly #limits: StreamLimits;
  readonly #taken = new Map<string, number>();

  constructor(limits: Partial<StreamLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
  }

  /** Takes a place, or says why there is none; `stillMay` is asked again and again, and must not throw. */
  enter(
    kind: PlaceKind,
    { caller, tenant }: Authenticated,
    stillMay: () => Promise<boolean>,
  ): StreamPlace | Problem {
    const ofTenant = `${kind} of tenant ${tenant?.id}`;
    // The key before its actor: two tenants may give keys of theirs the same one.
    const ofCredential = `${kind} of credential ${caller.keyId ?? caller.actor}`;
    const { exportsOfTenant, uploadsOfTenant, eventsOfTenant, eventsOfCredential } = this.#limits;
    const mostOf: Record<PlaceKind, [string, number][]> = {
      export: [[ofTenant, exportsOfTenant]],
      upload: [[ofTenant, uploadsOfTenant]],
      events: [
        [ofTenant, eventsOfTenant],
        [ofCredential, eventsOfCredential],
      ],
    };
    const most = mostOf[kind];
    const full = most.find(([name, limit]) => (this.#taken.get(name) ?? 0) >= limit);
    if (full)
      return problem('rate_limited', {
        detail: `At most ${full[1]} ${WORDS[kind]} go on at a time for one ${full[0] === ofTenant ? 'tenant' : 'credential'}: end one, or wait.`,
        headers: { 'retry-after': String(RETRY_AFTER_SECONDS[kind]) },
      });
    const names = most.map(([name]) => name);
    for (const name of names) this.#taken.set(name, (this.#taken.get(name) ?? 0) + 1);
    const ended = new AbortController();
    const timer = setInterval(() => {
      void stillMay().then((may) => {
        if (!may) ended.abort();
      });
    }, this.#limits.checkEveryMs);
    return {
      ended: ended.signal,
      leave: () => {
        clearInterval(timer);
        for (const name of names.splice(0)) this.#leave(name);
      },
    };
  }

  #leave(name: string): void {
    const left = (this.#taken.get(name) ?? 1) - 1;
    if (left === 0) this.#taken.delete(name);
    else this.#taken.set(name, left);
  }
}
