import { nextStep } from '../domain/operations/next-step.ts';
import { type Id, showId } from '../domain/tenancy/typed-id.ts';
import { Wake } from '../loops/wake.ts';
import { haltsWhenRefused } from '../operations/send-operation.ts';
import type { EarlySlices } from '../sending/early-slices.ts';
import type { RunningSlices } from '../sending/running-slices.ts';
import type { SendingContext } from '../sending/sending-context.ts';
import { Slice } from '../sending/slice.ts';
import type { SliceControl, SliceResult } from '../sending/slice-task.ts';
import { operationFacts } from '../store/operations/operation-facts.ts';
import { isWorkedElsewhere, takeLeftBehind } from '../store/sending/workers.ts';
import { crashPoint } from '../telemetry/crash-points.ts';
import { errorCode } from '../telemetry/error-code.ts';

/** The means to go on with operations that other workers have left behind. */
export interface LeftBehindOptions {
  sending: SendingContext;
  /** Where its slices run, and how many of them may. */
  slices: EarlySlices;
  running: RunningSlices;
  workerId: string;
  /** Requests in flight of one slice. */
  sockets: number;
  /** The control that an operation's slices ask for before each claim. */
  control(operationId: Id<'operation'>): () => Promise<SliceControl>;
}

/** Longer than Temporal takes to notice that a step's heartbeats are missing and to begin it elsewhere. */
const UNTIL_TEMPORAL_MS = 40_000;
const LOOK_ELSEWHERE_MS = 1_000;

/**
 * Goes on with operations whose worker has died, until Temporal begins their step again: that takes it half a minute.
 * It needs no more than a slice has anyway, for who sends is decided by the claim; a slice too many is harmless.
 */
export class LeftBehind {
  readonly #options: LeftBehindOptions;

  constructor(options: LeftBehindOptions) {
    this.#options = options;
  }

  /** Takes over such operations, as far as there is room for them. */
  async look(): Promise<void> {
    const { sending, slices, workerId } = this.#options;
    if (slices.room === 0) return;
    for (const operationId of await takeLeftBehind(sending.pool, workerId, slices.room)) {
      sending.log.warn({
        event: 'operation.left_behind',
        operationId: showId('operation', operationId),
      });
      crashPoint('taken_over');
      slices.begin((stop) => this.#goOn(operationId, stop));
    }
  }

  async #goOn(operationId: Id<'operation'>, stop: AbortSignal): Promise<void> {
    const { sending, running } = this.#options;
    const until = () => performance.now() + UNTIL_TEMPORAL_MS;
    let untilMs = until();
    const wake = new Wake(stop);
    const watch = this.#watch(operationId);
    await running.run(operationId, async () => {
      while (!stop.aborted && !watch.isElsewhere) {
        const { claimed, claimableInMs } = await this.#slice(operationId, wake, stop, watch.control);
        if (claimed > 0) {
          untilMs = until();
          continue;
        }
        // Temporal may be away, too: as long as something waits to be sent and nobody else does it, it is done here. What
        // the dead one had claimed is free when its lease ends, and a pause may be over before Temporal notices anything.
        if (claimableInMs === undefined && performance.now() > untilMs) break;
        if (await this.#isDone(operationId)) break;
        await wake.wait(LOOK_ELSEWHERE_MS);
      }
    });
    sending.log.info({
      event: 'operation.left_behind.ended',
      operationId: showId('operation', operationId),
      elsewhere: watch.isElsewhere,
    });
  }

  /** Nothing of it is left but to close it, which its workflow does. */
  async #isDone(operationId: Id<'operation'>): Promise<boolean> {
    try {
      const facts = await operationFacts(this.#options.sending.pool, operationId);
      return !facts || ['close', 'end'].includes(nextStep(facts).do);
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  #failed(error: unknown): void {
    this.#options.sending.log.warn({ event: 'left_behind.failed', code: errorCode(error) });
  }

  /** Runs one slice; it has claimed nothing where Postgres was away. */
  async #slice(
    operationId: Id<'operation'>,
    wake: Wake,
    stop: AbortSignal,
    control: () => Promise<SliceControl>,
  ): Promise<SliceResult> {
    const { sending, sockets } = this.#options;
    const slice = new Slice(sending, {
      workedBy: operationId,
      lane: 'bulk',
      sockets,
      stop,
      budgetMs: UNTIL_TEMPORAL_MS,
      endWhenIdleForMs: LOOK_ELSEWHERE_MS,
      wake,
      control,
      refused: haltsWhenRefused(sending, operationId),
    });
    try {
      return await slice.run();
    } catch (error) {
      this.#failed(error);
      return { claimed: 0 };
    }
  }

  /** The control of the operation's own slices; it also stops where somebody else works on the operation again. */
  #watch(operationId: Id<'operation'>): { readonly isElsewhere: boolean; control(): Promise<SliceControl> } {
    const { sending, running, workerId, control } = this.#options;
    const own = control(operationId);
    let lookAtMs = 0;
    const watch = {
      isElsewhere: false,
      async control() {
        if (performance.now() >= lookAtMs) {
          lookAtMs = performance.now() + LOOK_ELSEWHERE_MS;
          watch.isElsewhere =
            running.of(operationId) > 1 || (await isWorkedElsewhere(sending.pool, workerId, operationId));
        }
        const found = await own();
        return watch.isElsewhere ? { ...found, run: false } : found;
      },
    };
    return watch;
  }
}
