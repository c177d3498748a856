import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { classify } from '../../src/domain/sending/classification.ts';
import { createAddressGuard } from '../../src/outbound/address-guard.ts';
import { type AttemptClient, createAttemptClient } from '../../src/outbound/attempt.ts';
import { createDeadline } from '../../src/outbound/deadline.ts';
import { createKeySets } from '../../src/outbound/key-sets.ts';
import { type Receiver, startReceiver } from '../support/receivers/receiver.ts';
import { type Behaviour, raw, rawOpen } from '../support/receivers/receiver-behaviour.ts';
import { createSelfSignedCertificate } from '../support/receivers/self-signed-certificate.ts';

/** Answers that HTTP allows and parsers give up: the final status counts. */

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

async function receiving(...args: Parameters<typeof startReceiver>): Promise<Receiver> {
  const receiver = await startReceiver(...args);
  open.push(receiver);
  return receiver;
}

function sending(options: Partial<Parameters<typeof createAttemptClient>[0]> = {}): AttemptClient {
  const client = createAttemptClient({ guard: createAddressGuard(['127.0.0.0/8']), ...options });
  open.unshift(client);
  return client;
}

function attempt(client: AttemptClient, url: string, method: 'GET' | 'POST' = 'POST') {
  return client.send({
    method,
    url,
    body: method === 'GET' ? '' : '{"n":1}',
    headers: { 'webhook-id': 'dlv_1' },
    timeoutMs: 5_000,
    deadline: createDeadline(10_000),
  });
}

async function answerOf(behaviour: Behaviour, method: 'GET' | 'POST' = 'POST') {
  const receiver = await receiving(behaviour);
  const result = await attempt(sending(), receiver.url(), method);
  const excerpt = result.kind === 'answered' ? Buffer.from(result.excerpt).toString('latin1') : undefined;
  return { result, excerpt, classified: classify(result), receiver };
}

/** A server that knows nothing of HTTP but its answer, which each request on a connection gets. */
async function answering(answer: string) {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    let read = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      read += chunk.toString('latin1');
      if (!read.endsWith('{"n":1}')) return;
      read = '';
      socket.write(answer, 'latin1');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({ close: () => new Promise((resolve) => server.close(() => resolve())) });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, connections: () => connections };
}

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

