import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type DemoOptions, startDemo } from '../../src/embedded/demo/demo.ts';
import { keptPort } from '../../src/embedded/demo/demo-receiver-process.ts';
import { silentReport } from '../../src/embedded/steps.ts';
import { insertTenant } from '../../src/store/tenancy/tenants.ts';
import { createTestDatabase, type TestDatabase } from '../support/store/test-database.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

const LOOPBACK = ['127.0.0.0/8'];
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});

afterAll(() => database.drop());

test('without a way to loopback it is left out, and says why', async () => {
  expect(await played({ config: { dataDir: '/nowhere', allowedNetworks: ['10.0.0.0/8'] } })).toMatch(
    /^The demo is left out: [\s\S]*REDRIVE_ALLOWED_NETWORKS[\s\S]*Redrive is running/,
  );
});

test("without the administrator's key it is left out, and says how to set one", async () => {
  expect(await played({ adminKey: undefined })).toMatch(
    /^The demo is left out: [\s\S]*REDRIVE_ADMIN_KEY[\s\S]*Redrive is running/,
  );
});

test('where the API refuses it says so, gives the addresses and ends its receiver', async () => {
  const api = createServer((request, response) => {
    response.writeHead(request.url === '/readyz' ? 200 : 401, { 'content-type': 'application/json' });
    response.end('{"code":"credential_invalid","detail":"No such key."}');
  }).listen(0, '127.0.0.1');
  await once(api, 'listening');
  try {
    await inTemporaryDirectory(async (dataDir) => {
      const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
      const output = await played({ config: { dataDir, allowedNetworks: LOOPBACK }, url });
      expect(output).toMatch(
        /✘ The demo stopped: POST \/api\/v1\/tenants answered 401 credential_invalid: No such key\.\n\nRedrive is running/,
      );
      await expect(fetch(`http://127.0.0.1:${await keptPort(dataDir)}/audit`)).rejects.toThrow();
    });
  } finally {
    api.closeAllConnections();
    api.close();
  }
});

test('a database that holds other tenants gets the addresses and nothing else', async () => {
  await insertTenant(database.pool, { handle: 'acme' });
  expect(await played({})).toMatch(/^\nRedrive is running; Ctrl-C ends it\.\n {2}API /);
});

async function played(options: Partial<DemoOptions>): Promise<string> {
  const output = new PassThrough({ encoding: 'utf8' });
  const stopping = new AbortController();
  const demo = startDemo({
    config: { dataDir: '/nowhere', allowedNetworks: LOOPBACK },
    url: 'http://127.0.0.1:1',
    logFile: '/nowhere/redrive.log',
    adminKey: 'rdk_none',
    databaseUrl: database.url,
    report: silentReport,
    output,
    signal: stopping.signal,
    ...options,
  });
  await demo.played;
  stopping.abort();
  await demo.stop();
  return String(output.read());
}
