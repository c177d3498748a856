import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { dumpSchema } from './schema-dump.ts';

/** The files that made the schema before files were written by subject, and the schema that they made. */
const BEFORE = {
  names: [
    '0001-tenants-keys-endpoints.sql',
    '0002-events-deliveries.sql',
    '0003-operations-executions.sql',
    '0004-accounting.sql',
    '0005-surfaces.sql',
    '0006-jwt-issuers.sql',
    '0007-minka.sql',
    '0008-file-executions.sql',
    '0009-receipts.sql',
    '0010-rare-states.sql',
    '0011-estimated-events.sql',
    '0012-unknown-is-a-state.sql',
    '0013-endpoint-health.sql',
    '0014-watched-operations.sql',
    '0015-ordering.sql',
    '0016-one-index-for-the-queue.sql',
  ],
  /** SHA-256 of the dump of the schema that they make, as it was committed with them. */
  dump: 'd45f737d6f7c978ef52f06e1739610facb406273d5ea368ec4f188222b6f804e',
};

/** The changes from that schema to the one that the files by subject make. */
const CHANGES = new URL('../../../migrations/adoption.sql', import.meta.url);

/** The name of an adoption among the migrations that a run applied. */
export const ADOPTED = 'the changes since 0.1.0';

/** The number of files by subject; the files that follow them are applied as ever. */
const BY_SUBJECT = 6;

/** Whether a database was made by the earlier files, all of them or some, and the present files are others. */
export function isOfEarlierFiles(
  done: ReadonlyMap<string, unknown>,
  migrations: readonly { name: string }[],
): boolean {
  const [first = ''] = BEFORE.names;
  return done.has(first) && !migrations.some(({ name }) => name === first);
}

/**
 * Turns a database of the earlier files into one of the present files: runs the changes between the two and writes down
 * that the present ones are applied. Says why not where the database is older than the last of the earlier files, or
 * its schema is not the one that they make. Runs in a transaction.
 */
export async function adopt(
  client: pg.Client,
  done: ReadonlyMap<string, unknown>,
  migrations: readonly { name: string; checksum: string }[],
): Promise<{ problem: string } | undefined> {
  const missing = BEFORE.names.find((name) => !done.has(name));
  if (missing !== undefined)
    return {
      problem: `This database is older than this version can take over: it lacks ${missing}. Start Redrive 0.1.0 once, which brings it up to ${BEFORE.names.at(-1)}, and then this version.`,
    };
  const digest = createHash('sha256')
    .update(await dumpSchema(client))
    .digest('hex');
  if (digest !== BEFORE.dump)
    return {
      problem: `The schema of this database is not what its migrations up to ${BEFORE.names.at(-1)} make: somebody changed it by hand. Compare it with migrations/schema.sql of Redrive 0.1.0, take the change back, and start again.`,
    };
  await client.query(await readFile(CHANGES, 'utf8'));
  await client.query('delete from schema_migrations');
  for (const { name, checksum } of migrations.slice(0, BY_SUBJECT))
    await client.query('insert into schema_migrations (name, checksum) values ($1, $2)', [name, checksum]);
  return undefined;
}
