import { VERSION } from './version.ts';

const [only, ...more] = process.argv.slice(2);

// Asked for by scripts, before each thing that they do: nothing else has to be loaded for it.
if (more.length === 0 && (only === '--version' || only === '-V')) process.stdout.write(`${VERSION}\n`);
else await (await import('./cli.ts')).cli(process.argv.slice(2));
