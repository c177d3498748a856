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

/** Parts of the API for which there are commands before it has them; with its first call each counts like any other. */
const TO_COME = ['/api/v1/imports', '/api/v1/listeners'];

/** Functions that make all calls of a part of the API. */
const HELPERS = { '/api/v1/imports/{id}/lines': 'sendLines(', '/api/v1/listeners': 'listen(api' };

let commands: Command[];
let calls: string[];

function isToCome(call: string): boolean {
  return TO_COME.some(
    (part) => call.includes(` ${part}`) && !calls.some((known) => known.includes(` ${part}`)),
  );
}

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
    covers
      .filter((call) => !calls.includes(call) && !isToCome(call))
      .map((call) => `${path.join(' ')}: ${call}`),
  );
  expect(unknown).toEqual([]);
});

test('a call that a command says it makes stands in the code of the commands', async () => {
  const files = await readdir('cli/src', { recursive: true });
  const sources = await Promise.all(
    files.filter((file) => file.endsWith('.ts')).map((file) => readFile(join('cli/src', file), 'utf8')),
  );
  const code = sources.join('\n').replace(/\s+/g, ' ');
  const claimed = new Set(commands.flatMap(({ covers }) => covers));
  const missing = [...claimed].filter((call) => {
    const [method = '', path = ''] = call.split(' ');
    const helper = Object.entries(HELPERS).find(([part]) => path.startsWith(part))?.[1];
    if (helper) return !code.includes(helper);
    const named = path.replace('{id}', `\${encodeURIComponent(id)}`);
    return ![`.${method}('${path}'`, `.${method}( '${path}'`, `watch(\`${named}`, `watch('${path}'`].some(
      (form) => code.includes(form),
    );
  });
  expect(missing).toEqual([]);
});

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
