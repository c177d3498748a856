import type { Buffer } from 'node:buffer';
import type { Config } from '../config/config.ts';
import { type DataDir, openDataDir } from './data-dir.ts';
import { masterKeyIn } from './master-key.ts';
import { startEmbeddedPostgres } from './postgres/postgres.ts';
import type { Report } from './steps.ts';
import { startEmbeddedTemporal } from './temporal/temporal.ts';

/** What a service runs on: servers of our own, or those that the config names. */
export type Parts = {
  databaseUrl: string;
  /** Without an address the environment says where Temporal is, by the rules of its SDKs. */
  temporal: { address?: string; uiUrl?: string };
  masterKey: Buffer;
  /** Settles with a sentence when a server of our own has ended by itself. */
  broken: Promise<string>;
  /** Ends what was started here, Temporal before Postgres; in a hurry without waiting for anything orderly. */
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
  // May be called again while it goes on, with more hurry.
  const stop = async ({ hurry = false } = {}) => {
    if (!stopping) {
      stopping = true;
      // Only a courtesy to a copy that is starting: whatever becomes of it, the servers are stopped.
      await dataDir.announceStop().catch(() => {});
    }
    await temporal?.stop({ hurry });
    await postgres?.stop({ hurry });
    await dataDir.release();
  };
  const failure = [postgresOutcome, temporalOutcome].find((outcome) => outcome.status === 'rejected');
  if (failure !== undefined) {
    await stop();
    throw failure.reason;
  }
  const broken = new Promise<string>((resolve) => {
    const watch = (name: string, ended: Promise<string> | undefined) =>
      ended?.then((how) => {
        if (stopping) return;
        resolve(`The embedded ${name} ended by itself (${how}); its log is in ${dataDir.path}.`);
      });
    void watch('Postgres', postgres?.ended);
    void watch('Temporal', temporal?.ended);
  });
  return {
    databaseUrl: config.databaseUrl ?? postgres?.url ?? '',
    temporal: temporal ?? {},
    masterKey: config.masterKey ?? (await masterKeyIn(dataDir.path)),
    broken,
    stop,
  };
}
