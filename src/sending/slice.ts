import { randomUUID } from 'node:crypto';
import { spread } from '../domain/sending/spread.ts';
import type { Wake } from '../loops/wake.ts';
import { createDeadline } from '../outbound/deadline.ts';
import { withTransaction } from '../store/db/pool.ts';
import { giveBackCanaries, reserveCanaries } from '../store/operations/canaries.ts';
import { claimItems, type Grant } from '../store/sending/claims.ts';
import { putOffBlocked } from '../store/sending/ordering.ts';
import { ignoreAtClosedEndpoints, ignoreWithoutPayload } from '../store/settling/settlement.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import { type Look, ReadyList } from './ready-list.ts';
import { reserveGrants, settleReservation } from './reservation.ts';
import { Sender } from './sender.ts';
import type { SendingContext } from './sending-context.ts';

/** Whose work a slice does, with how much, and for how long. */
export interface SliceTask {
  workedBy: string;
  lane: 'bulk' | 'live';
  /** Requests in flight at most; also the most that is ever claimed at once. */
  sockets: number;
  /** Ends the slice: it stops taking, drains and records. No request in flight is aborted. */
  stop: AbortSignal;
  /** The slice returns after so long, for others to have their turn. */
  budgetMs: number;
  /** The slice returns when nothing can be claimed for so long. */
  endWhenIdleForMs: number;
  /** Cuts its waits short. */
  wake: Wake;
  /** What the owner of an operation wants: whether it runs, and whether it has a pace of its own and when that allows more. */
  control?(): Promise<SliceControl>;
  /** The share of the live lane that is this worker's. */
  share?(): { index: number; of: number };
}

/** What the owner of an operation wants of its slices. */
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

/** What a slice did, and when something of its work can be claimed next (absent: nothing is left unsent). */
export interface SliceResult {
  claimed: number;
  claimableInMs?: number;
}

/** Of payloads in memory: what is on the wire and what is claimed beside it; one item alone may go beyond. */
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_CLAIM = 256;
/** How soon what was there and was not given is asked for again, at first and at last. */
const PACE_POLL_MS = 20;
const PACE_POLL_MAX_MS = 250;
const IDLE_POLL_MS = 1_000;
const CLOSED_BATCH = 1_000;
/** What a bulk slice claims at once while live traffic flows: what is claimed together is sent together, and live work waits. */
const MAX_CLAIM_BESIDE_LIVE = 64;

/** Share of the live lane's sockets that is kept for endpoints with nothing in flight. */
const KEPT_SHARE = 1 / 4;

/** What one claim came to; `late`: all that is left may end after the slice; `refused`: there was work and no pace for it. */
type Round = {
  claimed: number;
  stopped?: boolean;
  late?: boolean;
  refused?: boolean;
  /** There was work, and its rate says when there is pace for it. */
  opensInMs?: number;
  claimableInMs?: number;
};

const UNCONTROLLED: SliceControl = { run: true, paced: false, watched: false, claimableInMs: 0 };

/** The loop that is the only sender: choose endpoints, reserve pace, claim what was granted, send, record. */
export class Slice {
  readonly #context: SendingContext;
  readonly #task: SliceTask;
  readonly #sender: Sender;
  readonly #list: ReadyList;
  #turn = 0;
  #endAtMs = Number.POSITIVE_INFINITY;

