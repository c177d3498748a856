import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Command } from '../../cli/src/command/command.ts';
import { allCommands, GROUPS } from '../../cli/src/command/groups.ts';

/** Whatever the native API can, a command can: except what is not for somebody at a terminal, each with its reason. */
const NOT_FOR_A_TERMINAL: Readonly<Record<string, string>> = {
  'GET /metrics': 'Prometheus asks for it',
  'GET /openapi.json': 'a document for tools: `redrive api GET /openapi.json`',
  'GET /openapi/{surface}.json': 'a document for tools: `redrive api GET /openapi/native.json`',
  'POST /api/v1/acks': 'receivers acknowledge, without a key: `acknowledge()` of the client',
  'POST /api/v1/retries': '`retry run` plans first, always: nothing is started that was not shown',
  'POST /console/session': 'the session of a browser',
  'DELETE /console/session': 'the session of a browser',
};

/** Calls that a function of the client makes, with how they stand in its code: `redrive listen` calls it. */
const LISTENED: Readonly<Record<string, string>> = {
  'POST /api/v1/listeners': ".POST('/api/v1/listeners'",
  'GET /api/v1/listeners/{id}/stream': 'raw(links.stream,',
  'POST /api/v1/listeners/{id}/answers': ".POST('/api/v1/listeners/{id}/answers'",
};

/** The call whose body is a stream, which the types do not know. */
const STREAMED = {
  call: 'PUT /api/v1/imports/{id}/lines',
  stands: `/lines?from=\${nextLine}\`, { method: 'PUT'`,
};

let commands: Command[];
let calls: string[];

beforeAll(async () => {
  commands = await allCommands();
  const { paths } = JSON.parse(await readFile('openapi/native.json', 'utf8'));
  calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method.toUpperCase()} ${path}`),
  );
});

test('every call of the native API has a command, or a reason', () => {
  const covered = new Set(commands.flatMap(({ covers }) => covers));
  expect(calls.filter((call) => !covered.has(call) && !(call in NOT_FOR_A_TERMINAL))).toEqual([]);
  expect(
    Object.keys(NOT_FOR_A_TERMINAL).filter((call) => covered.has(call) || !calls.includes(call)),
  ).toEqual([]);
});

test('no command says of itself that it makes a call that does not exist', () => {
  const unknown = commands.flatMap(({ path, covers }) =>
    covers.filter((call) => !calls.includes(call)).map((call) => `${path.join(' ')}: ${call}`),
  );
  expect(unknown).toEqual([]);
});

test('a call that a command says it makes stands in the code of the commands', async () => {
  const code = await codeIn('cli/src');
  const listening = await codeIn('clients/typescript/src/listening');
  const claimed = new Set(commands.flatMap(({ covers }) => covers));
  const missing = [...claimed].filter((call) => {
    const [method = '', path = ''] = call.split(' ');
    if (call === STREAMED.call) return !code.includes(STREAMED.stands);
    const listened = LISTENED[call];
    if (listened !== undefined) return !listening.includes(listened) || !code.includes('listen(api');
    const named = path.replace('{id}', `\${encodeURIComponent(id)}`);
    return ![`.${method}('${path}'`, `.${method}( '${path}'`, `watch(\`${named}`, `watch('${path}'`].some(
      (form) => code.includes(form),
    );
  });
  expect(missing).toEqual([]);
});

/** All code below a folder, its blanks as one each. */
async function codeIn(folder: string): Promise<string> {
  const files = await readdir(folder, { recursive: true });
  const sources = await Promise.all(
    files.filter((file) => file.endsWith('.ts')).map((file) => readFile(join(folder, file), 'utf8')),
  );
  return sources.join('\n').replace(/\s+/g, ' ');
}

describe('a command', () => {
  test('begins with the word of its group, has one place, and says what it does', () => {
    const paths = commands.map(({ path }) => path.join(' '));
    expect(new Set(paths).size).toBe(paths.length);
    for (const { path, summary } of commands) {
      expect(Object.keys(GROUPS)).toContain(path[0]);
      expect(summary).toMatch(/^[A-Z].*[^.]$/);
    }
  });

  test('takes nothing secret as a flag: those stand in histories and in lists of processes', () => {
    const secret = commands.flatMap(({ path, flags }) =>
      Object.keys(flags)
        .filter((name) => /secret|password|token|key$/i.test(name))
        .map((name) => `${path.join(' ')} ${name}`),
    );
    // The key of an event, and files: where a secret is written to, or read from.
    expect(secret.filter((name) => !/ (key|secretFile|secretFromFile)$/.test(name))).toEqual([]);
  });
});
