import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { startChildScript } from '../support/child-script.ts';
import { inTemporaryDirectory } from '../support/temporary-directory.ts';

const MAIN = new URL('../../src/main.ts', import.meta.url);
const TIMEOUT_MS = 30_000;

test(
  'a taken port gets one sentence that names the variable, and nothing is started',
  async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    try {
      expect(await run(['all'], { REDRIVE_PORT: String(port) })).toEqual({
        code: 1,
        output: `Port ${port} on 127.0.0.1 is taken by another program: end that program, or set REDRIVE_PORT to a free port.\n`,
      });
    } finally {
      other.close();
    }
  },
  TIMEOUT_MS,
);

test(
  'a role of production without its servers is told what is missing',
  async () => {
    expect(await run(['worker'], {})).toEqual({
      code: 1,
      output:
        'The role worker needs DATABASE_URL and TEMPORAL_ADDRESS: set what is missing, or use the role all, which starts servers of its own.\n',
    });
  },
  TIMEOUT_MS,
);

test(
  'a database that is not there gets one sentence without the password',
  async () => {
    const env = {
      DATABASE_URL: 'postgres://someone:hush@127.0.0.1:1/redrive',
      REDRIVE_MASTER_KEY: 'a'.repeat(64),
    };
    expect(await run(['migrate'], env)).toEqual({
      code: 1,
      output:
        'Postgres at 127.0.0.1:1 cannot be reached (ECONNREFUSED): start it, or correct DATABASE_URL.\n',
    });
  },
  TIMEOUT_MS,
);

async function run(
  args: string[],
  env: Record<string, string>,
): Promise<{ code: number | null; output: string }> {
  return inTemporaryDirectory(async (directory) => {
    const child = startChildScript(MAIN, {
      args,
      env: { REDRIVE_DATA_DIR: join(directory, 'data'), ...env },
    });
    const { code, output } = await child.ended;
    return { code, output };
  });
}
