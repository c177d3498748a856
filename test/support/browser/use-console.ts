import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { makeSignInCode } from '../../../src/store/tenancy/sign-in-codes.ts';
import type { WorkerSizes } from '../../../src/worker/worker.ts';
import { startTestEngine, type TestEngine } from '../engine/test-engine.ts';
import { use } from '../use.ts';

/** The whole service with the console that it serves. */
export interface TestConsole {
  engine: TestEngine;
  url: string;
  /** The address that opens the console signed in, once, as the key that a tenant has under this name. */
  signedIn(tenant: string, key?: string): Promise<string>;
}

/** Starts the service with the built console, or with other files in its place, for the tests of a file or `describe`. */
export function useConsole({
  files,
  sizes = {},
}: {
  files?: string;
  sizes?: Partial<WorkerSizes>;
} = {}): TestConsole {
  return use(
    async () => {
      const engine = await startTestEngine({ consoleFiles: files ?? builtConsole(), sizes });
      const url = engine.service.url ?? '';
      return {
        engine,
        url,
        signedIn: (tenant: string, key = 'test') => signInAddress(engine, url, tenant, key),
      };
    },
    ({ engine }) => engine.close(),
  );
}

/** The address that opens the console at `url` signed in, once. */
export async function signInAddress(
  engine: TestEngine,
  url: string,
  tenant: string,
  key: string,
): Promise<string> {
  const code = await makeSignInCode(engine.database.pool, { tenant, name: key });
  if (code === undefined) throw new Error(`the tenant ${tenant} has no working key named ${key}`);
  return `${url}/console#code=${code}`;
}

/** The folder of the built console. */
export function builtConsole(): string {
  const folder = fileURLToPath(new URL('../../../console/dist', import.meta.url));
  if (!existsSync(`${folder}/index.html`)) throw new Error('The console is not built: run `npm run build`.');
  return folder;
}
