// Known weaknesses of what is given on, as the registry tells them: `node scripts/release/audit.mjs`. npm counts what is bundled
// among the tools, and would leave it out with them.
import { execFile } from 'node:child_process';
import { givenOn, readLock } from './given-on.mjs';

const BORNE = new Set(['info', 'low']);

const lock = await readLock();
const given = givenOn(lock);
const report = JSON.parse(await asked());
if (report.vulnerabilities === undefined) throw new Error(report.message ?? 'The registry gave no report.');
const found = Object.values(report.vulnerabilities).filter(
  ({ severity, nodes }) => !BORNE.has(severity) && nodes.some((path) => given.has(path)),
);
for (const { name, severity, range, via } of found) {
  const because = via.map((each) => (typeof each === 'string' ? each : `${each.title} (${each.url})`));
  process.stdout.write(`${severity}: ${name} ${range}: ${because.join(', ')}\n`);
}
process.stdout.write(`${found.length} known weaknesses among ${given.size} packages that are given on\n`);
if (found.length > 0) process.exitCode = 1;

/** The report; npm ends with an error where it holds anything. */
function asked() {
  return new Promise((resolve, reject) => {
    execFile('npm', ['audit', '--json'], { maxBuffer: 64 * 1_024 * 1_024 }, (error, stdout) => {
      if (stdout.trim() === '') reject(error ?? new Error('npm said nothing.'));
      else resolve(stdout);
    });
  });
}
