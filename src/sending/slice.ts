import { randomUUID } from 'node:crypto';
import {
  afterClaim,
  afterPuttingOff,
  afterWait,
  MAX_BYTES,
  NOTHING_YET,
  PACE_POLL_MS,
  type Round,
  type SliceFacts,
  type SliceLimits,
  type SliceMemory,
  type SliceTurn,
  sliceTurn,
} from '../domain/sending/slice-turn.ts';
import { spread } from '../domain/sending/spread.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import type { Wake } from '../loops/wake.ts';
import { createDeadline } from '../outbound/deadline.ts';
import { withTransaction } from '../store/db/pool.ts';
import { giveBackCanaries, reserveCanaries } from '../store/operations/canaries.ts';
import { claimItems, type Grant } from '../store/sending/claims.ts';
import { handOverWaiting, holdEndpoints } from '../store/sending/disabled-endpoints.ts';
import { dueNext, putOffBlocked } from '../store/sending/ordering.ts';
import {
  ignoreAtClosedEndpoints,
  ignoreWithoutPayload,
  settleAcknowledged,
} from '../store/settling/settlement.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import type { TraceSpan } from '../telemetry/tracing.ts';
import { HeldSockets } from './held-sockets.ts';
import { ReadyList } from './ready-list.ts';
import { reserveGrants, settleReservation } from './reservation.ts';
import { Sender } from './sender.ts';
import type { SendingContext } from './sending-context.ts';

/** The task of a slice: whose work it does, within which limits, and for how long. */
export interface SliceTask extends SliceLimits {
  workedBy: Id<'operation'>;
  /** Ends the slice: it stops taking, drains and records. No request in flight is aborted. */
  stop: AbortSignal;
  /** The slice returns after this time, for others to have their turn. */
  budgetMs: number;
  /** Cuts its waits short. */
  wake: Wake;
  /**
   * Reads the control of an operation: whether it runs, whether it has a pace of its own, and when that allows more.
   */
  control?(): Promise<SliceControl>;
  /** Told of each read or write for its items that Postgres refuses; the slice goes on until its control stops it. */
  refused?(error: unknown): void;
  /** The step that it belongs to, where that is traced. */
  trace?: TraceSpan | undefined;
  /** The share of the live lane that is this worker's. */
  share?(): { index: number; of: number };
}

/** The control of an operation, by which its owner steers its slices. */
export interface SliceControl {
  run: boolean;
  /** It has a pace of its own. */
  paced: boolean;
  /** Its attempts are counted, and judged. */
  watched: boolean;
  /** Items of each endpoint that go before all others. */
  canary?: number;
  claimableInMs: number;
}

/** The result of a slice, and when more of its work can be claimed (absent: nothing is left unsent). */
export interface SliceResult {
  claimed: number;
  claimableInMs?: number;
}

const CLOSED_BATCH = 1_000;

const UNCONTROLLED: SliceControl = { run: true, paced: false, watched: false, claimableInMs: 0 };

