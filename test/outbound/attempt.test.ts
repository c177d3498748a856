import { afterEach, describe, expect, test } from '@jest/globals';
import type { AttemptResult } from '../../src/domain/sending/attempt-result.ts';
import { classify } from '../../src/domain/sending/classification.ts';
import { type AddressGuard, createAddressGuard } from '../../src/outbound/address-guard.ts';
import {
  type AttemptClient,
  type AttemptClientOptions,
  type AttemptRequest,
  createAttemptClient,
} from '../../src/outbound/attempt.ts';
import { createDeadline } from '../../src/outbound/deadline.ts';
import { patient } from '../support/patience.ts';
import { type Receiver, startReceiver } from '../support/receivers/receiver.ts';
import * as behave from '../support/receivers/receiver-behaviour.ts';
import { createSelfSignedCertificate } from '../support/receivers/self-signed-certificate.ts';

const LOOPBACK = ['127.0.0.0/8'];
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

async function receiving(...args: Parameters<typeof startReceiver>): Promise<Receiver> {
  const receiver = await startReceiver(...args);
  open.push(receiver);
  return receiver;
}

function sending(options: Partial<AttemptClientOptions> = {}): AttemptClient {
  const client = createAttemptClient({ guard: createAddressGuard(LOOPBACK), ...options });
  open.unshift(client);
  return client;
}

function to(url: string, overrides: Partial<AttemptRequest> = {}): AttemptRequest {
  return {
    url,
    body: '{"hello":"world"}',
    headers: { 'content-type': 'application/json', 'webhook-id': 'dlv_1' },
    timeoutMs: 2_000,
    deadline: createDeadline(10_000),
    ...overrides,
  };
}

/** A guard of which every name is 127.0.0.1, once `gate` opens. */
function guardAnswering(gate: () => Promise<void> | undefined, allowed = LOOPBACK): AddressGuard {
  return createAddressGuard(allowed, (_name, _options, callback) => {
    void Promise.resolve(gate()).then(() => callback(null, [{ address: '127.0.0.1', family: 4 }]));
  });
}

async function closedPort(): Promise<number> {
  const receiver = await startReceiver();
  await receiver.close();
  return receiver.port;
}

describe('an attempt that is answered', () => {
  test('sends the body byte for byte, as a POST with its headers, and takes no compressed answer', async () => {
    const receiver = await receiving();
    const body = Buffer.from('{"a": 1,\t"ü":"\\u0000"}\n');
    const result = await sending().send(to(receiver.url('/hooks?tenant=a%20b'), { body }));
    expect(result).toMatchObject({ kind: 'answered', status: 200 });
    const [request] = receiver.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/hooks?tenant=a%20b', id: 'dlv_1' });
    expect(request?.body.equals(body)).toBe(true);
    expect(request?.headers).toMatchObject({
      'accept-encoding': 'identity',
      'content-type': 'application/json',
    });
  });

  test.each([
    ['200', behave.ok, 'delivered'],
    ['404', behave.status(404), 'permanent'],
    ['410', behave.status(410), 'gone'],
    ['500', behave.status(500), 'retryable'],
    ['a redirect', behave.redirect('http://169.254.169.254/'), 'permanent'],
    [
      'an interim 103 first',
      {
        answer: (response) => {
          response.writeEarlyHints({ link: '</a>; rel=preload' });
          response.end('late');
        },
      } satisfies behave.Behaviour,
      'delivered',
    ],
    ['half an answer', behave.halfAnswer, 'delivered'],
  ] as const)('%s is classified as it must be', async (_title, behaviour, outcome) => {
    const receiver = await receiving(behaviour);
    const result = await sending().send(to(receiver.url()));
    expect(result.kind).toBe('answered');
    expect(classify(result).outcome).toBe(outcome);
    expect(receiver.requests).toHaveLength(1);
  });

  test('carries the Retry-After of its answer', async () => {
    const receiver = await receiving(behave.retryAfter(7));
    expect(await sending().send(to(receiver.url()))).toMatchObject({ status: 429, retryAfterMs: 7_000 });
  });

  test('keeps the first KiB of the body, as it came', async () => {
    const receiver = await receiving(behave.okWith('ab'.repeat(5_000)));
    const result = await sending().send(to(receiver.url()));
    expect(excerptOf(result)).toBe('ab'.repeat(512));
  });

  test('never decompresses', async () => {
    const receiver = await receiving(behave.gzip(20_000_000));
    const result = await sending().send(to(receiver.url()));
    expect(result).toMatchObject({ kind: 'answered', status: 200 });
    expect(excerptOf(result).charCodeAt(0)).toBe(0x1f);
  });

  test('reuses its socket, also after the receiver has closed it', async () => {
    const receiver = await receiving(behave.ok);
    const client = sending();
    for (let n = 0; n < 3; n += 1) expect((await client.send(to(receiver.url()))).kind).toBe('answered');
    expect(receiver.connections).toBe(1);
    receiver.switchTo(behave.status(500, { connection: 'close' }));
    await client.send(to(receiver.url()));
    await client.send(to(receiver.url()));
    expect(receiver.requests).toHaveLength(5);
    expect(receiver.connections).toBe(2);
  });
});

