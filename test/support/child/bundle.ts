import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

// Bundles the processes that tests start again and again into the directory that is its argument: one file is loaded in a
// third of the time of all sources.
const [directory = ''] = process.argv.slice(2);
const script = (name: string) => fileURLToPath(new URL(`${name}.ts`, import.meta.url));
const bundle = await rolldown({
  input: { host: script('host'), service: script('service') },
  platform: 'node',
  external: (id) => !id.startsWith('.') && !id.startsWith('/'),
});
await bundle.write({ dir: directory, format: 'esm', entryFileNames: '[name].js' });
await bundle.close();
process.stdout.write('bundled\n');
