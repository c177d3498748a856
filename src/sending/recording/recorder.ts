import { RECORDED_EVERY_MS } from '../../domain/sending/pacing.ts';
import type { Id } from '../../domain/tenancy/typed-id.ts';
import { isOutage } from '../../store/db/outage.ts';
import { isConnectionLost, withTransaction } from '../../store/db/pool.ts';
import { wasUndone } from '../../store/db/sqlstate.ts';
import { askForWeek } from '../../store/partitions/ask-for-week.ts';
import { isWithoutPartition } from '../../store/partitions/without-partition.ts';
import { dueNext } from '../../store/sending/ordering.ts';
import { refusePrepared } from '../../store/sending/preparation.ts';
import { type Recorded, recordOutcomes } from '../../store/settling/outcomes.ts';
import { crashPoint } from '../../telemetry/crash-points.ts';
import { errorCode } from '../../telemetry/error-code.ts';
import type { SendingContext } from '../sending-context.ts';
import { applyEffects, type EffectsContext } from './batch-effects.ts';
import { lateSuccesses } from './batch-signs.ts';
import type { OpenClaim, PendingOutcome } from './pending-outcome.ts';

const FLUSH_ITEMS = 256;
/** Until an outcome whose attempt found no partition is tried again; the partition is made in less. */
const WITHOUT_PLACE_MS = 250;
const MAX_BACKOFF_MS = 2_000;
/** How often a write that is under way is told of: one that waits for somebody's lock fails at nothing. */
const TOLD_EVERY_MS = 5_000;
/** Tries of the same write before its operation is told that it is refused. */
const TRIES_BEFORE_TOLD = 3;
/** States of an execution behind which others of its key may go. */
const ENDS = new Set(['delivered', 'failed', 'ignored', 'cancelled']);

/**
 * Writes outcomes to the ledger every 50 ms or 256 items, whichever is first. An outcome is held until it is written: a
 * lost connection or a deadlock is tried again for as long as it takes, which is safe because the write is fenced by
 * the claim's token, and bounded because a slice that holds too many of them claims nothing more.
 */
export class Recorder {
  readonly #context: EffectsContext & Pick<SendingContext, 'metrics'>;
  readonly #refused: ((error: unknown) => void) | undefined;
  readonly #claims = new Map<string, OpenClaim>();
  #waiting: PendingOutcome[] = [];
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  /** Outcomes whose attempt found no partition: they come again by themselves, so that no other waits for them. */
  #withoutPlace = 0;

  /** `refused` is told of each write that Postgres refuses, which is tried on all the same. */
  constructor(context: EffectsContext & Pick<SendingContext, 'metrics'>, refused?: (error: unknown) => void) {
    this.#context = context;
    this.#refused = refused;
  }

  /** Announces a claim; it is ended in the ledger when all of its items are recorded. */
  open(claim: OpenClaim): void {
    this.#claims.set(claim.token, claim);
  }

