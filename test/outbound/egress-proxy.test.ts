import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createAddressGuard } from '../../src/outbound/address-guard.ts';
import {
  type AttemptClient,
  type AttemptClientOptions,
  createAttemptClient,
} from '../../src/outbound/attempt.ts';
import { createDeadline } from '../../src/outbound/deadline.ts';
import { readEgressProxy } from '../../src/outbound/egress-proxy.ts';
import { createGuardedConnector } from '../../src/outbound/guarded-connector.ts';
import { createKeySets } from '../../src/outbound/key-sets.ts';
import { patient } from '../support/patience.ts';
import {
  type ForwardProxy,
  type ForwardProxyOptions,
  startForwardProxy,
} from '../support/receivers/forward-proxy.ts';
import { type Receiver, startReceiver } from '../support/receivers/receiver.ts';
import { ok, okWith } from '../support/receivers/receiver-behaviour.ts';
import { createSelfSignedCertificate } from '../support/receivers/self-signed-certificate.ts';

const LOOPBACK = ['127.0.0.0/8'];
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

function closing<Part extends { close(): Promise<void> }>(part: Part): Part {
  open.unshift(part);
  return part;
}

const receiving = async (...args: Parameters<typeof startReceiver>): Promise<Receiver> =>
  closing(await startReceiver(...args));

const proxying = async (options?: ForwardProxyOptions): Promise<ForwardProxy> =>
  closing(await startForwardProxy(options));

/** A guard for which names stand for these addresses, one answer after another, the last one for ever. */
function guardOf(answers: string[][], allowed = LOOPBACK) {
  return createAddressGuard(allowed, (_name, _options, callback) => {
    const addresses = (answers.length > 1 ? answers.shift() : answers[0]) ?? [];
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  });
}

function sendingBy(proxyUrl: string, options: Partial<AttemptClientOptions> = {}): AttemptClient {
  return closing(
    createAttemptClient({
      guard: createAddressGuard(LOOPBACK),
      proxy: readEgressProxy(proxyUrl),
      connectTimeoutMs: patient(2_000),
      ...options,
    }),
  );
}

/** Accepts connections and says nothing, so that no TLS is ever made with it. */
async function startSilent() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => sockets.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function to(url: string, timeoutMs = patient(4_000)) {
  const headers = { 'content-type': 'application/json' };
  return { url, body: '{"a":1}', headers, timeoutMs, deadline: createDeadline(patient(10_000)) };
}

