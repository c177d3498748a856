import { PassThrough } from 'node:stream';
import { afterEach, expect, test } from '@jest/globals';
import { hashApiKey, makeApiKey } from '../../src/api/authentication/api-key.ts';
import { DEMO_KEYS, type DemoKey } from '../../src/embedded/demo/demo-keys.ts';
import { DEMO_TENANT } from '../../src/embedded/demo/demo-story.ts';
import { offerSignInLinks, saySignInLink } from '../../src/embedded/demo/sign-in-links.ts';
import { inForeground } from '../../src/embedded/own-processes.ts';
import { withTransaction } from '../../src/store/db/pool.ts';
import { insertApiKey } from '../../src/store/tenancy/api-keys.ts';
import { takeSignInCode } from '../../src/store/tenancy/sign-in-codes.ts';
import { insertTenant } from '../../src/store/tenancy/tenants.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase, type TestDatabase } from '../support/store/test-database.ts';
import { use } from '../support/use.ts';

const database: TestDatabase = use(
  () => createTestDatabase(),
  (made) => made.drop(),
);
const ORIGIN = 'http://127.0.0.1:4400';

let stopping = new AbortController();
afterEach(() => {
  stopping.abort();
  stopping = new AbortController();
});

/** A terminal that links are offered at, and what is said there. */
function terminal() {
  const input = new PassThrough();
  const said: string[] = [];
  const options = {
    origin: ORIGIN,
    databaseUrl: database.url,
    input,
    say: (...lines: string[]) => void said.push(...lines),
    signal: stopping.signal,
  };
  offerSignInLinks(options);
  return { input, said, options, links: () => said.filter((line) => line.includes('#code=')) };
}

/** The name of the key that a link signs in as. */
async function keyOf(link: string): Promise<string | undefined> {
  const code = /^ {2}http:\/\/127\.0\.0\.1:4400\/console#code=([\w-]{43})$/.exec(link)?.[1] ?? '';
  const id = await withTransaction(database.pool, (tx) => takeSignInCode(tx, code));
  const { rows } = await database.pool.query<{ name: string }>('select name from api_keys where id = $1', [
    id ?? null,
  ]);
  return rows[0]?.name;
}

test('where there is no demo, there is no link', async () => {
  const { input, said } = terminal();
  input.write('\n');
  await eventually('it says so', () => said.join().includes('There is no link'));
});

test('Enter prints a link for the operator, a and Enter one for the approver, each of them once', async () => {
  const tenant = await insertTenant(database.pool, { handle: DEMO_TENANT });
  if (!tenant) throw new Error('no tenant');
  for (const key of Object.keys(DEMO_KEYS) as DemoKey[])
    await insertApiKey(database.pool, {
      ...{ tenantId: tenant.id, ...DEMO_KEYS[key] },
      hash: hashApiKey(makeApiKey()),
    });
  const { input, said, links, options } = terminal();
  await saySignInLink(options, 'operator');
  expect(said.join('\n')).toContain('Enter prints a fresh link, a and Enter one for demo-approver.');
  for (const [typed, name] of [
    ['\n', 'demo-operator'],
    ['a\n', 'demo-approver'],
    ['A \n', 'demo-approver'],
  ] as const) {
    const before = links().length;
    input.write(typed);
    await eventually('there is a link', () => links().length > before);
    const link = links().at(-1) ?? '';
    expect(await keyOf(link)).toBe(name);
    expect(await keyOf(link)).toBeUndefined();
  }
  const before = links().length;
  input.write('quit\n\n');
  await eventually('the line after it has its link', () => links().length === before + 1);
  stopping.abort();
  input.write('\n');
  await saySignInLink({ ...options, signal: stopping.signal }, 'operator');
  expect(links()).toHaveLength(before + 1);
});

test('a link whose database is away is told as such', async () => {
  const said: string[] = [];
  const options = { origin: ORIGIN, databaseUrl: 'postgres://nobody@127.0.0.1:1/nowhere' };
  await saySignInLink(
    { ...options, say: (...lines) => void said.push(...lines), signal: stopping.signal },
    'operator',
  );
  expect(said.join()).toContain('Postgres does not answer');
});

test('a process without a terminal is in the foreground of none', async () => {
  expect(await inForeground(2 ** 22 + 1)).toBe(false);
});
