import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';
import type { SelfSigned } from './self-signed-certificate.ts';

/** An HTTP proxy that tunnels, on a free port of 127.0.0.1. */
export type ForwardProxy = {
  /** Its address, for `REDRIVE_EGRESS_PROXY`. */
  url(credentials?: string): string;
  /** What it was asked for: the authority of each tunnel, and the URL of anything that is none. */
  readonly asked: readonly string[];
  close(): Promise<void>;
};

/** How a proxy starts; `refuse` decides by the authority and the credential which status a tunnel is refused with. */
export type ForwardProxyOptions = {
  tls?: SelfSigned;
  refuse?: (authority: string, authorization: string | undefined) => number | undefined;
  /** Which question for a tunnel it never answers, and which tunnel it makes and lets nothing through. */
  hangs?: (authority: string) => 'before' | 'within' | undefined;
};

/** Starts a proxy that resolves names by itself, as any proxy does that is given one. */
export async function startForwardProxy(options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const keep = <Kind extends Socket>(socket: Kind): Kind => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    return socket;
  };
  const server = options.tls ? https.createServer(options.tls) : http.createServer();
  server.on('connection', keep);
  server.on('request', (request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(405).end();
  });
  server.on('connect', (request: IncomingMessage, incoming: Socket, head: Buffer) => {
    keep(incoming);
    const authority = request.url ?? '';
    asked.push(authority);
    const hangs = options.hangs?.(authority);
    if (hangs === 'before') return;
    const status = options.refuse?.(authority, request.headers['proxy-authorization']);
    if (status !== undefined) {
      incoming.end(`HTTP/1.1 ${status} Refused\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    if (hangs === 'within') {
      incoming.write('HTTP/1.1 200 Connection established\r\n\r\n');
      return;
    }
    const { hostname, port } = new URL(`http://${authority}`);
    const outgoing = keep(net.connect(Number(port || 80), hostname.replace(/^\[|\]$/g, '')));
    outgoing.once('connect', () => {
      incoming.write('HTTP/1.1 200 Connection established\r\n\r\n');
      outgoing.write(head);
      incoming.pipe(outgoing).pipe(incoming);
    });
    outgoing.once('error', () => incoming.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n'));
    incoming.on('close', () => outgoing.destroy());
    outgoing.on('close', () => incoming.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    asked,
    url: (credentials) =>
      `${options.tls ? 'https' : 'http'}://${credentials === undefined ? '' : `${credentials}@`}127.0.0.1:${port}`,
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
    },
  };
}
