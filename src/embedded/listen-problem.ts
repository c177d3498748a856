import { createServer } from 'node:net';

/** Why nothing can listen on this address, as one sentence, or nothing when it can. */
export function listenProblem(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(describeListenError(error, host, port)));
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
}

/** One sentence for an error of `listen`. */
export function describeListenError(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${port} on ${host} is taken by another program: end that program, or set REDRIVE_PORT to a free port.`;
    case 'EACCES':
      return `Port ${port} on ${host} may not be used by this account: set REDRIVE_PORT to a number of 1024 or more.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is no address of this machine: set REDRIVE_HOST to one, such as 127.0.0.1 or 0.0.0.0.`;
    default:
      return `Nothing can listen on port ${port} of ${host} (${error.code}): set REDRIVE_PORT or REDRIVE_HOST to another one.`;
  }
}