/** The loop that is the only sender: choose endpoints, reserve pace, claim the granted items, send, record. */
export class Slice {
  readonly #context: SendingContext;
  readonly #task: SliceTask;
  readonly #sender: Sender;
  readonly #list: ReadyList;
  readonly #held: HeldSockets;
  readonly #trace: TraceSpan | undefined;
  #looks = 0;
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
    const { inFlight, idle } = this.#sender;
    return {
      ...this.#memory,
      nowMs: performance.now(),
      endAtMs: this.#endAtMs,
      stopped: this.#task.stop.aborted,
      inFlight: Math.max(0, inFlight.all - this.#held.hung),
      bytesInFlight: inFlight.bytes,
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
    const round = await this.#claimRound(turn.most, turn.shared);
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

  async #claimRound(free: number, shared: number): Promise<Round> {
    const { pool, metrics, lease, shortages } = this.#context;
    const { workedBy, lane } = this.#task;
    const { sockets } = this.#sender;
    const control = (await this.#task.control?.()) ?? UNCONTROLLED;
    if (!control.run) return { claimed: 0, stopped: true };
    if (control.claimableInMs > 0) return { claimed: 0, claimableInMs: control.claimableInMs };
    if (shortages.restMs > 0) return { claimed: 0, claimableInMs: shortages.restMs };
    await this.#list.renew(this.#task.share?.());
    const { ready, late, ...later } = this.#list.look(this.#endAtMs);
    const spreadOut = spread(ready, { free, all: sockets, shared, ...this.#held.walk() }, this.#looks++);
    if (spreadOut.length === 0) return { claimed: 0, late, ...later };
    const wanted = await this.#withinCanaries(spreadOut, control.canary);
    if (wanted.length === 0) {
      this.#list.noteTaken(spreadOut, [], []);
      return { claimed: 0, refused: true, claimableInMs: PACE_POLL_MS };
    }

    const longestMs = Math.max(...wanted.map((w) => this.#list.get(w.endpointId)?.timeoutMs ?? 0));
    const leaseMs = lease.startWithinMs + longestMs + lease.marginMs;
    // Made before the claim, so that the lease in Postgres outlives it, whatever happens in between.
    const deadline = createDeadline(lease.startWithinMs);
    const token = randomUUID();
    const reservation = await reserveGrants(
      pool,
      wanted.map((want) => ({ ...want, besides: this.#sender.inFlight.unslottedAt(want.endpointId) })),
      (endpointId) => this.#list.isPaced(endpointId),
      control.paced ? workedBy : undefined,
      { token, lane, leaseMs },
    );
    if (reservation.grants.length === 0) {
      await this.#giveBackCanaries(wanted, [], control.canary);
      this.#list.noteTaken(wanted, [], [], reservation.opensInMs);
      const opensInMs = Math.min(...reservation.opensInMs.values());
      return {
        claimed: 0,
        refused: true,
        claimableInMs: PACE_POLL_MS,
        ...(Number.isFinite(opensInMs) ? { opensInMs } : {}),
      };
    }
    const claimed = metrics.claimDuration.startTimer({ lane });
    const { items, withoutPayload, acknowledged, stale } = await claimItems(
      pool,
      workedBy,
      token,
      reservation.grants.map((grant) => {
        const candidate = this.#list.get(grant.endpointId);
        return {
          ...grant,
          ordered: candidate?.ordered ?? false,
          ...(candidate?.claimedUpTo ? { after: candidate.claimedUpTo } : {}),
          ...(candidate ? { revision: candidate.revision } : {}),
        };
      }),
      leaseMs,
      MAX_BYTES - this.#sender.inFlight.bytes,
    );
    claimed();
    metrics.sliceClaims.inc(items.length);
    if (lane === 'live' && items.length > 0) this.#context.liveTraffic.note();
    if (items.length > 0) crashPoint('claimed');
    if (items.length > 0)
      await this.#sender.send({
        token,
        items,
        deadline,
        longestMs,
        slotted: !reservation.unpaced,
        slottedAt: reservation.slottedAt,
        turns: reservation.turns,
        watched: control.watched,
      });
    if (withoutPayload.length > 0) {
      const ignored = await withTransaction(pool, (db) => ignoreWithoutPayload(db, withoutPayload));
      if (await dueNext(pool, ignored)) this.#list.outdate();
    }
    if (acknowledged.length > 0) await withTransaction(pool, (db) => settleAcknowledged(db, acknowledged));
    await settleReservation(pool, token, reservation, items);
    await this.#giveBackCanaries(wanted, items, control.canary);
    this.#list.noteTaken(wanted, reservation.grants, items, reservation.opensInMs);
    // The pace, time limit or state of an endpoint has changed: the sends granted under the old one were not taken.
    if (stale.length > 0) this.#list.outdate();
    return {
      claimed: items.length + withoutPayload.length + acknowledged.length,
      short: this.#shortInOrder(reservation.grants, items),
      ...later,
    };
  }

  /** Ordered endpoints that gave less than was granted: something may be in the way of the items that are due there. */
  #shortInOrder(grants: Grant[], items: { endpointId: Id<'endpoint'> }[]): Id<'endpoint'>[] {
    return grants
      .filter(({ endpointId }) => this.#list.get(endpointId)?.ordered)
      .filter(
        ({ endpointId, count }) => items.filter((item) => item.endpointId === endpointId).length < count,
      )
      .map(({ endpointId }) => endpointId);
  }

  /** The grants that the canaries of this slice's operation let through. */
  #withinCanaries(wanted: Grant[], count: number | undefined): Promise<Grant[]> {
    const { pool } = this.#context;
    if (count === undefined) return Promise.resolve(wanted);
    return withTransaction(pool, (db) => reserveCanaries(db, this.#task.workedBy, wanted, count));
  }

  async #giveBackCanaries(
    wanted: Grant[],
    items: { endpointId: Id<'endpoint'> }[],
    count?: number,
  ): Promise<void> {
    if (count === undefined) return;
    const unused = wanted
      .map(({ endpointId, count: asked }) => ({
        endpointId,
        count: asked - items.filter((item) => item.endpointId === endpointId).length,
      }))
      .filter((each) => each.count > 0);
    if (unused.length > 0) await giveBackCanaries(this.#context.pool, this.#task.workedBy, unused);
  }
}
