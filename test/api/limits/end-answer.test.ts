import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { endAnswer } from '../../../src/api/end-answer.ts';
import { startRawRequest } from '../../support/api/raw-request.ts';
import { eventually } from '../../support/eventually.ts';

test('a request that goes on behind its answer is read for a while, and then loses its connection', async () => {
  const server = createServer((_, res) => {
    res.writeHead(413, { 'content-length': 2 });
    endAnswer(res, 'no', 200);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const begun = await startRawRequest(`http://127.0.0.1:${port}`, [
    'PUT / HTTP/1.1',
    'host: x',
    'content-length: 100000',
  ]);
  try {
    await begun.write('x');
    expect(await begun.answer()).toEqual({ status: 413, text: 'no' });
    expect(begun.isClosed()).toBe(false);
    begun.socket.resume();
    await eventually('it loses its connection', async () => {
      await begun.write('x').catch(() => {});
      return begun.isClosed();
    });
  } finally {
    await begun.close();
    server.close();
  }
});
