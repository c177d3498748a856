import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, mayEnter, ownerOf } from './postgres-account.ts';

/** Where root keeps clusters whose data directory lies where no other account may go, such as below /root. */
const ELSEWHERE = ['/var/lib/redrive', '/var/tmp/redrive'];

/**
 * The directory that holds the cluster (and, where needed, a copy of the binaries): `postgres` in the data directory,
 * or a place elsewhere that the data directory names, when the account may not enter the data directory.
 */
export async function postgresHome(dataDir: string, account: Account | undefined): Promise<string> {
  const inside = join(dataDir, 'postgres');
  if (account !== undefined) await closeToOthers(dataDir, join(inside, 'data'));
  const pointer = join(dataDir, 'postgres-is-in');
  const named = (await readFile(pointer, 'utf8').catch(() => '')).trim();
  if (named !== '') return owned(named, account);
  if (account === undefined || (await mayEnter(account, dataDir))) return owned(inside, account);
  // A random name, not one made from the path: a new data directory at an old path must not find the old data.
  const home = await firstWritable(ELSEWHERE, randomBytes(8).toString('hex'));
  await writeFile(join(home, 'belongs-to'), `${dataDir}\n`);
  await writeFile(pointer, `${home}\n`);
  return owned(home, account);
}

/**
 * An earlier version let everybody through a data directory of root, where the cluster was inside. It stays there, and
 * its account goes on getting through, as a member of the directory's group.
 */
async function closeToOthers(dataDir: string, cluster: string): Promise<void> {
  const owner = await ownerOf(cluster).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const { mode, uid } = await stat(dataDir);
  if (owner === undefined || (mode & 0o777) !== 0o711) return;
  await chown(dataDir, uid, owner.gid);
  await chmod(dataDir, 0o710);
}

async function firstWritable(parents: readonly string[], name: string): Promise<string> {
  let reason: unknown;
  for (const parent of parents) {
    try {
      await mkdir(parent, { recursive: true, mode: 0o711 });
      await mkdir(join(parent, name));
      return join(parent, name);
    } catch (error) {
      reason = error;
    }
  }
  throw reason;
}

async function owned(home: string, account: Account | undefined): Promise<string> {
  await mkdir(home, { recursive: true });
  if (account !== undefined) await chown(home, account.uid, account.gid);
  await chmod(home, 0o700);
  return home;
}
