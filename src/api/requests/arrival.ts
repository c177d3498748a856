import type { IncomingMessage } from 'node:http';

/** How long a request may take to arrive, where it is no upload. */
const ARRIVES_WITHIN_MS = 300_000;

const waiting = new WeakMap<IncomingMessage, NodeJS.Timeout>();

/** Gives up a request that does not arrive; Node's own limit counts for each request of a server, uploads among them. */
export function endLate(req: IncomingMessage, withinMs = ARRIVES_WITHIN_MS): void {
  // One that has arrived may take longer to be answered, such as a stream of events.
  const late = setTimeout(() => {
    if (!req.complete) req.destroy();
  }, withinMs);
  late.unref();
  waiting.set(req, late);
  const arrived = () => clearTimeout(late);
  req.once('end', arrived);
  req.once('close', arrived);
}

/** Lets a request arrive for as long as it takes: an upload, once it is known whose it is. */
export function mayArriveLater(req: IncomingMessage): void {
  clearTimeout(waiting.get(req));
}
