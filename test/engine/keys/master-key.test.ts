import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { type ServiceOptions, startService } from '../../../src/service.ts';
import { createTestClient } from '../../support/api/test-client.ts';
import { useEngine } from '../../support/engine/use-engine.ts';
import { eventually } from '../../support/eventually.ts';
import { TIME_TO_ANSWER_MS } from '../../support/patience.ts';
import { startReceiver } from '../../support/receivers/receiver.ts';
import { closedAfterEach } from '../../support/use.ts';

const engine = useEngine({ checked: true, roles: { api: true, worker: false } });
const closing = closedAfterEach();

async function started(masterKey: Buffer, otherMasterKey?: Buffer, other: Partial<ServiceOptions> = {}) {
  const service = await startService({
    ...engine.options,
    ...other,
    roles: { api: true, worker: true },
    masterKey,
    config: { ...engine.options.config, otherMasterKey },
  });
  closing({ close: () => service.stop() });
  return { service, client: await createTestClient(service.url ?? '', engine.adminKey) };
}

test('the master key is rotated while everything goes on, and the installation stays who it was', async () => {
  const [old, next] = [engine.options.masterKey, randomBytes(32)];
  const receiver = closing(await startReceiver());
  const { key } = await engine.client.newTenant('rotating');
  const endpoint = await engine.client.newEndpoint(key, {
    url: receiver.url('/hook'),
    timeoutMs: TIME_TO_ANSWER_MS,
    headers: { 'x-key': 'theirs' },
  });
  const systemSigner = async (client: typeof engine.client) =>
    (await client.call('GET', '/api/v1/signers/system', { key })).body;
  const before = await systemSigner(engine.client);

  // First a process that opens by both keys and seals by the one before; then one that seals by the next one.
  const waiting = await started(old, next);
  const leading = await started(next, old);
  const send = (client: typeof engine.client) =>
    client.call('POST', '/api/v1/events', { key, body: { type: 'paid', payload: { amount: 1 } } });
  await send(waiting.client);
  await receiver.waitFor(({ requests }) => requests.length === 1);
  // A secret that is sealed under the next key is opened by the process before it.
  const { body: rotated } = await leading.client.call(
    'POST',
    `/api/v1/endpoints/${endpoint.id}/rotate-secret`,
    {
      key,
      body: { oldValidForMs: 0 },
    },
  );
  expect(rotated.secret).toMatch(/^whsec_/);
  await send(waiting.client);
  await receiver.waitFor(({ requests }) => requests.length === 2);
  await eventually('everything is sealed anew', async () => {
    const { rows } = await engine.database.pool.query(
      'select master_key_check = rotating_to as done from installation',
    );
    return rows[0]?.done === true;
  });

  await Promise.all([waiting.service.stop(), leading.service.stop()]);
  await expect(started(old)).rejects.toThrow(/REDRIVE_MASTER_KEY is not the key/);
  const after = await started(next);
  expect(await systemSigner(after.client)).toEqual(before);
  await send(after.client);
  await receiver.waitFor(({ requests }) => requests.length === 3);
  expect(receiver.requests.map(({ headers }) => headers['x-key'])).toEqual(['theirs', 'theirs', 'theirs']);
});
