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

/** Postgres and Temporal of one run, behind proxies whose addresses stay. */
export interface ChaosParts {
  databaseUrl: string;
  temporalAddress: string;
  postgres: KillableServer;
  temporal: KillableServer;
  stop(): Promise<void>;
}

/** Starts both in a directory of their own, which `stop` removes. */
export async function startChaosParts(): Promise<ChaosParts> {
  const dataDir = await mkdtemp(join(tmpdir(), 'redrive-chaos-'));
  await chmod(dataDir, 0o711);
  const report = silentReport;
  const startPostgres = () => startEmbeddedPostgres({ dataDir, report, ...testedPostgres() });
  let postgres = await startPostgres();
  let temporal = await startEmbeddedTemporal({ dataDir, report });
  const migrated = await migrate(postgres.url);
  if (!migrated.ok) throw new Error(migrated.problem);
  const toPostgres = await startTcpProxy(new URL(postgres.url).host);
  const toTemporal = await startTcpProxy(temporal.address);
  const databaseUrl = new URL(postgres.url);
  databaseUrl.host = toPostgres.address;

  return {
    databaseUrl: databaseUrl.href,
    temporalAddress: toTemporal.address,
    postgres: {
      kill: () => kill(postgres, toPostgres),
      async restart() {
        postgres = await startPostgres();
        toPostgres.forward(new URL(postgres.url).host);
      },
    },
    temporal: {
      kill: () => kill(temporal, toTemporal),
      async restart() {
        temporal = await startEmbeddedTemporal({ dataDir, report });
        toTemporal.forward(temporal.address);
      },
    },
    async stop() {
      await Promise.all([toPostgres.close(), toTemporal.close()]);
      await Promise.all([postgres.stop({ hurry: true }), temporal.stop({ hurry: true })]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function kill(server: EmbeddedPostgres | EmbeddedTemporal, proxy: TcpProxy): Promise<void> {
  process.kill(server.pid, 'SIGKILL');
  await server.ended;
  proxy.cut();
}
