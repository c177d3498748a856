import type { Logger } from 'pino';
import { isGood, NOTHING_TOLD, type ToldAttempts, withAttempt } from '../domain/outages/attempts-told.ts';
import type { OutageRules } from '../domain/outages/outage-rules.ts';
import type { OutageCause, OutageChange } from '../domain/outages/outage-state.ts';
import { type HealthSigns, signOf } from '../domain/sending/endpoint-health.ts';
import { RECORDED_EVERY_MS } from '../domain/sending/pacing.ts';
import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import { isOutage } from '../store/db/outage.ts';
import type { Pool } from '../store/db/pool.ts';
import { isConnectionLost, withTransaction } from '../store/db/pool.ts';
import type { Transaction } from '../store/db/queryable.ts';
import { giveBackCanaries } from '../store/operations/canaries.ts';
import { ITSELF } from '../store/operations/operation-controls.ts';
import { addPulses } from '../store/operations/operation-watch.ts';
import { openOutage } from '../store/outages/outage-states.ts';
import { tellAttempts } from '../store/outages/told-attempts.ts';
import { askForWeek } from '../store/partitions/ask-for-week.ts';
import { isWithoutPartition } from '../store/partitions/without-partition.ts';
import { type CircuitChange, reactToSigns } from '../store/sending/endpoint-health.ts';
import { dueNext } from '../store/sending/ordering.ts';
import { forgetSlots, freeSlots, raiseFloors } from '../store/sending/pacing.ts';
import { refusePrepared } from '../store/sending/preparation.ts';
import { acknowledge } from '../store/settling/acknowledgements.ts';
import { endClaims, type Outcome, type Recorded, recordOutcomes } from '../store/settling/outcomes.ts';
import { disableGone } from '../store/settling/settlement.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { EndpointMemory } from './endpoint-memory.ts';
import type { SendingContext } from './sending-context.ts';
import { keptBackOf, pulsesOf, type WatchedOutcome } from './watched-outcomes.ts';

/** An outcome on its way to the ledger, with its other effects once it is there. */
export interface PendingOutcome extends Outcome, WatchedOutcome {
  /** It holds a concurrency slot at its endpoint or operation. */
  slotted: boolean;
  /** Requests that were on the wire to its endpoint when it ended, itself among them. */
  inFlight: number;
  /** When it began, on the clock of `performance.now()`. */
  beganMs: number;
  /** Events of its key go to its endpoint in their order. */
  ordered: boolean;
  /** It tries its endpoint: it disables nothing, and opens no circuit. */
  test: boolean;
  onRecorded(recorded: Recorded | undefined, effects: { orderMoved: boolean }): void;
}

/** A claim with how many of its items are still out. */
export interface OpenClaim {
  token: string;
  left: number;
  slotted: boolean;
}

const FLUSH_ITEMS = 256;
/** Until an outcome whose attempt found no partition is tried again; the partition is made in less. */
const WITHOUT_PLACE_MS = 250;
const MAX_BACKOFF_MS = 2_000;
/** Tries of the same write before its operation is told that it is refused. */
const TRIES_BEFORE_TOLD = 3;
/** States of an execution behind which others of its key may go. */
const ENDS = new Set(['delivered', 'failed', 'ignored', 'cancelled']);

/**
 * Writes outcomes to the ledger every 50 ms or 256 items, whichever is first. An outcome is held until it is written: a
 * lost connection or a deadlock is tried again for as long as it takes, which is safe because the write is fenced by
 * the claim's token, and bounded because only items that were claimed can wait here.
 */
export class Recorder {
  readonly #pool: Pool;
  readonly #log: Logger;
  readonly #metrics: Metrics;
  readonly #memory: EndpointMemory;
  readonly #outages: OutageRules;
  readonly #refused: ((error: unknown) => void) | undefined;
  readonly #claims = new Map<string, OpenClaim>();
  #waiting: PendingOutcome[] = [];
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> | undefined;
  /** Outcomes whose attempt found no partition: they come again by themselves, so that no other waits for them. */
  #withoutPlace = 0;

  /** `refused` is told of each write that Postgres refuses, which is tried on all the same. */
  constructor(
    {
      pool,
      log,
      metrics,
      memory,
      outages,
    }: Pick<SendingContext, 'pool' | 'log' | 'metrics' | 'memory' | 'outages'>,
    refused?: (error: unknown) => void,
  ) {
    this.#pool = pool;
    this.#log = log;
    this.#metrics = metrics;
    this.#memory = memory;
    this.#outages = outages;
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
    this.#flushing = this.#write(batch).finally(() => {
      this.#flushing = undefined;
      if (this.#waiting.length >= FLUSH_ITEMS) this.#flush();
      else if (this.#waiting.length > 0) this.#flushSoon(RECORDED_EVERY_MS);
    });
  }

