import { LINES_OF_CHUNK } from '../../../src/proof/chunk-lines.ts';
import { CRASH_POINTS, type CrashPoint, isOfWorker } from '../../../src/telemetry/crash-points.ts';
import { seeded } from '../chaos-receivers.ts';
import { anyOf, chance, oneOf, upTo } from './choices.ts';

/** The way in which the failures of a seed are recovered. */
export const RECOVERIES = ['retry', 'replay', 'new_identity', 'plan', 'approval'] as const;

/** One of {@link RECOVERIES}. */
export type Recovery = (typeof RECOVERIES)[number];

/** An endpoint of a seed, and how its receiver treats what comes. */
export interface SmallEndpoint {
  handle: string;
  /** Events of one key come in their order; so many keys there are. */
  ordered?: { keys: number; onExhausted: 'block' | 'skip' };
  /** Shares of its deliveries: refused for good, refused at first, and left without an answer at first. */
  refuses: number;
  stumbles: number;
  silent: number;
  /** Its good answers take so many milliseconds. */
  slowMs: number;
  ratePerSecond?: number;
}

/** Something that is done beside the recovery, when the receiver has had so many requests. */
export type Beside = { received: number } & (
  | { do: 'pause' }
  | { do: 'cancel' }
  | { do: 'rate'; ratePerSecond: number }
  /** Retries of single deliveries that the recovery has, too: the n-th ones. */
  | { do: 'single'; ns: number[] }
  /** Another retry of everything. */
  | { do: 'again'; takeOverScheduled: boolean }
  /** First deliveries. */
  | { do: 'publish'; events: number }
);

/** Something that is taken away. A named point is armed in one process after the other, as they take each other's place. */
export type Kill =
  | { kill: 'point'; of: 'worker' | 'api'; at: CrashPoint; after: number }
  | { kill: 'worker'; received: number; which: number }
  | { kill: 'api'; received: number; which: number }
  /** All connections to Postgres at once, and for some time none is let in. */
  | { kill: 'postgres'; received: number; forMs: number }
  | { kill: 'temporal'; received: number; forMs: number };

/** All that is decided about one seed. */
export interface Scenario {
  seed: number;
  items: number;
  /** One process that is API and worker, or an API and so many workers. */
  roles: 'all' | 'apart';
  workers: number;
  endpoints: SmallEndpoint[];
  recovery: Recovery;
  ratePerSecond?: number;
  beside: Beside[];
  kills: Kill[];
}

/** The answers of a receiver. */
export type SmallAnswer = 'ok' | 'refuse' | 'error' | 'busy' | 'reset' | 'hang';

/** The answers to the first requests of a delivery, and to every one after them: one that was taken is taken again. */
export interface Fate {
  before: SmallAnswer[];
  last: 'ok' | 'refuse';
}

const WORKER_POINTS: CrashPoint[] = CRASH_POINTS.filter(isOfWorker);
/** Points that only ledgers of more lines than a chunk come to: shorter ones are frozen, hashed and signed at once. */
const LONG_POINTS: CrashPoint[] = ['frozen', 'hashed'];
/** Points at which most of the work is: half of all points are among these. */
const SENDING_POINTS: CrashPoint[] = ['claimed', 'requested', 'answered', 'recorded'];

/** Makes everything of a seed that we decide; the same for the same numbers. */
export function scenarioOf(seed: number, items: number): Scenario {
  const random = seeded(Math.imul(seed, 0x9e37_79b1));
  const roles = anyOf(random, ['all', 'apart'] as const);
  const recovery = anyOf(random, RECOVERIES);
  const endpoints = Array.from({ length: 1 + upTo(random, 4) }, (_, at) =>
    endpointOf(random, at, recovery !== 'new_identity'),
  );
  return {
    ...{ seed, items, roles, recovery, endpoints },
    workers: roles === 'all' ? 1 : 1 + upTo(random, 2),
    ...(chance(random, 0.25) ? { ratePerSecond: 150 + upTo(random, 300) } : {}),
    beside: besideOf(random, items, recovery),
    kills: killsOf(random, items, recovery),
  };
}

