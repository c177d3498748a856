import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { useCli } from '../support/cli/use-cli.ts';

/** Files and answers of somebody who wants something of whoever reads them at a terminal. */

const cli = useCli();

const XTERM = { env: { TERM: 'xterm-256color' } };
const ESCAPE = '\u001b[';
const EVIL = '\u001b[2J\u001b]0;owned\u0007\u202e';

function doesNothing(written: string): void {
  expect(written).toContain('\\u001b[2J');
  // A terminal ends lines by both; colours are its own.
  const rest = written
    .replaceAll(`${ESCAPE}31m`, '')
    .replaceAll(`${ESCAPE}39m`, '')
    .replaceAll(/[\r\n]/g, '');
  expect(rest).not.toMatch(/[\p{Cc}\p{Cf}]/u);
}

test('a forged report', async () => {
  const header = Buffer.from(JSON.stringify({ alg: EVIL, kid: 'k' })).toString('base64url');
  const report = join(cli.home, 'report.json');
  const jwks = join(cli.home, 'jwks.json');
  await writeFile(report, JSON.stringify({ protected: header, payload: 'e30', signature: 'AA' }));
  await writeFile(jwks, '{"keys":[]}');
  const server = { url: 'http://127.0.0.1:9' };
  const shown = await cli.onTerminal(server, ['report', 'verify', report, '--jwks', jwks], XTERM).ended;
  expect(shown.code).toBe(11);
  doesNothing(shown.stdout);
});

test.each([
  ['errors that are none', { errors: EVIL }],
  ['errors of nothing', { errors: [null, 7, { message: EVIL }] }],
  ['a code that others have', { code: '__proto__', drift: null }],
])('a problem with %s', async (_, members) => {
  const problem = { title: EVIL, detail: EVIL, status: 418, code: EVIL, instance: EVIL, ...members };
  const server = createServer((_asked, answer) => {
    answer.writeHead(418, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const args = ['deliveries', 'list'];
    const shown = await cli.onTerminal({ url, key: 'rdk_x' }, args, XTERM).ended;
    expect([1, 2]).toContain(shown.code);
    doesNothing(shown.stdout);
    // Told in its lines, and not by the stack of a crash.
    expect(shown.stdout).not.toMatch(/\bat .*\.js:\d+/);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
