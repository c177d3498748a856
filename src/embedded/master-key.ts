import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupProblem } from './startup-problem.ts';

const BYTES = 32;

/** The master key kept in a data directory, made on the first start. */
export async function masterKeyIn(dataDir: string): Promise<Buffer> {
  const file = join(dataDir, 'master.key');
  const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (kept === undefined) return make(file);
  const key = Buffer.from(kept.trim(), 'base64');
  if (key.length === BYTES) return key;
  throw new StartupProblem(
    `The master key in ${file} is damaged: put the file back from a copy, since the secrets in the database can be read by no other key.`,
  );
}

async function make(file: string): Promise<Buffer> {
  const key = randomBytes(BYTES);
  const unfinished = `${file}.${process.pid}`;
  await writeFile(unfinished, `${key.toString('base64')}\n`, { mode: 0o600, flush: true });
  // A link never replaces: a key that is there already may have encrypted something.
  await link(unfinished, file);
  await rm(unfinished);
  return key;
}
