import type { Socket } from 'node:net';
import { AnswerHead } from './answer-head.ts';

/**
 * Lets the reader of a socket see each answer with a plain head: see {@link AnswerHead}. It rests on the order of
 * events in undici 7.30.2 (`lib/dispatcher/client-h1.js`): a request is written by `socket.write`, whole and in one
 * turn, before anything of its answer is read, and reading is done by `socket.read` alone. One request at a time.
 */
export function tellPlainly(socket: Socket, maxHeadBytes: number): void {
  const head = new AnswerHead(maxHeadBytes);
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null;
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  socket.read = (size) => {
    for (;;) {
      const chunk = read(size);
      if (chunk === null) return null;
      const told = head.take(chunk);
      if (told.length > 0) return told;
    }
  };
  socket.write = (...args: unknown[]) => {
    head.expect();
    return write(...args);
  };
}
