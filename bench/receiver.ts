import { type AddressInfo, createServer, type Socket } from 'node:net';

/**
 * The receiver of all scenarios, a process of its own: the least work that takes a POST whole and answers it, so that
 * it is never the limit. The path says how: `/ok/…` at once, `/slow30/…` after so many milliseconds, `/fail20/…` 500 to
 * every fifth request, `/hang/…` never. Keeps a ledger of `webhook-id`s, and answers its parent's questions over IPC: the
 * ledger so far, when a `webhook-id` came first (as soon as it does), how many requests a scene had.
 */
const OK = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
const FAILED = Buffer.from('HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\nno');
const HEADER_END = Buffer.from('\r\n\r\n');

/** By `webhook-id`: how often it was answered 2xx, and when it came first (`performance.timeOrigin` clock, ms). */
const seen = new Map<string, { delivered: number; firstAtMs: number }>();
/** Who wants to hear of the first request with a `webhook-id`. */
const awaited = new Map<string, (atMs: number) => void>();
const ledger = { requests: 0, distinct: 0, delivered: 0, twice: 0, lastAtMs: 0 };
/** Requests of a path below a behaviour, as `/ok/7`, for scenes that share the receiver. */
const ofScene = new Map<string, number>();

function take(socket: Socket, head: string): void {
  ledger.requests += 1;
  const id = /\r\nwebhook-id: ([^\r]+)/i.exec(head)?.[1];
  const path = head.slice(5, head.indexOf(' ', 5));
  const failing = path.startsWith('/fail20/') && ledger.requests % 5 === 0;
  const scene = path.slice(0, path.indexOf('/', path.indexOf('/', 1) + 1) >>> 0);
  ofScene.set(scene, (ofScene.get(scene) ?? 0) + 1);
  if (id !== undefined) note(id, failing);
  if (path.startsWith('/hang/')) return;
  const afterMs = Number(/^\/slow(\d+)\//.exec(path)?.[1] ?? 0);
  if (afterMs > 0) setTimeout(() => socket.write(OK), afterMs);
  else socket.write(failing ? FAILED : OK);
}

function note(id: string, failing: boolean): void {
  const now = performance.timeOrigin + performance.now();
  ledger.lastAtMs = now;
  let known = seen.get(id);
  if (known === undefined) {
    known = { delivered: 0, firstAtMs: now };
    seen.set(id, known);
    ledger.distinct += 1;
    awaited.get(id)?.(now);
    awaited.delete(id);
  }
  if (failing) return;
  known.delivered += 1;
  if (known.delivered === 1) ledger.delivered += 1;
  if (known.delivered === 2) ledger.twice += 1;
}

const server = createServer((socket) => {
  let head: Buffer | undefined;
  let text = '';
  let missing = 0;
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    if (missing > 0) missing -= chunk.length;
    else {
      head = head === undefined ? chunk : Buffer.concat([head, chunk]);
      const end = head.indexOf(HEADER_END);
      if (end === -1) return;
      text = head.toString('latin1', 0, end);
      missing = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0) - (head.length - end - 4);
      head = undefined;
    }
    // One request at a time on a socket, which is how every sender here works.
    if (missing === 0) take(socket, text);
  });
});
server.listen(0, '0.0.0.0', () => process.send?.({ port: (server.address() as AddressInfo).port }));

type Question = { n: number; ask: 'ledger' | 'forget' | 'arrival' | 'scene'; of?: string };

process.on('message', ({ n, ask, of = '' }: Question) => {
  const answer = (value: unknown) => process.send?.({ n, value });
  if (ask === 'forget') {
    seen.clear();
    awaited.clear();
    ofScene.clear();
    Object.assign(ledger, { requests: 0, distinct: 0, delivered: 0, twice: 0, lastAtMs: 0 });
  }
  if (ask === 'scene') answer(ofScene.get(of) ?? 0);
  else if (ask !== 'arrival') answer(ledger);
  else {
    const known = seen.get(of);
    if (known) answer(known.firstAtMs);
    else awaited.set(of, answer);
  }
});
process.on('disconnect', () => process.exit(0));
