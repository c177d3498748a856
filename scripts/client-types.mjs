import { readFile } from 'node:fs/promises';
import openapiTypescript, { astToString } from 'openapi-typescript';
import { generatedFile } from './generated-file.mjs';

const document = JSON.parse(await readFile(new URL('../openapi/native.json', import.meta.url), 'utf8'));
const types = await openapiTypescript(document, { alphabetize: false, defaultNonNullable: true });

await generatedFile(
  'clients/typescript/src/native-api.ts',
  `// Made of openapi/native.json by scripts/client-types.mjs.\n\n${astToString(types)}`,
);
