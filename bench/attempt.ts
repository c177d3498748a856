/**
 * How many small POSTs a second one core sends: `AttemptClient.send` beside undici's `request` and bare `dispatch`,
 * each in turn and several times in one run, against a receiver in another process. Loopback only, ends by itself.
 *
 *   npx tsx bench/attempt.ts [seconds per case = 4] [rounds = 3] [concurrency = 64]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Agent, type Dispatcher } from 'undici';
import { createAddressGuard } from '../src/outbound/address-guard.ts';
import { createAttemptClient } from '../src/outbound/attempt.ts';
import { createDeadline } from '../src/outbound/deadline.ts';

type Case = { name: string; send: () => Promise<unknown>; close: () => Promise<void> };

const BODY = JSON.stringify({ type: 'order.paid', filler: 'x'.repeat(960) });
const HEADERS = {
  'content-type': 'application/json',
  'user-agent': 'Redrive/bench',
  'webhook-id': 'dlv_01jd0000000000000000000000',
  'webhook-timestamp': '1762000000',
  'webhook-signature': 'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  'redrive-attempt': '1',
};

if (process.argv[2] === 'receive') receive();
else await compare();

/** The least work that answers a POST: an answer for each end of a body, so that the receiver is not the limit. */
function receive(): void {
  let answered = 0;
  process.on('message', () => process.send?.(answered));
  const answer = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
  const server = createServer((socket) => {
    let missing = 0;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      // One request at a time on a socket, its header in one chunk: enough for these clients, and for nothing else.
      if (missing === 0) {
        const end = chunk.indexOf('\r\n\r\n');
        const length = Number(/content-length: (\d+)/i.exec(chunk.toString('latin1', 0, end))?.[1]);
        missing = length - (chunk.length - end - 4);
      } else {
        missing -= chunk.length;
      }
      if (missing !== 0) return;
      socket.write(answer);
      answered += 1;
    });
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
  process.on('disconnect', () => process.exit(0));
}

function attemptCase(url: string, connections: number): Case {
  const client = createAttemptClient({
    guard: createAddressGuard(['127.0.0.0/8']),
    maxSocketsPerOrigin: connections,
  });
  return {
    name: 'send',
    send: async () => {
      const deadline = createDeadline(10_000);
      const result = await client.send({ url, body: BODY, headers: HEADERS, timeoutMs: 15_000, deadline });
      if (result.kind !== 'answered' || result.status !== 200)
        throw new Error(`Not answered: ${result.kind}`);
    },
    close: () => client.close(),
  };
}

function requestCase(origin: string, connections: number): Case {
  const agent = new Agent({ connections, headersTimeout: 15_000, bodyTimeout: 15_000 });
  return {
    name: 'undici request',
    send: async () => {
      const { body } = await agent.request({
        origin,
        path: '/',
        method: 'POST',
        headers: HEADERS,
        body: BODY,
      });
      await body.dump();
    },
    close: () => agent.close(),
  };
}

function dispatchCase(origin: string, connections: number): Case {
  const agent = new Agent({ connections, headersTimeout: 15_000, bodyTimeout: 15_000 });
  return {
    name: 'undici dispatch',
    send: () =>
      new Promise<void>((resolve, reject) => {
        const handler: Dispatcher.DispatchHandler = {
          onRequestStart() {},
          onResponseStart() {},
          onResponseData() {},
          onResponseEnd: () => resolve(),
          onResponseError: (_controller, error) => reject(error),
        };
        agent.dispatch({ origin, path: '/', method: 'POST', headers: HEADERS, body: BODY }, handler);
      }),
    close: () => agent.close(),
  };
}

/** Sends with constant concurrency; the figure is per second of wall time and per second of this process' CPU. */
async function measure(send: () => Promise<unknown>, seconds: number, concurrency: number) {
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  const end = started + seconds * 1_000;
  let sent = 0;
  async function worker(): Promise<void> {
    while (performance.now() < end) {
      await send();
      sent += 1;
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker));
  const cpu = process.cpuUsage(cpuBefore);
  return {
    sent,
    perSecond: Math.round((sent / (performance.now() - started)) * 1_000),
    perCpuSecond: Math.round((sent / (cpu.user + cpu.system)) * 1_000_000),
  };
}

async function compare(): Promise<void> {
  const [seconds = 4, rounds = 3, concurrency = 64] = process.argv.slice(2).map(Number);
  const receiver = fork(fileURLToPath(import.meta.url), ['receive']);
  try {
    const [port] = (await once(receiver, 'message')) as [number];
    const origin = `http://127.0.0.1:${port}`;
    const cases = [
      attemptCase(`${origin}/`, concurrency),
      requestCase(origin, concurrency),
      dispatchCase(origin, concurrency),
    ];
    let sentInAll = 0;
    for (const { send } of cases) sentInAll += (await measure(send, 1, concurrency)).sent;
    for (let round = 1; round <= rounds; round += 1) {
      for (const { name, send } of cases) {
        const figures = await measure(send, seconds, concurrency);
        sentInAll += figures.sent;
        console.log(JSON.stringify({ round, case: name, ...figures }));
      }
    }
    receiver.send('count');
    const [received] = await once(receiver, 'message');
    console.log(JSON.stringify({ sentInAll, received }));
    await Promise.all(cases.map(({ close }) => close()));
  } finally {
    receiver.disconnect();
  }
}
