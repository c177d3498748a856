import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that listens; `close` lets answers finish, for at most `graceMs`. */
export interface Listening {
  port: number;
  close(graceMs: number): Promise<void>;
}

/** Listens on host and port (0 = any free one); rejects where that is not possible. */
export async function listen(app: RequestListener, host: string, port: number): Promise<Listening> {
  const server = createServer(app);
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
