import { readFile } from 'node:fs/promises';
import stringify from 'json-stringify-pretty-compact';
import { register } from 'tsx/esm/api';
import { generatedFile } from './generated-file.mjs';

register();
const { SURFACES } = await import('../src/surfaces/surfaces.ts');
const { apiRoutes } = await import('../src/api/server.ts');
const { surfaceDocument } = await import('../src/api/documents/openapi.ts');
const { version } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));

// Routes are data: only their handlers use the dependencies of the API.
const routes = apiRoutes({ version }, SURFACES);
for (const surface of SURFACES)
  await generatedFile(
    `openapi/${surface.name}.json`,
    `${stringify(surfaceDocument(routes, surface, version), { maxLength: 130 })}\n`,
  );
