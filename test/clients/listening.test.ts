import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type ListenedRequest, listen, redriveClient } from '../../clients/typescript/src/index.ts';
import { useApi } from '../support/api/use-api.ts';
import { eventually } from '../support/eventually.ts';
import { patient } from '../support/patience.ts';
import { closedAfterEach } from '../support/use.ts';

const own = closedAfterEach();
const listening: AbortController[] = [];

afterEach(() => {
  for (const each of listening.splice(0)) each.abort();
});

describe('over the API', () => {
  const api = useApi({ listenersAskedEveryMs: 50 });

  test('a listener is kept while whoever takes its requests is busy with one', async () => {
    const { key } = await api.newTenant();
    const leaving = new AbortController();
    listening.push(leaving);
    let opened = '';
    const requests = listen(redriveClient({ baseUrl: api.url, key }), {
      signal: leaving.signal,
      onListening: ({ id }) => {
        opened = id;
      },
    });
    // Asked for once, and never again: nobody comes for the next one.
    void requests.next();
    await eventually('it listens', () => opened !== '');
    const endsAt = async () => {
      const { rows } = await api.database.pool.query('select expires_at from listeners where id = $1', [
        api.uuid(opened),
      ]);
      return rows[0].expires_at.getTime() as number;
    };
    for (let n = 0; n < 3; n += 1) {
      const before = await endsAt();
      await eventually('its end is put off', async () => (await endsAt()) > before);
    }
  });

  test('that lost its place waits for one, and listens again', async () => {
    const { key } = await api.newTenant();
    const open = () => api.call('POST', '/api/v1/listeners', { key, body: {} });
    for (let n = 0; n < 4; n += 1) await open();
    const leaving = new AbortController();
    listening.push(leaving);
    let connection = new AbortController();
    const client = redriveClient({
      baseUrl: api.url,
      key,
      async fetch(request) {
        if (!request.url.endsWith('/stream')) return fetch(request);
        connection = new AbortController();
        const response = await fetch(request);
        const body = response.body?.pipeThrough(new TransformStream(), { signal: connection.signal });
        return new Response(body, response);
      },
    });
    const opened: string[] = [];
    const losses: string[] = [];
    const ended = listen(client, {
      signal: leaving.signal,
      onListening: ({ endpointId }) => opened.push(endpointId),
      onLost: ({ error }) => losses.push(String(error)),
    }).next();
    await eventually('it listens', () => opened.length === 1);
    connection.abort();
    // Somebody else has its place before it is back.
    let other = { status: 0, body: { endpointId: '' } };
    await eventually('its place is taken', async () => {
      other = await open();
      return other.status === 201;
    });
    await eventually('there is no place for it', () => losses.some((each) => each.includes('5 listeners')));
    await api.call('DELETE', `/api/v1/endpoints/${other.body.endpointId}`, { key });
    await eventually('it listens again', () => opened.length === 2, { withinMs: 30_000 });
    leaving.abort();
    expect(await ended).toMatchObject({ done: true });
    // The service hears only in a while that it has left.
    await eventually('its place is taken again', async () => (await open()).status === 201);
    // The first time it is told at once; with a place it would listen on.
    const signal = AbortSignal.timeout(patient(10_000));
    await expect(listen(redriveClient({ baseUrl: api.url, key }), { signal }).next()).rejects.toMatchObject({
      code: 'state_conflict',
    });
  });
});

describe('of a server that is not as it should be', () => {
  /** Opens listeners, and tells how many; each connection is written to by `onStream`. */
  async function start(onStream: (stream: ServerResponse, number: number) => void) {
    let opened = 0;
    const server = createServer((req, res) => {
      req.resume();
      if (req.url?.endsWith('/stream')) {
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        res.write('event: listening\ndata: {}\n\n');
        onStream(res, opened);
        return;
      }
      if (req.url?.endsWith('/answers')) {
        res.writeHead(204).end();
        return;
      }
      opened += 1;
      res.writeHead(201, { 'content-type': 'application/json' });
      const links = { stream: `/${opened}/stream`, answers: `/${opened}/answers` };
      res.end(JSON.stringify({ id: `lsn_${opened}`, endpointId: 'end_x', secret: 'whsec_AAAA', links }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    own({
      async close() {
        server.closeAllConnections();
        server.close();
      },
    });
    const leaving = new AbortController();
    listening.push(leaving);
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return { client: redriveClient({ baseUrl }), signal: leaving.signal, opened: () => opened };
  }

  const requestEvent = (deliveryId: string, more: object) =>
    `event: request\ndata: ${JSON.stringify({ token: 't', deliveryId, headers: {}, body: '1', ...more })}\n\n`;

  test('a connection on which nothing comes any more is given up for another listener', async () => {
    const it = await start(() => {});
    const losses: string[] = [];
    void listen(it.client, {
      signal: it.signal,
      quietMs: 200,
      onLost: ({ error }) => losses.push(String(error)),
    }).next();
    await eventually('another one is opened', () => it.opened() === 2);
    expect(losses[0]).toMatch(/Nothing came for 200 ms/);
  });

  test('the time for an answer runs by this machine, whatever the clock of the server says', async () => {
    const hour = 3_600_000;
    const it = await start((stream) => {
      for (const [id, ahead] of [
        ['behind', -hour],
        ['ahead', hour],
      ] as const)
        stream.write(
          requestEvent(id, { answerBy: new Date(Date.now() + ahead).toISOString(), answerWithinMs: 60_000 }),
        );
    });
    const requests = listen(it.client, { signal: it.signal });
    for (const id of ['behind', 'ahead']) {
      const { value } = (await requests.next()) as { value: ListenedRequest };
      expect(value.deliveryId).toBe(id);
      const leftMs = value.answerBy.getTime() - Date.now();
      expect(leftMs).toBeLessThanOrEqual(60_000);
      expect(leftMs).toBeGreaterThan(60_000 - patient(10_000));
    }
  });

  test('requests whose time is over before they are taken are passed over', async () => {
    let stream: ServerResponse | undefined;
    const it = await start((begun) => {
      stream = begun;
      begun.write(requestEvent('first', { answerBy: '', answerWithinMs: 60_000 }));
    });
    const requests = listen(it.client, { signal: it.signal });
    expect(((await requests.next()) as { value: ListenedRequest }).value.deliveryId).toBe('first');
    stream?.write(requestEvent('over', { answerBy: '', answerWithinMs: 0 }));
    stream?.write(requestEvent('in time', { answerBy: '', answerWithinMs: 60_000 }));
    expect(((await requests.next()) as { value: ListenedRequest }).value.deliveryId).toBe('in time');
  });
});
