import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { answerOf, type DemoPhase } from './demo-behaviour.ts';

/**
 * The demo's receivers, in a process of their own: its parent steers it by messages, and it ends with the one who
 * started it, however that ends.
 */

/** The orders to this process. */
export type ReceiverOrder =
  /** Without a port it looks for one. The port behind it is opened when the outage is over. */
  { do: 'listen'; port?: number; phase: DemoPhase } | { do: 'recover' } | { do: 'tally' };

/** Its answers. */
export type ReceiverWord =
  | { listening: number }
  | { recovered: true }
  | { tally: Tally }
  /** A system error's code. */
  | { failed: string };

/** Deliveries that it has answered with 2xx, and how often it did so for one that it had already. */
export type Tally = { acknowledged: number; repeated: number };

/** Below the ports that kernels take for outgoing connections, so that the port is still free at the next start. */
const FIRST_PORT = 20_000;
const PORTS = 10_000;
const TRIES = 50;

let phase: DemoPhase = 'outage';
let port = 0;
let repeated = 0;
const acknowledged = new Set<string>();

// A channel closes with the process at its other end, even when that is killed.
process.on('disconnect', () => process.exit());
process.on('message', (order: ReceiverOrder) => void obey(order));
if (!process.connected) process.exit();

async function obey(order: ReceiverOrder): Promise<void> {
  try {
    if (order.do === 'listen') {
      phase = order.phase;
      if (order.port === undefined) port = await openAnywhere();
      else {
        port = order.port;
        await open(port);
      }
      if (phase === 'back') await open(port + 1);
      say({ listening: port });
    } else if (order.do === 'recover') {
      phase = 'back';
      await open(port + 1);
      say({ recovered: true });
    } else say({ tally: { acknowledged: acknowledged.size, repeated } });
  } catch (error) {
    say({ failed: (error as NodeJS.ErrnoException).code ?? 'unknown' });
  }
}

function say(word: ReceiverWord): void {
  process.send?.(word);
}

/** Listens on a port behind which the next one is free, too. */
async function openAnywhere(): Promise<number> {
  for (let left = TRIES; ; left -= 1) {
    const first = FIRST_PORT + 2 * Math.floor((Math.random() * PORTS) / 2);
    const servers: Server[] = [];
    try {
      servers.push(await open(first));
      const next = await open(first + 1);
      await new Promise((resolve) => next.close(resolve));
      return first;
    } catch (error) {
      for (const server of servers) server.close();
      if (left === 0) throw error;
    }
  }
}

function open(on: number): Promise<Server> {
  const server = createServer((request, response) => {
    // A client that hangs up in between is not answered; nothing else follows.
    receive(request, response).catch(() => response.destroy());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(on, '127.0.0.1', () => resolve(server));
  });
}

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const webhookId = String(request.headers['webhook-id'] ?? '');
  const answer = answerOf(phase, {
    path: request.url ?? '/',
    webhookId,
    attempt: Number(request.headers['redrive-execution-attempt'] ?? 1),
    body: await text(request),
  });
  await new Promise((resolve) => setTimeout(resolve, answer.afterMs));
  // It gave up waiting: an answer that nobody reads acknowledges nothing.
  if (response.destroyed || request.socket.destroyed) return;
  if (answer.status < 300) {
    if (acknowledged.has(webhookId)) repeated += 1;
    acknowledged.add(webhookId);
  }
  response.writeHead(answer.status, {
    'content-type': 'application/json',
    ...(answer.retryAfterSeconds === undefined ? {} : { 'retry-after': String(answer.retryAfterSeconds) }),
  });
  response.end(answer.text);
}
