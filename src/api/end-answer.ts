import type { ServerResponse } from 'node:http';

/** How long a client may go on sending a body that has been answered. */
const READ_ON_FOR_MS = 30_000;

/**
 * Ends an answer whose head is written, with its text. Where the request is still arriving, the answer is sent at once
 * and the rest of the request is read and forgotten before the connection is given up: a client that is still writing
 * when its connection is closed (`Connection: close`) sees a broken pipe in the place of the answer. One whose request
 * has not ended by then loses its connection.
 */
export function endAnswer(res: ServerResponse, text: string, readOnForMs = READ_ON_FOR_MS): void {
  const { req } = res;
  if (req.complete || req.destroyed) {
    res.end(text);
    return;
  }
  if (text === '' || req.method === 'HEAD') res.flushHeaders();
  else res.write(text);
  const { socket } = req;
  const late = setTimeout(() => {
    end();
    socket.destroySoon();
  }, readOnForMs);
  req.once('end', end);
  req.once('close', end);
  req.resume();

  function end(): void {
    clearTimeout(late);
    req.off('end', end);
    req.off('close', end);
    res.end();
  }
}