  async #write(batch: PendingOutcome[]): Promise<void> {
    crashPoint('answered');
    const written = this.#metrics.recordDuration.startTimer();
    const recorded = await this.#persist('outcomes.record', () => this.#record(batch), isWithoutPartition);
    if (recorded === undefined) return this.#writeApart(batch);
    written();
    crashPoint('recorded');
    const byExecution = new Map(recorded.map((r) => [r.executionId, r]));
    const ended = this.#countDown(batch);
    const late = lateSuccesses(batch, byExecution);
    await this.#persist('outcomes.effects', () => this.#effects(batch, ended, late));
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
    return ended.length > 0 && this.#persist('outcomes.order', () => dueNext(this.#pool, ended));
  }

  /** Refused items are released and ended in one transaction: nobody claims them in between. */
  #record(batch: PendingOutcome[]): Promise<Recorded[]> {
    if (batch.every(({ refusal }) => refusal === undefined)) return recordOutcomes(this.#pool, batch);
    return withTransaction(this.#pool, async (db) => {
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

  /** Everything here is idempotent or expires by itself, so it stays outside the transaction of the outcomes. */
  async #effects(batch: PendingOutcome[], ended: OpenClaim[], late: Id<'delivery'>[]): Promise<void> {
    const floors = new Map<Id<'endpoint'>, number>();
    const gone = new Set<Id<'endpoint'>>();
    const slots = new Map<string, Map<string, number>>();
    for (const outcome of batch) {
      const { retryAfterMs, outcome: kind } = outcome.classification;
      if (retryAfterMs !== undefined)
        floors.set(outcome.endpointId, Math.max(retryAfterMs, floors.get(outcome.endpointId) ?? 0));
      if (kind === 'gone' && !outcome.test) gone.add(outcome.endpointId);
      if (!outcome.slotted) continue;
      const own = slots.get(outcome.token) ?? new Map<string, number>();
      slots.set(outcome.token, own);
      for (const id of [outcome.endpointId, outcome.operationId]) if (id) own.set(id, (own.get(id) ?? 0) + 1);
    }
    if (floors.size > 0) await raiseFloors(this.#pool, floors);
    // Before the circuits: an outage begins with the first of the attempts that are told here.
    const nowMs = performance.now();
    const told = toldOf(batch, this.#memory, nowMs);
    if (told.size > 0)
      this.#tellOutages(
        await withTransaction(this.#pool, (tx) => tellAttempts(tx, told, this.#outages, nowMs)),
      );
    const signs = signsOf(batch);
    if (signs.size > 0) await this.#reactTo(signs);
    for (const [operationId, keptBack] of keptBackOf(batch))
      await giveBackCanaries(this.#pool, operationId, keptBack);
    const pulses = pulsesOf(batch);
    if (pulses.length > 0) await addPulses(this.#pool, pulses);
    if (gone.size > 0) await this.#disable([...gone]);
    if (late.length > 0) await withTransaction(this.#pool, (db) => acknowledge(db, late));
    for (const [token, freed] of slots)
      await freeSlots(
        this.#pool,
        token,
        [...freed].map(([id, count]) => ({ id, count })),
      );
    if (ended.length > 0) {
      await endClaims(
        this.#pool,
        ended.map((claim) => claim.token),
      );
      const slotted = ended.filter((claim) => claim.slotted).map((claim) => claim.token);
      if (slotted.length > 0) await forgetSlots(this.#pool, slotted);
    }
  }

  /** A circuit that opens opens an outage in the same transaction; one that opens again has one. */
  async #reactTo(signs: Map<Id<'endpoint'>, HealthSigns>): Promise<void> {
    const { changes, opened } = await withTransaction(this.#pool, async (tx) => {
      const changes = await reactToSigns(tx, signs);
      const down = changes.flatMap((change) =>
        change.now === 'open' && change.openings === 1 ? [change.endpointId] : [],
      );
      return { changes, opened: await this.#openOutages(tx, down, 'circuit_open') };
    });
    this.#tellCircuits(changes);
    this.#tellOutages(opened);
  }

  async #disable(endpointIds: Id<'endpoint'>[]): Promise<void> {
    const { gone, opened } = await withTransaction(this.#pool, async (tx) => {
      const gone = await disableGone(tx, endpointIds);
      return { gone, opened: await this.#openOutages(tx, gone, 'gone') };
    });
    this.#tellGone(gone);
    this.#tellOutages(opened);
  }

  async #openOutages(
    tx: Transaction,
    endpointIds: Id<'endpoint'>[],
    cause: OutageCause,
  ): Promise<OutageChange[]> {
    const opened: OutageChange[] = [];
    for (const endpointId of endpointIds.sort()) {
      const change = await openOutage(tx, endpointId, cause, this.#outages);
      if (change) opened.push(change);
    }
    return opened;
  }

  #tellOutages(changes: OutageChange[]): void {
    for (const { outageId, tenantId, endpointId, cause } of changes) {
      this.#memory.of(endpointId).out = true;
      this.#log.info({
        event: 'outage.opened',
        outageId: showId('outage', outageId),
        tenantId: showId('tenant', tenantId),
        endpointId: showId('endpoint', endpointId),
        cause,
      });
    }
  }

  #tellCircuits(changes: CircuitChange[]): void {
    for (const { endpointId, now, ...opening } of changes)
      this.#log.info({
        event: now === 'open' ? 'circuit.opened' : 'circuit.closed',
        endpointId: showId('endpoint', endpointId),
        ...opening,
      });
  }

  #tellGone(endpointIds: Id<'endpoint'>[]): void {
    for (const id of endpointIds)
      this.#log.info({
        event: 'endpoint.disabled',
        endpointId: showId('endpoint', id),
        reason: 'gone',
        by: ITSELF,
      });
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
        askForWeek(this.#pool, error);
        const code = (error as { code?: string }).code;
        // An unexpected error is tried again too: giving up would turn a known outcome into an ambiguous attempt.
        const expected = isConnectionLost(error) || code === '40001' || code === '40P01';
        if (tries % TRIES_BEFORE_TOLD === 0 && !isOutage(error)) this.#refused?.(error);
        this.#log[expected ? 'warn' : 'error'](
          { event: `${what}.again`, code, tries },
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

/** Deliveries that a receiver took although their lease had ended: its answer counts like an acknowledgement. */
function lateSuccesses(batch: PendingOutcome[], recorded: Map<Id<'execution'>, Recorded>): Id<'delivery'>[] {
  return batch
    .filter(
      ({ executionId, classification }) =>
        classification.outcome === 'delivered' && !recorded.has(executionId),
    )
    .map(({ deliveryId }) => deliveryId);
}

/**
 * The signs of a batch, by endpoint. An endpoint without restrictions and without a bad sign is left out; one whose
 * sends were granted by its pace may have restrictions.
 */
function signsOf(batch: PendingOutcome[]): Map<Id<'endpoint'>, HealthSigns> {
  const attempted = batch
    .filter(({ classification }) => classification.outcome !== 'released')
    .map((outcome) => ({ ...outcome, said: signOf(outcome.classification) }))
    // The answer to a test shows that somebody is there; that there is none says nothing that others would wait for.
    .filter(({ test, said }) => !test || !(said.has('overloaded') || said.has('down')));
  const telling = new Set(
    attempted
      .filter(({ slotted, said }) => slotted || said.has('overloaded') || said.has('down'))
      .map(({ endpointId }) => endpointId),
  );
  const signs = new Map<Id<'endpoint'>, HealthSigns>();
  for (const { endpointId, said, inFlight } of attempted) {
    if (!telling.has(endpointId)) continue;
    const sum = signs.get(endpointId) ?? { overloaded: 0, down: 0, alive: 0, inFlight: 0 };
    for (const sign of said) sum[sign] += 1;
    sum.inFlight = Math.max(sum.inFlight, inFlight);
    signs.set(endpointId, sum);
  }
  return signs;
}

/**
 * What the ledger is told of a batch, by endpoint. One is left out whose last attempt was delivered, of which the ledger
 * has no misses, and which has no outage: nothing is written of a healthy endpoint.
 */
function toldOf(
  batch: PendingOutcome[],
  memory: EndpointMemory,
  nowMs: number,
): Map<Id<'endpoint'>, ToldAttempts> {
  const told = new Map<Id<'endpoint'>, ToldAttempts>();
  for (const { endpointId, classification, beganMs, test } of batch) {
    const good = test ? undefined : isGood(classification);
    if (good !== undefined)
      told.set(endpointId, withAttempt(told.get(endpointId) ?? NOTHING_TOLD, good, nowMs - beganMs));
  }
  for (const [endpointId, { trailing }] of told) {
    const signs = memory.of(endpointId);
    if (trailing === 0 && !signs.missed && !signs.out) told.delete(endpointId);
    signs.missed = trailing > 0;
  }
  return told;
}
