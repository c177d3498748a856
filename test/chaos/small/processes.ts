import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Crash } from '../../support/child/host.ts';
import type { Host, HostedOptions, Hosts } from './hosts.ts';
import type { Kill, Scenario } from './scenario.ts';

/** Short enough for what a kill strands to come back soon, and long enough for a busy machine to send within its lease. */
const SIZES = {
  bulkSlices: 2,
  socketsPerSlice: 48,
  liveSockets: 16,
  sliceBudgetMs: 20_000,
  sweepEveryMs: 500,
  lease: { startWithinMs: 3_000, marginMs: 1_000 },
};

const AGAIN_MS = 200;

/** The servers and secrets that the processes of a seed share. */
export interface SharedByAll {
  databaseUrl: string;
  temporalAddress: string;
  workflowBundle: string;
  adminKey: string;
}

/** The place of a process: whatever ends it, another one takes it. */
interface Place {
  role: 'all' | 'api' | 'worker';
  host?: Host;
}

/** The processes of one seed, started again as a supervisor would, each with the next point to crash at. */
export class Processes {
  /** What was killed, and what crashed at which point. */
  readonly losses: string[] = [];
  /** Processes that ended though nobody had killed them and no point was theirs, in words. */
  readonly surprises: string[] = [];
  /** The machine has kept one of them from working for long. */
  stalled = false;
  readonly #hosts: Hosts;
  readonly #options: HostedOptions;
  readonly #masterKey = randomBytes(32).toString('base64');
  readonly #places: Place[];
  readonly #points: Extract<Kill, { kill: 'point' }>[];
  readonly #onLoss: () => void;
  readonly #killed = new Set<Host>();
  #url: string | undefined;
  #stopping = false;

  /** `onLoss` is told at once when a process that sends is gone. */
  constructor(hosts: Hosts, scenario: Scenario, shared: SharedByAll, onLoss: () => void) {
    const { adminKey, databaseUrl, temporalAddress, workflowBundle } = shared;
    this.#hosts = hosts;
    this.#onLoss = onLoss;
    this.#options = {
      config: {
        ...{ host: '127.0.0.1', port: 0, allowedNetworks: ['127.0.0.0/8'], adminKey, logLevel: 'warn' },
        taskQueuePrefix: `small-${randomBytes(6).toString('hex')}`,
      },
      temporal: { address: temporalAddress },
      roles: { api: true, worker: true },
      sizes: SIZES,
      ...{ databaseUrl, workflowBundle },
    };
    this.#points = scenario.kills.filter((kill) => kill.kill === 'point');
    this.#places =
      scenario.roles === 'all'
        ? [{ role: 'all' }]
        : [{ role: 'api' }, ...Array.from({ length: scenario.workers }, (): Place => ({ role: 'worker' }))];
  }

  /** Where the API is at this moment, if it is there. */
  get url(): string | undefined {
    return this.#url;
  }

  async start(): Promise<void> {
    await Promise.all(this.#places.map((place) => this.#fill(place)));
  }

  /** Kills the API, or one of those that send; false where none is there. */
  kill(what: 'worker' | 'api', which: number): boolean {
    const places = this.#places.filter(({ role }) => role === 'all' || role === what);
    const host = places[which % places.length]?.host;
    if (!host || host.over) return false;
    this.#killed.add(host);
    host.kill();
    return true;
  }

  /** Stops all of them in order. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#places.map(async (place) => {
        const { host } = place;
        // Given back once: from then on it is somebody else's.
        delete place.host;
        if (!host) return;
        if (!host.over) await host.stop();
        if (host.over) await host.ended;
        else this.#hosts.giveBack(host);
      }),
    );
  }

  async #fill(place: Place): Promise<void> {
    const host = await this.#hosts.take();
    if (host === undefined) return;
    if (this.#stopping) return this.#hosts.giveBack(host);
    const crash = this.#nextCrash(place);
    place.host = host;
    void host.ended.then((output) => this.#gone(place, host, crash, output));
    const roles = { api: place.role !== 'worker', worker: place.role !== 'api' };
    // Postgres or Temporal may be away; one that is gone is replaced where its end is seen.
    while (!host.over && place.host === host) {
      const started = await host.start({ ...this.#options, roles }, this.#masterKey, crash);
      if (started.ok) {
        host.onStall = () => {
          this.stalled = true;
        };
        if (started.url !== undefined) this.#url = started.url;
        return;
      }
      await delay(AGAIN_MS);
    }
  }

  #gone(place: Place, host: Host, crash: Crash | null, output: string): void {
    if (place.host !== host || this.#stopping) return;
    if (place.role !== 'worker') this.#url = undefined;
    const killed = this.#killed.has(host);
    if (!killed && !crash) this.surprises.push(`a process ended by itself: ${output.slice(-500)}`);
    this.losses.push(killed ? place.role : `${place.role} ${crash?.at ?? ''}`);
    if (place.role !== 'api') this.#onLoss();
    delete place.host;
    void this.#fill(place);
  }

  #nextCrash({ role }: Place): Crash | null {
    const at = this.#points.findIndex(({ of }) => role === 'all' || of === role);
    const [point] = at < 0 ? [] : this.#points.splice(at, 1);
    return point ? { at: point.at, after: point.after } : null;
  }
}
