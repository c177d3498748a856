import { setTimeout as delay } from 'node:timers/promises';
import type { Refusal } from '../domain/endpoints/preparation.ts';
import type { AttemptResult } from '../domain/sending/attempt-result.ts';
import { type Classification, classify, demandAcknowledgement } from '../domain/sending/classification.ts';
import { decideNext } from '../domain/sending/decide-next.ts';
import { DEFAULT_RETRY_POLICY } from '../domain/sending/retry-policy.ts';
import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import type { Deadline } from '../outbound/deadline.ts';
import { isOutage } from '../store/db/outage.ts';
import type { ClaimedItem } from '../store/sending/claims.ts';
import { errorCode } from '../telemetry/error-code.ts';
import type { TraceSpan } from '../telemetry/tracing.ts';
import { AttemptTraces } from './attempt-traces.ts';
import { deliveryHeaders } from './delivery-headers.ts';
import { count, InFlight } from './in-flight.ts';
import { prepareItems } from './prepare-items.ts';
import { Recorder } from './recording/recorder.ts';
import { reportAttempt } from './report-attempt.ts';
import type { SendingContext } from './sending-context.ts';
import type { Target, TargetLookup } from './target-cache.ts';
import type { Turn } from './turns.ts';

/** Items of one claim, to be sent before its deadline. */
export interface ClaimToSend {
  token: string;
  items: ClaimedItem[];
  deadline: Deadline;
  /**
   * No request of it may take longer: its lease was made for this time, even if an endpoint's limit is raised
   * meanwhile.
   */
  longestMs: number;
  /** When the sends of each endpoint go; those of an endpoint that is not named go at once. */
  turns: ReadonlyMap<string, readonly Turn[]>;
  /** Items of it hold concurrency slots: those at the endpoints that are named, and all of them at a paced operation. */
  slotted: boolean;
  slottedAt: ReadonlySet<string>;
  /** Its operation is watched. */
  watched: boolean;
}

/** What a sender is made for. */
export interface SenderOptions {
  workedBy: Id<'operation'>;
  lane: 'bulk' | 'live';
  sockets: number;
  refused?: ((error: unknown) => void) | undefined;
  trace?: TraceSpan | undefined;
}

/** What is known of an item that has ended, beside its result. */
interface Ending {
  target?: Target | undefined;
  refusal?: Refusal | undefined;
  span?: TraceSpan | undefined;
  /** Other requests that its own found on the wire to its endpoint. */
  others?: number;
}

/** Requests that are begun in one turn of the event loop. */
const SENT_IN_ONE_TURN = 32;

/** Sends what one slice claims and hands each outcome to the recorder; counts the requests in flight by endpoint. */
export class Sender {
  readonly #context: SendingContext;
  readonly #lane: 'bulk' | 'live';
  readonly #recorder: Recorder;
  readonly #refused: ((error: unknown) => void) | undefined;
  readonly #traces: AttemptTraces;
  readonly #inFlight = new InFlight();
  /** Those of them that have begun: what was claimed with them waits for its turn of the event loop, or its own. */
  readonly #onWireAt = new Map<Id<'endpoint'>, number>();
  readonly #workedBy: Id<'operation'>;
  readonly #least: number;
  #orderMoved = false;
  #unrecorded = 0;
  #onFreed: (() => void)[] = [];

  /**
   * `sockets` are the requests that it may always have in flight; `refused` is told of each read or write for its
   * items that Postgres refuses; `trace` is the span of its slice.
   */
  constructor(context: SendingContext, { workedBy, lane, sockets, refused, trace }: SenderOptions) {
    this.#context = context;
    this.#lane = lane;
    this.#least = sockets;
    this.#workedBy = workedBy;
    this.#refused = refused;
    this.#traces = new AttemptTraces(context.tracing, trace, lane);
    this.#recorder = new Recorder(context, refused);
  }

  /** How many requests it may have in flight now: it follows the latency of its endpoints. */
  get sockets(): number {
    return this.#context.spareSockets.socketsOf(this.#workedBy, this.#least);
  }

  /** Requests that have not ended yet. */
  get inFlight(): Omit<InFlight, 'add' | 'remove'> {
    return this.#inFlight;
  }

