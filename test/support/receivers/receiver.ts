import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { patient } from '../patience.ts';
import { type Behaviour, ok } from './receiver-behaviour.ts';
import type { SelfSigned } from './self-signed-certificate.ts';

/** A request as the receiver read it, complete. `at` is milliseconds of the wall clock. */
type ReceivedRequest = {
  id: string | undefined;
  method: string;
  path: string;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
  at: number;
  /** The status of the whole answer, once it is written. */
  answered?: number;
};

/** A real HTTP server on a free port of 127.0.0.1, its behaviour changeable while it runs. */
export type Receiver = {
  readonly origin: string;
  readonly port: number;
  readonly requests: readonly ReceivedRequest[];
  /** Connections accepted so far. */
  readonly connections: number;
  /** Connections open now. */
  readonly openConnections: number;
  /** The most requests of one `webhook-id` that were between "read" and "answered" at the same time. */
  readonly maxOverlap: number;
  /** Requests received by `webhook-id`. */
  countOf(id: string): number;
  url(path?: string): string;
  /** Changes what all requests get, or those of one path (the query aside). */
  switchTo(behaviour: Behaviour, path?: string): void;
  /** Resolves as soon as the predicate holds, looked at after each event; rejects after `timeoutMs` (10 s). */
  waitFor(predicate: (receiver: Receiver) => boolean, timeoutMs?: number): Promise<void>;
  /** Destroys all connections and stops. */
  close(): Promise<void>;
};

/** How a receiver starts; `port` 0 takes a free one, a given one serves "the receiver is back" scenes. */
export type ReceiverOptions = {
  /** With `ca` and what goes with it, it asks its clients for certificates. */
  tls?: SelfSigned & Pick<https.ServerOptions, 'ca' | 'requestCert' | 'rejectUnauthorized'>;
  port?: number;
  paths?: Record<string, Behaviour>;
};

/**
 * A request that its sender has ended is only seen to be ended some turns of the event loop later, and when this process is
 * busy the next one may be read before that: requests that overlap for no longer than this were not sent side by side.
 */
const TURNS_TO_SEE_AN_END = 12;

function afterTurns(turns: number, then: () => void): void {
  if (turns === 0) then();
  else setImmediate(afterTurns, turns - 1, then);
}

/** Starts a receiver; every test closes the ones it started. */
export async function startReceiver(
  behaviour: Behaviour = ok,
  options: ReceiverOptions = {},
): Promise<Receiver> {
  let current = behaviour;
  const byPath = new Map(Object.entries(options.paths ?? {}));
  const requests: ReceivedRequest[] = [];
  const openById = new Map<string, number>();
  const countById = new Map<string, number>();
  const sockets = new Set<Socket>();
  const watchers = new Set<() => void>();
  let maxOverlap = 0;
  let connections = 0;

  function changed(): void {
    for (const watcher of watchers) watcher();
  }

  function overlapping(id: string, change: 1 | -1): void {
    const open = (openById.get(id) ?? 0) + change;
    if (open === 0) openById.delete(id);
    else openById.set(id, open);
    if (open <= 1) maxOverlap = Math.max(maxOverlap, open);
    else
      afterTurns(TURNS_TO_SEE_AN_END, () => {
        maxOverlap = Math.max(maxOverlap, openById.get(id) ?? 0);
      });
  }

  function onRequest(request: http.IncomingMessage, response: http.ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const header = request.headers['webhook-id'];
      const id = typeof header === 'string' ? header : undefined;
      const path = (request.url ?? '/').split('?')[0] ?? '/';
      if (id !== undefined) {
        countById.set(id, (countById.get(id) ?? 0) + 1);
        overlapping(id, 1);
        response.on('close', () => overlapping(id, -1));
      }
      const received: ReceivedRequest = {
        id,
        method: request.method ?? '',
        path: request.url ?? '/',
        headers: request.headers,
        body: Buffer.concat(chunks),
        at: Date.now(),
      };
      requests.push(received);
      response.on('finish', () => {
        received.answered = response.statusCode;
        changed();
      });
      (byPath.get(path) ?? current).answer(response);
      changed();
    });
  }

  const server =
    options.tls === undefined ? http.createServer(onRequest) : https.createServer(options.tls, onRequest);
  // A busy machine closes an idle connection later than it says, in the middle of the next request.
  server.keepAliveTimeout = 60_000;
  server.on('connection', (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      changed();
    });
    if (current.resetBeforeReading) socket.resetAndDestroy();
    changed();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const origin = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;

  const receiver: Receiver = {
    origin,
    port,
    requests,
    get connections() {
      return connections;
    },
    get openConnections() {
      return sockets.size;
    },
    get maxOverlap() {
      return maxOverlap;
    },
    countOf: (id) => countById.get(id) ?? 0,
    url: (path = '/') => origin + path,
    switchTo(next, path) {
      if (path === undefined) current = next;
      else byPath.set(path, next);
    },
    waitFor(predicate, withinMs = 10_000) {
      const timeoutMs = patient(withinMs);
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          watchers.delete(look);
          reject(
            new Error(`The receiver did not see it within ${timeoutMs} ms (${requests.length} requests).`),
          );
        }, timeoutMs);
        function look(): void {
          if (!predicate(receiver)) return;
          watchers.delete(look);
          clearTimeout(timer);
          resolve();
        }
        watchers.add(look);
        look();
      });
    },
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
    },
  };
  return receiver;
}