describe('a request by an egress proxy', () => {
  test('to an http endpoint goes down a tunnel to the address that was checked, with the name in Host', async () => {
    const receiver = await receiving(ok);
    const proxy = await proxying();
    const client = sendingBy(proxy.url(), { guard: guardOf([['127.0.0.1']]) });
    const url = `http://hooks.example.com:${receiver.port}/in`;
    expect(await client.send(to(url))).toMatchObject({ kind: 'answered', status: 200 });
    expect(proxy.asked).toEqual([`127.0.0.1:${receiver.port}`]);
    expect(receiver.requests[0]).toMatchObject({ method: 'POST', path: '/in' });
    expect(receiver.requests[0]?.headers.host).toBe(`hooks.example.com:${receiver.port}`);
    expect(receiver.requests[0]?.headers).not.toHaveProperty('proxy-authorization');
  });

  test('to an https endpoint is verified by the name of the endpoint, end to end', async () => {
    const tls = createSelfSignedCertificate();
    const receiver = await receiving(ok, { tls });
    const proxy = await proxying();
    const client = sendingBy(proxy.url(), { guard: guardOf([['127.0.0.1']]), ca: tls.cert });
    expect(await client.send(to(`https://localhost:${receiver.port}/`))).toMatchObject({ status: 200 });
    const other = await client.send(to(`https://other.example.com:${receiver.port}/`));
    expect(other).toMatchObject({ fault: 'tls_failure', mayHaveArrived: false });
    expect(proxy.asked).toEqual(Array(2).fill(`127.0.0.1:${receiver.port}`));
    expect(receiver.requests).toHaveLength(1);
  });

  test('keeps its tunnel for the next one', async () => {
    const receiver = await receiving(ok);
    const proxy = await proxying();
    const client = sendingBy(proxy.url());
    for (let n = 0; n < 3; n++) expect(await client.send(to(receiver.url()))).toMatchObject({ status: 200 });
    expect(proxy.asked).toHaveLength(1);
  });

  test('hands the credentials of its address to the proxy alone', async () => {
    const receiver = await receiving(ok);
    const expected = `Basic ${Buffer.from('re:dr/ive').toString('base64')}`;
    const proxy = await proxying({ refuse: (_, sent) => (sent === expected ? undefined : 407) });
    expect(await sendingBy(proxy.url('re:dr%2Five')).send(to(receiver.url()))).toMatchObject({ status: 200 });
    expect(await sendingBy(proxy.url()).send(to(receiver.url()))).toMatchObject({ fault: 'proxy_failed' });
    expect(JSON.stringify(receiver.requests.map(({ headers }) => headers))).not.toMatch(/proxy-auth|Basic/i);
  });

  test('goes to the next address of a name where the proxy does not reach the one before', async () => {
    const receiver = await receiving(ok);
    const proxy = await proxying({ refuse: (asked) => (asked.startsWith('127.0.0.2') ? 502 : undefined) });
    const client = sendingBy(proxy.url(), { guard: guardOf([['127.0.0.2', '127.0.0.1']]) });
    expect(await client.send(to(`http://two.example.com:${receiver.port}/`))).toMatchObject({ status: 200 });
    expect(proxy.asked).toEqual([`127.0.0.2:${receiver.port}`, `127.0.0.1:${receiver.port}`]);
  });

  test('goes to the next address of a name, too, where the proxy says nothing of the one before', async () => {
    const receiver = await receiving(ok);
    const proxy = await proxying({
      hangs: (asked) => (asked.startsWith('[::1]') ? 'before' : undefined),
    });
    const guard = guardOf([['::1', '127.0.0.1']], [...LOOPBACK, '::1/128']);
    const client = sendingBy(proxy.url(), { guard, connectTimeoutMs: patient(1_000) });
    expect(await client.send(to(`http://two.example.com:${receiver.port}/`))).toMatchObject({ status: 200 });
    expect(proxy.asked).toEqual([`[::1]:${receiver.port}`, `127.0.0.1:${receiver.port}`]);
  });

  test('takes key sets of issuers by it, too', async () => {
    const keys = await receiving(okWith('{"keys":[]}'));
    const proxy = await proxying();
    const keySets = createKeySets(createAddressGuard(LOOPBACK), { proxy: readEgressProxy(proxy.url()) });
    const asked = async () => keySets(keys.url())({ alg: 'RS256', kid: 'a' }, { payload: '', signature: '' });
    await expect(asked()).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
    expect(proxy.asked).toEqual([`127.0.0.1:${keys.port}`]);
  });
});

describe('the guard holds before the proxy', () => {
  test.each([
    ['a private literal', 'http://10.0.0.7/', []],
    ['the metadata address', 'http://169.254.169.254/latest', []],
    ['a name of private addresses', 'http://inside.example.com/', [['10.0.0.7', '192.168.1.1']]],
  ])('%s is refused, and the proxy is not asked', async (_title, url, answers) => {
    const proxy = await proxying();
    const client = sendingBy(proxy.url(), { guard: guardOf(answers, []) });
    expect(await client.send(to(url))).toMatchObject({ fault: 'address_blocked', mayHaveArrived: false });
    expect(proxy.asked).toEqual([]);
  });

  test('a name that is bound to another address after the check is not resolved again by the proxy', async () => {
    const receiver = await receiving(ok);
    const proxy = await proxying();
    // `localhost` is what the proxy would reach by name: a guard that says otherwise is believed, at each connection.
    const guard = guardOf([['127.0.0.1'], ['10.0.0.7']], ['127.0.0.1/32']);
    const client = sendingBy(proxy.url(), { guard });
    const url = `http://localhost:${receiver.port}/`;
    expect(await client.send(to(url))).toMatchObject({ status: 200 });
    receiver.switchTo({ answer: (response) => response.writeHead(200, { connection: 'close' }).end() });
    await client.send(to(url));
    expect(await client.send(to(url))).toMatchObject({ fault: 'address_blocked', mayHaveArrived: false });
    expect(proxy.asked).toEqual([`127.0.0.1:${receiver.port}`]);
    expect(receiver.requests).toHaveLength(2);
  });

  test.each([
    ['its network', []],
    ['nothing', LOOPBACK],
  ])(
    'the proxy itself is no destination, by any of its names, where the guard refuses %s',
    async (_, allowed) => {
      const proxy = await proxying();
      const { port } = new URL(proxy.url());
      const guard = guardOf([['127.0.0.1']], allowed);
      for (const own of [proxy.url(), `http://localhost:${port}`])
        for (const host of ['127.0.0.1', '[::ffff:127.0.0.1]', 'proxy.example.com']) {
          const url = `http://${host}:${port}/`;
          expect([own, host, await sendingBy(own, { guard }).send(to(url))]).toMatchObject([
            own,
            host,
            { fault: 'address_blocked', mayHaveArrived: false },
          ]);
        }
      expect(proxy.asked).toEqual([]);
    },
  );

  test('beside the proxy another address of a name, and another port, is one', async () => {
    const receiver = await receiving(ok);
    const proxy = await proxying({ refuse: (asked) => (asked.startsWith('127.0.0.2') ? 502 : undefined) });
    const { port } = new URL(proxy.url());
    const client = sendingBy(proxy.url(), { guard: guardOf([['127.0.0.1', '127.0.0.2']]) });
    await client.send(to(`http://two.example.com:${port}/`));
    expect(proxy.asked).toEqual([`127.0.0.2:${port}`]);
    expect(await client.send(to(receiver.url()))).toMatchObject({ status: 200 });
  });
});

