import { isIP, type Socket } from 'node:net';
import { buildConnector } from 'undici';
import { present } from '../domain/present.ts';
import { AddressBlockedError, type AddressGuard } from './address-guard.ts';
import type { EgressProxy } from './egress-proxy.ts';
import type { EndpointTls } from './endpoint-tls.ts';
import { tellPlainly } from './plain-answers.ts';
import { createTunnelConnector } from './tunnel-connector.ts';

/** Options of a guarded connector; `tls` has trust anchors and a certificate of ours, `maxHeadBytes` bounds an answer's head. */
export type ConnectorOptions = {
  guard: AddressGuard;
  connectTimeoutMs: number;
  tls?: Pick<EndpointTls, 'ca' | 'cert' | 'key'> | undefined;
  maxHeadBytes?: number | undefined;
  /** Connections go through it, where there is one. */
  proxy?: EgressProxy | undefined;
};

/** Far longer than any head that servers accept; a head is never held whole. */
const MAX_HEAD_BYTES = 262_144;

/**
 * An undici connector that connects to checked addresses only. Three checks, because each alone can be bypassed: of a
 * literal host (Node asks no lookup for those), of the answers of the lookup (the socket is given those very addresses,
 * so that a name that resolves to others after the check changes nothing), and of the address that the socket says it
 * reached. By a proxy the last one is not to be had, and the tunnel is asked for by the checked address instead. Fails
 * with `AddressBlockedError` before a byte of the request is written. Answers are passed on in the plain form that
 * undici's parser takes.
 *
 * No error of ours may carry `UND_ERR_SOCKET` or `UND_ERR_INFO`: undici takes those for a lost keep-alive connection
 * and connects again, for ever.
 */
export function createGuardedConnector({
  guard,
  connectTimeoutMs,
  tls: { ca, cert, key } = {},
  maxHeadBytes = MAX_HEAD_BYTES,
  proxy,
}: ConnectorOptions): buildConnector.connector {
  const connect = buildConnector({
    timeout: connectTimeoutMs,
    lookup: guard.lookup,
    allowH2: false,
    ...present({ ca, cert, key }),
  } as buildConnector.BuildOptions);

  if (proxy !== undefined) {
    const tunnel = createTunnelConnector({ guard, proxy, connectTimeoutMs, secure: connect });
    return (options, callback) =>
      tunnel(options, (...[error, socket]) => {
        if (error === null) {
          endByFirstError(socket);
          tellPlainly(socket, maxHeadBytes);
          callback(null, socket);
        } else callback(error, null);
      });
  }

  return (options, callback) => {
    if (isIP(options.hostname) !== 0 && !guard.checkAddress(options.hostname).ok) {
      callback(new AddressBlockedError(), null);
      return;
    }
    connect(options, (error, socket) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      if (guard.checkAddress(socket.remoteAddress ?? '').ok) {
        endByFirstError(socket);
        tellPlainly(socket, maxHeadBytes);
        callback(null, socket);
        return;
      }
      socket.destroy();
      callback(new AddressBlockedError(), null);
    });
  };
}

/**
 * Lets a socket end by its first error. Node emits an alert of TLS without ending the socket, and undici then takes the
 * end that follows for the reason.
 */
function endByFirstError(socket: Socket): void {
  socket.once('error', (error) => socket.destroy(error));
}
