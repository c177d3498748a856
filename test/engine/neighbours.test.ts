import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { addEndpoints } from '../support/api/add-endpoints.ts';
import { uuidIn } from '../support/api/retries.ts';
import { ALL_FAILURES, createScene, type Scene } from '../support/engine/recovery-scene.ts';
import { useEngine } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { type Receiver, startReceiver } from '../support/receivers/receiver.ts';
import { ok, slow } from '../support/receivers/receiver-behaviour.ts';

/** The work of others, however much and however bad, is not felt next door. */

const LIVE_SOCKETS = 32;
const engine = useEngine({ sizes: { liveSockets: LIVE_SOCKETS } });
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A server on every address of the loopback network that takes requests and never answers. */
async function startHole() {
  let open = 0;
  let most = 0;
  const server = http.createServer(() => {});
  server.on('connection', (socket) => {
    open += 1;
    most = Math.max(most, open);
    socket.on('error', () => {});
    socket.on('close', () => {
      open -= 1;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  closing.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return { port: (server.address() as AddressInfo).port, most: () => most };
}

async function receiverWith(): Promise<Receiver> {
  const receiver = await startReceiver(ok);
  closing.push(() => receiver.close());
  return receiver;
}

test('thousands of endpoints that hang take no more sockets than there are, and others get theirs meanwhile', async () => {
  const tenant = await engine.client.newTenant('holes');
  const neighbour = await engine.client.newTenant('neighbour');
  const [hole, receiver] = [await startHole(), await receiverWith()];
  await addEndpoints(engine.database.pool, {
    masterKey: engine.options.masterKey,
    tenantId: uuidIn('tenant', tenant.id),
    eventType: 'hole',
    count: 3_000,
    urlAt: (host) => `http://${host}:${hole.port}/`,
  });
  await engine.client.newEndpoint(neighbour.key, { url: receiver.url('/hook') });
  const send = (key: string, type: string, count: number) =>
    engine.client.expect(202, 'POST', '/api/v1/events', {
      key,
      body: Array.from({ length: count }, (_, n) => ({ type, payload: { n } })),
    });
  const timed = async () => {
    const before = receiver.requests.length;
    const since = performance.now();
    await send(neighbour.key, 'a', 300);
    await receiver.waitFor(({ requests }) => requests.length === before + 300, 60_000);
    return performance.now() - since;
  };
  const alone = await timed();
  await send(tenant.key, 'hole', 1);
  await eventually('the holes take requests', () => hole.most() > 0);
  const beside = await timed();
  console.log(`300 deliveries alone ${alone.toFixed(0)} ms, beside 3,000 that hang ${beside.toFixed(0)} ms`);
  expect(hole.most()).toBeLessThanOrEqual(LIVE_SOCKETS);
});

test('a single retry goes out while another tenant retries tens of thousands', async () => {
  const big: Scene = await createScene(engine, Array(4).fill(slow(60)), { timeoutMs: 5_000 });
  const small: Scene = await createScene(engine, [ok]);
  closing.push(
    () => big.close(),
    () => small.close(),
  );
  await big.seed(20_000);
  await small.seed(25);
  const { id } = await big.retries.start(ALL_FAILURES);
  await eventually('it is under way', () => big.sent() > 200, { withinMs: 20_000 });
  const took: number[] = [];
  for (const delivery of await small.ids()) {
    const before = small.sent();
    const since = performance.now();
    await small.retries.post({ select: { deliveryIds: [delivery] } });
    await small.receivers[0]?.waitFor(({ requests }) => requests.length > before);
    took.push(performance.now() - since);
  }
  const { counts } = await big.retries.show(id);
  expect(counts.queued).toBeGreaterThan(0);
  const p95 = took.sort((a, b) => a - b)[Math.floor(took.length * 0.95)] ?? 0;
  console.log(`single retries beside 20,000 items: p50 ${took[12]?.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms`);
  await big.retries.control(id, 'cancel');
  await big.retries.ended(id, 30_000);
});
