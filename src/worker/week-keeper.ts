import type { Logger } from 'pino';
import type { Chore, ChoreDeps } from '../loops/chore.ts';
import { Wake } from '../loops/wake.ts';
import type { Pool } from '../store/db/pool.ts';
import { dropWeeks } from '../store/partitions/drop-weeks.ts';
import { analyzeKept, type KeptWeeks, keepWeeks, transactionsOf } from '../store/partitions/keep-weeks.ts';
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

/** What is left to a human is told as loudly as that. */
const LEVELS = { dropped: 'info', waits: 'warn', left: 'error' } as const;

/** Longer than whoever found no place for a row tries again. */
const ASKED_FOR_MS = 3_600_000;

/** Makes the partitions of the coming weeks where they are missing, and of the weeks that are asked for. */
export async function makeWeeks(
  { pool, log }: Pick<WeekKeeperDeps, 'pool' | 'log'>,
  asked: readonly MissingWeek[] = [],
): Promise<KeptWeeks> {
  const done = await keepWeeks(pool, transactionsOf(pool), asked);
  for (const { did, ...week } of done.kept) log.info({ event: `weeks.${did}`, ...week });
  return done;
}

/**
 * Makes what is missing before a service takes work: it may have been away for weeks. Where that fails the service starts
 * all the same, for those partitions that are there take rows, and the chore of a worker goes on trying.
 */
export async function makeWeeksAtStart(deps: Pick<WeekKeeperDeps, 'pool' | 'log'>): Promise<void> {
  const { failed } = await makeWeeks(deps).catch((failed: unknown) => ({ failed }));
  if (failed !== undefined)
    deps.log.warn({ event: 'weeks.failed', code: errorCode(failed) }, 'partitions are missing');
}

/** Makes partitions before they are needed, and at once where a row found none; drops the ones of which nothing is left. */
export class WeekKeeper {
  readonly #deps: WeekKeeperDeps;
  readonly #wake: Wake;
  /** The weeks that were asked for, and when. */
  readonly #asked = new Map<string, number>();
  #droppedAt = Number.NEGATIVE_INFINITY;
  #making: Promise<void> | undefined;

  constructor(deps: WeekKeeperDeps) {
    this.#deps = deps;
    this.#wake = new Wake(deps.stop);
    for (const { name: table } of PARTITIONED_TABLES) deps.metrics.partitionDropsWaited.inc({ table }, 0);
  }

  /** Hears that a row found no place, as it is told on the channel. */
  ask(text: string): void {
    if (askedWeek.read(text) === undefined) return;
    this.#asked.set(text, performance.now());
    if (this.#deps.stop.aborted) this.#makeWhileStopping();
    else this.#wake.poke();
  }

  /** The chore; `attempt` keeps a failure of one half from the other. */
  chore({ attempt }: Pick<ChoreDeps, 'attempt'>): Chore {
    return {
      name: 'weeks',
      wake: this.#wake,
      run: async () => {
        await attempt('weeks', () => this.#make());
        if (performance.now() - this.#droppedAt < DROPS_EVERY_MS) return;
        this.#droppedAt = performance.now();
        await attempt('weeks', () => this.drop());
      },
    };
  }

  /** One round of dropping. */
  async drop(): Promise<void> {
    const { pool, log, metrics } = this.#deps;
    const { facts, failed } = await dropWeeks(pool, this.#askedNow());
    for (const { did, ...week } of facts) {
      if (did !== 'dropped') metrics.partitionDropsWaited.inc({ table: week.table });
      log[LEVELS[did]]({ event: `weeks.${did}`, ...week });
    }
    if (failed !== undefined) throw failed;
  }

  async #make(): Promise<void> {
    const { pool } = this.#deps;
    const { kept, failed } = await makeWeeks(this.#deps, this.#askedNow());
    await analyzeKept(pool, transactionsOf(pool), kept);
    if (failed !== undefined) throw failed;
  }

  /** No chore runs any more, and the last outcomes of this worker would wait for their place for ever. */
  #makeWhileStopping(): void {
    this.#making ??= this.#make()
      .catch((error: unknown) =>
        // Whoever found no place tries again, and asks again.
        this.#deps.log.warn({ event: 'weeks.failed', code: errorCode(error) }),
      )
      .finally(() => {
        this.#making = undefined;
      });
  }

  #askedNow(): MissingWeek[] {
    const since = performance.now() - ASKED_FOR_MS;
    for (const [text, at] of this.#asked) if (at < since) this.#asked.delete(text);
    return [...this.#asked.keys()].flatMap((text) => askedWeek.read(text) ?? []);
  }
}
