import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A request by hand, as of a client that writes first and reads later. */
export interface RawRequest {
  socket: Socket;
  /** Writes, and waits until all of it has gone to the other side's machine. */
  write(text: string): Promise<void>;
  /** Reads the answer, which has a `content-length`. */
  answer(): Promise<{ status: number; text: string }>;
  /** Whether the connection has been ended by the other side. */
  isClosed(): boolean;
  close(): Promise<void>;
}

/** Connects and writes the beginning of a request; nothing is read until its answer is asked for. */
export async function startRawRequest(url: string, head: readonly string[]): Promise<RawRequest> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let closed = false;
  socket.on('error', () => {});
  socket.on('close', () => {
    closed = true;
  });
  await once(socket, 'connect');
  const write = (text: string) =>
    new Promise<void>((resolve, reject) => {
      socket.write(text, (error) => (error ? reject(error) : resolve()));
    });
  await write([...head, '', ''].join('\r\n'));
  return {
    socket,
    write,
    async answer() {
      let all = '';
      for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
        all += chunk;
        const end = all.indexOf('\r\n\r\n');
        const length = /^content-length: (\d+)\r$/im.exec(all)?.[1];
        if (end === -1 || length === undefined) continue;
        const text = all.slice(end + 4);
        if (Buffer.byteLength(text) >= Number(length))
          return { status: Number(/^HTTP\/1.1 (\d+)/.exec(all)?.[1]), text };
      }
      throw new Error(`no whole answer came: ${all}`);
    },
    isClosed: () => closed,
    async close() {
      socket.destroy();
    },
  };
}