describe('an interim answer that nobody asked for', () => {
  test.each([
    ['100', CONTINUE],
    ['100 with fields', 'HTTP/1.1 100 Continue\r\ndate: today\r\nretry-after: 9\r\n\r\n'],
    ['two of 100', CONTINUE + CONTINUE],
    ['102, 103 and 199', 'HTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nlink: </a>\r\n\r\nHTTP/1.1 199 X\r\n\r\n'],
    ['101', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n'],
    ['100 without a reason', 'HTTP/1.1 100\r\n\r\n'],
  ])('%s is left out: the final one counts, and the connection goes on', async (_title, interim) => {
    const server = await answering(interim + OK);
    const client = sending();
    for (let n = 1; n <= 3; n++) {
      const result = await attempt(client, server.url);
      expect(result).toMatchObject({ kind: 'answered', status: 200, excerpt: Buffer.from('ok') });
      expect(result).not.toHaveProperty('retryAfterMs');
    }
    expect(server.connections()).toBe(1);
  });

  test.each([1, 2, 3, 7])('is left out in whatever pieces it comes (%i bytes at a time)', async (bytes) => {
    const { result, excerpt } = await answerOf(rawOpen(CONTINUE + CONTINUE + OK, bytes));
    expect([result, excerpt]).toEqual([expect.objectContaining({ status: 200 }), 'ok']);
  });

  test('before a 410 leaves it a 410, before a 429 its Retry-After', async () => {
    const gone = await answerOf(rawOpen(`${CONTINUE}HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n`));
    expect(gone.classified).toMatchObject({ outcome: 'gone', httpStatus: 410 });
    const busy = await answerOf(
      rawOpen(`${CONTINUE}HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n`),
    );
    expect(busy.classified).toMatchObject({ outcome: 'retryable', httpStatus: 429, retryAfterMs: 7_000 });
  });

  test('is left out of the answer to a status request, and to one for published keys', async () => {
    const body = '{"processed":true}';
    const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n`;
    const probed = await answerOf(
      rawOpen(`${CONTINUE}${head}content-length: ${body.length}\r\n\r\n${body}`),
      'GET',
    );
    expect(probed.excerpt).toBe(body);
    const keys = await receiving(raw(`${CONTINUE}${head}\r\n{"keys":[]}`));
    const keySet = createKeySets(createAddressGuard(['127.0.0.0/8']))(keys.url());
    await expect(keySet({ alg: 'EdDSA' }, { payload: '', signature: '' })).rejects.toMatchObject({
      code: 'ERR_JWKS_NO_MATCHING_KEY',
    });
  });

  test('is left out over TLS, too', async () => {
    const tls = createSelfSignedCertificate();
    const receiver = await receiving(rawOpen(CONTINUE + OK, 5), { tls });
    expect(await attempt(sending({ ca: tls.cert }), receiver.url())).toMatchObject({ status: 200 });
  });

  test.each([
    ['and then the end', raw(CONTINUE), 'invalid_response'],
    ['and then half a status', raw(`${CONTINUE}HTTP/1.1 2`), 'invalid_response'],
    ['for ever', raw(CONTINUE.repeat(20_000)), 'invalid_response'],
  ])('%s is ambiguous', async (_title, behaviour, faultCode) => {
    const { classified } = await answerOf(behaviour);
    expect(classified).toEqual({ outcome: 'ambiguous', faultCode, mayHaveArrived: true });
  });
});

describe('an answer that is not written as the books have it', () => {
  const long = (n: number) => `x-${n}: ${'y'.repeat(900)}\r\n`;
  test.each([
    ['no reason and no blank before it', 'HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok'],
    ['lower case', 'http/1.1 200 ok\r\nCONTENT-LENGTH: 2\r\n\r\nok'],
    ['a later minor version', 'HTTP/1.7 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    ['HTTP/1.0 until the end', 'HTTP/1.0 200 OK\r\n\r\nok'],
    ['no length until the end', 'HTTP/1.1 200 OK\r\n\r\nok'],
    ['bare line feeds', 'HTTP/1.1 200 OK\ncontent-length: 2\n\nok'],
    ['blank lines before it', '\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    ['a folded field', 'HTTP/1.1 200 OK\r\nx-folded: a\r\n  b\r\n\tc\r\ncontent-length: 2\r\n\r\nok'],
    ['a folded length', 'HTTP/1.1 200 OK\r\ncontent-length:\r\n 2\r\n\r\nok'],
    ['a blank before the colon', 'HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok'],
    [
      'lines that are no fields',
      'HTTP/1.1 200 OK\r\nrubbish\r\n: x\r\nsome thing: x\r\n\x01\x02: \x00\r\n\r\nok',
    ],
    ['a head of 40 KB', `HTTP/1.1 200 OK\r\n${Array.from({ length: 44 }, (_, n) => long(n)).join('')}\r\nok`],
    ['one field of 40 KB', `HTTP/1.1 200 OK\r\ncookie: ${'z'.repeat(40_000)}\r\n\r\nok`],
    ['the same length twice', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok'],
    ['the same length in one list', 'HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok'],
    ['a coding in upper case', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    [
      'a coding together with a length',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 99\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    ['a coding under HTTP/1.0', 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['the coding identity', 'HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\ncontent-length: 2\r\n\r\nok'],
    ['a coding that only the end bounds', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok'],
    [
      'an offer to upgrade',
      'HTTP/1.1 200 OK\r\nupgrade: h2,h2c\r\nconnection: Upgrade\r\ncontent-length: 2\r\n\r\nok',
    ],
  ])('%s: counts', async (_title, answer) => {
    const { result, excerpt, receiver } = await answerOf(raw(answer));
    expect([result, excerpt]).toEqual([expect.objectContaining({ kind: 'answered', status: 200 }), 'ok']);
    expect(receiver.requests).toHaveLength(1);
  });

  test.each([
    ['lengths that differ', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok'],
    ['no length at all in its field', 'HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\nok'],
    ['chunks that are none', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n'],
    ['204 with the length of what it does not have', 'HTTP/1.1 204 No Content\r\ncontent-length: 7\r\n\r\n'],
  ])('%s: its status counts, and at once', async (_title, answer) => {
    const { classified, result } = await answerOf(rawOpen(answer));
    expect(classified.outcome).toBe('delivered');
    expect(result).toMatchObject({ durationMs: expect.any(Number) });
    if (result.kind === 'answered') expect(result.durationMs).toBeLessThan(5_000);
  });

  test('304 with the length of what it stands for leaves the connection to the next request', async () => {
    const server = await answering('HTTP/1.1 304 Not Modified\r\ncontent-length: 1234\r\n\r\n');
    const client = sending();
    for (let n = 0; n < 2; n++) expect(await attempt(client, server.url)).toMatchObject({ status: 304 });
    expect(server.connections()).toBe(1);
  });

  test.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['another major version', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a body alone', '{"ok":true}'],
    ['a TLS alert', '\x15\x03\x01\x00\x02\x02\x16'],
    ['a head that is cut', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n'],
  ])('%s is no answer, and ambiguous', async (_title, answer) => {
    const { classified } = await answerOf(raw(answer));
    expect(classified).toEqual({ outcome: 'ambiguous', faultCode: 'invalid_response', mayHaveArrived: true });
  });

  test('the longest of several Retry-After counts, folded ones too', async () => {
    const { result } = await answerOf(
      raw('HTTP/1.1 503 No\r\nretry-after: 5\r\nRetry-After:\r\n 1.5m\r\nretry-after: soon\r\n\r\n'),
    );
    expect(result).toMatchObject({ status: 503, retryAfterMs: 90_000 });
  });
});
