import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { useApi } from '../support/api/use-api.ts';
import { makePipe } from '../support/cli/make-pipe.ts';
import { useCli } from '../support/cli/use-cli.ts';

/** What is made and shown once: it is in a file, or it is not made. */

const api = useApi();
const cli = useCli();

const CREATE = ['keys', 'create', 'on call', '--grant', 'observer', '--secret-file'];

function create(secretFile: string, key = api.key) {
  return cli.run({ url: api.url, key }, [...CREATE, secretFile, '-o', 'json']);
}

async function keys(): Promise<number> {
  const { rows } = await api.database.pool.query('select count(*)::int as n from api_keys');
  return rows[0].n;
}

test('a file that cannot be written is found before the secret is made', async () => {
  const before = await keys();
  const pipe = join(cli.home, 'pipe');
  makePipe(pipe);
  await writeFile(join(cli.home, 'plain'), '');
  for (const wrong of [cli.home, pipe, join(cli.home, 'plain', 'x'), join(cli.home, 'no', 'such')])
    expect(await create(wrong)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(wrong),
    });
  expect(await keys()).toBe(before);
  // A device is left what it is.
  expect((await stat(pipe)).isFIFO()).toBe(true);
});

test('the file is for its owner alone, whole, and alone in its folder, also where one was there', async () => {
  const folder = join(cli.home, 'secrets');
  await mkdir(folder);
  const file = join(folder, 'on-call.key');
  await writeFile(file, 'x'.repeat(10_000), { mode: 0o644 });
  const { code, stdout } = await create(file);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).not.toHaveProperty('key');
  expect(await readFile(file, 'utf8')).toMatch(/^rdk_\S+\n$/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['on-call.key']);
});

test('where it is refused nothing is left, and what was there stays', async () => {
  const folder = join(cli.home, 'refused');
  await mkdir(folder);
  await writeFile(join(folder, 'kept'), 'as it was');
  const weak = await api.newKey(api.tenant.id, ['read:deliveries']);
  for (const name of ['kept', 'new'])
    expect(await create(join(folder, name), weak)).toMatchObject({ code: 4 });
  expect(await readdir(folder)).toEqual(['kept']);
  expect(await readFile(join(folder, 'kept'), 'utf8')).toBe('as it was');
});
