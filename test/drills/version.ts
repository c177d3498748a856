import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { silentReport } from '../../src/embedded/steps.ts';
import { workflowBundleFile } from '../support/engine/workflow-bundle.ts';

/** A version of Redrive whose processes a drill can start. */
export interface Version {
  name: string;
  /** The folder of its sources. */
  root: URL;
  workflowBundle: string;
}

/** An earlier version, in a directory of its own until it is removed. */
export interface EarlierVersion extends Version {
  remove(): Promise<void>;
}

const ROOT = new URL('../../', import.meta.url);

/** This version. */
export function present(workflowBundle: string): Version {
  return { name: 'this version', root: ROOT, workflowBundle };
}

/**
 * The version before this one: that of the last tag, or where there is none (or it has the same migrations) the newest one
 * that has fewer migrations, and each of them as it is now. It runs on the packages of this one.
 */
export async function earlier(): Promise<EarlierVersion> {
  const commit = await commitBefore();
  const directory = await mkdtemp(join(tmpdir(), 'redrive-earlier-'));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const archive = join(directory, 'sources.tar');
    await git('archive', '--output', archive, commit);
    const root = join(directory, 'sources');
    await mkdir(root);
    await promisify(execFile)('tar', ['-xf', archive, '-C', root]);
    await symlink(fileURLToPath(new URL('node_modules', ROOT)), join(root, 'node_modules'));
    const url = pathToFileURL(`${root}/`);
    const workflowBundle = await workflowBundleFile({
      entry: new URL('src/workflows/index.ts', url),
      directory,
      report: silentReport,
    });
    return { name: commit.slice(0, 7), root: url, workflowBundle, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Whether a migration of the next version makes a schema that the one before does not run on. */
export async function takesOverFrom(before: Version, next: Version): Promise<boolean> {
  const [old, all] = await Promise.all(
    [before, next].map(({ root }) => readdir(new URL('migrations/', root))),
  );
  const files = (all ?? []).filter((name) => /^\d{4}-/.test(name) && !old?.includes(name));
  const texts = await Promise.all(
    files.map((name) => readFile(new URL(`migrations/${name}`, next.root), 'utf8')),
  );
  return texts.some((sql) => {
    const needs = /^-- Needs: (\S+)$/m.exec(sql)?.[1];
    return needs !== undefined && !old?.includes(needs);
  });
}

/** Whether this checkout has the history that an earlier version is taken from. */
export async function hasEarlier(): Promise<boolean> {
  return commitBefore().then(
    () => true,
    () => false,
  );
}

/** How far back an earlier version is looked for, in commits that brought migrations. */
const COMMITS = 20;

async function commitBefore(): Promise<string> {
  const here = await migrationsAt('HEAD');
  const brought = await git(
    ...['log', '--first-parent', '-m', `-${COMMITS}`, '--no-renames', '--diff-filter=A', '--format=%H'],
    ...['--', 'migrations/0*.sql'],
  );
  const tag = await git('describe', '--tags', '--abbrev=0').catch(() => '');
  // What is between two releases need not be a version: its migrations may have been written in another way since.
  for (const commit of [
    ...(tag === '' ? [] : [`${tag}^{commit}`]),
    ...brought.split('\n').map((each) => `${each}^1`),
  ]) {
    const files = await migrationsAt(commit);
    const known = [...files].every(([name, blob]) => here.get(name) === blob);
    if (known && files.size < here.size) return git('rev-parse', '--verify', commit);
  }
  throw new Error('no earlier version has fewer migrations, and all of them as they are now');
}

/** The migrations of a commit, each with what git knows its contents by. */
async function migrationsAt(commit: string): Promise<Map<string, string>> {
  const tree = await git('ls-tree', commit, 'migrations/');
  return new Map(
    tree.split('\n').flatMap((line) => {
      const [, blob = '', name = ''] = /^\S+ blob (\S+)\tmigrations\/(\d{4}-.+\.sql)$/.exec(line) ?? [];
      return name === '' ? [] : [[name, blob] as const];
    }),
  );
}

async function git(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('git', args, { cwd: fileURLToPath(ROOT) });
  return stdout.trim();
}
