// Verifies an export of the audit offline: node scripts/verify-audit.mjs audit.ndjson [checkpoint.json …]
// A checkpoint is one object or an answer of GET /api/v1/audit/checkpoints. Ends with 1 where the chain is not whole.
import { readFile } from 'node:fs/promises';
import { register } from 'tsx/esm/api';

register();
const { verifyAudit } = await import('../src/domain/audit/verify-audit.ts');
const { sha256Hex } = await import('../src/store/audit/sha256.ts');

const [file, ...kept] = process.argv.slice(2);
if (file === undefined) {
  console.error('Expected the file of an export, and files of checkpoints that were kept elsewhere.');
  process.exit(2);
}
const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
const checkpoints = await Promise.all(kept.map(async (each) => JSON.parse(await readFile(each, 'utf8'))));
const verdict = verifyAudit(
  sha256Hex,
  lines,
  checkpoints.flatMap((each) => each.items ?? each),
);
console.log(JSON.stringify(verdict));
process.exitCode = verdict.ok ? 0 : 1;
