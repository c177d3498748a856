import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { BlockList, isIP, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { type buildConnector, errors } from 'undici';
import { AddressBlockedError, type AddressGuard } from './address-guard.ts';
import { type EgressProxy, EgressProxyError, openTunnel } from './egress-proxy.ts';

/** The dependencies of a connector that tunnels. */
type TunnelOptions = {
  guard: AddressGuard;
  proxy: EgressProxy;
  /** Bounds name, tunnels and TLS together. */
  connectTimeoutMs: number;
  /** Makes TLS, over the tunnel that it is given. */
  secure: buildConnector.connector;
};

type Destination = Parameters<buildConnector.connector>[0];

/** Addresses of a name that are tried, one after another, where the proxy does not reach the one before. */
const MAX_ADDRESSES = 3;

/**
 * An undici connector that reaches its destination by tunnels through a proxy. Name and literal are checked as for a
 * direct connection, and the tunnel is to the address that was checked: the proxy learns no name, and TLS and `Host` go
 * by name within the tunnel. To the proxy itself there is none, also where its network is allowed.
 */
export function createTunnelConnector(options: TunnelOptions): buildConnector.connector {
  return (destination, callback) => {
    const patience = new AbortController();
    const timer = setTimeout(() => {
      patience.abort(new errors.ConnectTimeoutError('The connection took too long.'));
    }, options.connectTimeoutMs);
    reach(options, destination, patience.signal)
      .finally(() => clearTimeout(timer))
      .then(
        (socket) => callback(null, socket),
        (error) => callback(error, null),
      );
  };
}

async function reach(
  { guard, proxy, connectTimeoutMs, secure }: TunnelOptions,
  destination: Destination,
  signal: AbortSignal,
): Promise<Socket> {
  const until = performance.now() + connectTimeoutMs;
  const port = Number(destination.port) || (destination.protocol === 'https:' ? 443 : 80);
  const permitted = permittedAddresses(guard, destination.hostname);
  const addresses = await unlessAborted(
    permitted.then((found) => withoutProxy(proxy, found, port)),
    signal,
  );
  const tried = addresses.slice(0, MAX_ADDRESSES);
  let failure: unknown;
  for (const [at, address] of tried.entries()) {
    signal.throwIfAborted();
    try {
      const shareMs = (until - performance.now()) / (tried.length - at);
      const tunnel = await openTunnelWithin(shareMs, proxy, { address, port }, signal);
      return destination.protocol === 'https:'
        ? await secured(secure, { ...destination, httpSocket: tunnel }, tunnel, signal)
        : tunnel;
    } catch (error) {
      if (signal.aborted || !isUnreached(error)) throw error;
      failure = error;
    }
  }
  throw failure;
}

/** Leaves time for the next address where the proxy says nothing of this one: it may drop what goes by IPv6. */
async function openTunnelWithin(
  ms: number,
  proxy: EgressProxy,
  to: Parameters<typeof openTunnel>[1],
  signal: AbortSignal,
): Promise<Socket> {
  const share = new AbortController();
  const timer = setTimeout(() => share.abort(new EgressProxyError('ERR_PROXY_TIMEOUT')), ms);
  try {
    return await openTunnel(proxy, to, AbortSignal.any([signal, share.signal]));
  } finally {
    clearTimeout(timer);
  }
}

/** The addresses that a host stands for and the guard lets through; rejects where there is none. */
function permittedAddresses(guard: AddressGuard, hostname: string): Promise<string[]> {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) {
    return guard.checkAddress(host).ok ? Promise.resolve([host]) : Promise.reject(new AddressBlockedError());
  }
  return new Promise((resolve, reject) => {
    guard.lookup(hostname, { all: true }, (error, found) => {
      if (error !== null || typeof found === 'string') reject(error);
      else resolve(found.map(({ address }) => address));
    });
  });
}

/** The addresses without those at which this port is the proxy's own: it would ask itself, from within its network. */
async function withoutProxy(proxy: EgressProxy, addresses: string[], port: number): Promise<string[]> {
  if (port !== proxy.port) return addresses;
  const own = new BlockList();
  for (const { address, family } of await addressesOf(proxy)) own.addAddress(address, familyOf(family));
  const others = addresses.filter((address) => !own.check(address, familyOf(isIP(address))));
  if (others.length === 0) throw new AddressBlockedError();
  return others;
}

const familyOf = (family: number) => (family === 6 ? 'ipv6' : 'ipv4');

async function addressesOf({ host }: EgressProxy): Promise<LookupAddress[]> {
  try {
    return await lookup(host, { all: true });
  } catch (error) {
    throw new EgressProxyError('ERR_EGRESS_PROXY', error);
  }
}

function isUnreached(error: unknown): boolean {
  return error instanceof EgressProxyError && error.code !== 'ERR_EGRESS_PROXY';
}

function secured(
  secure: buildConnector.connector,
  destination: Destination,
  tunnel: Socket,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // TLS over a tunnel that ends under it closes without an error: nobody else would say that it is over.
    const giveUp = () => {
      tunnel.destroy();
      reject(signal.reason);
    };
    if (signal.aborted) {
      giveUp();
      return;
    }
    signal.addEventListener('abort', giveUp, { once: true });
    secure(destination, (error, socket) => {
      signal.removeEventListener('abort', giveUp);
      if (error === null && !signal.aborted) {
        resolve(socket);
        return;
      }
      socket?.destroy();
      tunnel.destroy();
      reject(error ?? signal.reason);
    });
  });
}

/** A question to the resolver cannot be taken back: its answer is then read by nobody. */
function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}
