import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { answerOf, redriveClient, UnexpectedAnswerError } from '../../clients/typescript/src/index.ts';

/** A server that answers as it is told, one answer after the other, and 200 from then on. */
let server: Server;
let baseUrl: string;
let answers: { status: number; retryAfter?: string }[] = [];
let asked: { method: string | undefined; headers: IncomingHttpHeaders; body: string }[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      asked.push({ method: request.method, headers: request.headers, body: Buffer.concat(parts).toString() });
      const { status, retryAfter } = answers.shift() ?? { status: 200 };
      response.writeHead(status, {
        'content-type': 'application/json',
        ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
      });
      response.end('{"items":[],"nextCursor":null}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  answers = [];
  asked = [];
});

const client = (options: object = {}) => redriveClient({ baseUrl, key: 'rdk_x', ...options });
const select = { select: { deliveryIds: ['dlv_01k9z3e5hbe7r9qk2m4n6p8r0s'] } };

describe('a call', () => {
  test.each([429, 503])(
    'that only reads is made again after a %s, in the time that was asked for',
    async (status) => {
      answers = [
        { status, retryAfter: '0' },
        { status, retryAfter: new Date(0).toUTCString() },
      ];
      expect(await answerOf(client().calls.GET('/api/v1/deliveries'))).toMatchObject({ items: [] });
      expect(asked).toHaveLength(3);
    },
  );

  test('that asks whether all parts are ready is answered by a 503, and not made again', async () => {
    answers = [{ status: 503 }];
    expect((await client().calls.GET('/readyz')).response.status).toBe(503);
    expect(asked).toHaveLength(1);
  });

  test('that starts something is made again as the same act: with its body and one key', async () => {
    answers = [
      { status: 503, retryAfter: '0' },
      { status: 429, retryAfter: '0' },
    ];
    await client().calls.POST('/api/v1/retries', { body: select });
    expect(asked).toHaveLength(3);
    expect(new Set(asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(asked[0]?.headers['idempotency-key']).toMatch(/^sdk-[0-9a-f]{32}$/);
    for (const { body } of asked) expect(JSON.parse(body)).toEqual(select);
    await client().calls.POST('/api/v1/retries', { body: select });
    expect(asked[3]?.headers['idempotency-key']).not.toBe(asked[0]?.headers['idempotency-key']);
  });

  test('keeps the key that its caller gives', async () => {
    await client().calls.POST('/api/v1/retries', {
      params: { header: { 'Idempotency-Key': 'outage-7' } },
      body: select,
    });
    expect(asked[0]?.headers['idempotency-key']).toBe('outage-7');
  });

  test('that may have been done, and cannot be told from a second one, is not made again', async () => {
    const send = () =>
      answerOf(client().calls.POST('/api/v1/events', { body: { type: 'a', payload: null } }));
    answers = [{ status: 503, retryAfter: '0' }];
    await expect(send()).rejects.toBeInstanceOf(UnexpectedAnswerError);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.headers).not.toHaveProperty('idempotency-key');
    // Refused for its quota, it was not done.
    answers = [{ status: 429, retryAfter: '0' }];
    await send();
    expect(asked).toHaveLength(3);
  });

  test('is handed over where it was refused too often, or for too long, or for something else', async () => {
    answers = Array.from({ length: 9 }, () => ({ status: 429, retryAfter: '0' }));
    await expect(answerOf(client().calls.GET('/api/v1/deliveries'))).rejects.toMatchObject({ status: 429 });
    expect(asked).toHaveLength(4);
    asked = [];
    answers = [{ status: 429, retryAfter: '31' }];
    await expect(answerOf(client().calls.GET('/api/v1/deliveries'))).rejects.toMatchObject({
      retryAfterMs: 31_000,
    });
    answers = [{ status: 429, retryAfter: '0' }];
    await expect(answerOf(client({ retries: 0 }).calls.GET('/api/v1/deliveries'))).rejects.toMatchObject({
      status: 429,
    });
    answers = [{ status: 500 }];
    await expect(answerOf(client().calls.GET('/api/v1/deliveries'))).rejects.toMatchObject({ status: 500 });
    expect(asked).toHaveLength(3);
  });

  test('ends at once where it is aborted while it waits', async () => {
    answers = [{ status: 429, retryAfter: '30' }];
    const leaving = new AbortController();
    const call = client({ longestWaitMs: 60_000 }).calls.GET('/api/v1/deliveries', {
      signal: leaving.signal,
    });
    const ended = expect(call).rejects.toThrow('enough');
    while (asked.length === 0) await new Promise(setImmediate);
    leaving.abort(new Error('enough'));
    await ended;
    expect(asked).toHaveLength(1);
  });

  test('with a stream as its body is sent once, as the stream gives it', async () => {
    answers = [{ status: 429, retryAfter: '0' }];
    async function* lines() {
      for (let n = 0; n < 3; n += 1) yield new TextEncoder().encode(`{"n":${n}}\n`);
    }
    const response = await client().raw('/api/v1/imports', {
      method: 'POST',
      body: ReadableStream.from(lines()) as ReadableStream<Uint8Array>,
    });
    expect(response.status).toBe(429);
    expect(asked.map(({ body }) => body)).toEqual(['{"n":0}\n{"n":1}\n{"n":2}\n']);
  });
});
