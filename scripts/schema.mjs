import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { register } from 'tsx/esm/api';
import { generatedFile } from './generated-file.mjs';

register();
const { startEmbeddedPostgres } = await import('../src/embedded/postgres/postgres.ts');
const { silentReport } = await import('../src/embedded/steps.ts');
const { migrate } = await import('../src/store/db/migrate.ts');
const { dumpSchema } = await import('../src/store/db/schema-dump.ts');

const dataDir = await mkdtemp(join(tmpdir(), 'redrive-schema-'));
await chmod(dataDir, 0o711);
const postgres = await startEmbeddedPostgres({ dataDir, report: silentReport });
try {
  const result = await migrate(postgres.url);
  if (!result.ok) throw new Error(result.problem);
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    await generatedFile('migrations/schema.sql', await dumpSchema(client));
  } finally {
    await client.end();
  }
} finally {
  await postgres.stop({ hurry: true });
  await rm(dataDir, { recursive: true, force: true });
}
