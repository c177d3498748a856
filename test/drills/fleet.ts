import { type ChildScript, startChildScript } from '../support/child-script.ts';
import type { Version } from './version.ts';

/** Short enough for what a lost sender had to come back within a drill. */
const SIZES = {
  bulkSlices: 2,
  socketsPerSlice: 48,
  liveSockets: 16,
  sliceBudgetMs: 20_000,
  sweepEveryMs: 1_000,
  lease: { startWithinMs: 1_500, marginMs: 1_000 },
};

/** The servers and secrets that all processes of a drill have. */
interface Shared {
  databaseUrl: string;
  temporalAddress: string;
  adminKey: string;
}

/** The master keys that a process has: the one it seals with, and another one that it opens with. */
export interface MasterKeys {
  masterKey: Buffer;
  otherMasterKey?: Buffer;
}

/** The processes of the service in a drill, of one version or of two. */
export class Fleet {
  readonly adminKey: string;
  /** Processes that ended though nobody had asked them to, in words. */
  readonly surprises: string[] = [];
  readonly #shared: Shared;
  #keys: MasterKeys;
  readonly #expected = new Set<ChildScript>();
  readonly #workers: ChildScript[] = [];
  #api: { process: ChildScript; url: string } | undefined;

  constructor(shared: Shared, keys: MasterKeys) {
    this.#shared = shared;
    this.#keys = keys;
    this.adminKey = shared.adminKey;
  }

  /** The keys of processes that are started now. */
  get keys(): MasterKeys {
    return this.#keys;
  }

  /** Gives other keys to processes that are started from now on; those that run keep theirs. */
  useKeys(keys: MasterKeys): void {
    this.#keys = keys;
  }

  /** Where clients find the API at this moment. */
  get apiUrl(): string {
    return this.#api?.url ?? 'http://127.0.0.1:1';
  }

  get workers(): number {
    return this.#workers.length;
  }

  /** Starts an API, sends clients to it, and stops the one before it, in this order. */
  async startApi(version: Version): Promise<void> {
    const before = this.#api;
    const process = this.#start(version, { api: true, worker: false });
    const [, url = ''] = (await process.firstLine).split(' ');
    this.#api = { process, url };
    if (before) await this.#end(before.process, 'SIGTERM');
  }

  async startWorker(version: Version): Promise<void> {
    const worker = this.#start(version, { api: false, worker: true });
    this.#workers.push(worker);
    await worker.firstLine;
  }

  /** Stops the worker that was started first: it drains what is on the wire. */
  async stopOldestWorker(): Promise<void> {
    const worker = this.#workers.shift();
    if (worker) await this.#end(worker, 'SIGTERM');
  }

  /** Stops everything, in order, or at once as a machine that is gone does. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    const all = [...this.#workers.splice(0), ...(this.#api ? [this.#api.process] : [])];
    this.#api = undefined;
    await Promise.all(all.map((each) => this.#end(each, signal)));
  }

  #start(version: Version, roles: { api: boolean; worker: boolean }): ChildScript {
    const { databaseUrl, temporalAddress, adminKey } = this.#shared;
    const { masterKey, otherMasterKey } = this.#keys;
    const child = startChildScript(new URL('test/support/child/service.ts', version.root), {
      root: version.root,
      env: {
        SERVICE_OPTIONS: JSON.stringify({
          config: {
            ...{ host: '127.0.0.1', port: 0, allowedNetworks: ['127.0.0.0/8'] },
            ...{ adminKey, logLevel: 'warn', taskQueuePrefix: 'drill' },
          },
          databaseUrl,
          temporal: { address: temporalAddress },
          workflowBundle: version.workflowBundle,
          masterKey: masterKey.toString('base64'),
          otherMasterKey: otherMasterKey?.toString('base64'),
          sizes: SIZES,
          roles,
        }),
      },
    });
    void child.ended.then(({ code, signal, output }) => {
      if (this.#expected.has(child)) return;
      this.surprises.push(
        `a process of ${version.name} ended by itself (${signal ?? code}): ${output.slice(-500)}`,
      );
    });
    return child;
  }

  async #end(child: ChildScript, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#expected.add(child);
    child.process.kill(signal);
    const { code, output } = await child.ended;
    if (signal === 'SIGTERM' && code !== 0)
      this.surprises.push(`a process that was asked to stop did not do so in order: ${output.slice(-500)}`);
  }
}
