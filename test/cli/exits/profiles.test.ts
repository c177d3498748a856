import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { useApi } from '../../support/api/use-api.ts';
import { useCli } from '../../support/cli/use-cli.ts';

/** Who calls: profiles, their file, and where their keys go. */

const api = useApi();
const cli = useCli();

let homes = 0;

/** A home of its own for one test, and a command line that has no key in its environment. */
function home() {
  homes += 1;
  const config = join(cli.home, `home-${homes}`);
  return {
    file: join(config, 'redrive', 'config.json'),
    run: (args: readonly string[], env: Record<string, string> = {}, input?: string) =>
      cli.run({ url: '' }, args, {
        env: { XDG_CONFIG_HOME: config, ...env },
        ...(input === undefined ? {} : { input }),
      }),
    onTerminal: (args: readonly string[], env: Record<string, string> = {}) =>
      cli.onTerminal({ url: '' }, args, { env: { XDG_CONFIG_HOME: config, TERM: 'xterm', ...env } }),
  };
}

describe('auth login', () => {
  test('exit 0: checks the key, and keeps it readable for its owner alone', async () => {
    const { run, file } = home();
    const login = await run(['auth', 'login', '--url', api.url, '--key-stdin'], {}, `${api.key}\n`);
    expect(login).toMatchObject({ code: 0, stdout: '', stderr: expect.stringContaining(api.url) });
    expect(login.stderr).not.toContain(api.key);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(file, '..'))).mode & 0o777).toBe(0o700);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      current: 'default',
      profiles: { default: { url: api.url, key: api.key } },
    });
    const status = await run(['auth', 'status', '-o', 'json']);
    expect(JSON.parse(status.stdout)).toMatchObject({ url: api.url, profile: 'default' });
    expect(`${status.stdout}${status.stderr}`).not.toContain(api.key);
  });

  test('exit 4: keeps no key that the server does not know', async () => {
    const { run, file } = home();
    expect(await run(['auth', 'login', '--url', api.url, '--key-stdin'], {}, 'rdk_wrong')).toMatchObject({
      code: 4,
    });
    await expect(stat(file)).rejects.toThrow('ENOENT');
  });

  test('exit 3: asks nobody where there is no terminal', async () => {
    const { run } = home();
    expect(await run(['auth', 'login', '--url', api.url])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('--key-stdin'),
    });
  });

  test('exit 2: takes no key as a word, and none over plain http to another machine', async () => {
    const { run } = home();
    expect(await run(['auth', 'login', api.key])).toMatchObject({ code: 2 });
    expect(await run(['auth', 'login', '--key', api.key])).toMatchObject({ code: 2 });
    const plain = await run(['auth', 'login', '--url', 'http://redrive.example', '--key-stdin'], {}, api.key);
    expect(plain).toMatchObject({ code: 2, stderr: expect.stringContaining('plain http') });
  });

  test('on a terminal asks for the key, and shows nothing of it', async () => {
    const { onTerminal, file } = home();
    const login = onTerminal(['auth', 'login', '--url', api.url]);
    await login.says('Key for');
    login.process.stdin.write(`${api.key}x\u007f\r`);
    const { code, stdout } = await login.ended;
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('kept as the profile default'),
    });
    expect(stdout).not.toContain(api.key.slice(4, 12));
    expect(JSON.parse(await readFile(file, 'utf8')).profiles.default.key).toBe(api.key);
  });

  test('exit 2: reads no key from a terminal that would show it', async () => {
    const { onTerminal } = home();
    const { code, stdout } = await onTerminal(['auth', 'login', '--url', api.url, '--key-stdin']).ended;
    expect({ code, stdout }).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('would show the key'),
    });
  });

  test('takes a variable that is empty for one that is not there', async () => {
    const { run, file } = home();
    const env = { REDRIVE_PROFILE: '', REDRIVE_TENANT: '', REDRIVE_URL: '' };
    await run(['auth', 'login', '--url', api.url, '--key-stdin'], env, api.key);
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      current: 'default',
      profiles: { default: { url: api.url, key: api.key } },
    });
    // Nothing listens there: the address is that of one's own machine, and not an empty one.
    const here = await run(['auth', 'login', '--key-stdin', '--profile', 'here'], env, api.key);
    expect(here.stderr).not.toContain('Expected the address');
  });

  test('exit 130: Ctrl-C at the question ends it', async () => {
    const { onTerminal, file } = home();
    const login = onTerminal(['auth', 'login', '--url', api.url]);
    await login.says('Key for');
    login.process.stdin.write('abc\u0003');
    expect(await login.ended).toMatchObject({ code: 130 });
    await expect(stat(file)).rejects.toThrow('ENOENT');
  });
});

