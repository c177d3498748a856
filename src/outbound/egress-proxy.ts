import http from 'node:http';
import https from 'node:https';
import { isIP, type Socket } from 'node:net';

/** The proxy by which requests leave; its address is the operator's word and is not asked of the guard. */
export type EgressProxy = {
  secure: boolean;
  host: string;
  port: number;
  /** The value of `Proxy-Authorization`. */
  authorization?: string;
};

/**
 * Why the proxy made no tunnel. `ERR_EGRESS_PROXY` is a fault of the proxy (away, or it refuses us); the others are what
 * it says of the destination. Its message holds no address, no name and no credential.
 */
export class EgressProxyError extends Error {
  readonly code: 'ERR_EGRESS_PROXY' | 'ERR_PROXY_NO_CONNECTION' | 'ERR_PROXY_TIMEOUT';
  constructor(code: EgressProxyError['code'], cause?: unknown) {
    super('The egress proxy made no tunnel to the destination.', { cause });
    this.code = code;
  }
}

/** Reads a proxy from its URL, whose user and password, if any, are sent to it with each tunnel that is asked for. */
export function readEgressProxy(text: string): EgressProxy {
  const { protocol, hostname, port, username, password } = new URL(text);
  const secure = protocol === 'https:';
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    secure,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (secure ? 443 : 80) : Number(port),
    ...(username === '' ? {} : { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }),
  };
}

/**
 * Asks the proxy for a tunnel to an *address* (RFC 9110 section 9.3.6): given a name it would resolve that itself, after
 * the guard has looked, and reach what the guard forbids. Rejects with an {@link EgressProxyError}, or with the reason
 * of the signal where the proxy was there and has not answered by then: it may still be trying the destination.
 */
export function openTunnel(
  proxy: EgressProxy,
  { address, port }: { address: string; port: number },
  signal: AbortSignal,
): Promise<Socket> {
  const authority = `${isIP(address) === 6 ? `[${address}]` : address}:${port}`;
  return new Promise((resolve, reject) => {
    const asked = (proxy.secure ? https : http).request({
      host: proxy.host,
      port: proxy.port,
      method: 'CONNECT',
      path: authority,
      headers: {
        host: authority,
        ...(proxy.authorization === undefined ? {} : { 'proxy-authorization': proxy.authorization }),
      },
      agent: false,
    });
    let there = false;
    asked.once('socket', (socket) => {
      socket.once(proxy.secure ? 'secureConnect' : 'connect', () => {
        there = true;
      });
    });
    const giveUp = () => asked.destroy();
    signal.addEventListener('abort', giveUp, { once: true });
    asked.once('connect', ({ statusCode = 0 }, socket, head) => {
      signal.removeEventListener('abort', giveUp);
      // Whoever uses it has a listener of its own; between here and there an error must not end the process.
      socket.on('error', () => {});
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        reject(new EgressProxyError(codeOf(statusCode)));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket.setNoDelay(true).setKeepAlive(true, 60_000) as Socket);
    });
    asked.on('error', (error) => {
      signal.removeEventListener('abort', giveUp);
      reject(signal.aborted && there ? signal.reason : new EgressProxyError('ERR_EGRESS_PROXY', error));
    });
    asked.end();
  });
}

/**
 * What proxies answer where they do not reach the destination, or have a rule against it (403): that is this one
 * destination's, which its tenant chose. Any other refusal is for whoever runs the proxy.
 */
function codeOf(status: number): EgressProxyError['code'] {
  if (status === 504) return 'ERR_PROXY_TIMEOUT';
  return status === 403 || status === 502 || status === 503 ? 'ERR_PROXY_NO_CONNECTION' : 'ERR_EGRESS_PROXY';
}
