import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { freePorts } from '../../src/embedded/free-port.ts';
import { describeInBrowser } from '../support/browser/describe-in-browser.ts';
import { useBrowser } from '../support/browser/use-browser.ts';
import { BUILT_CLIENT, blocksOfReadme, useInstalledClient } from '../support/clients/installed-client.ts';
import type { Scene } from '../support/engine/recovery-scene.ts';
import { useEngine, useScenes } from '../support/engine/use-engine.ts';
import { eventually } from '../support/eventually.ts';
import { startReceiver } from '../support/receivers/receiver.ts';
import { ok, status } from '../support/receivers/receiver-behaviour.ts';
import { closedAfterEach } from '../support/use.ts';

const execute = promisify(execFile);

const project = useInstalledClient();

test('publint finds nothing', async () => {
  const { messages, pkg } = await publint({ pkgDir: BUILT_CLIENT, strict: true });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test('its types are found, and right, wherever modules are', async () => {
  const tarball = createPackageFromTarballData(await readFile(project.tarball));
  const analysis = await checkPackage(tarball);
  // Node requires it as a module, with the types of one: there is no second copy of it for CommonJS.
  const problems = ('problems' in analysis ? analysis.problems : [undefined]).filter(
    (problem) => problem?.kind !== 'CJSResolvesToESM',
  );
  expect(problems).toEqual([]);
});

test('it holds its code, types, README and licence, and needs two libraries and the curve', async () => {
  const { stdout } = await execute('tar', ['-tzf', project.tarball]);
  const files = stdout.trim().split('\n');
  expect(files.filter((file) => !/\.js$|\.d\.ts$/.test(file)).sort()).toEqual([
    'package/LICENSE',
    'package/README.md',
    'package/package.json',
  ]);
  const { dependencies } = JSON.parse(await readFile(join(BUILT_CLIENT, 'package.json'), 'utf8'));
  expect(Object.keys(dependencies)).toEqual([
    '@noble/curves',
    '@noble/hashes',
    'eventsource-parser',
    'openapi-fetch',
  ]);
});

test('its types and tables are those of the committed document', async () => {
  await execute(process.execPath, ['scripts/client-types.mjs', '--check']);
});

test('plain JavaScript takes it as a module', async () => {
  const script = `import { paginate, redriveClient, verifyWebhook } from '@redrive/client';
    console.log(typeof paginate, typeof redriveClient({}).watch, typeof verifyWebhook);`;
  const { stdout } = await execute(process.execPath, ['--input-type=module', '-e', script], {
    cwd: project.directory,
  });
  expect(stdout.trim()).toBe('function function function');
});

describe('TypeScript', () => {
  test('takes what the document allows, and refuses the rest', async () => {
    await project.write(
      'right.ts',
      `import { answerOf, hasCode, redriveClient } from '@redrive/client';
      const { calls } = redriveClient({ baseUrl: 'http://127.0.0.1' });
      export const states = async (): Promise<('pending' | 'delivered' | 'failed' | 'unknown' | 'cancelled' | 'ignored')[]> =>
        (await answerOf(calls.GET('/api/v1/deliveries'))).items.map(({ state }) => state);
      export function drift(error: unknown): object | undefined {
        if (!hasCode(error, 'drift_too_large')) return undefined;
        const status: 409 = error.problem.status;
        return { status, ...error.problem.drift };
      }`,
    );
    await project.compile();
    const wrong = `import { answerOf, hasCode, redriveClient } from '@redrive/client';
      const { calls } = redriveClient({});
      void calls.GET('/api/v1/no-such-path');
      void calls.GET('/api/v1/deliveries', { params: { query: { state: ['asleep'] } } });
      void calls.POST('/api/v1/retries', { body: {} });
      void answerOf(calls.GET('/api/v1/deliveries')).then(({ nothing }) => nothing);
      export const drift = (error: unknown) => hasCode(error, 'not_found') && error.problem.drift;
      export const code = (error: unknown) => hasCode(error, 'no_such_code');
    `;
    await project.write('wrong.ts', wrong);
    const refused = await project.compile().catch((error: Error) => error.message);
    const lines = [...String(refused).matchAll(/^wrong\.ts\((\d+),/gm)].map(([, line]) => Number(line));
    await project.write('wrong.ts', '');
    expect([...new Set(lines)]).toEqual([3, 4, 5, 6, 7, 8]);
  });
});

describe('the README', () => {
  const engine = useEngine();
  const scene = useScenes(engine);
  const own = closedAfterEach();
  const children: ChildProcess[] = [];
  let environment: Record<string, string>;

  beforeAll(async () => {
    const blocks = await blocksOfReadme('ts');
    expect(blocks).toHaveLength(6);
    for (const [index, block] of blocks.entries()) await project.write(`task${index + 1}.ts`, block);
    await project.compile();
  });

  afterEach(() => {
    for (const child of children.splice(0)) child.kill();
  });

  async function withScene(...args: Parameters<typeof scene>): Promise<Scene> {
    const it = await scene(...args);
    environment = {
      PATH: process.env.PATH ?? '',
      REDRIVE_URL: engine.service.url ?? '',
      REDRIVE_KEY: it.tenant.key,
    };
    return it;
  }

  async function task(
    number: number,
    [program, ...args]: readonly string[] = [process.execPath],
  ): Promise<string[]> {
    const { stdout } = await execute(program ?? '', [...args, `task${number}.js`], {
      cwd: project.directory,
      env: environment,
    });
    return stdout.trim().split('\n');
  }

  /** Starts a task that goes on, and keeps what it prints. */
  function start(number: number, more: Record<string, string>): { lines: string[] } {
    const child = spawn(process.execPath, [`task${number}.js`], {
      cwd: project.directory,
      env: { ...environment, ...more },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const lines: string[] = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    return { lines };
  }

  test('sends an event', async () => {
    await withScene([ok]);
    const [accepted, went] = await task(1);
    expect(accepted).toMatch(/^evt_\w+ goes to 1 endpoints$/);
    expect(went).toMatch(/^end_\w+: (pending|delivered)$/);
  });

  test('finds what failed, page by page, and tells problems apart', async () => {
    const it = await withScene([ok]);
    await it.seed(120);
    const lines = await task(2);
    expect(lines).toHaveLength(121);
    expect(lines.at(-1)).toBe('There is no such delivery (404).');
  });

  test('plans and runs a recovery, and sees it end', async () => {
    const it = await withScene([ok, status(400)]);
    await it.seed(10);
    const lines = await task(3);
    expect(lines[0]).toMatch(/^10 would be sent, of which \d+ may have arrived$/);
    expect(lines.at(-1)).toBe('completed_with_failures: 5 of 10 delivered');
    expect(it.sent()).toBe(10);
  });

  test('receives what is signed, and acknowledges it', async () => {
    const it = await withScene([]);
    const { port } = await freePorts('port');
    const endpoint = await engine.client.newEndpoint(it.tenant.key, {
      url: `http://127.0.0.1:${port}/`,
      requireAck: true,
    });
    const { lines } = start(4, { REDRIVE_SECRET: endpoint.secret, PORT: String(port) });
    await eventually('it listens', () => lines.includes('ready'));
    await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: it.tenant.key,
      body: { type: 'invoice.paid', payload: { amount: 100 } },
    });
    await eventually('it has acknowledged', () => lines.length === 3, { otherwise: () => lines.join('\n') });
    expect(lines[1]).toMatch(/^dlv_\w+: \{"amount":100\}$/);
    expect(lines[2]).toMatch(/^dlv_\w+ is (settled|remembered)$/);
    const forged = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{}' });
    expect(forged.status).toBe(401);
    await eventually('it is delivered', async () => {
      const { body } = await engine.client.call('GET', '/api/v1/deliveries?state=delivered', {
        key: it.tenant.key,
      });
      return body.items.length === 1;
    });
  });

  test('proves what became of it', async () => {
    const it = await withScene([ok, status(400)]);
    await it.seed(10);
    const { id } = await it.retries.start({ select: { filter: {} } });
    await it.retries.ended(id);
    const fetched = async (path: string, accept: string, key: string) => {
      const response = await fetch(`${engine.service.url}${path}`, {
        headers: { accept, authorization: `Bearer ${key}` },
      });
      expect(response.status).toBe(200);
      return response.text();
    };
    const { key } = it.tenant;
    const auditor = await engine.client.expect(201, 'POST', '/api/v1/keys', {
      body: { tenantId: it.tenant.id, name: 'auditor', scopes: ['read:audit'] },
    });
    await project.write('jwks.json', await fetched('/.well-known/redrive/jwks.json', '*/*', key));
    await project.write(
      'report.json',
      await fetched(`/api/v1/retries/${id}/report`, 'application/jose+json', key),
    );
    const ledger = await fetched(`/api/v1/retries/${id}/items`, 'application/x-ndjson', key);
    await project.write('ledger.ndjson', ledger);
    await eventually('the acts are sealed', async () => {
      const audit = await fetched('/api/v1/audit', 'application/x-ndjson', auditor.body.key);
      await project.write('audit.ndjson', audit);
      return audit.includes('report.signed');
    });
    const [report, audit] = await task(5);
    expect(report).toMatch(/^5 of 10 delivered, signed by [\w-]{43}$/);
    expect(audit).toMatch(/^whole up to entry \d+$/);
    await project.write('ledger.ndjson', ledger.replace('"attempts":1', '"attempts":2'));
    expect((await task(5))[0]).toBe(
      'A line of the ledger is not as it was signed: its lines have another root.',
    );
  });

  test('listens on a machine that nobody can reach', async () => {
    const it = await withScene([]);
    const receiver = own(await startReceiver(status(202)));
    const { lines } = start(6, { LOCAL: receiver.url('/hooks') });
    await eventually('it listens', () => lines.length === 1);
    await engine.client.expect(202, 'POST', '/api/v1/events', {
      key: it.tenant.key,
      body: { type: 'invoice.paid', payload: { amount: 100 } },
    });
    await eventually('it has answered', () => lines.length === 2, { otherwise: () => lines.join('\n') });
    expect(lines[1]).toMatch(/^dlv_\w+: 202$/);
    expect(receiver.requests[0]?.body.toString()).toBe('{"amount":100}');
    await eventually('it is delivered', async () => {
      const { body } = await engine.client.call('GET', '/api/v1/deliveries?state=delivered', {
        key: it.tenant.key,
      });
      return body.items.length === 1;
    });
  });

  test.each([['bun'], ['deno', 'run', '--allow-all', '--node-modules-dir=manual']])(
    'finds and recovers in %s, where it is installed',
    async (...runtime) => {
      const [name = ''] = runtime;
      if (!(await execute(name, ['--version']).catch(() => undefined))) {
        process.stderr.write(`\n  SKIPPED: there is no ${name}; the client stays untried there.\n\n`);
        return;
      }
      const it = await withScene([ok]);
      await it.seed(3);
      expect((await task(2, runtime)).at(-1)).toBe('There is no such delivery (404).');
      expect((await task(3, runtime)).at(-1)).toBe('completed: 3 of 3 delivered');
    },
  );

  describeInBrowser('a page', () => {
    const browser = useBrowser();

    test('takes the modules as they are, and calls the API by its own origin', async () => {
      const it = await withScene([ok]);
      await it.seed(3);
      const site = await startSite(project.directory, engine.service.url ?? '', it.tenant.key);
      try {
        // It asks for what does not exist.
        const page = await browser.newPage({ expects: [/status of 404/] });
        await page.goto(site.url);
        await page.locator('output', { hasText: /./ }).waitFor();
        expect(await page.locator('output').textContent()).toBe(
          '3 failed; progress, closed: 3 delivered; not_found; its report holds with 3 lines',
        );
      } finally {
        await site.close();
      }
    });
  });
});

/** The packages that the page takes, by the files that their names stand for. */
const IMPORTS = {
  '@redrive/client': '/node_modules/@redrive/client/index.js',
  'openapi-fetch': '/node_modules/openapi-fetch/dist/index.mjs',
  'eventsource-parser/stream': '/node_modules/eventsource-parser/dist/stream.js',
  '@noble/curves/': '/node_modules/@noble/curves/',
  '@noble/hashes/': '/node_modules/@noble/hashes/',
};

const PAGE = `<!doctype html><title>x</title><link rel="icon" href="data:,">
<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
<output></output>
<script type="module">
import { answerOf, hasCode, paginate, redriveClient, verifyReport } from '@redrive/client';
const redrive = redriveClient({});
const { calls } = redrive;
const said = [];
let failed = 0;
for await (const _ of paginate((cursor) =>
  answerOf(calls.GET('/api/v1/deliveries', { params: { query: { state: ['failed'], limit: 2, cursor } } })))) failed += 1;
said.push(failed + ' failed');
const { id } = await answerOf(calls.POST('/api/v1/retries', { body: { select: { filter: {} } } }));
const events = [];
let counts;
for await (const { event, data } of redrive.watch('/api/v1/retries/' + id + '/stream')) {
  events.push(event);
  counts = data.counts;
}
said.push([...new Set(events)].join(', ') + ': ' + counts.delivered + ' delivered');
const refused = await answerOf(calls.GET('/api/v1/retries/{id}', { params: { path: { id: 'op_01k9z3e5hbe7r9qk2m4n6p8r0s' } } })).catch((error) => error);
said.push(hasCode(refused, 'not_found') ? 'not_found' : String(refused));
const report = await redrive.raw('/api/v1/retries/' + id + '/report', { headers: { accept: 'application/jose+json' } });
const items = await redrive.raw('/api/v1/retries/' + id + '/items', { headers: { accept: 'application/x-ndjson' } });
const keys = await redrive.raw('/.well-known/redrive/jwks.json');
const verdict = await verifyReport({ report: await report.json(), keys: await keys.json(), items: items.body });
said.push(verdict.ok ? 'its report holds with ' + verdict.lines + ' lines' : verdict.why);
document.querySelector('output').textContent = said.join('; ');
</script>`;

/** A site of somebody: its page and modules, and its own server that hands calls to the API with the key. */
async function startSite(directory: string, api: string, key: string) {
  const server = createServer(async (asked, answer) => {
    const path = new URL(asked.url ?? '/', 'http://site').pathname;
    if (path.startsWith('/api/') || path.startsWith('/.well-known/')) {
      const headers = { ...asked.headers, host: new URL(api).host, authorization: `Bearer ${key}` };
      const passed = request(`${api}${asked.url}`, { method: asked.method, headers }, (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      });
      passed.on('error', () => answer.destroy());
      asked.pipe(passed);
      return;
    }
    if (path === '/') {
      answer.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE);
      return;
    }
    const file = await readFile(join(directory, normalize(path))).catch(() => undefined);
    answer.writeHead(file ? 200 : 404, { 'content-type': 'text/javascript' }).end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