  /** Requests that have ended, of whose outcomes the ledger does not know yet. */
  get unrecorded(): number {
    return this.#unrecorded;
  }

  /** Nothing is in flight, and the ledger knows of everything that was. */
  get idle(): boolean {
    return this.#inFlight.all === 0 && this.#unrecorded === 0;
  }

  /** Whether an item that waited for its order has become due since this was asked last. */
  takeOrderMoved(): boolean {
    const moved = this.#orderMoved;
    this.#orderMoved = false;
    return moved;
  }

  /** Resolves when the next request ends, or when ended ones are recorded and their slots are free. */
  freed(): Promise<void> {
    return new Promise((resolve) => this.#onFreed.push(resolve));
  }

  /** Resolves when nothing is in flight and everything is recorded; nothing in flight is ever aborted. */
  async drained(): Promise<void> {
    while (this.#inFlight.all > 0) await this.freed();
    await this.#recorder.drained();
  }

  /** Puts a claim on the wire. Every failure here ends as an outcome: a claimed item is never just dropped. */
  async send(claim: ClaimToSend): Promise<void> {
    const { items } = claim;
    this.#recorder.open({ token: claim.token, left: items.length, slotted: claim.slotted });
    for (const item of items) this.#inFlight.add(item, claim.slottedAt.has(item.endpointId));
    this.#context.metrics.inFlight.inc({ lane: this.#lane }, items.length);
    const prepared = await prepareItems(this.#context, items).catch((error: unknown) => {
      this.#context.log.warn({ event: 'targets.unreadable', code: errorCode(error), items: items.length });
      if (!isOutage(error)) this.#refused?.(error);
      return undefined;
    });
    const turns = turnsOf(claim);
    let sent = 0;
    for (const item of items) {
      // Others get a turn in between: these are some milliseconds of work.
      if (++sent % SENT_IN_ONE_TURN === 0) await new Promise(setImmediate);
      const refusal = prepared?.refusals.get(item.executionId);
      if (prepared && !refusal)
        void this.#sendOne(claim, item, prepared.targetOf, turns.get(item.executionId));
      else this.#finish(claim, item, { kind: 'released', reason: 'stopping' }, { refusal });
    }
  }

  /**
   * Waits for the turn of an item; false where it is not to go then: it comes too late, or its endpoint asked for a
   * pause.
   */
  async #turnComes({ endpointId }: ClaimedItem, turn: Turn): Promise<boolean> {
    const signs = this.#context.memory.of(endpointId);
    const floorMs = signs.floorUntilMs;
    const isFloored = () => signs.floorUntilMs > Math.max(floorMs, performance.now());
    for (;;) {
      const waitMs = isFloored() ? undefined : this.#context.turns.go(turn);
      if (waitMs === undefined) return false;
      if (waitMs === 0) return true;
      await delay(Math.ceil(waitMs));
    }
  }

