import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that listens; `close` lets answers finish, for at most `graceMs`. */
export interface Listening {
  port: number;
  close(graceMs: number): Promise<void>;
}

/**
 * An idle connection stays longer than the minute after which proxies and clients close theirs. Where the server is first,
 * as by Node's 5 s, a request that was just written on it is lost, and its sender cannot know whether it was read.
 */
const KEEP_ALIVE_MS = 75_000;

/** How long the head of a request may take, and how often those that have not come are looked for. */
interface HeadLimits {
  withinMs: number;
  lookEveryMs: number;
}

const HEAD_LIMITS: HeadLimits = { withinMs: 60_000, lookEveryMs: 15_000 };

/** Listens on host and port (0 = any free one); rejects where that is not possible. */
export async function listen(
  app: RequestListener,
  host: string,
  port: number,
  { withinMs, lookEveryMs }: HeadLimits = HEAD_LIMITS,
): Promise<Listening> {
  const options = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    // An upload arrives for as long as it takes; the application watches how long any other request does (`endLate`).
    requestTimeout: 0,
    // Left out it would follow the one above, and whoever sends no whole head would hold a socket for ever.
    headersTimeout: withinMs,
    connectionsCheckingInterval: lookEveryMs,
  };
  const server = createServer(options, app);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: (graceMs) =>
      new Promise((resolve) => {
        const late = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(late);
          resolve();
        });
        // Without it, close waits for every client that keeps its connection.
        server.closeIdleConnections();
      }),
  };
}
