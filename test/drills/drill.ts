import { randomBytes } from 'node:crypto';
import { makeApiKey } from '../../src/api/authentication/api-key.ts';
import { type Id, readId, showId } from '../../src/domain/tenancy/typed-id.ts';
import { createPool } from '../../src/store/db/pool.ts';
import { type ChaosParts, startChaosParts } from '../chaos/chaos-parts.ts';
import { type ChaosReceiver, seeded, startChaosReceivers } from '../chaos/chaos-receivers.ts';
import { checkLedgers, type Findings } from '../chaos/check-ledgers.ts';
import { govern } from '../support/api/governed.ts';
import { uuidIn } from '../support/api/retries.ts';
import { createTestClient } from '../support/api/test-client.ts';
import { seedFailures } from '../support/engine/seed-failures.ts';
import { eventually } from '../support/eventually.ts';
import { NO_ID } from '../support/store/any-id.ts';
import { readLedger, violationsOf } from '../support/store/ledger.ts';
import type { TestPool } from '../support/store/test-database.ts';
import { Fleet } from './fleet.ts';
import { LiveEvents } from './live-events.ts';
import { type DrillEndpoint, NAME_HEADER, wronglySigned } from './signatures.ts';
import { present, type Version } from './version.ts';

/** The size of a drill. */
export interface DrillPlan {
  items: number;
  /** Requests per second of the operation: long enough for what happens to find it at work. */
  ratePerSecond: number;
  workers: number;
  workflowBundle: string;
  withinMs: number;
  say(line: string): void;
}

/** The result of a drill: it has passed where there are no faults. */
export interface DrillResult {
  seconds: number;
  findings: Findings;
  live: { accepted: number; notAccepted: number };
  /** Numbers of this drill alone. */
  figures: Record<string, number | string>;
}

/** A time that a restored database knows nothing of, in milliseconds of the wall clock. */
export interface Lost {
  from: number;
  until: number;
}

const NOTHING_LOST: Lost = { from: 0, until: 0 };

/** Time limits of endpoints: short enough for what a lost sender had to be sent again within the drill. */
const TIMEOUT_MS = 800;

/**
 * A service under load, to which something is done: a planned and approved retry of thousands over receivers of all moods,
 * while new events come in. It ends with the receivers' ledger and the service's compared item by item.
 */
export class Drill {
  readonly parts: ChaosParts;
  readonly fleet: Fleet;
  readonly pool: TestPool;
  readonly plan: DrillPlan;
  readonly figures: Record<string, number | string> = {};
  readonly #receivers: ChaosReceiver[];
  readonly #startedAt = performance.now();
  readonly #endpoints = new Map<string, DrillEndpoint>();
  #live: LiveEvents | undefined;
  #tenant: { id: Id<'tenant'>; key: string } = { id: NO_ID, key: '' };
  #operationId: Id<'operation'> = NO_ID;

  private constructor(parts: ChaosParts, receivers: ChaosReceiver[], fleet: Fleet, plan: DrillPlan) {
    this.parts = parts;
    this.fleet = fleet;
    this.plan = plan;
    this.#receivers = receivers;
    this.pool = createPool(parts.databaseUrl, { max: 4 });
    this.pool.on('error', () => {});
  }

  /** Starts servers, receivers and the processes of a version; `prepared` makes the servers what the drill needs. */
  static async start(
    plan: DrillPlan,
    options: {
      version?: Version;
      migrated?: (url: string) => Promise<void>;
      prepared?: (parts: ChaosParts) => Promise<void>;
    } = {},
  ): Promise<Drill> {
    const { version = present(plan.workflowBundle) } = options;
    const parts = await startChaosParts(options.migrated);
    const receivers = await startChaosReceivers(seeded(1));
    const { databaseUrl, temporalAddress } = parts;
    const fleet = new Fleet(
      { databaseUrl, temporalAddress, adminKey: makeApiKey() },
      { masterKey: randomBytes(32) },
    );
    const drill = new Drill(parts, receivers, fleet, plan);
    try {
      await options.prepared?.(parts);
      await fleet.startApi(version);
      for (let n = 0; n < plan.workers; n++) await fleet.startWorker(version);
      await drill.#begin();
      return drill;
    } catch (error) {
      await drill.stop();
      throw error;
    }
  }

  /** The requests that receivers have had. */
  sent(): number {
    return this.#receivers.reduce((sum, { receiver }) => sum + receiver.requests.length, 0);
  }

  /** Waits until so large a part of the items has been sent. */
  async reaches(part: number): Promise<void> {
    const wanted = Math.floor(part * this.plan.items);
    await eventually(`${wanted} requests have been sent`, () => this.sent() >= wanted, {
      withinMs: this.plan.withinMs,
      otherwise: () => `${this.sent()} were`,
    });
  }

  get tenantId(): Id<'tenant'> {
    return this.#tenant.id;
  }

  /** Gives the endpoint of a receiver a new secret by the API of this moment, in the place of the one before. */
  async rotateSecret(receiver: string): Promise<void> {
    const endpoint = this.#endpoints.get(receiver);
    if (!endpoint) throw new Error(`no receiver ${receiver}`);
    const client = await createTestClient(this.fleet.apiUrl, this.fleet.adminKey);
    const { body } = await client.expect(200, 'POST', `/api/v1/endpoints/${endpoint.id}/rotate-secret`, {
      key: this.#tenant.key,
      body: { oldValidForMs: 0 },
    });
    endpoint.secrets.push(body.secret);
  }