describe('a profile', () => {
  test('is used, changed and forgotten by its name', async () => {
    const { run, file } = home();
    for (const name of ['one', 'two'])
      await run(['auth', 'login', '--profile', name, '--url', api.url, '--key-stdin'], {}, api.key);
    const profile = async (...args: string[]) =>
      JSON.parse((await run(['auth', 'status', '-o', 'json', ...args])).stdout).profile;
    expect(await profile()).toBe('two');
    expect(await profile('--profile', 'one')).toBe('one');
    expect(await run(['auth', 'use', 'one'])).toMatchObject({ code: 0 });
    expect(await profile()).toBe('one');
    expect(await run(['auth', 'logout', 'one'])).toMatchObject({ code: 0 });
    expect(await readFile(file, 'utf8')).not.toContain('"one"');
    expect(await profile()).toBe('two');
    expect(await run(['auth', 'use', 'one'])).toMatchObject({ code: 4 });
    // The one that is forgotten is the one that is meant.
    await run(['auth', 'login', '--profile', 'three', '--url', api.url, '--key-stdin'], {}, api.key);
    expect(await run(['auth', 'logout'], { REDRIVE_PROFILE: 'two' })).toMatchObject({ code: 0 });
    expect(Object.keys(JSON.parse(await readFile(file, 'utf8')).profiles)).toEqual(['three']);
  });

  test('exit 4: does not give its key to another address, which needs one of its own', async () => {
    const { run } = home();
    await run(['auth', 'login', '--url', api.url, '--key-stdin'], {}, api.key);
    const other = api.url.replace('127.0.0.1', 'localhost');
    const elsewhere = await run(['deliveries', 'count'], { REDRIVE_URL: other });
    expect(elsewhere).toMatchObject({ code: 4, stderr: expect.stringContaining('set REDRIVE_KEY') });
    expect(await run(['deliveries', 'count'], { REDRIVE_URL: other, REDRIVE_KEY: api.key })).toMatchObject({
      code: 0,
    });
  });

  test('is not needed where the environment says all, and there is no home', async () => {
    const env = { HOME: '/dev/null', XDG_CONFIG_HOME: '', XDG_STATE_HOME: '' };
    expect(await cli.run({ url: api.url, key: api.key }, ['deliveries', 'count'], { env })).toMatchObject({
      code: 0,
      stderr: expect.any(String),
    });
  });

  test('in a file that others can read is named aloud', async () => {
    const { run, file } = home();
    await run(['auth', 'login', '--url', api.url, '--key-stdin'], {}, api.key);
    await chmod(file, 0o644);
    expect(await run(['deliveries', 'count'])).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('chmod 600'),
    });
  });

  test('exit 1: in a file that is none says where it is', async () => {
    const { run, file } = home();
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, '{"profiles": [');
    expect(await run(['deliveries', 'count'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(file),
    });
  });
});

test('a key that is made is written for its owner alone, or not made at all', async () => {
  const file = join(cli.home, 'made.key');
  const ours = { url: api.url, key: api.key };
  const args = ['keys', 'create', 'on call', '--grant', 'observer', '-o', 'json'];
  const before = JSON.parse((await cli.run(ours, ['keys', 'list', '-o', 'json'])).stdout).length;
  expect(await cli.run(ours, args)).toMatchObject({ code: 2, stdout: '' });
  const made = await cli.run(ours, [...args, '--secret-file', file]);
  expect(made.code).toBe(0);
  const key = (await readFile(file, 'utf8')).trim();
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(`${made.stdout}${made.stderr}`).not.toContain(key);
  expect(await cli.run({ url: api.url, key }, ['deliveries', 'count'])).toMatchObject({ code: 0 });
  const { id } = JSON.parse(made.stdout);
  expect(await cli.run(ours, ['keys', 'revoke', id])).toMatchObject({ code: 0 });
  expect(await cli.run({ url: api.url, key }, ['deliveries', 'count'])).toMatchObject({ code: 4 });
  expect(JSON.parse((await cli.run(ours, ['keys', 'list', '-o', 'json'])).stdout)).toHaveLength(before + 1);
});
