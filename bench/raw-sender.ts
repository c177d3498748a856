import { createHmac } from 'node:crypto';
import { Agent, type Dispatcher } from 'undici';

/**
 * The limit of this machine for one Node process: signed POSTs by undici as fast as they go, bodies drained. A process
 * of its own; arguments are the URL, `request` or `dispatch`, connections, requests and bytes; prints its figures as
 * JSON.
 */
const [url = '', how = 'request', connections = '64', count = '50000', bytes = '1024'] =
  process.argv.slice(2);
const { origin, pathname: path } = new URL(url);
const agent = new Agent({ connections: Number(connections), pipelining: 1 });
const secret = Buffer.alloc(32, 7);
const body = JSON.stringify({ n: 1, fill: 'x'.repeat(Math.max(0, Number(bytes) - 20)) });

/** As Standard Webhooks wants it: id, time and body, each message signed afresh. */
function headersOf(n: number): Record<string, string> {
  const id = `raw_${n}`;
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
  };
}

async function byRequest(n: number): Promise<void> {
  const response = await agent.request({ origin, path, method: 'POST', headers: headersOf(n), body });
  await response.body.dump();
}

function byDispatch(n: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart() {},
      onResponseStart() {},
      onResponseData() {},
      onResponseEnd: () => resolve(),
      onResponseError: (_controller, error) => reject(error),
    };
    agent.dispatch({ origin, path, method: 'POST', headers: headersOf(n), body }, handler);
  });
}

const send = how === 'dispatch' ? byDispatch : byRequest;
let next = 0;
async function loop(until: number): Promise<void> {
  while (next < until) await send(next++);
}
const run = (until: number) => Promise.all(Array.from({ length: Number(connections) }, () => loop(until)));

await run(Number(connections) * 20);
const from = next;
const cpuBefore = process.cpuUsage();
const startedAt = performance.now();
await run(from + Number(count));
const seconds = (performance.now() - startedAt) / 1_000;
const cpu = process.cpuUsage(cpuBefore);
await agent.close();
console.log(
  JSON.stringify({
    perSecond: Number(count) / seconds,
    cpuUs: { sender: (cpu.user + cpu.system) / Number(count) },
  }),
);
