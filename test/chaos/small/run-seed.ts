import { setTimeout as delay } from 'node:timers/promises';
import { makeApiKey } from '../../../src/api/authentication/api-key.ts';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';
import { showId } from '../../../src/domain/tenancy/typed-id.ts';
import { uuidIn } from '../../support/api/retries.ts';
import { STALL_MS } from '../../support/child/stall.ts';
import { seedFailures } from '../../support/engine/seed-failures.ts';
import { eventually } from '../../support/eventually.ts';
import { patient } from '../../support/patience.ts';
import { startTcpProxy, type TcpProxy } from '../../support/receivers/tcp-proxy.ts';
import { figureViolations } from '../../support/store/figures.ts';
import { readLedger } from '../../support/store/ledger.ts';
import { lineViolations } from '../../support/store/ledger-lines.ts';
import { outageViolations } from '../../support/store/outage-steps.ts';
import { createTestDatabase, letIn, type TestDatabase } from '../../support/store/test-database.ts';
import { undeliveredViolations } from '../../support/store/undelivered.ts';
import { faultsOf } from './check-evidence.ts';
import { SmallClient } from './client.ts';
import { type Evidence, isAtRest, readClaimed, readDeliveries, readPlanned, whatIsOpen } from './evidence.ts';
import type { Hosts } from './hosts.ts';
import { Processes } from './processes.ts';
import { operationIn, Recoveries } from './recoveries.ts';
import { type Kill, type Scenario, scenarioOf } from './scenario.ts';
import { SmallReceiver } from './small-receiver.ts';

/** The servers that all seeds of a run share. */
export interface SmallWorld {
  hosts: Hosts;
  temporalAddress: string;
  workflowBundle: string;
}

/** What came of one seed. */
export interface SeedResult {
  scenario: Scenario;
  seconds: number;
  /** What was lost on the way. */
  losses: string[];
  faults: string[];
  evidence: Evidence;
}

/** It has come to nothing where nothing reaches a receiver for so long, or where that never stops. */
const STANDS_STILL_MS = 45_000;
const ENDS_WITHIN_MS = 10 * STANDS_STILL_MS;
const LOOK_MS = 200;
/** A request that a receiver leaves without an answer is given up after this time. */
const TIMEOUT_MS = 1_000;
/** A claim that was on its way to Postgres when its sender died is seen by then, and is not settled yet. */
const CLAIMED_UNTIL_MS = 1_500;
/** The name under which this looks at the database of a seed: its own connections are not cut. */
const OWN_NAME = 'redrive-chaos';

/** Runs one seed in a database and on task queues of its own, and compares both sides when it is over. */
export function runSeed(seed: number, items: number, world: SmallWorld): Promise<SeedResult> {
  return runScenario(scenarioOf(seed, items), world);
}

/** The same for what was decided otherwise. */
export async function runScenario(scenario: Scenario, world: SmallWorld): Promise<SeedResult> {
  const startedAt = performance.now();
  const run = await SeedRun.begin(scenario, world);
  try {
    const evidence = await run.toTheEnd();
    const faults = [...run.surprises, ...faultsOf(evidence)];
    const seconds = (performance.now() - startedAt) / 1_000;
    return { scenario, seconds, losses: run.losses, faults, evidence };
  } finally {
    await run.close();
  }
}

/** One seed, from its database to its evidence. */
class SeedRun {
  readonly losses: string[] = [];
  readonly #scenario: Scenario;
  readonly #database: TestDatabase;
  readonly #receiver: SmallReceiver;
  readonly #toTemporal: TcpProxy | undefined;
  readonly #processes: Processes;
  readonly #client: SmallClient;
  readonly #claimed = new Set<string>();
  readonly #under: Promise<unknown>[] = [];
  #lost = false;
  /** Postgres has kept us waiting for long. */
  #waited = false;

  static async begin(scenario: Scenario, world: SmallWorld): Promise<SeedRun> {
    const isCut = scenario.kills.some(({ kill }) => kill === 'temporal');
    const [database, receiver, toTemporal] = await Promise.all([
      createTestDatabase({ max: 3, applicationName: OWN_NAME }),
      SmallReceiver.start(scenario),
      isCut ? startTcpProxy(world.temporalAddress) : undefined,
    ]);
    return new SeedRun(scenario, world, database, receiver, toTemporal);
  }

