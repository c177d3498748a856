import { isIP } from 'node:net';
import { buildConnector } from 'undici';
import { AddressBlockedError, type AddressGuard } from './address-guard.ts';
import { tellPlainly } from './plain-answers.ts';

/** How a guarded connector connects; `ca` adds trust anchors (PEM) for TLS, `maxHeadBytes` bounds the head of an answer. */
export type ConnectorOptions = {
  guard: AddressGuard;
  connectTimeoutMs: number;
  ca?: string | undefined;
  maxHeadBytes?: number | undefined;
};

/** Far beyond what any server takes for a head; it is never held whole. */
const MAX_HEAD_BYTES = 262_144;

/**
 * An undici connector that connects to checked addresses only. Three checks, because each alone can be passed by:
 * a literal host (Node asks no lookup for those), the answers of the lookup (the socket is given those very
 * addresses, so that a name which changes its mind after the check changes nothing), and the address that the
 * socket says it reached. Fails with `AddressBlockedError` before a byte of the request is written. Answers are told in
 * the plain form that undici's parser takes.
 *
 * No error of ours may carry `UND_ERR_SOCKET` or `UND_ERR_INFO`: undici takes those for a lost keep-alive
 * connection and connects again, for ever.
 */
export function createGuardedConnector({
  guard,
  connectTimeoutMs,
  ca,
  maxHeadBytes = MAX_HEAD_BYTES,
}: ConnectorOptions): buildConnector.connector {
  const connect = buildConnector({
    timeout: connectTimeoutMs,
    lookup: guard.lookup,
    allowH2: false,
    ...(ca === undefined ? {} : { ca }),
  } as buildConnector.BuildOptions);

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
        tellPlainly(socket, maxHeadBytes);
        callback(null, socket);
        return;
      }
      socket.destroy();
      callback(new AddressBlockedError(), null);
    });
  };
}
