import { randomBytes } from 'node:crypto';
import { type Service, type ServiceOptions, startService } from '../../../src/service.ts';
import { createLogger, type Log } from '../../../src/telemetry/log.ts';
import type { WorkerSizes } from '../../../src/worker/worker.ts';
import { apiDocument } from '../api/api-document.ts';
import { createTestClient, type TestClient } from '../api/test-client.ts';
import { patient } from '../patience.ts';
import { createTestDatabase, type TestDatabase } from '../store/test-database.ts';

/** The whole service in this process, on a database of its own and task queues of its own. */
export interface TestEngine {
  database: TestDatabase;
  service: Service;
  client: TestClient;
  adminKey: string;
  options: ServiceOptions;
  log: string[];
  /** Starts one more worker; the engine stops it with the rest. */
  addWorker(sizes?: Partial<WorkerSizes>): Promise<Service>;
  close(): Promise<void>;
}

/**
 * Leases that a worker in this process never loses to a busy machine: beside a test and its receivers an outcome may take
 * seconds to be written, and would then be one that nobody knows. A worker process has those of the product, as it is to
 * be killed.
 */
export const PATIENT_LEASE = {
  startWithinMs: 5_000,
  marginMs: patient(5_000),
} satisfies WorkerSizes['lease'];

/** Starts API and worker over the run's real Postgres and Temporal. */
export async function startTestEngine({
  sizes = {},
  roles = { api: true, worker: true },
  temporal = { address: environment('REDRIVE_TEST_TEMPORAL_ADDRESS') },
  database,
  surfaces,
  consoleFiles,
  publicOrigin,
  temporalUiUrl,
  traces,
}: {
  sizes?: Partial<WorkerSizes>;
  roles?: ServiceOptions['roles'];
  /** Another way to Temporal, such as through a proxy that can be cut. */
  temporal?: ServiceOptions['temporal'];
  surfaces?: NonNullable<ServiceOptions['surfaces']>;
  /** Where calls are traced to. */
  traces?: ServiceOptions['config']['traces'];
  /** Where the Temporal UI is said to be. */
  temporalUiUrl?: string;
  /** The folder of a built console. */
  consoleFiles?: string;
  /** Where it is reached, if not by its own address. */
  publicOrigin?: string;
  /** A database elsewhere; by default one of its own on the run's Postgres. */
  database?: TestDatabase;
} = {}): Promise<TestEngine> {
  database ??= await createTestDatabase();
  const adminKey = `rdk_${randomBytes(32).toString('base64url')}`;
  const log: string[] = [];
  const options: ServiceOptions = {
    config: {
      host: '127.0.0.1',
      port: 0,
      allowedNetworks: ['127.0.0.0/8'],
      adminKey,
      logLevel: 'info',
      ...(temporalUiUrl === undefined ? {} : { temporalUiUrl }),
      taskQueuePrefix: `test-${randomBytes(6).toString('hex')}`,
      ...(publicOrigin === undefined ? {} : { publicOrigin }),
      ...(traces === undefined ? {} : { traces }),
    },
    databaseUrl: database.url,
    temporal,
    roles,
    masterKey: randomBytes(32),
    workflowBundle: environment('REDRIVE_TEST_WORKFLOW_BUNDLE'),
    sizes: { sweepEveryMs: 500, socketsPerSlice: 32, liveSockets: 32, spareSockets: 0, ...sizes },
    log: collecting(log),
    ...(surfaces ? { surfaces } : {}),
    ...(consoleFiles === undefined ? {} : { consoleFiles }),
  };
  const inThisProcess = (own: Partial<WorkerSizes> = {}) => ({
    lease: PATIENT_LEASE,
    ...options.sizes,
    ...own,
  });
  const service = await startService({ ...options, sizes: inThisProcess() });
  const client = await createTestClient(
    service.url ?? '',
    adminKey,
    surfaces ? undefined : await apiDocument(),
  );
  const workers: Service[] = [];
  return {
    database,
    service,
    client,
    adminKey,
    options,
    log,
    async addWorker(own = {}) {
      const worker = await startService({
        ...options,
        roles: { api: false, worker: true },
        sizes: inThisProcess(own),
      });
      workers.push(worker);
      return worker;
    },
    async close() {
      await Promise.all([service, ...workers].map((each) => each.stop()));
      await database.drop();
    },
  };
}

function collecting(lines: string[]): Log {
  return createLogger({
    level: 'info',
    destination: { write: (line: string) => void lines.push(line) },
  });
}

function environment(name: string): string {
  const value = process.env[name];
  if (!value)
    throw new Error(`${name} is not set: run the tests by \`npm test\`, which starts what they need`);
  return value;
}