  private constructor(
    scenario: Scenario,
    world: SmallWorld,
    database: TestDatabase,
    receiver: SmallReceiver,
    toTemporal: TcpProxy | undefined,
  ) {
    this.#scenario = scenario;
    this.#database = database;
    this.#receiver = receiver;
    this.#toTemporal = toTemporal;
    const adminKey = makeApiKey();
    const { workflowBundle } = world;
    const temporalAddress = toTemporal?.address ?? world.temporalAddress;
    this.#processes = new Processes(
      world.hosts,
      scenario,
      { databaseUrl: database.url, temporalAddress, workflowBundle, adminKey },
      () => this.#noteLoss(),
    );
    this.#client = new SmallClient(() => this.#processes.url, adminKey);
  }

  get surprises(): string[] {
    return this.#processes.surprises;
  }

  async toTheEnd(): Promise<Evidence> {
    const { pool } = this.#database;
    await this.#processes.start();
    const { keys, tenantId, endpoints, listenerSecret } = await this.#furnish();
    const before = (await pool.query('select id from executions')).rows.map(({ id }) => id);
    const endpointIds = endpoints.map(({ id }) => id);
    const shown = (id: string) => showId('delivery', id as Id<'delivery'>);
    const seeded = await readDeliveries(pool, endpointIds, shown);
    const byNumber: string[] = [];
    for (const { n, webhookId } of seeded) if (n !== null) byNumber[n] = webhookId;

    const recoveries = new Recoveries(this.#client, this.#scenario, keys, () => this.#receiver.received);
    for (const kill of this.#scenario.kills)
      if (kill.kill !== 'point') this.#receiver.when(kill.received, () => this.#do(this.#kill(kill)));
    const begun = recoveries.begin();
    for (const act of this.#scenario.beside)
      this.#receiver.when(act.received, () => this.#do(begun.then(() => recoveries.beside(act, byNumber))));
    this.#do(begun);
    const unfinished = await this.#rest(recoveries).catch((error: Error) => error.message);

    const ledger = await readLedger(pool);
    const closed = ledger.operations.filter(({ closed_at }) => closed_at !== null);
    const reports =
      unfinished === undefined ? await Promise.all(closed.map(({ id }) => recoveries.report(id))) : [];
    this.losses.push(...this.#processes.losses);
    await this.#processes.stop();
    await eventually(
      'everything that was sent has arrived',
      () => this.#receiver.receiver.openConnections === 0,
    );
    return {
      scenario: this.#scenario,
      deliveries: await readDeliveries(pool, endpointIds, shown),
      ...{ before, ledger, reports },
      requests: this.#receiver.requests(
        endpoints.map(({ secret }) => secret),
        listenerSecret,
      ),
      maxOverlap: this.#receiver.receiver.maxOverlap,
      lost: this.#lost,
      claimedAtKills: [...this.#claimed],
      stalled: this.#waited || this.#processes.stalled,
      asked: recoveries.asked,
      sentBefore: recoveries.sentBefore,
      planned: await readPlanned(pool),
      told: this.#receiver.told().map(operationIn),
      ofStore: [
        ...(await lineViolations(pool, new Set())),
        ...(await figureViolations(pool, tenantId)),
        ...(await outageViolations(pool)),
        ...(await undeliveredViolations(pool)),
      ],
      ...(unfinished === undefined ? {} : { unfinished }),
    };
  }

  async close(): Promise<void> {
    await this.#processes.stop();
    await Promise.all([this.#receiver.receiver.close(), this.#toTemporal?.close(), this.#database.drop()]);
  }

  /** A tenant with the endpoints of the scenario and their failures, and one that is told of operations. */
  async #furnish() {
    const { endpoints, items, recovery } = this.#scenario;
    const client = this.#client;
    const tenant = await client.asAdmin('POST', '/api/v1/tenants', { handle: `seed-${this.#scenario.seed}` });
    const makeKey = async (actor: string, scopes: string[]): Promise<string> =>
      (await client.asAdmin('POST', '/api/v1/keys', { name: actor, actor, scopes }, tenant.handle)).key;
    const key = await makeKey('asker', [
      ...['read:endpoints', 'write:endpoints', 'write:events', 'read:deliveries', 'write:deliveries'],
    ]);
    const approver = await makeKey('approver', ['approve:retries', 'read:deliveries']);
    if (recovery === 'approval')
      await client.asAdmin('PUT', '/api/v1/policy', { approveAbove: 0 }, tenant.handle);
    const listener = await client.get('POST', '/api/v1/endpoints', {
      key,
      body: {
        handle: 'listener',
        url: this.#urlOf('listener'),
        eventTypes: ['operation.closed'],
        retry: RETRY,
      },
    });
    const made: { id: string; secret: string }[] = [];
    for (const [at, { handle, ordered, ratePerSecond }] of endpoints.entries()) {
      const { id, secret } = await client.get('POST', '/api/v1/endpoints', {
        key,
        body: {
          ...{ handle, url: this.#urlOf(at), timeoutMs: TIMEOUT_MS, retry: RETRY },
          // Receivers are moody here, not down.
          ...{ protect: false, onRecovered: 'none' },
          ...(ordered ? { ordered: true, onExhausted: ordered.onExhausted } : {}),
          ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
        },
      });
      made.push({ id: uuidIn('endpoint', id), secret });
    }
    const tenantId = uuidIn('tenant', tenant.id);
    await seedFailures(this.#database.pool, {
      tenantId,
      endpointIds: made.map(({ id }) => id),
      count: items,
      ordered: Object.fromEntries(
        endpoints.flatMap(({ ordered }, at) => (ordered ? [[made[at]?.id ?? '', ordered.keys]] : [])),
      ),
    });
    await this.#database.pool.query(
      `insert into attempt_deltas (tenant_id, minute, endpoint_id, event_type, outcome, fault_code, attempts)
       select tenant_id, date_bin('1 minute', last_attempt_at, 'epoch'), endpoint_id, 'test.seeded', 'retryable', fault_code,
         count(*) from deliveries group by 1, 2, 3, 6`,
    );
    return { keys: { key, approver }, tenantId, endpoints: made, listenerSecret: listener.secret as string };
  }

  #urlOf(endpoint: number | 'listener'): string {
    return this.#receiver.receiver.url(this.#receiver.pathOf(endpoint));
  }

  /** Something that runs beside; a failure of it is one of the seed. */
  #do(work: Promise<unknown>): void {
    this.#under.push(work);
    work.catch(() => {});
  }

  /** Waits until nothing is left to be done, and the listener has been told of everything. */
  async #rest(recoveries: Recoveries): Promise<void> {
    const { pool } = this.#database;
    const last = performance.now() + patient(ENDS_WITHIN_MS);
    let deadline = 0;
    let came = -1;
    for (;;) {
      const { length } = this.#receiver.receiver.requests;
      if (length > came) deadline = Math.min(last, performance.now() + patient(STANDS_STILL_MS));
      came = length;
      await Promise.all(this.#under.splice(0));
      const askedAt = performance.now();
      const isQuiet = (await isAtRest(pool).catch(() => false)) && this.#under.length === 0;
      if (performance.now() - askedAt > STALL_MS) this.#waited = true;
      if (isQuiet && new Set(this.#receiver.told()).size >= recoveries.asked) return;
      if (performance.now() > deadline) throw new Error(await whatIsOpen(pool));
      await delay(LOOK_MS);
    }
  }

  async #kill(kill: Exclude<Kill, { kill: 'point' }>): Promise<void> {
    if (kill.kill === 'worker' || kill.kill === 'api') {
      this.#processes.kill(kill.kill, kill.which);
      return;
    }
    this.losses.push(kill.kill);
    if (kill.kill === 'temporal') {
      this.#toTemporal?.cut();
      await delay(kill.forMs);
      this.#toTemporal?.forward();
      return;
    }
    await this.#cutPostgres(kill.forMs);
    this.#noteLoss();
  }

  /** Ends every connection of the seed's processes, and lets none in for a time. */
  async #cutPostgres(forMs: number): Promise<void> {
    const { pool, url } = this.#database;
    // One that is there: a new one of ours would not be let in either.
    const own = await pool.connect();
    try {
      if (forMs > 0) await letIn(url, false);
      await own.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and application_name <> $1 and pid <> pg_backend_pid()`,
        [OWN_NAME],
      );
      await delay(forMs);
    } finally {
      own.release();
      if (forMs > 0) await letIn(url, true);
    }
  }

  /** Remembers what is claimed at this moment, and what is once all that was on its way to Postgres has arrived. */
  #noteLoss(): void {
    this.#lost = true;
    const note = async () => {
      const claimed = await readClaimed(this.#database.pool).catch(() => []);
      for (const id of claimed) this.#claimed.add(id);
    };
    this.#do(note().then(() => delay(CLAIMED_UNTIL_MS).then(note)));
  }
}

const RETRY = { maxAttempts: 8, initialMs: 20, factor: 1.5, capMs: 200 };