  say(line: string): void {
    this.plan.say(
      `${((performance.now() - this.#startedAt) / 1_000).toFixed(1)} s, ${this.sent()} requests: ${line}`,
    );
  }

  /**
   * Waits for the end of everything that was asked for, stops the service and compares the ledgers. Of a time that the
   * database has lost, the service cannot know the requests, nor the events.
   */
  async judge(lost: Lost = NOTHING_LOST): Promise<DrillResult> {
    await eventually('the operation closes', () => this.#isClosed(), { withinMs: this.plan.withinMs });
    const live = await this.#live?.stop();
    await eventually('all that came in meanwhile has ended', () => this.#isIdle(), {
      withinMs: this.plan.withinMs,
    });
    const seconds = (performance.now() - this.#startedAt) / 1_000;
    await this.fleet.stop('SIGTERM');
    await eventually('everything that was sent has arrived', () =>
      this.#receivers.every(({ receiver }) => receiver.openConnections === 0),
    );
    const known = this.#receivers.map((each) => withoutLost(each, lost));
    const findings = await checkLedgers(this.pool, this.#operationId, known);
    findings.faults.push(...violationsOf(await readLedger(this.pool)));
    const events = (live?.events ?? []).filter(({ answeredAt }) => !isLost(answeredAt, lost));
    findings.faults.push(...(await this.#lostEvents(events.map(({ id }) => id))));
    findings.faults.push(...this.fleet.surprises, ...wronglySigned(this.#receivers, this.#endpoints));
    if (lost !== NOTHING_LOST) {
      this.figures.requestsOfTheLostTime = this.sent() - findings.requests;
      this.figures.eventsOfTheLostTime = (live?.events.length ?? 0) - events.length;
    }
    return {
      seconds,
      findings,
      live: { accepted: events.length, notAccepted: live?.notAccepted ?? 0 },
      figures: this.figures,
    };
  }

  async stop(): Promise<void> {
    await this.#live?.stop();
    await this.fleet.stop();
    if (!this.pool.ended) await this.pool.end();
    await Promise.all(this.#receivers.map(({ receiver }) => receiver.close()));
    await this.parts.stop();
  }

  /** Makes the tenant and its failures, has their retry approved, and lets events come in. */
  async #begin(): Promise<void> {
    const { items, ratePerSecond } = this.plan;
    const client = await createTestClient(this.fleet.apiUrl, this.fleet.adminKey);
    // The version before knows no term of events.
    const tenant = await client.newTenant('drill', {});
    for (const { name, receiver } of this.#receivers) {
      const endpoint = await client.newEndpoint(tenant.key, {
        handle: name,
        url: receiver.url('/hook'),
        timeoutMs: TIMEOUT_MS,
        retry: { maxAttempts: 50, initialMs: 50, factor: 1.5, capMs: 1_000 },
        protect: false,
        headers: { [NAME_HEADER]: name },
      });
      this.#endpoints.set(name, { id: endpoint.id, secrets: [endpoint.secret] });
    }
    const endpointIds = [...this.#endpoints.values()].map(({ id }) => uuidIn('endpoint', id));
    const tenantId = uuidIn('tenant', tenant.id);
    this.#tenant = { id: tenantId, key: tenant.key };
    await seedFailures(this.pool, { tenantId, endpointIds, count: items, bodyBytes: 200 });
    const by = govern({ client, adminKey: this.fleet.adminKey }, tenant);
    await by.set({ approveAbove: 0 });
    const { body } = await client.expect(202, 'POST', '/api/v1/retries', {
      key: tenant.key,
      headers: { 'idempotency-key': 'drill' },
      body: { select: { filter: {} }, options: { ratePerSecond } },
    });
    await by.approve(body.id);
    this.#operationId = readId('operation', body.id) ?? NO_ID;
    this.#live = new LiveEvents(this.fleet, tenant.key);
    this.say(`${showId('operation', this.#operationId)} of ${items} items is approved`);
  }

  async #isClosed(): Promise<boolean> {
    const found = await this.pool
      .query('select from operations where id = $1 and closed_at is not null', [this.#operationId])
      .catch(() => undefined);
    return found?.rows.length === 1;
  }

  async #isIdle(): Promise<boolean> {
    const { rows } = await this.pool.query(
      'select from executions where open union all select from claims limit 1',
    );
    return rows.length === 0;
  }

  /** Events that were answered with 202 and have not been delivered wherever they can be. */
  async #lostEvents(eventIds: string[]): Promise<string[]> {
    const { rows } = await this.pool.query<{ id: string; handle: string | null; state: string | null }>(
      `select u.id, n.handle, d.state from unnest($1::uuid[]) as u(id)
       left join deliveries d on d.event_id = u.id left join endpoints n on n.id = d.endpoint_id`,
      [eventIds],
    );
    const delivers = new Map(this.#receivers.map(({ name, delivers: does }) => [name, does]));
    return rows
      .filter(
        ({ handle, state }) => state !== (delivers.get(handle ?? '') === false ? 'failed' : 'delivered'),
      )
      .map(({ id, handle, state }) => `event ${id} was accepted and is ${state ?? 'lost'} at ${handle}`);
  }
}

function isLost(at: number, { from, until }: Lost): boolean {
  return at > from && at <= until;
}

/** A receiver as it would be without the requests of a time. */
function withoutLost(each: ChaosReceiver, lost: Lost): ChaosReceiver {
  const { maxOverlap } = each.receiver;
  const requests = each.receiver.requests.filter(({ at }) => !isLost(at, lost));
  return { ...each, receiver: { ...each.receiver, maxOverlap, requests } };
}