describe('an attempt that finds nobody', () => {
  test('refused is certainly unsent', async () => {
    const result = await sending().send(to(`http://127.0.0.1:${await closedPort()}/`));
    expect(result).toMatchObject({ kind: 'faulted', fault: 'connection_refused', mayHaveArrived: false });
    expect(classify(result).outcome).toBe('unsent');
  });

  test('a name that does not resolve is certainly unsent', async () => {
    const guard = createAddressGuard([], (_name, _options, callback) => {
      callback(Object.assign(new Error('no'), { code: 'ENOTFOUND' }), []);
    });
    expect(await sending({ guard }).send(to('http://nowhere.example/'))).toMatchObject({
      fault: 'dns_failure',
      mayHaveArrived: false,
    });
  });

  test('a connection that is not made within the total time is certainly unsent', async () => {
    const client = sending({ guard: guardAnswering(() => new Promise(() => {})) });
    const result = await client.send(to('http://slow.example/', { timeoutMs: 50 }));
    expect(result).toMatchObject({ fault: 'connect_timeout', mayHaveArrived: false });
  });

  test('a connection that is not made within the connect timeout is certainly unsent', async () => {
    const client = sending({ guard: guardAnswering(() => new Promise(() => {})), connectTimeoutMs: 100 });
    const result = await client.send(to('http://slow.example/', { timeoutMs: 30_000 }));
    expect(result).toMatchObject({ fault: 'connect_timeout', mayHaveArrived: false });
  });

  test('a certificate nobody vouches for ends it before the request', async () => {
    const tls = createSelfSignedCertificate();
    const receiver = await receiving(behave.ok, { tls });
    const result = await sending().send(to(receiver.url()));
    expect(result).toMatchObject({ fault: 'tls_failure', mayHaveArrived: false });
    expect(receiver.requests).toHaveLength(0);
    expect(await sending({ ca: tls.cert }).send(to(receiver.url()))).toMatchObject({ status: 200 });
  });

  test('a TLS handshake with a server that speaks none is certainly unsent', async () => {
    const receiver = await receiving();
    const result = await sending().send(to(receiver.url().replace('http:', 'https:')));
    expect(result).toMatchObject({ kind: 'faulted', fault: 'tls_failure', mayHaveArrived: false });
  });

  test('a header that cannot be sent is a permanent fault and not an exception', async () => {
    const receiver = await receiving();
    const result = await sending().send(to(receiver.url(), { headers: { 'x-broken': 'a\r\nb: c' } }));
    expect(result).toMatchObject({ fault: 'invalid_request', mayHaveArrived: false });
    expect(receiver.requests).toHaveLength(0);
  });
});

describe('an attempt whose answer is missing or broken', () => {
  test.each([
    ['a reset', behave.reset, 'connection_reset'],
    ['a silent close', behave.closeSilently, 'connection_reset'],
    ['a close within the header', behave.halfHeader, 'invalid_response'],
    ['an answer that is not HTTP', behave.malformed, 'invalid_response'],
    ['a header without end', behave.endlessHeaders, 'invalid_response'],
  ])('%s is ambiguous and never sent again by itself', async (_title, behaviour, fault) => {
    const receiver = await receiving(behaviour);
    const client = sending();
    const result = await client.send(to(receiver.url()));
    expect(result).toMatchObject({ kind: 'faulted', fault, mayHaveArrived: true });
    expect(classify(result).outcome).toBe('ambiguous');
    receiver.switchTo(behave.ok);
    expect(await client.send(to(receiver.url(), { headers: { 'webhook-id': 'dlv_2' } }))).toMatchObject({
      status: 200,
    });
    expect(receiver.countOf('dlv_1')).toBe(1);
  });

  test('a reset of the fresh connection is not taken for a plain failure once bytes may have left', async () => {
    const receiver = await receiving(behave.resetBeforeReading);
    const result = await sending().send(to(receiver.url()));
    expect(result).toMatchObject({ kind: 'faulted', fault: 'connection_reset' });
    expect(receiver.requests).toHaveLength(0);
  });
});

