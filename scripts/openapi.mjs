import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { register } from 'tsx/esm/api';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const FILE = `${ROOT}openapi.json`;

register();
process.exitCode = await main(process.argv.slice(2));

/** Writes openapi.json from the routes; with --check it only says whether that would change anything. */
async function main(args) {
  const { apiRoutes } = await import('../src/api/server.ts');
  const { SURFACES } = await import('../src/surfaces/surfaces.ts');
  const { openApiDocument } = await import('../src/api/openapi.ts');
  const { version } = JSON.parse(await readFile(`${ROOT}package.json`, 'utf8'));
  // Routes are data: only their handlers use what the API is made of.
  const text = `${JSON.stringify(openApiDocument(apiRoutes({ version }, SURFACES), version), null, 2)}\n`;
  if (!args.includes('--check')) {
    await writeFile(FILE, text);
    return 0;
  }
  if ((await readFile(FILE, 'utf8').catch(() => '')) === text) return 0;
  process.stderr.write('openapi.json is not what the routes say: run `node scripts/openapi.mjs`.\n');
  return 1;
}
