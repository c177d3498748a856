import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/embedded/postgres/postgres.ts';
import { silentReport } from '../../src/embedded/steps.ts';
import { type EmbeddedTemporal, startEmbeddedTemporal } from '../../src/embedded/temporal/temporal.ts';
import { migrate } from '../../src/store/db/migrate.ts';
import { startTcpProxy, type TcpProxy } from '../support/receivers/tcp-proxy.ts';
import { testedPostgres } from '../support/store/tested-postgres.ts';

/** A server that can be killed and comes back with its data, at the same address. */
export interface KillableServer {
  /** Kills it (SIGKILL) and resets every connection; new ones are reset until it is back. */
  kill(): Promise<void>;
  /** Starts it again on the data that it had written. */
  restart(): Promise<void>;
}

/** Postgres of a run, whose place another server may take. */
export interface ReplaceablePostgres extends KillableServer {
  /** Where it is, past the proxy, as long as it runs. */
  directUrl(): string;
  /** The directory that holds its cluster and its password. */
  dataDir(): string;
  /** Sends everybody to another server, which is this run's from now on. The one before has ended. */
  replaceBy(server: EmbeddedPostgres, dataDir: string): void;
}

/** Postgres and Temporal of one run, behind proxies whose addresses stay. */
export interface ChaosParts {
  databaseUrl: string;
  temporalAddress: string;
  postgres: ReplaceablePostgres;
  temporal: KillableServer;
  stop(): Promise<void>;
}

/** Starts the Postgres of a data directory, in the version that is tested. */
export function startPostgres(dataDir: string): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ dataDir, report: silentReport, ...testedPostgres() });
}

/** Makes an empty directory for the data of servers. */
export async function newDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'redrive-chaos-'));
  await chmod(dataDir, 0o711);
  return dataDir;
}

/** Starts both in a directory of their own, which `stop` removes; `migrated` brings the schema up to date. */
export async function startChaosParts(
  migrated: (url: string) => Promise<void> = migratedByThis,
): Promise<ChaosParts> {
  const first = await newDataDir();
  const dataDirs = [first];
  const current = { dataDir: first, postgres: await startPostgres(first) };
  const report = silentReport;
  let temporal = await startEmbeddedTemporal({ dataDir: first, report });
  await migrated(current.postgres.url);
  const toPostgres = await startTcpProxy(new URL(current.postgres.url).host);
  const toTemporal = await startTcpProxy(temporal.address);
  const databaseUrl = new URL(current.postgres.url);
  databaseUrl.host = toPostgres.address;

  return {
    databaseUrl: databaseUrl.href,
    temporalAddress: toTemporal.address,
    postgres: {
      directUrl: () => current.postgres.url,
      dataDir: () => current.dataDir,
      kill: () => kill(current.postgres, toPostgres),
      async restart() {
        current.postgres = await startPostgres(current.dataDir);
        toPostgres.forward(new URL(current.postgres.url).host);
      },
      replaceBy(server, dataDir) {
        dataDirs.push(dataDir);
        Object.assign(current, { postgres: server, dataDir });
        toPostgres.forward(new URL(server.url).host);
      },
    },
    temporal: {
      kill: () => kill(temporal, toTemporal),
      async restart() {
        temporal = await startEmbeddedTemporal({ dataDir: first, report });
        toTemporal.forward(temporal.address);
      },
    },
    async stop() {
      await Promise.all([toPostgres.close(), toTemporal.close()]);
      await Promise.all([current.postgres.stop({ hurry: true }), temporal.stop({ hurry: true })]);
      for (const dataDir of dataDirs) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function migratedByThis(url: string): Promise<void> {
  const result = await migrate(url);
  if (!result.ok) throw new Error(result.problem);
}

async function kill(server: EmbeddedPostgres | EmbeddedTemporal, proxy: TcpProxy): Promise<void> {
  process.kill(server.pid, 'SIGKILL');
  await server.ended;
  proxy.cut();
}