describe('a proxy that makes no tunnel', () => {
  test.each([
    [407, 'proxy_failed'],
    [400, 'proxy_failed'],
    [403, 'connection_failed'],
    [502, 'connection_failed'],
    [503, 'connection_failed'],
    [504, 'connect_timeout'],
  ])('with %i leaves the request certainly unsent: %s', async (status, fault) => {
    const proxy = await proxying({ refuse: () => status });
    const result = await sendingBy(proxy.url()).send(to('http://127.0.0.1:9/'));
    expect(result).toMatchObject({ kind: 'faulted', fault, mayHaveArrived: false });
  });

  test('because it is away is no fault of the endpoint', async () => {
    const proxy = await startForwardProxy();
    await proxy.close();
    const result = await sendingBy(proxy.url()).send(to('http://127.0.0.1:9/'));
    expect(result).toMatchObject({ fault: 'proxy_failed', mayHaveArrived: false });
  });

  test('because it cannot be reached in time is no fault of the endpoint either', async () => {
    const accepting = closing(await startSilent());
    const proxyUrl = `https://127.0.0.1:${accepting.port}`;
    const result = await sendingBy(proxyUrl, { connectTimeoutMs: 50 }).send(to('http://127.0.0.1:9/'));
    expect(result).toMatchObject({ fault: 'proxy_failed', mayHaveArrived: false });
  });

  test('because it never answers is given up when the time to connect is over', async () => {
    const proxy = await proxying({ hangs: () => 'before' });
    const result = await sendingBy(proxy.url(), { connectTimeoutMs: 50 }).send(to('http://127.0.0.1:9/'));
    expect(result).toMatchObject({ fault: 'connect_timeout', mayHaveArrived: false });
  });

  test('that leads to TLS which never begins is given up when the time to connect is over, too', async () => {
    const proxy = await proxying({ hangs: () => 'within' });
    const connect = createGuardedConnector({
      guard: createAddressGuard(LOOPBACK),
      proxy: readEgressProxy(proxy.url()),
      connectTimeoutMs: 50,
    });
    const failure = await new Promise((resolve) =>
      connect({ hostname: '127.0.0.1', protocol: 'https:', port: '9' }, (...[error]) => resolve(error)),
    );
    expect(failure).toMatchObject({ code: 'UND_ERR_CONNECT_TIMEOUT' });
  });

  test('over TLS whose certificate nobody vouches for is not used', async () => {
    const proxy = await proxying({ tls: createSelfSignedCertificate() });
    const result = await sendingBy(proxy.url('user:secret')).send(to('http://127.0.0.1:9/'));
    expect(result).toMatchObject({ fault: 'proxy_failed', mayHaveArrived: false });
    expect(proxy.asked).toEqual([]);
  });
});
