// Verifies an export of the audit offline:
//   node scripts/verify-audit.mjs audit.ndjson [--keys jwks.json] [checkpoints.json …]
// Checkpoints are read wherever they were kept: answers of GET /api/v1/audit/checkpoints, events of operations, signed
// reports, lines of the log. With --keys, a copy of /.well-known/redrive/jwks.json, each of them has to be signed by one.
// Ends with 1 where the chain is not whole, or a checkpoint counts for nothing.
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { register } from 'tsx/esm/api';

register();
const { verifyAudit } = await import('../src/domain/audit/verify-audit.ts');
const { readCheckpoints } = await import('../src/proof/verify-checkpoints.ts');
const { sha256Hex } = await import('../src/store/audit/sha256.ts');

const { values, positionals } = parseArgs({
  options: { keys: { type: 'string' } },
  allowPositionals: true,
});
const [file, ...kept] = positionals;
if (file === undefined) {
  console.error('Expected the file of an export, and files of checkpoints that were kept elsewhere.');
  process.exit(2);
}
const read = (name) => readFile(name, 'utf8');
const lines = (await read(file)).split('\n').filter((line) => line !== '');
const files = await Promise.all(kept.map(async (name) => ({ name, text: await read(name) })));
const known = await readCheckpoints(files, values.keys && JSON.parse(await read(values.keys)));
const verdict = known.ok ? verifyAudit(sha256Hex, lines, known.checkpoints) : known;
const said = verdict.ok
  ? { ...verdict, checkpoints: known.checkpoints.length, signed: known.signed }
  : verdict;
console.log(JSON.stringify(said));
process.exitCode = verdict.ok ? 0 : 1;
