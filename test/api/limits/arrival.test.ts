import { describe, expect, test } from '@jest/globals';
import { listen } from '../../../src/api/listen.ts';
import { startRawRequest } from '../../support/api/raw-request.ts';
import { useApi } from '../../support/api/use-api.ts';
import { seedEndpoint } from '../../support/engine/failed-deliveries.ts';
import { eventually } from '../../support/eventually.ts';
import { goodLine } from '../../support/imports/awkward-lines.ts';
import { lines } from '../../support/imports/take.ts';
import { closedAfterEach } from '../../support/use.ts';

const own = closedAfterEach();

test('a head that comes byte by byte is given up', async () => {
  const server = await listen((_, res) => res.end(), '127.0.0.1', 0, { withinMs: 100, lookEveryMs: 20 });
  try {
    const slow = own(
      await startRawRequest(`http://127.0.0.1:${server.port}`, []).then((begun) => {
        begun.socket.resume();
        return begun;
      }),
    );
    await slow.write('GET / HTTP/1.1\r\nhost: x\r\nx-slow: ');
    await eventually('it is given up', async () => {
      await slow.write('x').catch(() => {});
      return slow.isClosed();
    });
  } finally {
    await server.close(0);
  }
});

describe('a body that does not arrive', () => {
  const api = useApi({ arrivesWithinMs: 200 });

  const begin = async (method: string, path: string, headers: string[] = []) => {
    const head = [`${method} ${path} HTTP/1.1`, 'host: x', 'content-length: 100000', ...headers];
    const begun = own(await startRawRequest(api.url, head));
    await begun.write('{');
    return begun;
  };

  test.each([
    ['of a route', 'POST', '/api/v1/events'],
    ['of no route', 'POST', '/nowhere'],
    ['of another method', 'PUT', '/api/v1/endpoints'],
    ['of the console', 'POST', '/console/page.html'],
    ['of the docs', 'POST', '/docs'],
    ['of an upload of nobody', 'PUT', '/api/v1/imports/imp_01k9z3e5hbe7r9qk2m4n6p8r0s/lines'],
  ])('is given up: %s', async (_, method, path) => {
    const slow = await begin(method, path);
    slow.socket.resume();
    await eventually('it is given up', slow.isClosed);
  });

  test('is waited for where it is an upload of somebody', async () => {
    const { key } = await api.newTenant();
    const endpointId = await seedEndpoint(api, key);
    const opened = await api.call('POST', '/api/v1/imports', {
      key,
      body: { from: 'ndjson', map: { theirs: endpointId } },
    });
    const file = lines([goodLine('ndjson', 1), goodLine('ndjson', 2)]);
    const upload = own(
      await startRawRequest(api.url, [
        `PUT ${opened.body.links.self}/lines HTTP/1.1`,
        'host: x',
        `authorization: Bearer ${key}`,
        `content-length: ${Buffer.byteLength(file)}`,
      ]),
    );
    await upload.write(file.slice(0, 20));
    // One that began later has been given up: this one has been there for longer than that.
    for (let n = 0; n < 2; n += 1) {
      const later = await begin('POST', '/nowhere');
      later.socket.resume();
      await eventually('the later one is given up', later.isClosed);
    }
    await upload.write(file.slice(20));
    expect(await upload.answer()).toMatchObject({ status: 200 });
  });
});
