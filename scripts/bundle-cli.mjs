// Bundles the command line: `node scripts/bundle-cli.mjs <directory>`. A file for what every command needs, and one for
// each group of them, which is loaded when one of the group is called: few files start faster than many.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { noticesFor, packagesOf } from './release/notices.mjs';

const CLI = new URL('../cli/', import.meta.url);
const [directory] = process.argv.slice(2);

const bundle = await rolldown({
  input: { main: fileURLToPath(new URL('src/main.ts', CLI)) },
  platform: 'node',
  // A name that is not there would be found by whoever calls the command.
  onLog(level, log) {
    if (level === 'warn') throw new Error(log.message);
  },
});
const { output } = await bundle.write({
  dir: directory,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
});
await bundle.close();
const modules = output.flatMap((chunk) => (chunk.type === 'chunk' ? chunk.moduleIds : []));
await writeFile(join(directory, 'THIRD-PARTY-NOTICES'), await noticesFor(await packagesOf(modules)));