describe('the total time', () => {
  /** Long enough to connect and to read a status on a busy machine. */
  const TOTAL_MS = 1_500;

  test.each([
    ['a receiver that hangs', behave.hang],
    ['a header that drips', behave.headerDrip],
    ['an interim answer and no other', behave.interimThenHang],
  ])('bounds %s, which is ambiguous', async (_title, behaviour) => {
    const receiver = await receiving(behaviour);
    const result = await sending().send(to(receiver.url(), { timeoutMs: TOTAL_MS }));
    expect(result).toMatchObject({ kind: 'faulted', fault: 'timeout', mayHaveArrived: true });
    expectAbout(result, TOTAL_MS);
  });

  test('bounds a body that drips; the status counts', async () => {
    const receiver = await receiving(behave.drip);
    const result = await sending().send(to(receiver.url(), { timeoutMs: TOTAL_MS }));
    expect(result).toMatchObject({ kind: 'answered', status: 200 });
    expectAbout(result, TOTAL_MS);
  });

  test('bounds the wait for a socket; a request that ends there was never sent and is no attempt', async () => {
    const receiver = await receiving(behave.hang);
    const client = sending({ maxSocketsPerOrigin: 1 });
    const first = client.send(to(receiver.url(), { timeoutMs: TOTAL_MS }));
    const second = client.send(to(receiver.url(), { timeoutMs: 50, headers: { 'webhook-id': 'dlv_2' } }));
    expect(client.stats()).toMatchObject({ inFlight: 2, waiting: 1 });
    expect(await second).toEqual({ kind: 'released', reason: 'deadline' });
    expect(await first).toMatchObject({ fault: 'timeout' });
    expect(receiver.countOf('dlv_2')).toBe(0);
  });

  test('closes the socket of an attempt that it ended', async () => {
    const receiver = await receiving(behave.hang);
    const client = sending();
    await client.send(to(receiver.url(), { timeoutMs: TOTAL_MS }));
    await receiver.waitFor(({ openConnections }) => openConnections === 0);
    expect(client.stats().inFlight).toBe(0);
  });
});

describe('the deadline', () => {
  test('passed already: nothing is sent and nothing connected', async () => {
    const receiver = await receiving();
    const result = await sending().send(to(receiver.url(), { deadline: createDeadline(0) }));
    expect(result).toEqual({ kind: 'released', reason: 'deadline' });
    expect(receiver.connections).toBe(0);
  });

  test('passed while connecting: not a byte is sent, and the connection serves the next request', async () => {
    const receiver = await receiving();
    let expired = false;
    const guard = guardAnswering(async () => {
      expired = true;
    });
    const client = sending({ guard });
    const deadline = { ...createDeadline(10_000), expired: () => expired };
    const url = `http://receiver.example:${receiver.port}/`;
    expect(await client.send(to(url, { deadline }))).toEqual({ kind: 'released', reason: 'deadline' });
    await receiver.waitFor(({ connections }) => connections === 1);
    expect(await client.send(to(url, { headers: { 'webhook-id': 'dlv_2' } }))).toMatchObject({ status: 200 });
    expect(receiver.requests.map(({ id }) => id)).toEqual(['dlv_2']);
    expect(receiver.connections).toBe(1);
  });

  test('passed while it waited for a socket: not a byte is sent', async () => {
    const receiver = await receiving(behave.slow(60));
    const client = sending({ maxSocketsPerOrigin: 1 });
    const first = client.send(to(receiver.url()));
    const late = client.send(
      to(receiver.url(), { deadline: createDeadline(20), headers: { 'webhook-id': 'dlv_2' } }),
    );
    expect(await first).toMatchObject({ status: 200 });
    expect(await late).toEqual({ kind: 'released', reason: 'deadline' });
    expect(await client.send(to(receiver.url(), { headers: { 'webhook-id': 'dlv_3' } }))).toMatchObject({
      status: 200,
    });
    expect(receiver.requests.map(({ id }) => id)).toEqual(['dlv_1', 'dlv_3']);
    expect(receiver.connections).toBe(1);
  });
});

describe('closing', () => {
  test('lets requests on the wire end, and releases those that wait and those that come later', async () => {
    const receiver = await receiving(behave.slow(80));
    const client = sending({ maxSocketsPerOrigin: 1 });
    const onTheWire = client.send(to(receiver.url()));
    const waiting = client.send(to(receiver.url(), { headers: { 'webhook-id': 'dlv_2' } }));
    await receiver.waitFor(({ requests }) => requests.length === 1);
    const closing = client.close();
    expect(await waiting).toEqual({ kind: 'released', reason: 'stopping' });
    expect(await client.send(to(receiver.url()))).toEqual({ kind: 'released', reason: 'stopping' });
    expect(await onTheWire).toMatchObject({ status: 200 });
    await closing;
    expect(client.stats()).toMatchObject({ inFlight: 0, waiting: 0, connected: 0 });
  });
});

