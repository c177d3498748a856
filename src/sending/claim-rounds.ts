import { randomUUID } from 'node:crypto';
import { MAX_BYTES, PACE_POLL_MS, type Round } from '../domain/sending/slice-turn.ts';
import { spread } from '../domain/sending/spread.ts';
import type { Id } from '../domain/tenancy/typed-id.ts';
import { createDeadline, type Deadline } from '../outbound/deadline.ts';
import { withTransaction } from '../store/db/pool.ts';
import { giveBackCanaries, reserveCanaries } from '../store/operations/canaries.ts';
import { type Claim, claimItems, type Grant } from '../store/sending/claims.ts';
import { dueNext } from '../store/sending/ordering.ts';
import { ignoreWithoutPayload, settleAcknowledged } from '../store/settling/settlement.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import type { HeldSockets } from './held-sockets.ts';
import type { ReadyList } from './ready-list.ts';
import { type Reservation, reserveGrants, settleReservation } from './reservation.ts';
import type { Sender } from './sender.ts';
import type { SendingContext } from './sending-context.ts';
import type { SliceControl, SliceTask } from './slice-task.ts';

/** The parts of a slice that its rounds work with. */
export interface SliceParts {
  sender: Sender;
  list: ReadyList;
  held: HeldSockets;
}

/** The name of one claim, and its times. */
interface Lease {
  token: string;
  ms: number;
  /** The longest that a request of it may take. */
  longestMs: number;
  deadline: Deadline;
}

/** The endpoints of items that were claimed. */
type Taken = { endpointId: Id<'endpoint'> }[];

const UNCONTROLLED: SliceControl = { run: true, paced: false, watched: false, claimableInMs: 0 };

/** The rounds of a slice, each of which chooses endpoints, reserves pace, claims the granted items and sends them. */
export class ClaimRounds {
  readonly #context: SendingContext;
  readonly #task: SliceTask;
  readonly #sender: Sender;
  readonly #list: ReadyList;
  readonly #held: HeldSockets;
  #looks = 0;

  constructor(context: SendingContext, task: SliceTask, { sender, list, held }: SliceParts) {
    this.#context = context;
    this.#task = task;
    this.#sender = sender;
    this.#list = list;
    this.#held = held;
  }

