// Verifies an export of the audit offline:
//   node scripts/verify-audit.mjs audit.ndjson [--keys jwks.json] [checkpoints.json …]
// Checkpoints are read wherever they were kept: answers of GET /api/v1/audit/checkpoints, events of operations, signed
// reports, lines of the log. With --keys, a copy of /.well-known/redrive/jwks.json, each of them has to be signed by one.
// Ends with 1 where the chain is not whole, or a checkpoint counts for nothing.
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { register } from 'tsx/esm/api';

register();
const { verifyAudit } = await import('../clients/typescript/src/proof/verify-audit.ts');

const { values, positionals } = parseArgs({
  options: { keys: { type: 'string' } },
  allowPositionals: true,
});
const [file, ...names] = positionals;
if (file === undefined) {
  console.error('Expected the file of an export, and files of checkpoints that were kept elsewhere.');
  process.exit(2);
}
const read = (name) => readFile(name, 'utf8');
const verdict = verifyAudit({
  entries: await read(file),
  kept: await Promise.all(names.map(async (name) => ({ name, text: await read(name) }))),
  keys: values.keys === undefined ? undefined : JSON.parse(await read(values.keys)),
});
console.log(JSON.stringify(verdict));
process.exitCode = verdict.ok ? 0 : 1;
