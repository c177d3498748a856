import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The user that Postgres runs as when we are root, which Postgres itself refuses to be. */
export type Account = { uid: number; gid: number };

/** The account to start Postgres under: none unless we are root; then `postgres` where it exists, else `nobody`. */
export async function postgresAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => ''))
    .split('\n')
    .map((line) => line.split(':'));
  for (const wanted of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find(([name]) => name === wanted) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  return { uid: 65_534, gid: 65_534 };
}

/** Who owns an existing cluster: it stays theirs, even where another account would be picked today. */
export async function ownerOf(path: string): Promise<Account> {
  const { uid, gid } = await stat(path);
  return { uid, gid };
}

/** Whether an account may enter a directory and each one above it, by their mode bits. */
export async function mayEnter(account: Account, directory: string): Promise<boolean> {
  for (let path = directory; ; path = dirname(path)) {
    const { uid, gid, mode } = await stat(path);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

/** Whether an account may read and run a file, by its mode bits and those of the directories above it. */
export async function mayRun(account: Account, file: string): Promise<boolean> {
  const { uid, mode } = await stat(file);
  const bits = uid === account.uid ? 0o500 : 0o005;
  return (mode & bits) === bits && (await mayEnter(account, dirname(file)));
}
