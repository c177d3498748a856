import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freePorts } from '../../../src/embedded/free-port.ts';
import { useApi } from '../../support/api/use-api.ts';
import { useCli } from '../../support/cli/use-cli.ts';

/** What is wrong before anything is sent, each by its exit code and with what to do next. */

const api = useApi();
const cli = useCli();

const ours = () => ({ url: api.url, key: api.key });

describe('exit 2: a command that is called wrongly', () => {
  test.each([
    [['retry', 'run', '--al-failed'], /unknown option '--al-failed' \(Did you mean --all-failed\?\)\n/],
    [['retry', 'fly'], /unknown command 'fly'\n {2}next: redrive retry --help/],
    [['retri'], /unknown command 'retri' \(Did you mean retry\?\)\n/],
    [['help', 'retri'], /unknown command 'retri'/],
    [['help', 'retry', 'fly'], /unknown command 'fly'/],
    [['retri', '--help'], /unknown command 'retri'/],
    [[], /^Usage: redrive <command> \[flags\]/],
    [['retry'], /^Usage: redrive retry <command> \[flags\]/],
    // A variable that is not set selects neither everything nor nothing.
    [['deliveries', 'list', '--endpoint', ''], /'--endpoint <endpoint>'.* is empty/],
    [['deliveries', 'count', '--state', ','], /'--state <state>'.* is empty/],
    [['retry', 'run', '--since', '6h', '--outage', '', '--yes'], /'--outage <out_…>'.* is empty/],
    [['retry', 'run', '--all-failed', '--yes', '--tenant='], /'--tenant <tenant>'.* is empty/],
    [['endpoints', 'get', ''], /The argument endpoint is empty/],
    [['deliveries', 'resolve', '--state', 'failed', '--outcome', 'failed'], /unknown option '--state'/],
    [['retry', 'items', 'op_1', '--csv', '--limit', '5'], /--csv writes all/],
    [['retry', 'get'], /missing required argument/],
    [['endpoints', 'update', 'a', '--certificate-file', 'a.pem'], /belong together/],
    [
      ['endpoints', 'update', 'a', '--certificate-file', '-', '--certificate-key-file', '-'],
      /Standard input can be given once/,
    ],
    [['retry', 'run'], /Nothing is selected/],
    [['retry', 'run', '--all-failed', '--since', '6h'], /exclude each other/],
    [['retry', 'run', '--since', '6'], /Expected a time with its zone/],
    [['retry', 'run', '--since', '6h', '--canary', '25'], /Expected a canary such as 25:10%/],
    [['retry', 'run', '--ids', '-', '--yes'], /No ids/],
    [['deliveries', 'list', '--state', 'broken'], /Expected one of pending/],
    [['deliveries', 'list', '-o', 'yaml'], /Expected one of table, json, ndjson/],
    [['report', 'verify', 'no-such-file.json', '--jwks', 'none.json'], /cannot be read: ENOENT/],
    [['keys', 'create', 'k', '--grant', 'observer'], /standard output is no terminal/],
  ])('%j', async (args, says) => {
    const { code, stdout, stderr } = await cli.run(ours(), args);
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(says) });
  });

  test('by the server, which names the member at fault', async () => {
    const { code, stderr } = await cli.run(ours(), ['deliveries', 'list', '--fault', 'gremlins']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/invalid_request: .*\n {2}faultCodes/);
    expect(stderr).toMatch(/request req_\w+/);
  });
});

test('exit 2: a file that is no JSON is named, and nothing of it is shown', async () => {
  const file = join(cli.home, 'broken.json');
  for (const text of ['{"secret": "whsec_hidden"; }', 'whsec_hidden', '{"secret": "whsec_hidden"']) {
    await writeFile(file, text);
    const { code, stderr } = await cli.run(ours(), [
      'endpoints',
      'create',
      '--file',
      file,
      '--secret-file',
      'x',
    ]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(/broken\.json is no JSON/) });
    expect(stderr).not.toContain('hidden');
  }
});

describe('exit 2: the server refuses it, and would again', () => {
  test.each([
    ['what is not there', ['deliveries', 'get', 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s'], 'not_found'],
    ['ids that nobody has', ['retry', 'plan', '--ids', 'dlv_01k9z3e5hbe7r9qk2m4n6p8r0s'], 'unknown_ids'],
  ])('%s', async (_, args, says) => {
    expect(await cli.run(ours(), args)).toMatchObject({ code: 2, stderr: expect.stringContaining(says) });
  });

  test('a name that is taken, and a state that does not allow it', async () => {
    const create = [
      'endpoints',
      'create',
      '--handle',
      'taken',
      '--url',
      'https://hooks.example/x',
      '-o',
      'json',
    ];
    const secret = ['--secret-file', join(cli.home, 'taken.secret')];
    const { id } = JSON.parse((await cli.run(ours(), [...create, ...secret])).stdout);
    expect(await cli.run(ours(), [...create, ...secret])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('handle_taken'),
    });
    expect(await cli.run(ours(), ['endpoints', 'delete', id, '--yes'])).toMatchObject({ code: 0 });
    expect(await cli.run(ours(), ['endpoints', 'enable', id])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('state_conflict'),
    });
  });
});

