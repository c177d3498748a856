import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readUpload } from '../../../src/api/requests/read-body.ts';

/** What became of the last upload: its bytes, or why it was given up. */
let became: Promise<string>;

const server = createServer((req, res) => {
  const chunks = readUpload(req, ['application/x-ndjson'], 100);
  if ('problem' in chunks) throw new Error('it was refused');
  became = read(chunks).catch((error: Error) => error.message);
  void became.then((text) => res.end(text));
});

async function read(chunks: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += chunk.toString();
  return text;
}

beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => new Promise((resolve) => server.close(resolve)));

test('an upload that stands still is given up, and one that comes whole is not', async () => {
  const { port } = server.address() as AddressInfo;
  const send = () => request({ port, host: '127.0.0.1', method: 'PUT' });
  const still = send();
  const lost = once(still, 'error');
  const arrived = once(server, 'request');
  still.write('a\n');
  await arrived;
  expect(await became).toContain('stood still');
  await lost;

  const whole = send();
  const answered = once(whole, 'response');
  whole.end('a\nb');
  await answered;
  expect(await became).toBe('a\nb');
});