/** The answers to the n-th event of an endpoint; they do not depend on the order in which anything happens. */
export function fateOf({ seed, endpoints }: Scenario, endpoint: number, n: number): Fate {
  const random = seeded(
    Math.imul(seed, 0x9e37_79b1) ^ Math.imul(endpoint + 1, 0x85eb_ca6b) ^ Math.imul(n + 1, 0xc2b2_ae35),
  );
  const { refuses = 0, stumbles = 0, silent = 0 } = endpoints[endpoint] ?? {};
  const before: SmallAnswer[] = [];
  if (chance(random, stumbles))
    for (let left = 1 + upTo(random, 2); left > 0; left--)
      before.push(oneOf(random, { error: 2, busy: 2, reset: 1 } as const));
  if (chance(random, silent)) before.push('hang');
  return { before, last: chance(random, refuses) ? 'refuse' : 'ok' };
}

function endpointOf(random: () => number, at: number, mayBeOrdered: boolean): SmallEndpoint {
  const ordered = mayBeOrdered && chance(random, 0.3);
  const onExhausted = anyOf(random, ['block', 'skip'] as const);
  return {
    handle: `e${at}`,
    ...(ordered ? { ordered: { keys: 20 + upTo(random, 40), onExhausted } } : {}),
    // What is refused for good keeps those behind it waiting for good, too.
    refuses: ordered && onExhausted === 'block' ? 0 : anyOf(random, [0, 0, 0.05, 0.3]),
    stumbles: anyOf(random, [0, 0.1, 0.3]),
    silent: anyOf(random, [0, 0, 0.01]),
    slowMs: anyOf(random, [0, 0, 10, 40]),
    ...(chance(random, 0.15) ? { ratePerSecond: 100 + upTo(random, 200) } : {}),
  };
}

function besideOf(random: () => number, items: number, recovery: Recovery): Beside[] {
  const at = () => ({ received: upTo(random, Math.floor(items * 0.7)) });
  const several = () => Array.from({ length: 1 + upTo(random, 8) }, () => upTo(random, items));
  const any: (() => Beside)[] = [
    () => ({ do: 'pause', ...at() }),
    () => ({ do: 'rate', ratePerSecond: 200 + upTo(random, 800), ...at() }),
    () => ({ do: 'single', ns: several(), ...at() }),
    () => ({ do: 'publish', events: 5 + upTo(random, 20), ...at() }),
    // The deliveries of a new identity are others: what a second operation makes of the first ones is told apart by nobody.
    ...(recovery === 'new_identity'
      ? []
      : [
          (): Beside => ({ do: 'again', takeOverScheduled: chance(random, 0.5), ...at() }),
          (): Beside => ({ do: 'cancel', ...at() }),
        ]),
  ];
  const chosen = any.filter(() => chance(random, 0.25)).map((make) => make());
  return chosen.sort((one, other) => one.received - other.received);
}

function killsOf(random: () => number, items: number, recovery: Recovery): Kill[] {
  const received = () => upTo(random, Math.floor(items * 0.95));
  const apiPoint: CrashPoint = recovery === 'plan' || recovery === 'approval' ? 'said' : 'accepted';
  const pointAfter = (at: CrashPoint) =>
    at === 'requested' ? upTo(random, items / 2) : SENDING_POINTS.includes(at) ? upTo(random, 6) : 0;
  const points = WORKER_POINTS.filter((point) => items > LINES_OF_CHUNK || !LONG_POINTS.includes(point));
  const one = (): Kill => {
    switch (oneOf(random, { point: 9, worker: 6, api: 2, postgres: 1, temporal: 1 } as const)) {
      case 'point': {
        if (chance(random, 0.15)) return { kill: 'point', of: 'api', at: apiPoint, after: 0 };
        const at = anyOf(random, chance(random, 0.5) ? SENDING_POINTS : points);
        return { kill: 'point', of: 'worker', at, after: pointAfter(at) };
      }
      case 'worker':
        return { kill: 'worker', received: received(), which: upTo(random, 2) };
      case 'api':
        return { kill: 'api', received: received(), which: 0 };
      case 'postgres':
        return { kill: 'postgres', received: received(), forMs: anyOf(random, [0, 0, 1_000]) };
      case 'temporal':
        return { kill: 'temporal', received: received(), forMs: 500 + upTo(random, 2_000) };
    }
  };
  return Array.from({ length: 1 + upTo(random, 3) }, one);
}