describe('exit 4: a key', () => {
  const status = ['deliveries', 'count'];

  test('that is not there', async () => {
    const { code, stderr } = await cli.run({ url: api.url }, status);
    expect({ code, stderr }).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('redrive auth login'),
    });
  });

  test('that nobody has', async () => {
    const { code, stderr } = await cli.run({ url: api.url, key: 'rdk_unknown' }, status);
    expect({ code, stderr }).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('credential_invalid'),
    });
  });

  test('that has expired', async () => {
    const key = await api.newKey(api.tenant.id, ['read:deliveries'], new Date(Date.now() - 1_000));
    const { code, stderr } = await cli.run({ url: api.url, key }, status);
    expect({ code, stderr }).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('credential_expired'),
    });
    expect(stderr).toContain('next: ask for a new key');
  });

  test('that may not do it', async () => {
    const key = await api.newKey(api.tenant.id, ['write:events']);
    const { code, stderr } = await cli.run({ url: api.url, key }, status);
    expect({ code, stderr }).toMatchObject({ code: 4, stderr: expect.stringContaining('read:deliveries') });
  });

  test('that belongs to no tenant, where none is named', async () => {
    const admin = { url: api.url, key: api.adminKey };
    expect(await cli.run(admin, ['policy', 'get'])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('--tenant'),
    });
    expect(await cli.run(admin, ['policy', 'get', '--tenant', api.tenant.handle])).toMatchObject({ code: 0 });
  });
});

describe('exit 1: a server', () => {
  let proxy: Server;
  let answer: (path: string) => { status: number; headers?: Record<string, string>; body: string };
  const asked: { path: string; authorization: string | undefined }[] = [];

  beforeAll(async () => {
    proxy = createServer((request, response) => {
      asked.push({ path: request.url ?? '', authorization: request.headers.authorization });
      const { status, headers, body } = answer(request.url ?? '');
      response.writeHead(status, headers).end(body);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => new Promise((resolve) => proxy.close(resolve)));

  const there = () => ({ url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, key: api.key });

  test('that is not there', async () => {
    const { port } = await freePorts('port');
    const { code, stderr } = await cli.run({ url: `http://127.0.0.1:${port}`, key: api.key }, ['status']);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('ECONNREFUSED') });
  });

  test('in whose place something else answers', async () => {
    answer = () => ({ status: 502, body: '<h1>Bad gateway</h1>' });
    const { code, stderr } = await cli.run(there(), ['deliveries', 'list']);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('got status 502') });
  });

  test('that redirects gets the key, and nobody behind it', async () => {
    asked.length = 0;
    answer = (path) =>
      path.startsWith('/api')
        ? { status: 307, headers: { location: `${api.url}/api/v1/me` }, body: '' }
        : { status: 404, body: '' };
    const { code, stdout } = await cli.run(there(), ['auth', 'status']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(asked.every(({ authorization }) => authorization === `Bearer ${api.key}`)).toBe(true);
  });

  test('of another version is named, where it does not know a call', async () => {
    answer = (path) =>
      path === '/healthz'
        ? {
            status: 200,
            headers: { 'content-type': 'application/json' },
            body: '{"status":"alive","version":"0.1.0"}',
          }
        : {
            status: 404,
            headers: { 'content-type': 'application/problem+json' },
            body: JSON.stringify({
              type: 'https://redrive.dev/errors/route_not_found',
              title: 'Route not found',
              status: 404,
              code: 'route_not_found',
              detail: 'There is no such route.',
              instance: 'req_1',
            }),
          };
    const { code, stderr } = await cli.run(there(), ['outages', 'list']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/the server is version 0\.1\.0, this command line is \d+\.\d+\.\d+/);
  });
});

test('exit 1: a disk that is full is said, in one line', async () => {
  const ended = await new Promise<{ code: unknown; stderr: string }>((resolve) =>
    execFile(
      'sh',
      ['-c', '"$0" cli/bin/redrive.js help exit-codes > /dev/full', process.execPath],
      (error, _, stderr) => resolve({ code: error?.code ?? 0, stderr }),
    ),
  );
  expect(ended).toEqual({ code: 1, stderr: expect.stringMatching(/^redrive: .*ENOSPC.*\n$/) });
});

test('exit 0: help and version go to standard output, whoever is there', async () => {
  const { code, stdout, stderr } = await cli.run({ url: 'not an address' }, ['--version']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  const help = await cli.run({ url: 'not an address' }, ['help', 'exit-codes']);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toContain('11  Verification failed');
  expect(await cli.run({ url: 'not an address' }, ['help', 'retry', 'run'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('--max-drift'),
  });
});
