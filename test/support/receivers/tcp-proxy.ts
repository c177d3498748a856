import net, { type AddressInfo, type Socket } from 'node:net';

/** A way to a server that can be cut and opened again. */
export type TcpProxy = {
  /** `host:port` for clients that are to go through here. */
  readonly address: string;
  /** Connections that were let through so far. */
  readonly passed: number;
  /** Lets connections through from now on, to another target where one is given. */
  forward(target?: string): void;
  /** Resets every connection, and each new one as soon as it is there. */
  cut(): void;
  close(): Promise<void>;
};

/** Starts a proxy on a free port of 127.0.0.1 to `target` (`host:port`); it begins `open` or cut. */
export async function startTcpProxy(target: string, { open = true } = {}): Promise<TcpProxy> {
  let [host, port] = target.split(':');
  const sockets = new Set<Socket>();
  let forwarding = open;
  let passed = 0;

  function keep(socket: Socket): Socket {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    return socket;
  }

  const server = net.createServer((incoming) => {
    keep(incoming);
    if (!forwarding) {
      incoming.resetAndDestroy();
      return;
    }
    passed += 1;
    const outgoing = keep(net.connect(Number(port), host));
    incoming.pipe(outgoing).pipe(incoming);
    incoming.on('close', () => outgoing.destroy());
    outgoing.on('close', () => incoming.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get passed() {
      return passed;
    },
    forward(other) {
      if (other !== undefined) [host, port] = other.split(':');
      forwarding = true;
    },
    cut() {
      forwarding = false;
      for (const socket of sockets) {
        // The reset of a socket that was ended fails without a word in Node 20, and keeps the process from ending.
        if (socket.writableEnded) socket.destroy();
        else socket.resetAndDestroy();
      }
    },
    close() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      });
    },
  };
}
