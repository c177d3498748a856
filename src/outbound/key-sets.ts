import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose';
import { Agent, request } from 'undici';
import type { AddressGuard } from './address-guard.ts';
import type { EgressProxy } from './egress-proxy.ts';
import { createGuardedConnector } from './guarded-connector.ts';

/** Published keys of issuers of tokens, by their URL. */
export type KeySets = (url: string) => JWTVerifyGetKey;

/** The times that `KeySets` waits for a set and keeps it. */
export type KeySetTimes = {
  /** The total time of one request. */
  timeoutMs: number;
  /** A set is not asked for again within this time, whether that failed or the set only lacked the key. */
  cooldownMs: number;
  /** A set is asked for again after this time, so that a withdrawn key does not count for ever. */
  keepMs: number;
};

const TIMES: KeySetTimes = { timeoutMs: 5_000, cooldownMs: 30_000, keepMs: 600_000 };
/** Room for hundreds of keys; a larger document is not a set of keys. */
const MAX_BYTES = 65_536;
/** The most sets that are kept; the one used longest ago is dropped, and asked for again when it is needed. */
const MAX_SETS = 1_000;

/** The keys cannot be read at present: this says nothing about the token. */
export class KeysUnavailableError extends Error {
  readonly code = 'keys_unavailable';
  readonly retryAfterSeconds: number;
  constructor(cooldownMs: number, cause?: unknown) {
    super('The published keys of the issuer cannot be read at present.', { cause });
    this.retryAfterSeconds = Math.max(1, Math.ceil(cooldownMs / 1_000));
  }
}

/**
 * Reads the key sets that issuers publish, through the guard at each connection: an issuer's URL must not reach into
 * our own network. Redirects are not followed. Anybody can make a token that asks for keys, so even a failure is
 * remembered for the cooldown.
 */
export function createKeySets(
  guard: AddressGuard,
  { times = TIMES, proxy }: { times?: KeySetTimes; proxy?: EgressProxy | undefined } = {},
): KeySets {
  const agent = new Agent({
    connect: createGuardedConnector({ guard, proxy, connectTimeoutMs: times.timeoutMs }),
    // Sets are asked for every few minutes: a connection that is kept would only be one more to close.
    pipelining: 0,
    maxResponseSize: MAX_BYTES,
    headersTimeout: times.timeoutMs,
    bodyTimeout: times.timeoutMs,
  });
  const sets = new Map<string, JWTVerifyGetKey>();

  function keySet(url: string): JWTVerifyGetKey {
    let failedAt = Number.NEGATIVE_INFINITY;
    const set = createRemoteJWKSet(new URL(url), {
      timeoutDuration: times.timeoutMs,
      cooldownDuration: times.cooldownMs,
      cacheMaxAge: times.keepMs,
      async [customFetch](href, { signal }) {
        if (performance.now() < failedAt + times.cooldownMs) throw new KeysUnavailableError(times.cooldownMs);
        try {
          const headers = { accept: 'application/json, application/jwk-set+json' };
          const answer = await request(href, { dispatcher: agent, signal, headers });
          const text = await answer.body.text();
          if (answer.statusCode !== 200) throw new Error('not 200');
          const { keys } = JSON.parse(text);
          if (!Array.isArray(keys)) throw new Error('no keys');
          return Response.json({ keys: keys.filter((key) => typeof key === 'object' && key !== null) });
        } catch (error) {
          failedAt = performance.now();
          throw new KeysUnavailableError(times.cooldownMs, error);
        }
      },
    });
    return set;
  }

  return (url) => {
    const set = sets.get(url) ?? keySet(url);
    sets.delete(url);
    sets.set(url, set);
    const [oldest] = sets.keys();
    if (sets.size > MAX_SETS && oldest !== undefined) sets.delete(oldest);
    return set;
  };
}
