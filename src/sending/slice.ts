import {
  afterClaim,
  afterPuttingOff,
  afterWait,
  NOTHING_YET,
  type SliceFacts,
  type SliceMemory,
  type SliceTurn,
  sliceTurn,
} from '../domain/sending/slice-turn.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import { withTransaction } from '../store/db/pool.ts';
import { handOverWaiting, holdEndpoints } from '../store/sending/disabled-endpoints.ts';
import { dueNext, putOffBlocked } from '../store/sending/ordering.ts';
import { ignoreAtClosedEndpoints } from '../store/settling/settlement.ts';
import type { TraceSpan } from '../telemetry/tracing.ts';
import { ClaimRounds } from './claim-rounds.ts';
import { HeldSockets } from './held-sockets.ts';
import { ReadyList } from './ready-list.ts';
import { Sender } from './sender.ts';
import type { SendingContext } from './sending-context.ts';
import type { SliceResult, SliceTask } from './slice-task.ts';

const CLOSED_BATCH = 1_000;

/** The loop that is the only sender: its turns, one after another, until its work or its time is over. */
export class Slice {
  readonly #context: SendingContext;
  readonly #task: SliceTask;
  readonly #sender: Sender;
  readonly #list: ReadyList;
  readonly #held: HeldSockets;
  readonly #rounds: ClaimRounds;
  readonly #trace: TraceSpan | undefined;
  #endAtMs = Number.POSITIVE_INFINITY;
  #memory: SliceMemory = NOTHING_YET;
  #claimed = 0;
  #claimableInMs: number | undefined;

  constructor(context: SendingContext, task: SliceTask) {
    this.#context = context;
    this.#task = task;
    this.#trace = task.trace?.child('slice');
    this.#sender = new Sender(context, {
      workedBy: task.workedBy,
      lane: task.lane,
      sockets: task.sockets,
      refused: task.refused,
      trace: this.#trace,
    });
    this.#list = new ReadyList(context.pool, task.workedBy, context.memory, (endpointId) =>
      this.#sender.inFlight.at(endpointId),
    );
    this.#held = new HeldSockets(this.#sender.inFlight.byEndpoint, context.memory, (endpointId) =>
      this.#list.tenantOf(endpointId),
    );
    this.#rounds = new ClaimRounds(context, task, {
      sender: this.#sender,
      list: this.#list,
      held: this.#held,
    });
  }

  /** Runs until its task ends it; always drains and records every item that it claimed, whatever happens. */
  run(): Promise<SliceResult> {
    return this.#context.spareSockets.during(() => this.#run());
  }

  async #run(): Promise<SliceResult> {
    this.#endAtMs = performance.now() + this.#task.budgetMs;
    try {
      for (;;) {
        const turn = sliceTurn(this.#facts(), { ...this.#task, sockets: this.#sender.sockets });
        if (turn.do === 'end') break;
        if (turn.do === 'claim') await this.#claim(turn);
        else if (turn.do === 'wait') await this.#wait(turn);
        else if (turn.do === 'put_off') await this.#putOff(turn.endpointIds);
        else await this.#ignore(turn.endpointIds);
      }
    } finally {
      await this.#sender.drained();
      this.#trace?.set({ 'redrive.slice.claimed': this.#claimed });
      this.#trace?.end();
    }
    const claimableInMs = this.#claimableInMs;
    return { claimed: this.#claimed, ...(claimableInMs === undefined ? {} : { claimableInMs }) };
  }

  #facts(): SliceFacts {
    const { inFlight, unrecorded, idle } = this.#sender;
    return {
      ...this.#memory,
      nowMs: performance.now(),
      endAtMs: this.#endAtMs,
      stopped: this.#task.stop.aborted,
      inFlight: Math.max(0, inFlight.all - this.#held.hung),
      bytesInFlight: inFlight.bytes,
      unrecorded,
      idle,
      yields: this.#yields,
      closed: this.#list.closed,
    };
  }

  get #yields(): boolean {
    return this.#task.lane === 'bulk' && this.#context.liveTraffic.flows;
  }

  async #claim(turn: Extract<SliceTurn, { do: 'claim' }>): Promise<void> {
    const yields = this.#yields;
    // An item that waited for its order may be claimed now, which the list of a moment ago does not show.
    if (this.#sender.takeOrderMoved()) this.#list.outdate();
    const beganMs = performance.now();
    const round = await this.#rounds.next({ ...turn, endAtMs: this.#endAtMs });
    this.#claimed += round.claimed;
    this.#claimableInMs = round.claimableInMs;
    this.#memory = afterClaim(this.#memory, turn, round, this.#list.freshUntilMs);
    if (yields && round.claimed > 0) await this.#context.liveTraffic.rest(beganMs, this.#task.stop);
  }

  async #wait({ ms, untilFreed, thenReads }: Extract<SliceTurn, { do: 'wait' }>): Promise<void> {
    const freed = untilFreed ? this.#sender.freed() : undefined;
    const poked = ms === undefined ? await freed : await this.#task.wake.wait(ms, freed);
    this.#memory = afterWait(this.#memory, poked === true);
    if (poked || thenReads === 'always') this.#list.outdate();
  }

  /** Puts off due items that wait for their order: they are not asked for again until that may have changed. */
  async #putOff(endpointIds: readonly Id<'endpoint'>[]): Promise<void> {
    const { workedBy } = this.#task;
    await withTransaction(this.#context.pool, (db) => putOffBlocked(db, workedBy, [...endpointIds]));
    this.#memory = afterPuttingOff(this.#memory);
  }

  /**
   * Ignores items at endpoints that take nothing any more, a part of them at a time; those of the live lane that wait
   * there go over to their operations.
   */
  async #ignore(endpointIds: readonly Id<'endpoint'>[]): Promise<void> {
    const { workedBy, lane } = this.#task;
    const closed = [...endpointIds];
    const { handed, ignored } = await withTransaction(this.#context.pool, async (db) => {
      await holdEndpoints(db, closed);
      const handed = lane === 'live' ? await handOverWaiting(db, closed, CLOSED_BATCH) : 0;
      return { handed, ignored: await ignoreAtClosedEndpoints(db, workedBy, closed, CLOSED_BATCH) };
    });
    await dueNext(this.#context.pool, ignored);
    if (handed + ignored.length < CLOSED_BATCH) this.#list.forgetClosed();
  }
}
