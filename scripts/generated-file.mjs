import { readFile, writeFile } from 'node:fs/promises';

/** Writes a generated file, or under `--check` says whether it is what would be written. */
export async function generatedFile(name, content) {
  const file = new URL(`../${name}`, import.meta.url);
  if (!process.argv.includes('--check')) return writeFile(file, content);
  if ((await readFile(file, 'utf8').catch(() => undefined)) === content) return undefined;
  process.stderr.write(
    `${name} is out of date: run \`node ${process.argv[1]?.replace(/^.*\/scripts\//, 'scripts/')}\`.\n`,
  );
  process.exitCode = 1;
  return undefined;
}
