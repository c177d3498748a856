import type { Logger } from 'pino';
import type { RunnableOperation } from '../domain/operations/operation.ts';
import { showId } from '../domain/tenancy/typed-id.ts';
import type { Chore, ChoreDeps } from '../loops/chore.ts';
import { repeat } from '../loops/repeat.ts';
import type { Wake } from '../loops/wake.ts';
import { cancelAsInTemporal } from '../operations/cancel-unasked.ts';
import { settleExpiredClaims } from '../operations/settle-expired.ts';
import type { Pool } from '../store/db/pool.ts';
import { withTransaction } from '../store/db/pool.ts';
import {
  confirmStart,
  findOverdue,
  noteStart,
  type Overdue,
} from '../store/operations/overdue-operations.ts';
import { tenantsWithTerm } from '../store/retention/tenants-with-term.ts';
import { notifyLiveLanes } from '../store/sending/live-notices.ts';
import { dueNext } from '../store/sending/ordering.ts';
import { expirePayloads } from '../store/settling/payload-retention.ts';
import { giveUpOverdue } from '../store/settling/settlement.ts';
import { errorCode } from '../telemetry/error-code.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { temporalAnswers } from '../temporal/connection.ts';
import { OperationRuns } from '../temporal/operation-runs.ts';
import type { TaskQueues } from '../temporal/task-queues.ts';
import type { TemporalHolder } from '../temporal/temporal-holder.ts';

/** The dependencies of a worker's sweeper. */
export interface SweeperOptions {
  pool: Pool;
  temporal: TemporalHolder;
  queues: TaskQueues;
  log: Logger;
  metrics: Metrics;
  everyMs: number;
  stop: AbortSignal;
  /** The chores of the surfaces. */
  chores(deps: ChoreDeps): Chore[];
}

/** Leases that have ended are looked for more often: what a lost sender had claimed goes on by then. */
const SETTLED_EVERY_MS = 1_000;
const OVERDUE_AT_ONCE = 100;
const SAMPLES = 20;
const PUSHED_SIDE_BY_SIDE = 10;
const GIVE_UP_BATCH = 1_000;
const EXPIRE_BATCH = 500;
/** Of one tenant in one round; the rest follows in the next, so that no tenant keeps the others waiting. */
const EXPIRE_BATCHES = 20;

/**
 * Finds work that nobody else will bring forward; every worker runs a sweeper, and they do not get in each other's way.
 */