  /** Claims up to `most` items, up to `shared` of them at endpoints that have something in flight. */
  async next({ most, shared, endAtMs }: { most: number; shared: number; endAtMs: number }): Promise<Round> {
    const control = (await this.#task.control?.()) ?? UNCONTROLLED;
    const resting = this.#restOf(control);
    if (resting) return resting;
    await this.#list.renew(this.#task.share?.());
    const { ready, late, ...later } = this.#list.look(endAtMs);
    const sockets = { free: most, all: this.#sender.sockets, shared, ...this.#held.walk() };
    const chosen = spread(ready, sockets, this.#looks++);
    if (chosen.length === 0) return { claimed: 0, late, ...later };
    const wanted = await this.#withinCanaries(chosen, control.canary);
    if (wanted.length === 0) {
      this.#list.noteTaken(chosen, [], []);
      return { claimed: 0, refused: true, claimableInMs: PACE_POLL_MS };
    }
    const lease = this.#leaseFor(wanted);
    const reservation = await this.#reserve(wanted, control, lease);
    if (reservation.grants.length === 0) return this.#noneGranted(wanted, reservation, control);
    const claim = await this.#claim(reservation.grants, lease);
    await this.#send(claim, reservation, control, lease);
    await this.#settleUnsent(claim);
    await settleReservation(this.#context.pool, lease.token, reservation, claim.items);
    await this.#giveBackCanaries(wanted, claim.items, control.canary);
    this.#list.noteTaken(wanted, reservation.grants, claim.items, reservation.opensInMs);
    // The pace, time limit or state of an endpoint has changed: the sends granted under the old one were not taken.
    if (claim.stale.length > 0) this.#list.outdate();
    return {
      claimed: claim.items.length + claim.withoutPayload.length + claim.acknowledged.length,
      short: this.#shortInOrder(reservation.grants, claim.items),
      ...later,
    };
  }

  /** Why nothing is claimed now, whatever there is. */
  #restOf(control: SliceControl): Round | undefined {
    if (!control.run) return { claimed: 0, stopped: true };
    if (control.claimableInMs > 0) return { claimed: 0, claimableInMs: control.claimableInMs };
    const { restMs } = this.#context.shortages;
    return restMs > 0 ? { claimed: 0, claimableInMs: restMs } : undefined;
  }

  /** The grants that the canaries of this slice's operation let through. */
  #withinCanaries(wanted: Grant[], count: number | undefined): Promise<Grant[]> {
    const { pool } = this.#context;
    if (count === undefined) return Promise.resolve(wanted);
    return withTransaction(pool, (db) => reserveCanaries(db, this.#task.workedBy, wanted, count));
  }

  async #giveBackCanaries(wanted: Grant[], items: Taken, count: number | undefined): Promise<void> {
    if (count === undefined) return;
    const unused = wanted
      .map(({ endpointId, count: asked }) => ({ endpointId, count: asked - takenAt(endpointId, items) }))
      .filter((each) => each.count > 0);
    if (unused.length > 0) await giveBackCanaries(this.#context.pool, this.#task.workedBy, unused);
  }

  #leaseFor(wanted: Grant[]): Lease {
    const { startWithinMs, marginMs } = this.#context.lease;
    const longestMs = Math.max(...wanted.map((want) => this.#list.get(want.endpointId)?.timeoutMs ?? 0));
    return {
      token: randomUUID(),
      ms: startWithinMs + longestMs + marginMs,
      longestMs,
      // Made before the claim, so that the lease in Postgres outlives it, whatever happens in between.
      deadline: createDeadline(startWithinMs),
    };
  }

  #reserve(wanted: Grant[], { paced }: SliceControl, { token, ms }: Lease): Promise<Reservation> {
    const { workedBy, lane } = this.#task;
    const { inFlight } = this.#sender;
    return reserveGrants(
      this.#context.pool,
      wanted.map((want) => ({ ...want, besides: inFlight.unslottedAt(want.endpointId) })),
      (endpointId) => this.#list.isPaced(endpointId),
      paced ? workedBy : undefined,
      { token, lane, leaseMs: ms },
    );
  }

  async #noneGranted(wanted: Grant[], { opensInMs }: Reservation, { canary }: SliceControl): Promise<Round> {
    await this.#giveBackCanaries(wanted, [], canary);
    this.#list.noteTaken(wanted, [], [], opensInMs);
    const soonestMs = Math.min(...opensInMs.values());
    return {
      claimed: 0,
      refused: true,
      claimableInMs: PACE_POLL_MS,
      ...(Number.isFinite(soonestMs) ? { opensInMs: soonestMs } : {}),
    };
  }

  async #claim(grants: Grant[], { token, ms }: Lease): Promise<Claim> {
    const { pool, metrics, liveTraffic } = this.#context;
    const { workedBy, lane } = this.#task;
    const took = metrics.claimDuration.startTimer({ lane });
    const claim = await claimItems(
      pool,
      workedBy,
      token,
      grants.map((grant) => this.#asListed(grant)),
      ms,
      MAX_BYTES - this.#sender.inFlight.bytes,
    );
    took();
    const { length } = claim.items;
    metrics.sliceClaims.inc(length);
    if (lane === 'live' && length > 0) liveTraffic.note();
    if (length > 0) crashPoint('claimed');
    return claim;
  }

  /** A grant with what the list knows of its endpoint. */
  #asListed(grant: Grant): Grant {
    const candidate = this.#list.get(grant.endpointId);
    return {
      ...grant,
      ordered: candidate?.ordered ?? false,
      ...(candidate?.claimedUpTo ? { after: candidate.claimedUpTo } : {}),
      ...(candidate ? { revision: candidate.revision } : {}),
    };
  }

  async #send(
    { items }: Claim,
    { unpaced, slottedAt, turns }: Reservation,
    { watched }: SliceControl,
    { token, deadline, longestMs }: Lease,
  ): Promise<void> {
    if (items.length === 0) return;
    await this.#sender.send({
      token,
      items,
      deadline,
      longestMs,
      slotted: !unpaced,
      slottedAt,
      turns,
      watched,
    });
  }

  /** Ends what was found due and is not to be sent. */
  async #settleUnsent({ withoutPayload, acknowledged }: Claim): Promise<void> {
    const { pool } = this.#context;
    if (withoutPayload.length > 0) {
      const ignored = await withTransaction(pool, (db) => ignoreWithoutPayload(db, withoutPayload));
      if (await dueNext(pool, ignored)) this.#list.outdate();
    }
    if (acknowledged.length > 0) await withTransaction(pool, (db) => settleAcknowledged(db, acknowledged));
  }

  /** Ordered endpoints that gave less than was granted: something may be in the way of the items that are due there. */
  #shortInOrder(grants: Grant[], items: Taken): Id<'endpoint'>[] {
    return grants
      .filter(({ endpointId }) => this.#list.get(endpointId)?.ordered)
      .filter(({ endpointId, count }) => takenAt(endpointId, items) < count)
      .map(({ endpointId }) => endpointId);
  }
}

function takenAt(endpointId: Id<'endpoint'>, items: Taken): number {
  return items.filter((item) => item.endpointId === endpointId).length;
}
