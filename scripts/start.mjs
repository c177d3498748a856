import { build } from './build.mjs';
import { ensureInstalled } from './install.mjs';

try {
  await ensureInstalled();
  await build();
} catch (error) {
  process.stderr.write(`${error.output ?? ''}${error.message}\n`);
  process.exit(1);
}
process.argv[2] ??= 'all';
// In this process, not in one below it: then every signal reaches it once, from whomever it comes.
await import('../dist/main.js');
