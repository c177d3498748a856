import type { Buffer } from 'node:buffer';
import type { Config } from '../config/config.ts';
import { type DataDir, openDataDir } from './data-dir.ts';
import { type KeptAlive, keepAlive } from './kept-alive.ts';
import { masterKeyIn } from './master-key.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './postgres/postgres.ts';
import type { Report } from './steps.ts';
import { type EmbeddedTemporal, startEmbeddedTemporal } from './temporal/temporal.ts';

/** The parts that a service runs on: servers of our own, or those that the config names. */
export type Parts = {
  databaseUrl: string;
  /** Without an address the environment says where Temporal is, by the rules of its SDKs. */
  temporal: { address?: string; uiUrl?: string };
  masterKey: Buffer;
  /** Settles with a sentence when a server of our own has ended by itself and is not started again. */
  broken: Promise<string>;
  /** Ends the servers that were started here, Temporal before Postgres; in a hurry without an orderly end. */
  stop(options?: { hurry?: boolean }): Promise<void>;
};

/** Starts the servers that the config does not name, side by side. */
export async function startEmbeddedParts(options: {
  config: Config;
  report: Report;
  signal: AbortSignal;
  /** Runs before anything is started, but after another copy that was about to stop has done so. */
  check?: () => Promise<void>;
}): Promise<Parts> {
  const { config } = options;
  const { databaseUrl, temporalAddress, masterKey } = config;
  if (databaseUrl !== undefined && temporalAddress !== undefined && masterKey !== undefined) {
    await options.check?.();
    return { databaseUrl, temporal: {}, masterKey, broken: new Promise(() => {}), stop: async () => {} };
  }
  const dataDir = await openDataDir(config.dataDir);
  try {
    await options.check?.();
    return await startIn(dataDir, options);
  } catch (error) {
    await dataDir.release();
    throw error;
  }
}

async function startIn(
  dataDir: DataDir,
  { config, report, signal }: { config: Config; report: Report; signal: AbortSignal },
): Promise<Parts> {
  const where = { dataDir: dataDir.path, report, signal };
  const starting = [
    config.databaseUrl === undefined ? startEmbeddedPostgres(where) : undefined,
    config.temporalAddress === undefined
      ? startEmbeddedTemporal({ ...where, cli: config.temporalCli })
      : undefined,
  ] as const;
  // Both are waited for, whichever fails: one that is half started could not be stopped.
  const [postgresOutcome, temporalOutcome] = await Promise.allSettled(starting);
  const postgres = postgresOutcome.status === 'fulfilled' ? postgresOutcome.value : undefined;
  const temporal = temporalOutcome.status === 'fulfilled' ? temporalOutcome.value : undefined;
  let stopping = false;
  const kept: { name: string; server: KeptAlive }[] = [];
  // May be called again while it goes on, with more hurry.
  const stop = async ({ hurry = false } = {}) => {
    if (!stopping) {
      stopping = true;
      // Only a courtesy to a copy that is starting: whatever becomes of it, the servers are stopped.
      await dataDir.announceStop().catch(() => {});
    }
    // Temporal before Postgres, as they were put there.
    for (const { server } of kept) await server.stop({ hurry });
    await dataDir.release();
  };
  if (temporal) kept.push({ name: 'Temporal', server: keptTemporal(temporal, where, config) });
  if (postgres) kept.push({ name: 'Postgres', server: keptPostgres(postgres, where) });
  const failure = [postgresOutcome, temporalOutcome].find((outcome) => outcome.status === 'rejected');
  if (failure !== undefined) {
    await stop();
    throw failure.reason;
  }
  const broken = Promise.race([
    new Promise<never>(() => {}),
    ...kept.map(async ({ name, server }) => {
      const how = await server.broken;
      return `The embedded ${name} ended by itself again and again (${how}); its log is in ${dataDir.path}.`;
    }),
  ]);
  return {
    databaseUrl: config.databaseUrl ?? postgres?.url ?? '',
    temporal: temporal ?? {},
    masterKey: config.masterKey ?? (await masterKeyIn(dataDir.path)),
    broken,
    stop,
  };
}

type Where = { dataDir: string; report: Report; signal: AbortSignal };

/** Postgres at its port and Temporal at its ports: their clients find them again. */
function keptPostgres(first: EmbeddedPostgres, where: Where): KeptAlive {
  return keepAlive(first, (how) =>
    startEmbeddedPostgres({ ...where, report: again(where.report, how), port: first.port }),
  );
}

function keptTemporal(first: EmbeddedTemporal, where: Where, { temporalCli: cli }: Config): KeptAlive {
  return keepAlive(first, (how) =>
    startEmbeddedTemporal({ ...where, report: again(where.report, how), cli, ports: first.ports }),
  );
}

function again(report: Report, how: string): Report {
  return (title) => report(`${title}, which ended by itself (${how}) and is started again`);
}
