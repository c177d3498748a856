import { chmod, chown, copyFile, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pg from 'pg';

/** What belongs to the running server alone, and what a copy gets from the log instead. */
const NOT_COPIED = new Set(['postmaster.pid', 'postmaster.opts', 'postgresql.auto.conf']);
const EMPTY_IN_COPY = new Set(['pg_wal', 'pg_replslot', 'pg_stat_tmp', 'pg_dynshmem', 'pg_notify']);

/**
 * Copies the cluster of a running server into an empty data directory, as `pg_basebackup` does, which is not shipped: the
 * pages as they are, and the label that says from where on the log mends them.
 */
export async function copyRunning(url: string, from: string, to: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ data_directory: string }>('show data_directory');
    const source = rows[0]?.data_directory ?? '';
    const data = join(to, 'postgres', 'data');
    await mkdir(dirname(data), { mode: 0o700 });
    const { uid, gid } = await stat(source);
    await chown(dirname(data), uid, gid);
    await copyFile(join(from, 'postgres-password'), join(to, 'postgres-password'));
    await client.query(`select pg_backup_start('drill', true)`);
    await copyTree(source, data);
    // The session that began it ends it. The log is the archive's, or the stream's, to bring.
    const label = await client.query<{ labelfile: string }>(
      'select labelfile from pg_backup_stop(wait_for_archive => false)',
    );
    await writeAs(source, join(data, 'backup_label'), label.rows[0]?.labelfile ?? '');
  } finally {
    await client.end();
  }
}

/** Lets a copy begin as `signal` says (`recovery` or `standby`), with these settings and no others of its source. */
export async function beginAs(
  dataDir: string,
  signal: 'recovery' | 'standby',
  settings: Record<string, string>,
): Promise<void> {
  const data = join(dataDir, 'postgres', 'data');
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  await writeAs(data, join(data, 'postgresql.auto.conf'), `${lines.join('\n')}\n`);
  await writeAs(data, join(data, `${signal}.signal`), '');
}

/** Makes a directory that the account of a cluster may write to. */
export async function directoryFor(dataDir: string, path: string): Promise<string> {
  await mkdir(path);
  const { uid, gid } = await stat(join(dataDir, 'postgres'));
  await chown(path, uid, gid);
  return path;
}

async function copyTree(from: string, to: string, depth = 0): Promise<void> {
  await mkdir(to);
  await sameOwner(from, to);
  const entries = await readdir(from, { withFileTypes: true });
  const copied = entries.map(async (entry) => {
    if (depth === 0 && NOT_COPIED.has(entry.name)) return;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (depth === 0 && EMPTY_IN_COPY.has(entry.name)) {
      await mkdir(target);
      await sameOwner(source, target);
      return;
    }
    try {
      if (entry.isDirectory()) await copyTree(source, target, depth + 1);
      else await copyOne(source, target);
    } catch (error) {
      // A table or an index was dropped meanwhile: the log drops it in the copy, too.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  });
  await Promise.all(copied);
}

async function copyOne(source: string, target: string): Promise<void> {
  await copyFile(source, target);
  await sameOwner(source, target);
}

async function sameOwner(source: string, target: string): Promise<void> {
  const { uid, gid, mode } = await stat(source);
  await chown(target, uid, gid);
  await chmod(target, mode & 0o777);
}

async function writeAs(owner: string, file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600 });
  const { uid, gid } = await stat(owner);
  await chown(file, uid, gid);
}