export class Sweeper {
  readonly #options: SweeperOptions;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  /** Sweeps until stopped; a part that fails is tried again next round. The one that needs Temporal delays no other. */
  async run(): Promise<void> {
    await Promise.all([
      this.#repeat(() => this.#try('claims', () => this.#settleClaims()), {
        atLeastEveryMs: SETTLED_EVERY_MS,
      }),
      this.#repeat(() => this.#try('give_up', () => this.#giveUp())),
      ...this.#chores().map(({ name, run, wake }) => this.#repeat(() => this.#try(name, run), { wake })),
      this.#repeat(() => this.#try('operations', () => this.#pushOperations())),
      this.#repeat(() => this.#try('retention', () => this.#expire())),
    ]);
  }

  #repeat(
    round: () => Promise<void>,
    {
      atLeastEveryMs = Number.POSITIVE_INFINITY,
      wake,
    }: { atLeastEveryMs?: number; wake?: Wake | undefined } = {},
  ): Promise<void> {
    const { stop, everyMs: often } = this.#options;
    const everyMs = Math.min(often, atLeastEveryMs);
    const failed = (error: unknown) => this.#failed('round', error);
    return repeat(round, { stop, everyMs, ...(wake && { wake }), failed });
  }

  async #try(part: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#failed(part, error);
    }
  }

  #failed(part: string, error: unknown): void {
    this.#options.log.warn({ event: 'sweeper.failed', part, code: errorCode(error) });
  }

  async #settleClaims(): Promise<void> {
    const settled = await settleExpiredClaims(this.#options.pool);
    if (settled === 0) return;
    this.#options.metrics.sweeperActions.inc({ action: 'lease_lost' }, settled);
    this.#options.log.warn({ event: 'sweeper.lease_lost', items: settled });
  }

  async #giveUp(): Promise<void> {
    for (let overdue = GIVE_UP_BATCH; overdue === GIVE_UP_BATCH; ) {
      const { gaveUp, putOff } = await withTransaction(this.#options.pool, (db) =>
        giveUpOverdue(db, GIVE_UP_BATCH),
      );
      overdue = gaveUp.length + putOff;
      if (gaveUp.length > 0) this.#options.metrics.sweeperActions.inc({ action: 'gave_up' }, gaveUp.length);
      await dueNext(this.#options.pool, gaveUp);
    }
  }

  #chores(): Chore[] {
    const { pool, stop, metrics, chores } = this.#options;
    return chores({
      pool,
      stop,
      count: (action, items) => metrics.sweeperActions.inc({ action }, items),
      wakeLiveLanes: () => notifyLiveLanes(pool),
      attempt: (part, work) => this.#try(part, work),
    });
  }

  async #expire(): Promise<void> {
    const { pool, metrics, stop } = this.#options;
    for (const tenantId of await tenantsWithTerm(pool, 'payload'))
      for (let batch = 0; batch < EXPIRE_BATCHES && !stop.aborted; batch++) {
        const { removed, examined } = await withTransaction(pool, (db) =>
          expirePayloads(db, tenantId, EXPIRE_BATCH),
        );
        if (removed > 0) metrics.sweeperActions.inc({ action: 'payload_expired' }, removed);
        if (examined < EXPIRE_BATCH) break;
      }
  }

  async #pushOperations(): Promise<void> {
    const link = this.#options.temporal.link;
    // While Temporal is away no operation is to blame: none backs off, and all go on as soon as it is back.
    if (!link || !(await temporalAnswers(link))) return;
    const runs = new OperationRuns(link, this.#options.queues);
    const overdue = await findOverdue(this.#options.pool, OVERDUE_AT_ONCE, SAMPLES);
    const pushing = Array.from({ length: PUSHED_SIDE_BY_SIDE }, async () => {
      for (let next = overdue.pop(); next !== undefined; next = overdue.pop()) {
        const operation = next;
        await this.#try('operation', () => this.#push(runs, operation));
      }
    });
    await Promise.all(pushing);
  }

  async #push(runs: OperationRuns, operation: Overdue): Promise<void> {
    if (operation.why === 'not_started') return this.#start(runs, operation, 'first');
    if (operation.why !== 'sample') {
      this.#count(operation.why);
      // A run that is gone cannot be nudged: it is described, and revived, all the same.
      await runs.nudge(operation).catch(() => {});
    }
    const found = await runs.describe(operation.workflowId);
    if (found === 'running') return;
    if (found === 'cancelled') await cancelAsInTemporal(this.#options, operation.id);
    await this.#start(runs, operation, 'revive');
  }

  async #start(runs: OperationRuns, operation: RunnableOperation, how: 'first' | 'revive'): Promise<void> {
    const { pool, log } = this.#options;
    await noteStart(pool, operation.id);
    const outcome = await runs.start(operation, how);
    // A first start meets the run of an earlier try only where that try's answer was lost: it is this operation's own.
    if (outcome === 'already_started') await runs.start(operation, 'revive');
    await confirmStart(pool, operation.id);
    this.#count(how === 'first' ? 'started' : 'revived');
    log.warn({
      event: `sweeper.${how === 'first' ? 'started' : 'revived'}`,
      operationId: showId('operation', operation.id),
    });
  }

  #count(action: string): void {
    this.#options.metrics.sweeperActions.inc({ action });
  }
}
