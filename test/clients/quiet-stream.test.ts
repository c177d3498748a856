import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { redriveClient } from '../../clients/typescript/src/index.ts';
import { patient } from '../support/patience.ts';

/** A stream that its sender never ended, as after a sleep of the machine or behind a router that has forgotten it. */
test('a stream on which nothing comes any more is connected again behind its last event', async () => {
  const asked: (string | undefined)[] = [];
  const server = createServer((req, res) => {
    asked.push(req.headers['last-event-id'] as string | undefined);
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write(`retry: 1\n\ndata: ${asked.length}\nid: at-${asked.length}\n\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { watch } = redriveClient({
      baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    });
    const losses: string[] = [];
    const seen: unknown[] = [];
    const onConnection = (connection: { up: boolean; error?: unknown }) => {
      if (!connection.up) losses.push(String(connection.error));
    };
    for await (const { data } of watch('/stream', { quietMs: 200, onConnection })) {
      seen.push(data);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([1, 2, 3]);
    expect(asked).toEqual([undefined, 'at-1', 'at-2']);
    expect(losses[0]).toMatch(/Nothing came for 200 ms/);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

/** In Node 20 the signal of a request reaches nothing once that request has been collected. */
describe.each([
  ['that has begun', true],
  ['that is not answered', false],
])('a stream %s', (_, begins) => {
  test('ends with its signal, also where its request has been collected', async () => {
    let asked = () => {};
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const server = createServer((_, res) => {
      asked();
      if (!begins) return;
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write('data: 1\n\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    try {
      const { watch } = redriveClient({
        baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      });
      const leaving = new AbortController();
      const events = watch('/stream', { signal: leaving.signal });
      if (begins) expect(await events.next()).toMatchObject({ value: { data: 1 } });
      const ended = events.next();
      await isAsked;
      for (let n = 0; n < 5; n += 1) {
        await new Promise(setImmediate);
        collect();
      }
      leaving.abort();
      expect(await Promise.race([ended, delay(patient(10_000), 'goes on', { ref: false })])).toMatchObject({
        done: true,
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
