import { type AddressInfo, createServer, type Socket } from 'node:net';

/**
 * The receiver of all scenarios, a process of its own: the least work that takes a POST whole and answers it, so that it
 * is never the limit. The path says how: `/ok/…` at once, `/slow30/…` after 30 ms, `/fail20/…` 500 to every fifth request,
 * `/hang/…` never. Keeps a ledger of `webhook-id`s. Speaks with its parent over IPC: `{ ask: 'ledger' | 'forget' | 'arrivals' }`.
 */
const OK = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
const FAILED = Buffer.from('HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\nno');
const HEADER_END = Buffer.from('\r\n\r\n');

/** What came with a `webhook-id`: how often, and first when (`performance.timeOrigin` clock, ms). */
const seen = new Map<string, { times: number; delivered: number; firstAtMs: number }>();
let requests = 0;

function take(socket: Socket, head: string): void {
  requests += 1;
  const id = /\r\nwebhook-id: ([^\r]+)/i.exec(head)?.[1];
  const path = head.slice(5, head.indexOf(' ', 5));
  const failing = path.startsWith('/fail20/') && requests % 5 === 0;
  if (id !== undefined) {
    const known = seen.get(id);
    if (known === undefined)
      seen.set(id, {
        times: 1,
        delivered: failing ? 0 : 1,
        firstAtMs: performance.timeOrigin + performance.now(),
      });
    else {
      known.times += 1;
      if (!failing) known.delivered += 1;
    }
  }
  if (path.startsWith('/hang/')) return;
  if (path.startsWith('/slow30/')) setTimeout(() => socket.write(OK), 30);
  else socket.write(failing ? FAILED : OK);
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

process.on('message', ({ ask }: { ask: 'ledger' | 'forget' | 'arrivals' }) => {
  if (ask === 'forget') {
    seen.clear();
    requests = 0;
  }
  const all = [...seen.values()];
  process.send?.(
    ask === 'arrivals'
      ? { arrivals: [...seen].map(([id, { firstAtMs }]) => [id, firstAtMs]) }
      : {
          requests,
          distinct: seen.size,
          delivered: all.filter(({ delivered }) => delivered > 0).length,
          twice: all.filter(({ delivered }) => delivered > 1).length,
        },
  );
});
process.on('disconnect', () => process.exit(0));
