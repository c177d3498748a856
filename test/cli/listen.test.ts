import { readFile } from 'node:fs/promises';
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