  constructor(context: SendingContext, task: SliceTask) {
    this.#context = context;
    this.#task = task;
    this.#sender = new Sender(context, task.lane);
    this.#list = new ReadyList(context.pool, task.workedBy, context.memory, (endpointId) =>
      this.#sender.inFlightAt(endpointId),
    );
  }

  /** Runs until its task ends it; always drains and records what it claimed, whatever happens. */
  async run(): Promise<SliceResult> {
    const { sockets, lane, stop, budgetMs, endWhenIdleForMs, wake } = this.#task;
    const { liveTraffic } = this.#context;
    this.#endAtMs = performance.now() + budgetMs;
    // In the live lane an endpoint that hangs must not have all sockets before it is known to: some are for others only.
    const kept = lane === 'live' ? Math.floor(sockets * KEPT_SHARE) : 0;
    let claimed = 0;
    let claimableInMs: number | undefined;
    let inVain = 0;
    // The sockets that are kept are for endpoints with nothing in flight: until then there is none.
    let nobodyNewUntilMs = 0;
    try {
      while (!stop.aborted && performance.now() < this.#endAtMs) {
        const yields = lane === 'bulk' && liveTraffic.flows;
        const maxClaim = yields ? MAX_CLAIM_BESIDE_LIVE : MAX_CLAIM;
        const worthClaiming = Math.max(
          1,
          Math.floor(Math.min(sockets, maxClaim) * (lane === 'live' ? 1 / 4 : 1 / 2)),
        );
        const free = Math.max(0, sockets - this.#sender.inFlight);
        const full = free - kept < worthClaiming;
        if (free === 0 || (full && kept === 0) || this.#sender.bytesInFlight >= MAX_BYTES) {
          await this.#sender.freed();
          continue;
        }
        const sureForMs = nobodyNewUntilMs - performance.now();
        if (full && sureForMs > 0) {
          if (await wake.wait(sureForMs, this.#sender.freed())) {
            nobodyNewUntilMs = 0;
            this.#list.outdate();
          }
          continue;
        }
        // Something that waited for its order may be claimed now: the list of a moment ago does not know.
        if (this.#sender.takeOrderMoved()) this.#list.outdate();
        const beganMs = performance.now();
        const round = await this.#claimRound(Math.min(maxClaim, free), full ? 0 : free - kept);
        claimed += round.claimed;
        if (yields && round.claimed > 0) await liveTraffic.rest(beganMs, stop);
        nobodyNewUntilMs = full && round.claimed === 0 && !round.refused ? this.#list.freshUntilMs : 0;
        claimableInMs = round.claimableInMs;
        if (round.stopped) break;
        const waitMs = claimableInMs ?? Number.POSITIVE_INFINITY;
        inVain = round.claimed === 0 && (round.refused || waitMs === 0) ? inVain + 1 : 0;
        if (round.claimed > 0) continue;
        const { idle } = this.#sender;
        if (idle && (round.late || waitMs > endWhenIdleForMs)) break;
        // Out of pace, or of a paused operation: what is ready and is not given must not be asked for at full speed. What
        // has a time is asked for then and not later, or its pace would fall behind.
        const pollMs =
          round.opensInMs !== undefined
            ? Math.max(round.opensInMs, PACE_POLL_MS)
            : inVain > 0
              ? Math.min(PACE_POLL_MS * 2 ** (inVain - 1), PACE_POLL_MAX_MS)
              : Math.max(waitMs, PACE_POLL_MS);
        const poked = await wake.wait(
          Math.min(pollMs, IDLE_POLL_MS),
          idle ? undefined : this.#sender.freed(),
        );
        // While it is full, each request that ends is no reason to read again what it cannot take yet.
        if (poked || !full) this.#list.outdate();
      }
    } finally {
      await this.#sender.drained();
    }
    return { claimed, ...(claimableInMs === undefined ? {} : { claimableInMs }) };
  }

  async #claimRound(free: number, shared: number): Promise<Round> {
    const { pool, metrics, lease } = this.#context;
    const { workedBy, lane, sockets } = this.#task;
    const control = (await this.#task.control?.()) ?? UNCONTROLLED;
    if (!control.run) return { claimed: 0, stopped: true };
    if (control.claimableInMs > 0) return { claimed: 0, claimableInMs: control.claimableInMs };
    const { ready, late, ...later } = await this.#lookAround();
    const spreadOut = spread(ready, { free, all: sockets, shared, ...this.#held() }, this.#turn++);
    if (spreadOut.length === 0) return { claimed: 0, late, ...later };
    const wanted = await this.#withinCanaries(spreadOut, control.canary);
    if (wanted.length === 0) {
      this.#list.noteTaken(spreadOut, [], []);
      return { claimed: 0, refused: true, claimableInMs: PACE_POLL_MS };
    }

    const longestMs = Math.max(...wanted.map((w) => this.#list.get(w.endpointId)?.timeoutMs ?? 0));
    const leaseMs = lease.startWithinMs + longestMs + lease.marginMs;
    // Before the claim: whatever happens between, the lease in Postgres outlives it.
    const deadline = createDeadline(lease.startWithinMs);
    const token = randomUUID();
    const reservation = await reserveGrants(
      pool,
      wanted,
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
    const { items, withoutPayload, stale } = await claimItems(
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
      MAX_BYTES - this.#sender.bytesInFlight,
    );
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
        turns: reservation.turns,
        watched: control.watched,
      });
    if (withoutPayload.length > 0)
      await withTransaction(pool, (db) => ignoreWithoutPayload(db, withoutPayload));
    await this.#putOffBlocked(reservation.grants, items);
    await settleReservation(pool, token, reservation, items);
    await this.#giveBackCanaries(wanted, items, control.canary);
    this.#list.noteTaken(wanted, reservation.grants, items, reservation.opensInMs);
    // Its pace, time limit or state is another now: what was granted by the old one was not taken.
    if (stale.length > 0) this.#list.outdate();
    return { claimed: items.length + withoutPayload.length, ...later };
  }

  /** What is due and waits for its order is not asked for again until that may have changed. */
  async #putOffBlocked(grants: Grant[], items: { endpointId: string }[]): Promise<void> {
    const short = grants
      .filter(({ endpointId }) => this.#list.get(endpointId)?.ordered)
      .filter(
        ({ endpointId, count }) => items.filter((item) => item.endpointId === endpointId).length < count,
      )
      .map(({ endpointId }) => endpointId);
    if (short.length > 0)
      await withTransaction(this.#context.pool, (db) => putOffBlocked(db, this.#task.workedBy, short));
  }

  /** What the canaries of this slice's operation let through. */
  #withinCanaries(wanted: Grant[], count: number | undefined): Promise<Grant[]> {
    const { pool } = this.#context;
    if (count === undefined) return Promise.resolve(wanted);
    return withTransaction(pool, (db) => reserveCanaries(db, this.#task.workedBy, wanted, count));
  }

  async #giveBackCanaries(wanted: Grant[], items: { endpointId: string }[], count?: number): Promise<void> {
    if (count === undefined) return;
    const unused = wanted
      .map(({ endpointId, count: asked }) => ({
        endpointId,
        count: asked - items.filter((item) => item.endpointId === endpointId).length,
      }))
      .filter((each) => each.count > 0);
    if (unused.length > 0) await giveBackCanaries(this.#context.pool, this.#task.workedBy, unused);
  }

  /** Endpoints that have something to claim now, and when something more of this slice's work can be. */
  async #lookAround(): Promise<Look> {
    const { pool } = this.#context;
    const { workedBy, share } = this.#task;
    if (await this.#list.renew(share?.())) {
      const closed = [...this.#list.closed];
      if (closed.length > 0)
        await withTransaction(pool, (db) => ignoreAtClosedEndpoints(db, workedBy, closed, CLOSED_BATCH));
    }
    return this.#list.look(this.#endAtMs);
  }

  /** What is in flight, by tenant and by what is known of its endpoint. */
  #held() {
    const heldByTenant = new Map<string, number>();
    let heldBySlow = 0;
    let heldByUnproven = 0;
    const nowMs = performance.now();
    for (const [endpointId, count] of this.#sender.inFlightByEndpoint) {
      const tenantId = this.#list.tenantOf(endpointId);
      const { slowUntilMs, provenUntilMs } = this.#context.memory.of(endpointId);
      if (tenantId) heldByTenant.set(tenantId, (heldByTenant.get(tenantId) ?? 0) + count);
      if (slowUntilMs > nowMs) heldBySlow += count;
      if (provenUntilMs <= nowMs) heldByUnproven += count;
    }
    return { heldByTenant, heldBySlow, heldByUnproven };
  }
}