  /** Takes an outcome; it is written soon. */
  add(outcome: PendingOutcome): void {
    this.#waiting.push(outcome);
    if (this.#waiting.length >= FLUSH_ITEMS) this.#flushSoon(0);
    else this.#flushSoon(RECORDED_EVERY_MS);
  }

  /** Resolves when everything taken so far is written. */
  async drained(): Promise<void> {
    while (this.#waiting.length > 0 || this.#flushing || this.#withoutPlace > 0) {
      this.#flush();
      await (this.#flushing ?? new Promise((resolve) => setTimeout(resolve, RECORDED_EVERY_MS)));
    }
  }

  #flushSoon(ms: number): void {
    if (ms === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#flush();
    } else
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#flush();
      }, ms);
  }

  #flush(): void {
    if (this.#flushing || this.#waiting.length === 0) return;
    const batch = this.#waiting.slice(0, FLUSH_ITEMS);
    this.#waiting = this.#waiting.slice(FLUSH_ITEMS);
    const beganMs = performance.now();
    const telling = setInterval(() => {
      this.#context.log.warn(
        {
          event: 'outcomes.waiting',
          outcomes: batch.length + this.#waiting.length,
          seconds: Math.round((performance.now() - beganMs) / 1_000),
        },
        'outcomes cannot be written',
      );
    }, TOLD_EVERY_MS).unref();
    this.#flushing = this.#write(batch).finally(() => {
      clearInterval(telling);
      this.#flushing = undefined;
      if (this.#waiting.length >= FLUSH_ITEMS) this.#flush();
      else if (this.#waiting.length > 0) this.#flushSoon(RECORDED_EVERY_MS);
    });
  }

  async #write(batch: PendingOutcome[]): Promise<void> {
    crashPoint('answered');
    const written = this.#context.metrics.recordDuration.startTimer();
    const recorded = await this.#persist('outcomes.record', () => this.#record(batch), isWithoutPartition);
    if (recorded === undefined) return this.#writeApart(batch);
    written();
    crashPoint('recorded');
    const byExecution = new Map(recorded.map((r) => [r.executionId, r]));
    const ended = this.#countDown(batch);
    const late = lateSuccesses(batch, byExecution);
    await this.#persist('outcomes.effects', () => applyEffects(this.#context, batch, { ended, late }));
    const orderMoved = await this.#letNextGo(batch, byExecution, late);
    for (const outcome of batch) outcome.onRecorded(byExecution.get(outcome.executionId), { orderMoved });
  }

  /** Writes a batch in halves, as one of it has no place: in the end that one alone waits. */
  async #writeApart(batch: PendingOutcome[]): Promise<void> {
    const [only] = batch;
    if (only !== undefined && batch.length === 1) {
      this.#withoutPlace += 1;
      setTimeout(() => {
        this.#withoutPlace -= 1;
        this.add(only);
      }, WITHOUT_PLACE_MS);
      return;
    }
    const half = Math.ceil(batch.length / 2);
    await this.#write(batch.slice(0, half));
    await this.#write(batch.slice(half));
  }

  /** Makes items due that waited for their order behind deliveries that have ended; true where there are any. */
  async #letNextGo(
    batch: PendingOutcome[],
    recorded: Map<Id<'execution'>, Recorded>,
    late: Id<'delivery'>[],
  ): Promise<boolean> {
    const ended = batch
      .filter(({ ordered, executionId }) => ordered && ENDS.has(recorded.get(executionId)?.state ?? ''))
      .map(({ deliveryId }) => deliveryId)
      .concat(late);
    return ended.length > 0 && this.#persist('outcomes.order', () => dueNext(this.#context.pool, ended));
  }

  /** Refused items are released and ended in one transaction: nobody claims them in between. */
  #record(batch: PendingOutcome[]): Promise<Recorded[]> {
    if (batch.every(({ refusal }) => refusal === undefined)) return recordOutcomes(this.#context.pool, batch);
    return withTransaction(this.#context.pool, async (db) => {
      const recorded = await recordOutcomes(db, batch);
      const states = new Map(recorded.map(({ executionId, state }) => [executionId, state]));
      const refused = batch.flatMap(({ executionId, refusal }) =>
        refusal && states.get(executionId) === 'queued' ? [{ executionId, refusal }] : [],
      );
      await refusePrepared(db, refused);
      const ends = new Map(refused.map(({ executionId, refusal }) => [executionId, refusal.state]));
      return recorded.map((each) => ({ ...each, state: ends.get(each.executionId) ?? each.state }));
    });
  }

  #countDown(batch: PendingOutcome[]): OpenClaim[] {
    const ended: OpenClaim[] = [];
    for (const { token } of batch) {
      const claim = this.#claims.get(token);
      if (!claim) continue;
      claim.left -= 1;
      if (claim.left > 0) continue;
      this.#claims.delete(token);
      ended.push(claim);
    }
    return ended;
  }

  /** Tries until it is written; undefined where it fails as `unless` says. */
  async #persist<T>(what: string, write: () => Promise<T>): Promise<T>;
  async #persist<T>(
    what: string,
    write: () => Promise<T>,
    unless: (error: unknown) => boolean,
  ): Promise<T | undefined>;
  async #persist<T>(
    what: string,
    write: () => Promise<T>,
    unless: (error: unknown) => boolean = () => false,
  ): Promise<T | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        return await write();
      } catch (error) {
        askForWeek(this.#context.pool, error);
        // An unexpected error is tried again too: giving up would turn a known outcome into an ambiguous attempt.
        const expected = isConnectionLost(error) || wasUndone(error);
        if (tries % TRIES_BEFORE_TOLD === 0 && !isOutage(error)) this.#refused?.(error);
        this.#context.log[expected ? 'warn' : 'error'](
          { event: `${what}.again`, code: errorCode(error), tries },
          'writing outcomes again',
        );
        if (unless(error)) return undefined;
        await new Promise((resolve) =>
          setTimeout(resolve, Math.min(MAX_BACKOFF_MS, 20 * 2 ** Math.min(tries, 10))),
        );
      }
    }
  }
}
