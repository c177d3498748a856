import { readFile } from 'node:fs/promises';
import openapiTypescript, { astToString } from 'openapi-typescript';
import { register } from 'tsx/esm/api';
import { generatedFile } from './generated-file.mjs';

register();
const { PROBLEMS } = await import('../src/api/problems/problem-table.ts');
const document = JSON.parse(await readFile(new URL('../openapi/native.json', import.meta.url), 'utf8'));
const types = await openapiTypescript(document, { alphabetize: false, defaultNonNullable: false });

await generatedFile(
  'clients/typescript/src/native-api.ts',
  `// Made of openapi/native.json by scripts/client-types.mjs.\n\n${astToString(types)}`,
);

const statuses = Object.entries(PROBLEMS).map(([code, { status }]) => `  ${code}: ${status};`);
const takesKey = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods)
    .filter(([, { parameters = [] }]) => parameters.some(({ name }) => name === 'Idempotency-Key'))
    .map(([method]) => `  '${method.toUpperCase()} ${path}',`),
);

await generatedFile(
  'clients/typescript/src/native-facts.ts',
  `// Made of openapi/native.json and the table of problems by scripts/client-types.mjs.

/** The status of each problem, by its code. */
export interface ProblemStatuses {
${statuses.join('\n')}
}

/** The calls that take an \`Idempotency-Key\`. */
export const TAKES_IDEMPOTENCY_KEY: ReadonlySet<string> = new Set([
${takesKey.join('\n')}
]);
`,
);
