import { fileURLToPath } from 'node:url';
import type { LookedAtRun } from './api/api-deps.ts';
import { hashApiKey, makeApiKey } from './api/authentication/api-key.ts';
import { type Listening, listen } from './api/listen.ts';
import { type OperatorDeps, operatorPages } from './api/operator-pages.ts';
import { createApi } from './api/server.ts';
import type { Surface } from './api/surface.ts';
import type { Config, TracesConfig } from './config/config.ts';
import { publicOriginOf } from './config/public-origin.ts';
import { freePorts } from './embedded/free-port.ts';
import { StartupProblem } from './embedded/startup-problem.ts';
import { createIngest } from './ingest/create-ingest.ts';
import { openSealer } from './installation-sealer.ts';
import { createRecoveryDeps } from './operations/recovery-client.ts';
import { replaceAdminKeys } from './operations/replace-admin-keys.ts';
import { createAddressGuard } from './outbound/address-guard.ts';
import { readEgressProxy } from './outbound/egress-proxy.ts';
import { createKeySets } from './outbound/key-sets.ts';
import { readiness } from './readiness.ts';
import { settingsThatLose } from './store/db/durability.ts';
import type { Pool } from './store/db/pool.ts';
import { createPool } from './store/db/pool.ts';
import { hasAdminKey } from './store/tenancy/api-keys.ts';
import { presetsOf, SURFACES } from './surfaces/surfaces.ts';
import { createLogger, type Log } from './telemetry/log.ts';
import { createMetrics } from './telemetry/metrics.ts';
import type { Tracing } from './telemetry/tracing.ts';
import { OperationRuns } from './temporal/operation-runs.ts';
import { pageOfRun } from './temporal/run-page.ts';
import { runtimeMetrics } from './temporal/runtime.ts';
import { type TaskQueues, taskQueues } from './temporal/task-queues.ts';
import { TemporalHolder } from './temporal/temporal-holder.ts';
import { VERSION } from './version.ts';
import { makeWeeksAtStart } from './worker/week-keeper.ts';
import { type RunningWorker, startWorker, type WorkerSizes } from './worker/worker.ts';

/** The servers that the service runs on, and which of its parts run in this process. */
export interface ServiceOptions {
  config: Pick<Config, 'host' | 'port' | 'allowedNetworks' | 'adminKey' | 'logLevel' | 'taskQueuePrefix'> &
    Partial<
      Pick<
        Config,
        | 'metricsPort'
        | 'publicOrigin'
        | 'temporalUiUrl'
        | 'trustedProxies'
        | 'egressProxy'
        | 'otherMasterKey'
        | 'otherAdminKey'
        | 'traces'
      >
    >;
  databaseUrl: string;
  /** Without an address the environment says where it is, by Temporal's own rules. */
  temporal: { address?: string; uiUrl?: string };
  roles: { api: boolean; worker: boolean };
  masterKey: Buffer;
  /** File of the workflow bundle; that of the build where absent. */
  workflowBundle?: string;
  sizes?: Partial<WorkerSizes>;
  /** The folder of the built console; that of this repository where absent. */
  consoleFiles?: string;
  /** The surfaces that are served; every one that there is where absent. */
  surfaces?: readonly Surface[];
  log?: Log;
}

/** A running service. */
export interface Service {
  /** There when it serves the API. */
  url?: string;
  /** There when it has pages for an operator's tools on a port of their own. */
  metricsUrl?: string;
  /** There when this start made the admin key; it can never be shown again. */
  newAdminKey?: string;
  stop(): Promise<void>;
}

const API_CONNECTIONS = 20;
const WORKER_CONNECTIONS = 20;
const LIVE_CONNECTIONS = 5;
const ANSWER_GRACE_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 30_000;
const HEALTH_WITHIN_MS = 2_000;

