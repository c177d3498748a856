import type { AttemptResult } from '../domain/sending/attempt-result.ts';
import type { FaultCode } from '../domain/sending/fault-code.ts';
import type { AddressGuard } from './address-guard.ts';
import type { Deadline } from './deadline.ts';
import type { EgressProxy } from './egress-proxy.ts';
import type { EndpointTls } from './endpoint-tls.ts';
import { Exchange } from './exchange.ts';
import { createGuardedConnector } from './guarded-connector.ts';
import { createSocketLimit } from './socket-limit.ts';
import { SocketPool } from './socket-pool.ts';

/**
 * One request, a POST where nothing else is said; `timeoutMs` is the total: the wait for a socket, name, connection,
 * request, answer and its body.
 */
export type AttemptRequest = {
  method?: 'GET' | 'POST';
  url: string;
  body: string | Buffer;
  headers: Readonly<Record<string, string>>;
  timeoutMs: number;
  deadline: Deadline;
  /** Where the endpoint has TLS of its own. */
  tls?: EndpointTls | undefined;
};

/** The dependencies and limits of the attempt client. */
export type AttemptClientOptions = {
  guard: AddressGuard;
  /** Name, TCP and TLS together, to about half a second; the request's own total is exact. 5 s by default. */
  connectTimeoutMs?: number;
  /**
   * Requests beyond it wait in line and are released when their total time ends there. 128 by default. Endpoints of one
   * origin whose TLS differs share no sockets, and have so many each.
   */
  maxSocketsPerOrigin?: number;
  /** Sockets of all origins together, idle ones and those that connect included: beyond it this process has no file. */
  maxSockets?: number;
  /** Head of one answer, interim ones included; beyond it the answer is `invalid_response`. */
  maxHeadBytes?: number;
  /** Trust anchors (PEM) instead of the built-in ones. */
  ca?: string;
  /** Every connection goes through it, where there is one. */
  proxy?: EgressProxy | undefined;
};

/** Counts for the metrics; `connected` are sockets, idle ones included. */
type AttemptClientStats = { origins: number; inFlight: number; waiting: number; connected: number };

/** The only thing that puts a delivery on the wire. */
export type AttemptClient = {
  send(request: AttemptRequest): Promise<AttemptResult>;
  /**
   * Releases waiting requests, lets those on the wire end by themselves, closes the sockets. Later sends are released.
   */
  close(): Promise<void>;
  stats(): AttemptClientStats;
};

type Target = { origin: string; path: string } | { refused: FaultCode };

/** More different URLs or origins than this are a sign of churn: the caches are emptied. */
const MAX_CACHED_TARGETS = 10_000;
const MAX_POOLS_BEFORE_SWEEP = 1_000;

/**
 * Makes a client whose `send` never rejects: every end of an attempt is an `AttemptResult`. Redirects are not
 * followed, bodies are neither decompressed nor read beyond 64 KiB, addresses are checked and pinned by the guard.
 */
export function createAttemptClient(options: AttemptClientOptions): AttemptClient {
  const { guard, connectTimeoutMs = 5_000, maxSocketsPerOrigin = 128, maxHeadBytes } = options;
  const within = createSocketLimit(options.maxSockets ?? Number.POSITIVE_INFINITY);
  const connectorFor = (tls?: EndpointTls) =>
    within(
      createGuardedConnector({
        ...{ guard, connectTimeoutMs, maxHeadBytes, proxy: options.proxy },
        tls: { ...(options.ca === undefined ? {} : { ca: options.ca }), ...tls },
      }),
    );
  const usual = connectorFor();
  const pools = new Map<string, SocketPool>();
  const targets = new Map<string, Target>();
  let inFlight = 0;
  let onDrained: (() => void) | undefined;
  let closed: Promise<void> | undefined;

  function targetOf(url: string): Target {
    const known = targets.get(url);
    if (known !== undefined) return known;
    const check = guard.checkUrl(url);
    const target: Target = check.ok
      ? { origin: check.url.origin, path: check.url.pathname + check.url.search }
      : { refused: check.code === 'address_blocked' ? 'address_blocked' : 'invalid_request' };
    if (targets.size >= MAX_CACHED_TARGETS) targets.clear();
    targets.set(url, target);
    return target;
  }

  /** Sockets that were opened with a certificate are for the endpoint that it was given for, and for no other. */
  function poolOf(origin: string, tls: EndpointTls | undefined): SocketPool {
    const key = tls === undefined ? origin : `${origin} ${tls.id}`;
    let pool = pools.get(key);
    if (pool === undefined) {
      if (pools.size >= MAX_POOLS_BEFORE_SWEEP) forgetUnusedPools();
      const connect = tls === undefined ? usual : connectorFor(tls);
      pool = new SocketPool(origin, { connect, maxSocketsPerOrigin });
      pools.set(key, pool);
    }
    return pool;
  }

  function forgetUnusedPools(): void {
    for (const [key, pool] of pools) if (pool.unused) pools.delete(key);
  }

  function settled(): void {
    inFlight -= 1;
    if (inFlight === 0) onDrained?.();
  }

  async function drainAndDestroy(): Promise<void> {
    for (const pool of pools.values()) pool.stopWaiting();
    if (inFlight > 0) {
      await new Promise<void>((resolve) => {
        onDrained = resolve;
      });
    }
    await Promise.all([...pools.values()].map((pool) => pool.destroyIdle()));
  }

  return {
    send(request) {
      if (closed !== undefined) return Promise.resolve({ kind: 'released', reason: 'stopping' });
      if (request.deadline.expired()) return Promise.resolve({ kind: 'released', reason: 'deadline' });
      const target = targetOf(request.url);
      if ('refused' in target) {
        return Promise.resolve({
          kind: 'faulted',
          fault: target.refused,
          mayHaveArrived: false,
          durationMs: 0,
        });
      }
      const pool = poolOf(target.origin, request.tls);
      inFlight += 1;
      return new Promise((resolve) => {
        const settle = (result: AttemptResult): void => {
          resolve(result);
          settled();
        };
        pool.acquire(
          new Exchange(
            {
              method: request.method ?? 'POST',
              path: target.path,
              headers: headerListOf(request.headers),
              body: request.body,
              timeoutMs: request.timeoutMs,
              deadline: request.deadline,
            },
            pool,
            settle,
          ),
        );
      });
    },

    close() {
      closed ??= drainAndDestroy();
      return closed;
    },

    stats() {
      const stats = { origins: pools.size, inFlight, waiting: 0, connected: 0 };
      for (const pool of pools.values()) {
        stats.waiting += pool.counts.waiting;
        stats.connected += pool.counts.connected;
      }
      return stats;
    },
  };
}

/** Asks for a body as it is: we record an excerpt and never decompress, so that no small answer becomes a big one. */
function headerListOf(headers: Readonly<Record<string, string>>): string[] {
  const list = ['accept-encoding', 'identity'];
  for (const name of Object.keys(headers)) list.push(name, headers[name] as string);
  return list;
}
