import { createServer, type Server } from 'node:net';

/**
 * Ports of the loopback address that nothing listens on right now, all different.
 * Another process may take one before it is used: a caller that starts a server on it has to try again on failure.
 */
export async function freePorts<const Names extends readonly string[]>(
  ...names: Names
): Promise<Record<Names[number], number>> {
  // All are held open until the last one is known, otherwise the kernel may hand out the same number twice.
  const servers = await Promise.all(names.map(listenAnywhere));
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has no port');
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return Object.fromEntries(names.map((name, index) => [name, ports[index]])) as Record<
    Names[number],
    number
  >;
}

function listenAnywhere(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0 }, () => resolve(server));
  });
}
