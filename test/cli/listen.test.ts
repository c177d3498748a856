import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { verifyWebhook } from '../../clients/typescript/src/index.ts';
import { useCli } from '../support/cli/use-cli.ts';
import { useEngine, useScenes } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { startReceiver } from '../support/receivers/receiver.ts';
import { okWith } from '../support/receivers/receiver-behaviour.ts';

const engine = useEngine();
const scene = useScenes(engine);
const cli = useCli();

const as = (key: string) => ({ url: engine.service.url ?? '', key });

test('a new event comes to this machine, signed, and its answer is the answer', async () => {
  const it = await scene([]);
  const receiver = await startReceiver(okWith('thank you'));
  try {
    const secretFile = join(cli.home, 'listen.secret');
    const listening = cli.start(as(it.tenant.key), [
      ...['listen', '--forward', receiver.url('/webhooks'), '--type', 'invoice.*'],
      ...['--secret-file', secretFile, '-o', 'ndjson'],
    ]);
    await listening.says('Listening as end_');
    for (const type of ['invoice.paid', 'order.made'])
      await engine.client.expect(202, 'POST', '/api/v1/events', {
        key: it.tenant.key,
        body: { type, payload: { total: 7 } },
      });
    await eventually('it is shown', () => listening.stdout().includes('\n'));
    const shown = JSON.parse(listening.stdout());
    expect(shown).toMatchObject({
      body: '{"total":7}',
      answer: { status: 200, body: 'thank you' },
      inTime: true,
    });
    const [request] = receiver.requests;
    expect(request?.body.toString()).toBe('{"total":7}');
    const secret = (await readFile(secretFile, 'utf8')).trim();
    expect(() => verifyWebhook({ body: shown.body, headers: shown.headers, secret })).not.toThrow();
    await eventually('it is delivered', async () => (await it.ids("state = 'delivered'")).length === 1);
    listening.process.kill('SIGINT');
    expect(await listening.ended).toMatchObject({ code: 130 });
    // Its endpoint went with it.
    await eventually('it is gone', async () => {
      const { body } = await engine.client.expect(200, 'GET', '/api/v1/endpoints', { key: it.tenant.key });
      return body.items.length === 0;
    });
  } finally {
    await receiver.close();
  }
});

test('a receiver that is not there is told, and what is wrong with the command is said before anything is made', async () => {
  const it = await scene([]);
  const listening = cli.start(as(it.tenant.key), [
    'listen',
    '--forward',
    'http://127.0.0.1:9',
    '-o',
    'ndjson',
  ]);
  await listening.says('Listening as end_');
  await engine.client.expect(202, 'POST', '/api/v1/events', {
    key: it.tenant.key,
    body: { type: 'a', payload: 1 },
  });
  await eventually('it is shown', () => listening.stdout().includes('\n'));
  expect(JSON.parse(listening.stdout())).toMatchObject({ answer: { status: 'unreachable' } });
  listening.process.kill('SIGTERM');
  expect(await listening.ended).toMatchObject({ code: 143 });
  expect(await cli.run(as(it.tenant.key), ['listen'])).toMatchObject({ code: 2 });
  expect(await cli.run(as(it.tenant.key), ['listen', '--forward', 'localhost:3000'])).toMatchObject({
    code: 2,
  });
});

test('what it cannot write or read, and an address that gets no request, is said before anything is made', async () => {
  const it = await scene([]);
  const listen = (...more: string[]) =>
    cli.run(as(it.tenant.key), ['listen', '--forward', 'http://127.0.0.1:9', ...more]);
  expect(await listen('--secret-file', cli.home)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no plain file'),
  });
  expect(await listen('--secret-file', join(cli.home, 'no', 'such'))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('cannot be written'),
  });
  expect(await listen('--secret-from-file', 'none')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('ENOENT'),
  });
  const secret = await cli.run(as(it.tenant.key), ['listen', '--forward', 'http://u:hunter2@127.0.0.1:9/']);
  expect(secret).toMatchObject({ code: 2 });
  expect(secret.stderr).not.toContain('hunter2');
  const { body } = await engine.client.expect(200, 'GET', '/api/v1/endpoints', { key: it.tenant.key });
  expect(body.items).toEqual([]);
});

test('its secret is shown to whoever looks at the terminal, and to nobody else; one that is known is used', async () => {
  const it = await scene([]);
  const args = ['listen', '--forward', 'http://127.0.0.1:9', '-q'];
  const shown = cli.onTerminal(as(it.tenant.key), args);
  await shown.says('Signed with whsec_');
  shown.process.kill('SIGKILL');
  await shown.ended;

  const receiver = await startReceiver(okWith(''));
  try {
    const file = join(cli.home, 'known.secret');
    const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
    await writeFile(file, `${secret}\n`);
    const listening = cli.start(as(it.tenant.key), [
      ...['listen', '--forward', receiver.url('/'), '--secret-from-file', file, '-o', 'ndjson'],
    ]);
    await listening.says('Listening as end_');
    await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: it.tenant.key,
      body: { type: 'a', payload: 1 },
    });
    await eventually('it is shown', () => listening.stdout().includes('\n'));
    const { body, headers } = JSON.parse(listening.stdout());
    expect(() => verifyWebhook({ body, headers, secret })).not.toThrow();
    expect(`${listening.stdout()}${listening.stderr()}`).not.toContain('whsec_');
    listening.process.kill('SIGTERM');
    await listening.ended;
  } finally {
    await receiver.close();
  }
});