describe('addresses', () => {
  test('a name that answers with a private address is blocked before a connection is made', async () => {
    const receiver = await receiving();
    const client = sending({ guard: guardAnswering(() => undefined, []) });
    const result = await client.send(to(`http://rebound.example:${receiver.port}/`));
    expect(result).toMatchObject({ kind: 'faulted', fault: 'address_blocked', mayHaveArrived: false });
    expect(classify(result).outcome).toBe('permanent');
    expect(receiver.connections).toBe(0);
  });

  test('a name may change its answers: the address that is connected to is the one that was checked', async () => {
    const receiver = await receiving();
    const answers = ['127.0.0.1', '10.0.0.1'];
    let asked = 0;
    const guard = createAddressGuard(LOOPBACK, (_name, _options, callback) => {
      const address = answers[Math.min(asked, 1)] ?? '';
      asked += 1;
      callback(null, [{ address, family: 4 }]);
    });
    const client = sending({ guard });
    const url = `http://changing.example:${receiver.port}/`;
    expect(await client.send(to(url))).toMatchObject({ status: 200 });
    expect(asked).toBe(1);
    receiver.switchTo(behave.reset);
    await client.send(to(url));
    expect(await client.send(to(url))).toMatchObject({ fault: 'address_blocked' });
    expect(asked).toBe(2);
  });

  test('of several answers only the allowed ones are connected to', async () => {
    const receiver = await receiving();
    const guard = createAddressGuard(LOOPBACK, (_name, _options, callback) => {
      callback(null, [
        { address: '10.255.255.1', family: 4 },
        { address: '::1', family: 6 },
        { address: '127.0.0.1', family: 4 },
      ]);
    });
    const result = await sending({ guard }).send(to(`http://several.example:${receiver.port}/`));
    expect(result).toMatchObject({ status: 200 });
  });

  test('the address that the socket reached is checked as well, whatever the lookup said', async () => {
    const receiver = await receiving();
    const deceived: AddressGuard = {
      ...createAddressGuard([]),
      lookup: guardAnswering(() => undefined).lookup,
    };
    const result = await sending({ guard: deceived }).send(to(`http://deceived.example:${receiver.port}/`));
    expect(result).toMatchObject({ fault: 'address_blocked', mayHaveArrived: false });
    expect(receiver.requests).toHaveLength(0);
  });

  test('a literal is checked at connection as well, for which no lookup is asked', async () => {
    const receiver = await receiving();
    const strict = createAddressGuard([]);
    const deceived: AddressGuard = { ...strict, checkUrl: (url) => ({ ok: true, url: new URL(url) }) };
    expect(await sending({ guard: deceived }).send(to(receiver.url()))).toMatchObject({
      fault: 'address_blocked',
      mayHaveArrived: false,
    });
    expect(receiver.connections).toBe(0);
  });

  test.each(['http://127.0.0.1', 'http://2130706433', 'http://0x7f.1', 'http://[::ffff:127.0.0.1]'])(
    '%s is blocked without a connection',
    async (origin) => {
      const receiver = await receiving();
      const client = sending({ guard: createAddressGuard([]) });
      expect(await client.send(to(`${origin}:${receiver.port}/`))).toMatchObject({
        fault: 'address_blocked',
      });
      expect(receiver.connections).toBe(0);
    },
  );
});

describe('memory', () => {
  test('stays bounded however long the answers are', async () => {
    const receiver = await receiving(behave.endlessBody);
    const client = sending({ maxSocketsPerOrigin: 32 });
    const before = process.memoryUsage().arrayBuffers;
    const request = to(receiver.url(), { timeoutMs: 20_000 });
    const results = await Promise.all(Array.from({ length: 64 }, () => client.send(request)));
    for (const result of results) {
      expect(result).toMatchObject({ kind: 'answered', status: 200 });
      expect(excerptOf(result)).toHaveLength(1_024);
    }
    await receiver.waitFor(({ openConnections }) => openConnections === 0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1_024 * 1_024);
  });
});

function excerptOf(result: AttemptResult): string {
  return result.kind === 'answered' ? Buffer.from(result.excerpt).toString('latin1') : '';
}

/** The bound plus the delay that a loaded machine may add; never less than the bound. */
function expectAbout(result: AttemptResult, ms: number): void {
  if (result.kind === 'released') throw new Error('released');
  expect(result.durationMs).toBeGreaterThanOrEqual(ms - 2);
  expect(result.durationMs).toBeLessThan(ms + patient(200));
}
