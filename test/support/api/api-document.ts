import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { openApiDocument } from '../../../src/api/documents/openapi.ts';
import { apiRoutes } from '../../../src/api/server.ts';
import { SURFACES } from '../../../src/surfaces/surfaces.ts';

/** The OpenAPI document of all surfaces, as they are in this version. */
export function makeApiDocument() {
  return openApiDocument(apiRoutes({ version: 'test' } as Parameters<typeof apiRoutes>[0], SURFACES), 'test');
}

/** The same as JSON, made by the first file of a run that asks: to make it takes longer than most tests. */
export async function apiDocument(): Promise<unknown> {
  const file = process.env.REDRIVE_TEST_API_DOCUMENT;
  if (file === undefined)
    throw new Error('REDRIVE_TEST_API_DOCUMENT is not set: run the tests by `npm test`');
  const made = await readFile(file, 'utf8').catch(() => undefined);
  if (made !== undefined) return JSON.parse(made);
  const text = JSON.stringify(makeApiDocument());
  // Whole, or not there: others may look at it meanwhile.
  const own = `${file}.${randomUUID()}`;
  await writeFile(own, text);
  await rename(own, file);
  return JSON.parse(text);
}
