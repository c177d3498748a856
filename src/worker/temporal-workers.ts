import { Worker, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { type ActivityDeps, createActivities } from '../activities/create-activities.ts';
import { errorCodes } from '../activities/error-codes.ts';
import { Wake } from '../loops/wake.ts';
import { errorCode } from '../telemetry/error-code.ts';
import type { TaskQueues } from '../temporal/task-queues.ts';
import type { TemporalHolder } from '../temporal/temporal-holder.ts';

/** The dependencies of the Temporal workers of one process. */
export interface TemporalWorkersOptions {
  temporal: TemporalHolder;
  queues: TaskQueues;
  activities: ActivityDeps;
  /** File of the workflow bundle, made when the service is built. */
  workflowBundle: string;
  /** Bulk slices at once in this process. */
  bulkSlices: number;
  log: Logger;
  stop: AbortSignal;
}

const AGAIN_MS = 1_000;
/** Steps of all operations, and single retries that are seen through: none of them sends, most wait for Postgres. */
const SHORT_STEPS = 100;
/** A slice drains within the longest total time of a request; an item that takes longer is left to its lease. */
const GRACE = '70 seconds';

/** Runs both queues' workers until stopped, again and again where they fail; says whether they poll. */
export class TemporalWorkers {
  readonly #options: TemporalWorkersOptions;
  #polling = false;

  constructor(options: TemporalWorkersOptions) {
    this.#options = options;
  }

  /** Whether both workers poll their queues now. */
  get polling(): boolean {
    return this.#polling;
  }

  /** Runs until stopped; the workers first finish the tasks they have in hand. */
  async run(): Promise<void> {
    const { temporal, stop, log } = this.#options;
    const wake = new Wake(stop);
    let connected = false;
    const connecting = temporal.connected().then(() => {
      connected = true;
    });
    // A worker that is told to stop must not wait for a Temporal that never comes.
    while (!stop.aborted && !connected) await wake.wait(AGAIN_MS, connecting);
    while (!stop.aborted) {
      try {
        await this.#work();
      } catch (error) {
        log.warn({ event: 'temporal.worker.failed', code: errorCode(error) });
        await wake.wait(AGAIN_MS);
      } finally {
        this.#polling = false;
      }
    }
  }

  /** Runs both workers until stopped, or until one of them fails and the other has finished what it had in hand. */
  async #work(): Promise<void> {
    const { stop } = this.#options;
    const workers = await Promise.all([this.#create('interactive'), this.#create('bulk')]);
    const shutdown = () => {
      this.#polling = false;
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    };
    stop.addEventListener('abort', shutdown, { once: true });
    this.#polling = true;
    if (stop.aborted) setImmediate(shutdown);
    const ended = await Promise.allSettled(workers.map((worker) => worker.run().finally(shutdown)));
    stop.removeEventListener('abort', shutdown);
    for (const end of ended) if (end.status === 'rejected') throw end.reason;
  }

  #create(kind: 'interactive' | 'bulk'): Promise<Worker> {
    const { temporal, queues, activities, workflowBundle, bulkSlices, log } = this.#options;
    const link = temporal.link;
    if (!link) throw new Error('no link to Temporal');
    const options: WorkerOptions = {
      connection: link.connection,
      namespace: link.namespace,
      taskQueue: queues[kind],
      workflowBundle: { codePath: workflowBundle },
      activities: createActivities(activities),
      interceptors: { activity: [errorCodes(log)] },
      maxConcurrentActivityTaskExecutions: kind === 'bulk' ? bulkSlices : SHORT_STEPS,
      // As often as the steps of that queue beat.
      maxHeartbeatThrottleInterval: kind === 'bulk' ? '10 seconds' : '3 seconds',
      // Few workflows, of few steps each: more threads and a larger cache would only hold memory.
      workflowThreadPoolSize: 1,
      maxCachedWorkflows: 200,
      shutdownGraceTime: GRACE,
    };
    return Worker.create(options);
  }
}