  async #sendOne(claim: ClaimToSend, item: ClaimedItem, targetOf: TargetLookup, turn?: Turn): Promise<void> {
    let target: Target | undefined;
    let result: AttemptResult;
    let others = 0;
    const span = this.#traces.begin(item);
    try {
      target = targetOf(item.endpointId, item.version);
      if (turn === undefined || (await this.#turnComes(item, turn))) {
        others = this.#onWireAt.get(item.endpointId) ?? 0;
        const ended = await this.#onWire(item.endpointId, this.#attempt(claim, item, target, span));
        result = this.#context.shortages.heed(item.endpointId, ended);
      } else result = { kind: 'released', reason: 'turn' };
    } catch (error) {
      // Nothing throws after the first byte: this was not sent, and trying it again would end the same way.
      this.#context.log.error({
        event: 'delivery.unsendable',
        executionId: showId('execution', item.executionId),
        code: errorCode(error),
      });
      result = { kind: 'faulted', fault: 'invalid_request', mayHaveArrived: false, durationMs: 0 };
    }
    this.#finish(claim, item, result, { target, span, others });
  }

  async #onWire(endpointId: Id<'endpoint'>, attempt: Promise<AttemptResult>): Promise<AttemptResult> {
    count(this.#onWireAt, endpointId, 1);
    try {
      return await attempt;
    } finally {
      count(this.#onWireAt, endpointId, -1);
    }
  }

  #attempt(
    claim: ClaimToSend,
    item: ClaimedItem,
    target: Target,
    span: TraceSpan | undefined,
  ): Promise<AttemptResult> {
    const request = {
      headers: deliveryHeaders(this.#context, item, target, span),
      timeoutMs: Math.min(target.timeoutMs, claim.longestMs),
      deadline: claim.deadline,
    };
    const { attempts, handOvers } = this.#context;
    return target.listenerId
      ? handOvers.send({ ...request, listenerId: target.listenerId, deliveryId: item.deliveryId })
      : attempts.send({ ...request, url: target.url, tls: target.tls, body: item.body });
  }

  #finish(
    { token, slotted, slottedAt, watched }: ClaimToSend,
    item: ClaimedItem,
    result: AttemptResult,
    { target, refusal, span, others = 0 }: Ending,
  ): void {
    const classification = target?.requireAck ? demandAcknowledgement(classify(result)) : classify(result);
    this.#traces.end(item, classification, span);
    const durationMs = result.kind === 'released' ? 0 : result.durationMs;
    this.#unrecorded += 1;
    this.#context.metrics.outcomesWaiting.inc({ lane: this.#lane });
    const inFlight = this.#inFlight.at(item.endpointId);
    this.#ended(item, slottedAt, classification, durationMs, others);
    this.#recorder.add({
      executionId: item.executionId,
      deliveryId: item.deliveryId,
      endpointId: item.endpointId,
      ...(item.operationId ? { operationId: item.operationId } : {}),
      token,
      slotted,
      inFlight,
      beganMs: performance.now() - durationMs,
      ...(watched ? { watched: { first: item.attempts === item.lostAttempts } } : {}),
      classification,
      next: decideNext({
        outcome: classification,
        attempts: item.attempts + 1,
        lost: { all: item.lostAttempts, inARow: 0 },
        policy: target?.policy ?? DEFAULT_RETRY_POLICY,
        onAmbiguous: item.onAmbiguous ?? target?.onAmbiguous ?? 'resend',
        random: Math.random(),
      }),
      endpointVersion: item.version,
      durationMs,
      ...(result.kind === 'answered' ? { excerpt: result.excerpt } : {}),
      ...(refusal ? { refusal } : {}),
      reconcileWithinMs: target?.reconcileWithinMs ?? 0,
      ordered: target?.ordered ?? false,
      test: item.test,
      onRecorded: (recorded, { orderMoved }) => {
        this.#orderMoved ||= orderMoved;
        this.#unrecorded -= 1;
        this.#context.metrics.outcomesWaiting.dec({ lane: this.#lane });
        reportAttempt(this.#context, item, { lane: this.#lane, classification, durationMs, recorded });
        this.#wakeWaiting();
      },
    });
  }

  #ended(
    item: ClaimedItem,
    slottedAt: ReadonlySet<string>,
    classification: Classification,
    durationMs: number,
    others: number,
  ): void {
    const { leastMs } = this.#context.memory.note(item.endpointId, classification, durationMs, others);
    if (classification.httpStatus !== undefined && leastMs !== undefined)
      this.#context.spareSockets.noteAnswer(this.#workedBy, this.#least, {
        leastMs,
        tookMs: durationMs,
        inFlight: this.#inFlight.all,
      });
    this.#inFlight.remove(item, slottedAt.has(item.endpointId));
    this.#context.metrics.inFlight.dec({ lane: this.#lane });
    this.#wakeWaiting();
  }

  #wakeWaiting(): void {
    const waiting = this.#onFreed;
    this.#onFreed = [];
    for (const resolve of waiting) resolve();
  }
}

/** The turn of each item of a claim that has one. */
function turnsOf({ items, turns }: ClaimToSend): Map<Id<'execution'>, Turn> {
  const next = new Map<string, number>();
  return new Map(
    items.flatMap(({ executionId, endpointId }) => {
      const n = next.get(endpointId) ?? 0;
      next.set(endpointId, n + 1);
      const turn = turns.get(endpointId)?.[n];
      return turn ? [[executionId, turn] as const] : [];
    }),
  );
}
