import { chmod, mkdtemp, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/embedded/postgres/postgres.ts';
import { createReport } from '../../src/embedded/steps.ts';
import { startEmbeddedTemporal } from '../../src/embedded/temporal/temporal.ts';
import { migrate } from '../../src/store/db/migrate.ts';
import { bundleChildren } from './child-bundles.ts';
import { workflowBundleFile } from './engine/workflow-bundle.ts';
import { WRITABLE_EXECUTIONS } from './store/writable-executions.ts';

/** The parts that one test run shares: a Postgres with a migrated template, a Temporal server, the workflow bundle. */
export type TestEnvironment = {
  /** For the environment of jest. */
  variables: Record<string, string>;
  stop(): Promise<void>;
};

const TEMPLATE = 'redrive_template';
const SETTINGS = {
  // Services keep some twenty each, and tests run dozens of them side by side.
  max_connections: 600,
  // The server is not asked to survive the end of its machine: a database is made and removed in a tenth of the time. What
  // is to survive its own end does, and tests of that have servers of their own.
  fsync: 'off',
  full_page_writes: 'off',
};

/** A run takes some 300 MB; its log of changes may grow to 2 GB. */
const ROOM_BYTES = 4 * 1024 ** 3;

/**
 * Starts it all in a temporary directory, which `stop` removes, in memory where there is room; Postgres in the version of these packages where they are
 * given.
 */
export async function startTestEnvironment(packages?: URL): Promise<TestEnvironment> {
  const report = createReport(process.stdout);
  const dataDir = await mkdtemp(join(await scratchFolder(), 'redrive-test-'));
  // As root, Postgres runs under another account, which has to get through here.
  await chmod(dataDir, 0o711);
  const parts = [
    startEmbeddedPostgres({ dataDir, report, settings: SETTINGS, ...(packages && { packages }) }),
    startEmbeddedTemporal({ dataDir, report }),
  ] as const;
  const bundling = bundleChildren(report);
  const stop = async () => {
    const started = (await Promise.allSettled(parts)).filter((part) => part.status === 'fulfilled');
    await Promise.all(started.map((part) => part.value.stop({ hurry: true })));
    await bundling.then(({ remove }) => remove()).catch(() => {});
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const [postgres, temporal, bundle, children] = await Promise.all([
      parts[0].then(async (started) => ({ url: await migratedTemplate(started.url) })),
      parts[1],
      bundleIfThere(dataDir, report),
      bundling,
    ]);
    const variables = {
      REDRIVE_TEST_DATABASE_URL: postgres.url,
      REDRIVE_TEST_POSTGRES_LOG: join(dataDir, 'postgres.log'),
      REDRIVE_TEST_TEMPLATE: TEMPLATE,
      REDRIVE_TEST_TEMPORAL_ADDRESS: temporal.address,
      REDRIVE_TEST_API_DOCUMENT: join(dataDir, 'openapi.json'),
      REDRIVE_TEST_CHILDREN: children.folder,
      ...(bundle && { REDRIVE_TEST_WORKFLOW_BUNDLE: bundle }),
      ...(packages && { REDRIVE_TEST_POSTGRES_PACKAGES: packages.href }),
    };
    return { variables, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A database has some 700 files: to make and remove them costs ten times as much on a busy disk. */
async function scratchFolder(): Promise<string> {
  const memory = '/dev/shm';
  const { bavail, bsize } = await statfs(memory).catch(() => ({ bavail: 0, bsize: 0 }));
  return Math.min(bavail * bsize, process.availableMemory()) < ROOM_BYTES ? tmpdir() : memory;
}

async function migratedTemplate(url: string): Promise<string> {
  const maintenance = new URL(url);
  maintenance.pathname = '/postgres';
  const client = new pg.Client({ connectionString: maintenance.href });
  await client.connect();
  try {
    await client.query(`create database ${TEMPLATE}`);
    const template = new URL(url);
    template.pathname = `/${TEMPLATE}`;
    const result = await migrate(template.href);
    if (!result.ok) throw new Error(result.problem);
    await makeExecutionsWritable(template.href);
    // A session in the template would keep every clone from being made.
    await client.query(`alter database ${TEMPLATE} with is_template true allow_connections false`);
  } finally {
    await client.end();
  }
  return maintenance.href;
}

/** Lets tests write executions as they are seen. */
async function makeExecutionsWritable(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(WRITABLE_EXECUTIONS);
  } finally {
    await client.end();
  }
}

async function bundleIfThere(
  dataDir: string,
  report: ReturnType<typeof createReport>,
): Promise<string | undefined> {
  const entry = new URL('../../src/workflows/index.ts', import.meta.url);
  if (
    !(await stat(entry).then(
      () => true,
      () => false,
    ))
  )
    return undefined;
  return workflowBundleFile({ entry, directory: dataDir, report });
}