/** Composes one process: pools, Temporal, the worker and the API, and takes them down in the reverse order. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, databaseUrl, masterKey, roles, surfaces = SURFACES } = options;
  const log = options.log ?? createLogger({ level: config.logLevel });
  const pools = new Map<string, Pool>();
  const metrics = createMetrics(pools);
  metrics.buildInfo.set({ version: VERSION, node: process.version }, 1);
  const guard = createAddressGuard([...config.allowedNetworks]);
  const proxy = config.egressProxy === undefined ? undefined : readEgressProxy(config.egressProxy);
  const queues = taskQueues(config.taskQueuePrefix);
  const presets = presetsOf(surfaces);
  const tracing = config.traces && (await tracingTo(config.traces, roles));
  const apiPool = createPool(databaseUrl, {
    max: API_CONNECTIONS,
    applicationName: 'redrive-api',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  const workerPool = createPool(databaseUrl, { max: WORKER_CONNECTIONS, applicationName: 'redrive-worker' });
  // Asked whether it is there, Postgres answers however busy the others are; one that hangs is given up.
  const healthPool = createPool(databaseUrl, {
    max: 1,
    applicationName: 'redrive-health',
    answersWithinMs: HEALTH_WITHIN_MS,
  });
  const livePool = createPool(databaseUrl, {
    max: LIVE_CONNECTIONS,
    applicationName: 'redrive-live',
    lookUps: true,
  });
  for (const [name, pool] of Object.entries({ health: healthPool, ...(roles.api ? { api: apiPool } : {}) }))
    pools.set(name, pool);
  if (roles.worker) pools.set('worker', workerPool).set('live', livePool);
  const { core } = await freePorts('core');
  const temporal = new TemporalHolder(options.temporal, log, core);
  const shutdown = new AbortController();
  let worker: RunningWorker | undefined;
  let listening: Listening | undefined;
  let operators: Listening | undefined;

  const urlAt = (port: number) =>
    `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
  const ownUrl = () => urlAt(listening?.port ?? config.port);

  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= stopAll();
    return stopped;
  };
  const stopAll = async (): Promise<void> => {
    shutdown.abort();
    await Promise.all([listening?.close(ANSWER_GRACE_MS), worker?.stop()]);
    // Last: a worker that drains for a minute is alive, and what it counts is read meanwhile.
    await operators?.close(0);
    await temporal.close();
    await tracing?.stop();
    await Promise.all([apiPool, workerPool, healthPool, livePool].map((pool) => pool.end()));
  };

  try {
    const sealer = await openSealer(apiPool, { masterKey, otherMasterKey: config.otherMasterKey });
    await sayWhatMayBeLost(apiPool, log);
    await makeWeeksAtStart({ pool: apiPool, log });
    const newAdminKey = roles.api ? await prepareAdminKeys(apiPool, config) : undefined;
    if (roles.worker)
      worker = await startWorker({
        pool: workerPool,
        livePool,
        otherPools: [apiPool],
        databaseUrl,
        temporal,
        queues,
        guard,
        proxy,
        sealer,
        presets,
        chores: (of) => surfaces.flatMap((surface) => surface.chores?.(of) ?? []),
        workflowBundle:
          options.workflowBundle ?? fileURLToPath(new URL('./workflow-bundle.js', import.meta.url)),
        version: VERSION,
        log,
        metrics,
        tracing,
        ...(options.sizes ? { sizes: options.sizes } : {}),
      });
    const seen = {
      ...{ log, metrics, version: VERSION, moreMetrics: runtimeMetrics },
      readiness: () => readiness(healthPool, temporal),
    };
    if (config.metricsPort !== undefined)
      operators = await listenForOperators(seen, config.host, config.metricsPort);
    const metricsUrl = operators ? { metricsUrl: urlAt(operators.port) } : {};
    if (!roles.api) return { ...metricsUrl, stop };
    const recovery = createRecoveryDeps(apiPool, temporal, queues, log);
    const api = createApi(
      {
        ...recovery,
        acceptEvents: createIngest(recovery),
        presets,
        sealer,
        guard,
        keySets: createKeySets(guard, { proxy }),
        tracing,
        ...seen,
        lookAtRun: (workflowId) =>
          lookAtRun(temporal, queues, workflowId, config.temporalUiUrl ?? options.temporal.uiUrl),
        shutdown: shutdown.signal,
        publicOrigin: () => publicOriginOf(config, ownUrl()),
        consoleFiles: options.consoleFiles ?? fileURLToPath(new URL('../console/dist', import.meta.url)),
        ...(config.trustedProxies ? { trustedProxies: config.trustedProxies } : {}),
      },
      surfaces,
    );
    listening = await listen(api, config.host, config.port);
    return { url: ownUrl(), ...metricsUrl, ...(newAdminKey ? { newAdminKey } : {}), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function sayWhatMayBeLost(pool: Pool, log: Log): Promise<void> {
  const settings = await settingsThatLose(pool);
  if (settings.length > 0)
    log.warn({ event: 'postgres.may_lose', settings }, 'a crash of Postgres may undo what was accepted');
}

async function listenForOperators(deps: OperatorDeps, host: string, port: number): Promise<Listening> {
  try {
    return await listen(operatorPages(deps), host, port);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StartupProblem(
      `The pages for operators cannot listen on port ${port} of ${host} (${code}): set REDRIVE_METRICS_PORT to a free port.`,
    );
  }
}

/** Loads what traces, which costs a third of a second and 28 MB: only where there is a collector. */
async function tracingTo(
  { endpoint, ratio }: TracesConfig,
  roles: ServiceOptions['roles'],
): Promise<Tracing> {
  const { startTracing } = await import('./telemetry/open-telemetry.ts');
  const role = roles.api && roles.worker ? 'all' : roles.api ? 'api' : 'worker';
  return startTracing({ endpoint, ratio, version: VERSION, role });
}

/** Makes the configured admin keys the ones that work, or a new one where there is none at all. */
async function prepareAdminKeys(
  pool: Pool,
  { adminKey, otherAdminKey }: { adminKey?: string | undefined; otherAdminKey?: string | undefined },
): Promise<string | undefined> {
  if (adminKey !== undefined) {
    await replaceAdminKeys(
      pool,
      [adminKey, ...(otherAdminKey === undefined ? [] : [otherAdminKey])].map(hashApiKey),
    );
    return undefined;
  }
  if (await hasAdminKey(pool)) return undefined;
  const made = makeApiKey();
  await replaceAdminKeys(pool, [hashApiKey(made)]);
  return made;
}

async function lookAtRun(
  { link }: TemporalHolder,
  queues: TaskQueues,
  workflowId: string,
  uiUrl: string | undefined,
): Promise<LookedAtRun> {
  if (!link) return { answers: false };
  try {
    const run = await new OperationRuns(link, queues).look(workflowId);
    if (!run) return { answers: true };
    const page = uiUrl && pageOfRun(uiUrl, { namespace: link.namespace, workflowId, runId: run.runId });
    return { answers: true, run, ...(page ? { page } : {}) };
  } catch {
    return { answers: false };
  }
}
