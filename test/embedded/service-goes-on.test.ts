import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { loadConfig } from '../../src/config/config.ts';
import { startEmbeddedParts } from '../../src/embedded/embedded-parts.ts';
import { processesWithArguments } from '../../src/embedded/own-processes.ts';
import { silentReport } from '../../src/embedded/steps.ts';
import { startService } from '../../src/service.ts';
import { migrate } from '../../src/store/db/migrate.ts';
import { createLogger } from '../../src/telemetry/log.ts';
import { createTestClient } from '../support/api/test-client.ts';
import { eventually } from '../support/eventually.ts';
import { startReceiver } from '../support/receivers/receiver.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

test('a service on servers of its own goes on when one of them dies, and loses nothing', async () => {
  await inTemporaryDirectory(async (directory) => {
    const adminKey = 'a'.repeat(24);
    const loaded = loadConfig({
      REDRIVE_DATA_DIR: directory,
      REDRIVE_DEMO: '0',
      REDRIVE_ADMIN_KEY: adminKey,
    });
    if (!loaded.ok) throw new Error(loaded.problems.join(' '));
    const { signal } = new AbortController();
    const parts = await startEmbeddedParts({ config: loaded.config, report: silentReport, signal });
    const receiver = await startReceiver();
    let service: Awaited<ReturnType<typeof startService>> | undefined;
    try {
      await migrate(parts.databaseUrl);
      service = await startService({
        config: { ...loaded.config, port: 0, allowedNetworks: ['127.0.0.0/8'] },
        ...{ databaseUrl: parts.databaseUrl, temporal: parts.temporal, masterKey: parts.masterKey },
        roles: { api: true, worker: true },
        workflowBundle: process.env.REDRIVE_TEST_WORKFLOW_BUNDLE ?? '',
        log: createLogger({ level: 'error', destination: { write: () => {} } }),
      });
      const client = await createTestClient(service.url ?? '', adminKey);
      const ready = () => fetch(`${service?.url}/readyz`).then(({ ok }) => ok);
      const { key } = await client.newTenant('acme');
      await client.newEndpoint(key, { url: receiver.url('/in') });
      const accept = async () =>
        (await client.call('POST', '/api/v1/events', { key, body: { type: 'a', payload: {} } })).status;
      let expected = 0;
      for (const server of [
        ['-D', join(directory, 'postgres', 'data')],
        ['--db-filename', join(directory, 'temporal', 'temporal.db')],
      ]) {
        await eventually('it is ready', ready, { withinMs: 30_000 });
        expect(await accept()).toBe(202);
        const [pid = Number.NaN] = await processesWithArguments(...server);
        process.kill(pid, 'SIGKILL');
        await eventually('another one runs', async () => {
          const [now = pid] = await processesWithArguments(...server);
          return now !== pid;
        });
        await eventually('it accepts again', async () => (await accept()) === 202, { withinMs: 30_000 });
        expected += 2;
        await eventually(
          'all that was accepted has arrived',
          () => {
            return new Set(receiver.requests.map(({ id }) => id)).size >= expected;
          },
          { withinMs: 60_000 },
        );
      }
      await eventually('it is ready', ready, { withinMs: 30_000 });
    } finally {
      await service?.stop();
      await parts.stop();
      await receiver.close();
    }
  });
});
