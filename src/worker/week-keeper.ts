import type { Logger } from 'pino';
import type { Chore, ChoreDeps } from '../loops/chore.ts';
import { Wake } from '../loops/wake.ts';
import { type Pool, withTransaction } from '../store/db/pool.ts';
import { dropWeeks } from '../store/partitions/drop-weeks.ts';
import { analyzeKept, type KeptWeek, keepWeeks } from '../store/partitions/keep-weeks.ts';
import { PARTITIONED_TABLES } from '../store/partitions/partitioned-tables.ts';
import { askedWeek, type MissingWeek } from '../store/partitions/without-partition.ts';
import { errorCode } from '../telemetry/error-code.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** The dependencies of a keeper of weeks. */
export interface WeekKeeperDeps {
  pool: Pool;
  log: Logger;
  metrics: Metrics;
  stop: AbortSignal;
}

/** Looking for partitions that may go reads them: a few times an hour is enough for something that ends once a week. */
const DROPS_EVERY_MS = 10 * 60_000;

/** Longer than whoever found no place for a row tries again. */
const ASKED_FOR_MS = 3_600_000;

/** Makes the partitions of the coming weeks where they are missing, and of the weeks that are asked for. */
export async function makeWeeks(
  { pool, log }: Pick<WeekKeeperDeps, 'pool' | 'log'>,
  asked: readonly MissingWeek[] = [],
): Promise<KeptWeek[]> {
  const kept = await keepWeeks(pool, (work) => withTransaction(pool, work), asked);
  for (const { did, ...week } of kept) log.info({ event: `weeks.${did}`, ...week });
  return kept;
}

/**
 * Makes what is missing before a service takes work: it may have been away for weeks. Where that fails the service starts
 * all the same, for those partitions that are there take rows, and the chore of a worker goes on trying.
 */
export async function makeWeeksAtStart(deps: Pick<WeekKeeperDeps, 'pool' | 'log'>): Promise<void> {
  await makeWeeks(deps).catch((error) =>
    deps.log.warn({ event: 'weeks.failed', code: errorCode(error) }, 'partitions are missing'),
  );
}

/** Makes partitions before they are needed, and at once where a row found none; drops the ones of which nothing is left. */
export class WeekKeeper {
  readonly #deps: WeekKeeperDeps;
  readonly #wake: Wake;
  /** The weeks that were asked for, and when. */
  readonly #asked = new Map<string, number>();
  #droppedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: WeekKeeperDeps) {
    this.#deps = deps;
    this.#wake = new Wake(deps.stop);
    for (const { name: table } of PARTITIONED_TABLES) deps.metrics.partitionDropsWaited.inc({ table }, 0);
  }

  /** Hears that a row found no place, as it is told on the channel. */
  ask(text: string): void {
    if (askedWeek.read(text) === undefined) return;
    this.#asked.set(text, performance.now());
    this.#wake.poke();
  }

  /** The chore; `attempt` keeps a failure of one half from the other. */
  chore({ attempt }: Pick<ChoreDeps, 'attempt'>): Chore {
    return {
      name: 'weeks',
      wake: this.#wake,
      run: async () => {
        await attempt('weeks', async () => {
          const { pool } = this.#deps;
          const kept = await makeWeeks(this.#deps, this.#askedNow());
          await analyzeKept(pool, (work) => withTransaction(pool, work), kept);
        });
        if (performance.now() - this.#droppedAt < DROPS_EVERY_MS) return;
        this.#droppedAt = performance.now();
        await attempt('weeks', () => this.drop());
      },
    };
  }

  /** One round of dropping. */
  async drop(): Promise<void> {
    const { pool, log, metrics } = this.#deps;
    for (const { did, ...week } of await dropWeeks(pool, this.#askedNow())) {
      if (did === 'waits') metrics.partitionDropsWaited.inc({ table: week.table });
      log[did === 'waits' ? 'warn' : 'info']({ event: `weeks.${did}`, ...week });
    }
  }

  #askedNow(): MissingWeek[] {
    const since = performance.now() - ASKED_FOR_MS;
    for (const [text, at] of this.#asked) if (at < since) this.#asked.delete(text);
    return [...this.#asked.keys()].flatMap((text) => askedWeek.read(text) ?? []);
  }
}
