import type { Id } from '../domain/tenancy/typed-id.ts';
import { Wake } from '../loops/wake.ts';
import type { EarlySlice } from '../sending/early-slices.ts';
import type { SendingContext } from '../sending/sending-context.ts';
import { Slice } from '../sending/slice.ts';
import { isOutage } from '../store/db/outage.ts';
import { readControl } from '../store/operations/operation-facts.ts';
import { renewStatistics, renewWhereGrown } from '../store/sending/queue-statistics.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import { errorCode } from '../telemetry/error-code.ts';
import type { TraceSpan } from '../telemetry/tracing.ts';
import { freezeNext } from './freeze-selection.ts';
import type { OperationContext } from './operation-context.ts';
import { isBeingPlanned, planNext } from './plans/make-plan.ts';
import { mayBeFrozen } from './plans/measure-drift.ts';
import { haltsWhenRefused } from './send-operation.ts';

const PAGES_TOGETHER = 2;
const PAGE_BESIDE_LIVE = 500;
/** One page of a plan: five at a time made first deliveries wait two and a half times as long. */
const STRETCH_BESIDE_LIVE = 1_000;

/** Selects for the operations of one worker. */
export class Selector {
  readonly #context: OperationContext;
  #isTogether = false;

  constructor(context: OperationContext) {
    this.#context = context;
  }

  /**
   * Freezes a selection page by page, and sends from it meanwhile, until all is selected or it is stopped. Of an operation
   * that is to be planned the plan is made instead.
   */
  async select(operationId: Id<'operation'>, stop: AbortSignal, step?: TraceSpan): Promise<void> {
    const { pool } = this.#context.sending;
    if (await isBeingPlanned(pool, operationId)) return this.#plan(operationId, stop);
    if (!(await mayBeFrozen(pool, operationId, stop))) return;
    let early: EarlySlice | undefined;
    const wake = new Wake(stop);
    try {
      for (let more = true; more && !stop.aborted; ) {
        more = await this.#freeze(operationId, stop);
        crashPoint('selected_page');
        if (more) {
          // Before the first claim: one that is planned for an empty queue reads the whole of it, and so do those behind it.
          await renewed(this.#context.sending, renewWhereGrown);
          early ??= await this.#sendEarly(operationId, wake, step);
        }
        wake.poke();
      }
    } finally {
      early?.end();
      wake.poke();
    }
    await renewed(this.#context.sending, renewStatistics);
  }

  /**
   * Makes a plan page by page, two at a time as for a freeze; during live traffic a small one, and then nothing for some
   * time.
   */
  async #plan(operationId: Id<'operation'>, stop: AbortSignal): Promise<void> {
    const { liveTraffic, pool } = this.#context.sending;
    for (let more = true; more && !stop.aborted; ) {
      const beganMs = performance.now();
      if (liveTraffic.flows) {
        more = await planNext(pool, operationId, { stretch: STRETCH_BESIDE_LIVE });
        if (more) await liveTraffic.rest(beganMs, stop);
      } else more = await this.#together((together) => planNext(pool, operationId, { together }));
    }
    if (!stop.aborted) crashPoint('planned');
  }

  /**
   * Freezes the next pages: two at a time for one selection of this worker, one for others; during live traffic a small
   * one, and then nothing for some time.
   */
  async #freeze(operationId: Id<'operation'>, stop: AbortSignal): Promise<boolean> {
    const { liveTraffic, pool } = this.#context.sending;
    if (liveTraffic.flows) {
      const beganMs = performance.now();
      const more = await freezeNext(pool, operationId, { page: PAGE_BESIDE_LIVE });
      if (more) await liveTraffic.rest(beganMs, stop);
      return more;
    }
    return this.#together((pages) => freezeNext(pool, operationId, { pages }));
  }

  /** Runs a step of a selection on several connections, where no other selection of this worker does. */
  async #together(step: (pages: number) => Promise<boolean>): Promise<boolean> {
    if (this.#isTogether) return step(1);
    this.#isTogether = true;
    try {
      return await step(PAGES_TOGETHER);
    } finally {
      this.#isTogether = false;
    }
  }

  /** Sends while the selection goes on; an operation that is watched begins with its canaries, when all is selected. */
  async #sendEarly(
    operationId: Id<'operation'>,
    wake: Wake,
    step?: TraceSpan,
  ): Promise<EarlySlice | undefined> {
    const { sending, early, running, socketsPerSlice } = this.#context;
    const { watched } = await readControl(sending.pool, operationId);
    if (watched) return undefined;
    return early.begin((stop) => {
      const slice = new Slice(sending, {
        workedBy: operationId,
        lane: 'bulk',
        sockets: socketsPerSlice,
        stop,
        budgetMs: Number.POSITIVE_INFINITY,
        endWhenIdleForMs: Number.POSITIVE_INFINITY,
        wake,
        control: () => readControl(sending.pool, operationId),
        refused: haltsWhenRefused(sending, operationId),
        trace: step,
      });
      return running
        .run(operationId, () => slice.run())
        .catch((error: unknown) =>
          // The slices of the operation send all that it would have sent, and say what is wrong with it.
          sending.log.warn({ event: 'early_slice.failed', code: errorCode(error) }),
        );
    });
  }
}

/** Without fresh statistics claims are slow at first; that is no reason to stop. */
async function renewed(
  { pool, log }: SendingContext,
  renew: (db: SendingContext['pool']) => Promise<unknown>,
): Promise<void> {
  try {
    await renew(pool);
  } catch (error) {
    if (isOutage(error)) throw error;
    log.warn({ event: 'statistics.failed', code: errorCode(error) });
  }
}
